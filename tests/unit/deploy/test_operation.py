"""One stack, from any state to what it should be."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.clock import Stop
from archlib.deploy.journal import Entry
from archlib.deploy.models import StackState
from archlib.deploy.operation import is_unchanged
from archlib.deploy.reporter import Began
from archlib.deploy.run import Options
from archlib.errors import DeployError, GuardError, RunningError, StaleError, StuckError
from deploying import Bench, artifact, changed, queue, table
from fakes import ServiceError


def test_a_new_stack_is_created_and_gives_its_outputs(bench: Bench) -> None:
    done = bench.deploy(artifact(outputs={"Url": {"Ref": "Jobs"}}))

    assert done.results["shop-dev-data"].action == "created"
    assert done.outputs["shop-dev-data"]["Url"]
    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"
    assert bench.left_behind() == []


def test_an_unchanged_stack_takes_two_reads_and_no_change_set(bench: Bench) -> None:
    stack = artifact(outputs={"Url": {"Ref": "Jobs"}})
    bench.deploy(stack)
    bench.fake.calls.clear()

    done = bench.deploy(stack)

    assert done.results["shop-dev-data"].action == "unchanged"
    assert [call.operation for call in bench.fake.calls] == ["DescribeStacks", "GetTemplate"]


def test_planning_and_carrying_out_nothing_takes_two_reads_together(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.calls.clear()
    deployer = bench.deployer()

    done = deployer.execute(deployer.plan([stack]))

    assert done.results["shop-dev-data"].action == "unchanged"
    assert [call.operation for call in bench.fake.calls] == ["DescribeStacks", "GetTemplate"]


def test_a_changed_stack_is_updated(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)

    done = bench.deploy(changed(stack, Jobs=queue(VisibilityTimeout=60), More=queue()))

    assert done.results["shop-dev-data"].action == "updated"
    assert bench.status("shop-dev-data") == "UPDATE_COMPLETE"
    assert bench.left_behind() == []


def test_what_fails_is_rolled_back_and_told_with_its_cause(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.script("More", fails="Resource limit exceeded for queues")

    with pytest.raises(DeployError, match="More: Resource limit exceeded") as caught:
        bench.deploy(changed(stack, More=queue()))

    assert caught.value.exit_code == 20
    failure = caught.value.failure
    assert (failure.stack, failure.resource) == ("shop-dev-data", "More")
    assert failure.state.startswith("UPDATE_ROLLBACK_COMPLETE")
    assert "quota" in failure.next
    assert bench.left_behind() == []


def test_a_failed_creation_is_made_anew_by_the_next_deployment(bench: Bench) -> None:
    bench.fake.script("Jobs", fails="not today", times=1)
    with pytest.raises(DeployError):
        bench.deploy(artifact())
    assert bench.status("shop-dev-data") == "ROLLBACK_COMPLETE"

    done = bench.deploy(artifact())

    assert done.results["shop-dev-data"].action == "created"
    assert bench.fake.count("DeleteStack") == 1


def test_replacing_data_is_refused_unless_it_is_allowed(bench: Bench) -> None:
    stack = artifact(Orders=table())
    bench.deploy(stack)
    other = changed(stack, Orders=table(KeySchema=[{"AttributeName": "no", "KeyType": "HASH"}]))

    with pytest.raises(GuardError, match=r"replaces Orders .*--allow-replace Orders") as caught:
        bench.deploy(other)
    assert caught.value.exit_code == 12
    assert bench.fake.count("ExecuteChangeSet") == 1
    assert bench.left_behind() == []

    done = bench.deploy(other, options=Options(allow=frozenset({"Orders"})))
    assert done.results["shop-dev-data"].action == "updated"


def test_a_stack_whose_rollback_is_stuck_is_left_alone(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.script("Jobs", "ROLLBACK", fails="cannot go back")
    bench.fake.script("More", fails="no")
    with pytest.raises(StuckError) as caught:
        bench.deploy(changed(stack, Jobs=queue(VisibilityTimeout=60), More=queue()))
    assert caught.value.exit_code == 21
    assert "archlib recover shop-dev-data" in str(caught.value)
    bench.fake.calls.clear()

    with pytest.raises(StuckError, match="archlib recover"):
        bench.deploy(stack)

    assert {call.operation for call in bench.fake.calls} == {"DescribeStacks"}


def test_a_protected_target_protects_its_stacks_and_wants_to_be_named(bench: Bench) -> None:
    target = Target(protected=True)

    with pytest.raises(GuardError, match="--confirm"):
        bench.deploy(artifact(), target=target)
    bench.deploy(artifact(), target=target, options=Options(confirmed=True))

    assert bench.fake.call("DescribeStacks", {"StackName": "shop-dev-data"})["Stacks"][0]["EnableTerminationProtection"]


NAME = "shop-dev-data"
ROLE = "arn:aws:iam::123456789012:role/cfn"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
TEXT = {"Type": "String"}
SHELL = {"shell": True}
POLICY = '{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}'


def unchanged(bench: Bench, stack: StackArtifact, **how: Any) -> bool:
    deployer = bench.deployer(**how)
    state = deployer.run().cloudformation.stack(stack.name)
    assert state is not None
    return is_unchanged(deployer.run(), deployer.job(stack), state)


def with_template(stack: StackArtifact, **parts: Any) -> StackArtifact:
    return replace(stack, template={**stack.template, **parts})


class TestUnchanged:
    def test_the_same_is(self, bench: Bench) -> None:
        stack = artifact(parameters={"Size": TEXT, "Depth": {"Type": "Number", "Default": 3}, "Kept": TEXT})
        first = Target(parameters={"Size": "1", "Kept": "k"})
        bench.deploy(stack, target=first)

        assert unchanged(bench, stack, target=first)
        assert unchanged(bench, stack, target=Target(parameters={"Size": "1"})), "what is not given stays"
        assert unchanged(bench, stack, target=Target(parameters={"Depth": "3"}))
        assert not unchanged(bench, stack, target=Target(parameters={"Size": "2"}))
        assert not unchanged(bench, stack, target=Target(parameters={"Depth": "4"}))

    def test_other_resources_or_outputs_are_not(self, bench: Bench) -> None:
        stack = artifact()
        bench.deploy(stack)

        assert not unchanged(bench, changed(stack, Jobs=queue(DelaySeconds=1)))
        assert not unchanged(bench, with_template(stack, Outputs={"A": {"Value": "x"}}))

    def test_other_tags_are_not(self, bench: Bench) -> None:
        bench.deploy(artifact())

        assert not unchanged(bench, artifact(tags={"app": "shop", "environment": "prod"}))
        assert not unchanged(bench, artifact(tags={"app": "shop", "environment": "dev", "more": "x"}))

    def test_another_set_of_parameters_is_not(self, bench: Bench) -> None:
        bench.deploy(artifact(parameters={"Size": {**TEXT, "Default": "1"}}))

        assert not unchanged(bench, artifact())
        assert not unchanged(bench, artifact(parameters={"Size": {**TEXT, "Default": "2"}}))

    def test_a_hidden_value_that_is_given_cannot_be_told(self, bench: Bench) -> None:
        stack = artifact(parameters={"Password": {**TEXT, "NoEcho": True}})
        target = Target(parameters={"Password": "planted"})
        bench.deploy(stack, target=target)

        assert not unchanged(bench, stack, target=target)
        assert unchanged(bench, stack), "one that is kept is the same"

    def test_what_is_resolved_anew_cannot_be_told(self, bench: Bench) -> None:
        bench.fake.world.ssm["/size"] = "1"
        stored = artifact(parameters={"Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/size"}})
        bench.deploy(stored)

        assert not unchanged(bench, stored)
        assert not unchanged(bench, with_template(stored, Parameters={}, Transform="AWS::LanguageExtensions"))

    @pytest.mark.parametrize("options", [Options(revert_drift=True), Options(import_existing=True)])
    def test_what_was_asked_for_needs_a_change_set(self, bench: Bench, options: Options) -> None:
        bench.deploy(artifact())

        assert unchanged(bench, artifact())
        assert not unchanged(bench, artifact(), options=options)

    def test_another_role_or_topic_is_not(self, bench: Bench) -> None:
        target = Target(service_role=ROLE, notifications=(TOPIC,))
        bench.deploy(artifact(), target=target)

        assert unchanged(bench, artifact(), target=target)
        assert unchanged(bench, artifact(), target=Target(notifications=(TOPIC,))), "a role sticks"
        assert not unchanged(bench, artifact(), target=replace(target, service_role=f"{ROLE}2"))
        assert not unchanged(bench, artifact(), target=replace(target, notifications=()))

    def test_a_stack_in_any_other_state_is_not(self, bench: Bench) -> None:
        bench.deploy(artifact())
        bench.fake.stack(NAME).status = "UPDATE_FAILED"

        assert not unchanged(bench, artifact())


class TestProtection:
    def test_an_unchanged_stack_gets_what_it_lacks(self, bench: Bench) -> None:
        bench.deploy(artifact())
        target = Target(protected=True, stack_policy=POLICY)
        confirmed = Options(confirmed=True)

        assert bench.deploy(artifact(), target=target, options=confirmed).results[NAME].action == "unchanged"

        assert bench.fake.call("GetStackPolicy", {"StackName": NAME})["StackPolicyBody"] == POLICY
        assert bench.fake.count("UpdateTerminationProtection") == bench.fake.count("SetStackPolicy") == 1
        bench.deploy(artifact(), target=target, options=confirmed)
        assert bench.fake.count("UpdateTerminationProtection") == bench.fake.count("SetStackPolicy") == 1

    def test_an_empty_change_set_is_no_reason_to_leave_it_out(self, bench: Bench) -> None:
        bench.deploy(artifact())
        options = Options(confirmed=True, import_existing=True)

        done = bench.deploy(artifact(), target=Target(protected=True), options=options)

        assert done.results[NAME].action == "unchanged"
        assert bench.fake.count("UpdateTerminationProtection") == 1
        assert bench.left_behind() == []


class TestAfterADeath:
    def entry(self, bench: Bench, **parts: Any) -> None:
        """Leave the journal of a process that is gone."""
        deployer = bench.deployer()
        journal = deployer.run().journal
        journal.put(NAME, Entry("change-set", "", "archlib-mine", "archlib-token"))
        (file,) = bench.folder.rglob("*.json")
        data = {**json.loads(file.read_text()), "pid": 2**22 + 1, **parts}
        file.write_text(json.dumps(data))

    def theirs(self, bench: Bench, name: str, kind: str = "UPDATE") -> str:
        body = json.dumps(artifact(More=queue()).template)
        parameters = {"StackName": NAME, "ChangeSetName": name, "ChangeSetType": kind, "TemplateBody": body}
        made = bench.fake.call("CreateChangeSet", parameters)
        bench.clock.sleep(10)
        return str(made["Id"])

    def test_what_it_left_is_removed_and_what_others_left_is_not(self, bench: Bench) -> None:
        bench.deploy(artifact())
        self.theirs(bench, "archlib-mine")
        self.theirs(bench, "other")
        self.entry(bench)

        bench.deploy(artifact())

        assert bench.left_behind() == ["other"]
        assert list(bench.folder.rglob("*.json")) == []

    def test_its_empty_shell_is_removed(self, bench: Bench) -> None:
        self.theirs(bench, "archlib-mine", "CREATE")
        self.entry(bench, **SHELL)

        assert bench.deploy(artifact()).results[NAME].action == "created"

        assert bench.fake.count("DeleteStack") == 1
        assert bench.left_behind() == []

    def test_a_shell_that_others_use_stays(self, bench: Bench) -> None:
        self.theirs(bench, "archlib-mine", "CREATE")
        self.theirs(bench, "other", "CREATE")
        self.entry(bench, **SHELL)

        bench.deploy(artifact())

        assert bench.fake.count("DeleteStack") == 0

    def test_a_policy_that_it_changed_is_put_back(self, bench: Bench) -> None:
        bench.deploy(artifact())
        self.entry(bench, policy=POLICY)

        bench.deploy(artifact())

        assert bench.fake.call("GetStackPolicy", {"StackName": NAME})["StackPolicyBody"] == POLICY

    def test_one_that_lives_is_left_alone(self, bench: Bench) -> None:
        bench.deploy(artifact())
        self.theirs(bench, "archlib-mine")
        self.entry(bench, pid=os.getppid())

        bench.deploy(artifact())

        assert bench.left_behind() == ["archlib-mine"]

    def test_what_it_began_is_followed_to_its_end(self, bench: Bench) -> None:
        stop = Stop()
        bench.fake.script("Jobs", takes=300)
        bench.recorder.listener = lambda report: stop.request() if "Jobs" in str(report) else None
        with pytest.raises(RunningError):
            bench.deploy(artifact(), stop=stop)
        bench.recorder.listener = lambda report: None
        began = len(bench.recorder.reports)

        done = bench.deploy(artifact())

        assert done.results[NAME].action == "created"
        (report,) = [each for each in bench.recorder.reports[began:] if isinstance(each, Began)]
        assert report.action == "attach"
        assert bench.fake.count("ExecuteChangeSet") == 1
        assert any("CREATE_COMPLETE" in event.status for event in bench.recorder.events())

    def test_what_it_began_may_fail(self, bench: Bench) -> None:
        stop = Stop()
        bench.fake.script("Jobs", takes=300, fails="no")
        bench.recorder.listener = lambda report: stop.request() if "Jobs" in str(report) else None
        with pytest.raises(RunningError):
            bench.deploy(artifact(), stop=stop)
        bench.recorder.listener = lambda report: None

        with pytest.raises(DeployError, match="Jobs: no"):
            bench.deploy(artifact())


def test_a_role_that_stays_unknown_is_tried_only_once_more(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", fails="The role defined for the function cannot be assumed by Lambda.")

    with pytest.raises(DeployError, match="cannot be assumed"):
        bench.deploy(changed(artifact(), More=queue()))

    assert bench.fake.count("ExecuteChangeSet") == 3
    assert "trying once more in 15 s" in bench.recorder.notes


def test_others_who_never_stop_changing_it_win(bench: Bench) -> None:
    bench.deploy(artifact())
    real = bench.fake.call

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "CreateChangeSet":
            raise ServiceError("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be updated")
        return real(operation, parameters, **how)

    bench.fake.call = call  # type: ignore[method-assign]

    with pytest.raises(StaleError, match="others keep changing it; try again when they are done"):
        bench.deploy(changed(artifact(), More=queue()))


def test_a_hook_that_refuses_a_change_set_gives_its_advice(bench: Bench) -> None:
    bench.deploy(artifact())
    real = bench.fake.call
    told = {"TypeName": "Acme::Tags::Hook", "Status": "HOOK_COMPLETE_FAILED", "HookStatusReason": "a tag is missing"}

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "ListHookResults":
            assert parameters["TargetType"] == "CHANGE_SET"
            return {"HookResults": [told]}
        answer = real(operation, parameters, **how)
        if operation == "DescribeChangeSet" and answer["Status"] == "CREATE_COMPLETE":
            answer |= {"Status": "FAILED", "StatusReason": "The following hook(s) failed: [Acme::Tags::Hook]"}
        return answer

    bench.fake.call = call  # type: ignore[method-assign]

    with pytest.raises(DeployError, match="change what the hook refuses") as caught:
        bench.deploy(changed(artifact(), More=queue()))

    assert caught.value.failure.evidence == ("Acme::Tags::Hook: a tag is missing",)


def test_a_request_carries_what_the_target_and_the_options_say(bench: Bench) -> None:
    alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a"
    target = Target(service_role=ROLE, notifications=(TOPIC,), rollback_alarms=(alarm,), rollback_minutes=5)
    options = Options(validate=False, on_failure="DELETE", revert_drift=True)
    deployer = bench.deployer(target=target, options=options)
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x"}}
    job = deployer.job(artifact(Inner=nested, parameters={"Kept": TEXT}))
    state = StackState(NAME, "arn:stack", "UPDATE_COMPLETE", parameters={"Kept": "1"})

    new, old = job.request(deployer.run(), None), job.request(deployer.run(), state, name="given")

    assert (new.kind, new.stack, new.on_failure, new.revert_drift) == ("CREATE", NAME, "DELETE", False)
    assert new.parameters == {}
    assert (old.kind, old.stack, old.on_failure, old.revert_drift) == ("UPDATE", "arn:stack", None, True)
    assert old.parameters == {"Kept": None}
    assert new.name == new.token != old.name == old.token == "given"
    assert (new.role, new.notifications, new.rollback_alarms, new.rollback_minutes) == (ROLE, (TOPIC,), (alarm,), 5)
    assert (new.nested, new.validate, new.description) == (True, False, f"archlib {job.content[:24]}")
