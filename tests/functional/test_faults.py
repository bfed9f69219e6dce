"""What can go wrong between here and CloudFormation, and what the deployer makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlib.core.artifact import StackArtifact
from archlib.deploy.clock import Stop
from archlib.deploy.limiter import Limiter
from archlib.deploy.models import COMPLETE
from archlib.deploy.reporter import Progress, Report
from archlib.deploy.run import Options
from archlib.errors import (
    ArchlibError,
    AwsError,
    CredentialsError,
    DeployError,
    GuardError,
    InterruptError,
    RunningError,
    StaleError,
    StuckError,
)
from deploying import Bench, artifact, changed, queue

NAME = "shop-dev-data"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def stack(bench: Bench) -> StackArtifact:
    """A stack that exists."""
    made = artifact()
    bench.deploy(made)
    return made


def more(stack: StackArtifact, **resources: Any) -> StackArtifact:
    return changed(stack, More=queue(), **resources)


class TestReading:
    @pytest.mark.parametrize(
        "kind", ["throttle", "error_500", "lost_response", "lost_request", "html_page", "truncated_xml"]
    )
    @pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeStackEvents", "DescribeChangeSet"])
    def test_reads_go_on(self, bench: Bench, stack: StackArtifact, operation: str, kind: Any) -> None:
        bench.fake.fault(operation, kind, times=6)

        assert bench.deploy(more(stack)).results[NAME].action == "updated"

    def test_being_throttled_slows_everything_down_and_is_told_after_a_minute(
        self, bench: Bench, stack: StackArtifact
    ) -> None:
        bench.fake.fault("DescribeStackEvents", "throttle", times=12)
        limiters: dict[tuple[str, str], Limiter] = {}

        bench.deploy(more(stack), limiters=limiters)

        (limiter,) = limiters.values()
        assert limiter.rate < 1.0
        assert "no answer from CloudFormation" in bench.recorder.notes

    def test_monitoring_that_fails_at_the_end_does_not_fail_a_good_stack(
        self, bench: Bench, stack: StackArtifact
    ) -> None:
        def throttle(report: Report) -> None:
            if isinstance(report, Progress) and report.event.status == "UPDATE_COMPLETE" and report.event.of_stack:
                bench.fake.fault("*", "throttle", times=5)

        bench.recorder.listener = throttle

        assert bench.deploy(more(stack)).results[NAME].action == "updated"

    def test_an_outage_while_watching_ends_with_attach_and_changes_nothing(
        self, bench: Bench, stack: StackArtifact
    ) -> None:
        bench.fake.fault("DescribeStackEvents", "lost_request", after=1, times=None)

        with pytest.raises(RunningError, match=f"archlib attach {NAME}") as caught:
            bench.deploy(more(stack))

        assert caught.value.exit_code == 75
        bench.fake.faults.planned.clear()
        bench.fake.settle()
        assert bench.status(NAME) == "UPDATE_COMPLETE"
        assert bench.deploy(more(stack)).results[NAME].action == "unchanged"

    def test_an_outage_before_anything_began_ends_soon(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.fault("*", "lost_request", times=None)
        began = bench.clock.now()

        with pytest.raises(AwsError) as caught:
            bench.deploy(more(stack))

        assert caught.value.exit_code == 1
        assert bench.clock.now() - began < 200

    def test_a_stale_read_after_the_start_is_no_end(self, bench: Bench) -> None:
        bench.fake.fault("DescribeStacks", "stale", after=1, times=3)

        assert bench.deploy(artifact()).results[NAME].action == "created"

    def test_what_a_portal_answers_is_shown_in_the_end(self, bench: Bench) -> None:
        bench.fake.fault("*", "html_page", times=None)

        with pytest.raises(AwsError, match="not from AWS"):
            bench.deploy(artifact())


class TestWriting:
    @pytest.mark.parametrize("kind", ["throttle", "lost_response", "lost_request", "error_500", "timeout"])
    @pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
    def test_each_write_happens_once(self, bench: Bench, stack: StackArtifact, operation: str, kind: Any) -> None:
        bench.fake.fault(operation, kind)

        assert bench.deploy(more(stack)).results[NAME].action == "updated"

        succeeded = [call for call in bench.fake.calls if call.operation == "ExecuteChangeSet" and not call.error]
        assert len(succeeded) == 2  # one made the stack
        assert bench.left_behind() == []

    @pytest.mark.parametrize("kind", ["lost_response", "lost_request", "throttle"])
    def test_deleting_what_a_failed_creation_left_happens_once(self, bench: Bench, kind: Any) -> None:
        bench.fake.script("Jobs", fails="no", times=1)
        with pytest.raises(DeployError):
            bench.deploy(artifact())
        bench.fake.fault("DeleteStack", kind)

        assert bench.deploy(artifact()).results[NAME].action == "created"

    def test_a_token_that_was_used_for_something_else_is_replaced(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.fault("CreateChangeSet", "lost_response")
        real = bench.fake.call
        sent: list[Any] = []

        def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
            # The first one that got through had another content.
            if operation == "CreateChangeSet" and not sent:
                sent.append(parameters)
                parameters = {**parameters, "Description": "something else"}
            return real(operation, parameters, **how)

        bench.fake.call = call  # type: ignore[method-assign]

        assert bench.deploy(more(stack)).results[NAME].action == "updated"


class TestCredentials:
    def test_expired_before_the_start_ends_at_once(self, bench: Bench) -> None:
        bench.fake.fault("*", "expired_token", times=None)
        began = bench.clock.now()

        with pytest.raises(CredentialsError, match="log in again"):
            bench.deploy(artifact())

        assert bench.clock.now() - began < 2

    def test_expired_while_watching_are_read_again(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.fault("DescribeStackEvents", "expired_token", after=1, times=4)

        assert bench.deploy(more(stack)).results[NAME].action == "updated"
        assert bench.aws.renewed == 4

    def test_expired_for_good_while_watching_says_how_to_come_back(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.fault("DescribeStackEvents", "expired_token", after=1, times=None)

        with pytest.raises(RunningError, match=r"credentials are no longer valid.*archlib attach"):
            bench.deploy(more(stack))

    def test_a_clock_that_is_wrong_is_named(self, bench: Bench) -> None:
        bench.fake.fault("*", "clock_skew", times=None, seconds=900)

        with pytest.raises(AwsError, match=r"clock is 900 s (fast|slow)"):
            bench.deploy(artifact())

    def test_a_right_that_is_missing_is_named(self, bench: Bench) -> None:
        bench.fake.fault("CreateChangeSet", "access_denied", times=None)

        with pytest.raises(ArchlibError, match="allow cloudformation:CreateChangeSet"):
            bench.deploy(artifact())
        assert bench.left_behind() == []

    def test_a_right_that_is_nice_to_have_is_not_missed(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.world.validation_failures["More"] = ("NAME_CONFLICT_VALIDATION", "/Resources/More", "it is there")
        bench.fake.fault("DescribeEvents", "access_denied", times=None)

        with pytest.raises(DeployError, match="EarlyValidation"):
            bench.deploy(more(stack))


class TestOthers:
    def test_somebody_elses_operation_is_waited_for(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("Jobs", "UPDATE", takes=300)
        other_update(bench, stack, Jobs=queue(VisibilityTimeout=5))

        done = bench.deploy(more(stack))

        assert done.results[NAME].action == "updated"
        assert "somebody else is working on it" in bench.recorder.notes

    def test_somebody_else_who_does_not_end_is_left_alone(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("Jobs", "UPDATE", hangs=True)
        other_update(bench, stack, Jobs=queue(VisibilityTimeout=5))

        with pytest.raises(RunningError, match="somebody else is still working"):
            bench.deploy(more(stack), options=Options(wait_for_other=600))

    def test_an_update_that_overtakes_makes_us_look_again(self, bench: Bench, stack: StackArtifact) -> None:
        after_change_set(bench, lambda: other_update(bench, stack, Jobs=queue(VisibilityTimeout=5), wait=True))

        assert bench.deploy(more(stack)).results[NAME].action == "updated"
        assert set(bench.fake.stack(NAME).resources) == {"Jobs", "More"}

    def test_an_approved_plan_that_is_overtaken_is_stale(self, bench: Bench, stack: StackArtifact) -> None:
        deployer = bench.deployer()
        plan = deployer.plan([more(stack)])
        other_update(bench, stack, Jobs=queue(VisibilityTimeout=5), wait=True)

        with pytest.raises(StaleError) as caught:
            deployer.execute(plan)

        assert caught.value.exit_code == 14

    def test_a_change_set_that_somebody_removes_is_made_again(self, bench: Bench, stack: StackArtifact) -> None:
        def remove() -> None:
            (item,) = [
                item
                for item in bench.fake.call("ListChangeSets", {"StackName": NAME})["Summaries"]
                if item["ExecutionStatus"] == "AVAILABLE"
            ]
            bench.fake.call("DeleteChangeSet", {"ChangeSetName": item["ChangeSetId"]})

        after_change_set(bench, remove)

        assert bench.deploy(more(stack)).results[NAME].action == "updated"

    def test_a_stack_that_is_deleted_under_us_is_not_made_again(self, bench: Bench) -> None:
        bench.fake.script("Jobs", takes=120)
        bench.fake.outsider(bench.clock.now() + 30, lambda: bench.fake.call("DeleteStack", {"StackName": NAME}))

        with pytest.raises(DeployError, match="somebody else deleted it"):
            bench.deploy(artifact())

        bench.fake.settle()
        assert bench.status(NAME) == "DELETE_COMPLETE"

    def test_the_very_same_change_of_another_run_is_joined(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("More", takes=200)
        stop = Stop()
        bench.recorder.listener = lambda report: stop.request() if is_event(report, "More") else None
        with pytest.raises(RunningError):
            bench.deploy(more(stack), stop=stop)
        bench.recorder.listener = lambda report: None
        executed = bench.fake.count("ExecuteChangeSet")

        done = bench.deploy(more(stack))

        assert done.results[NAME].action == "updated"
        assert bench.fake.count("ExecuteChangeSet") == executed


class TestInterrupts:
    def test_before_the_start_nothing_is_left(self, bench: Bench) -> None:
        stop = Stop()
        bench.fake.world.timing.change_set = 60
        bench.fake.outsider(bench.clock.now() + 20, stop.request)

        with pytest.raises(InterruptError) as caught:
            bench.deploy(artifact(), stop=stop)

        assert caught.value.exit_code == 130
        bench.fake.settle()
        assert bench.left_behind() == []

    def test_after_the_start_cloudformation_goes_on(self, bench: Bench) -> None:
        stop = Stop()
        bench.fake.script("Jobs", takes=60)
        bench.recorder.listener = lambda report: stop.request() if is_event(report, "Jobs") else None

        with pytest.raises(RunningError, match=r"archlib attach.*archlib cancel") as caught:
            bench.deploy(artifact(), stop=stop)

        assert caught.value.exit_code == 75
        bench.fake.settle()
        assert bench.status(NAME) == "CREATE_COMPLETE"

    def test_an_update_can_be_cancelled_instead(self, bench: Bench, stack: StackArtifact) -> None:
        stop = Stop()
        bench.fake.script("More", takes=600)
        bench.recorder.listener = lambda report: stop.request() if is_event(report, "More") else None

        with pytest.raises(DeployError):
            bench.deploy(more(stack), stop=stop, options=Options(on_interrupt="cancel"))

        assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"
        assert bench.fake.count("CancelUpdateStack") == 1


class TestStatuses:
    def test_a_leftover_in_review_is_used(self, bench: Bench) -> None:
        create(bench, NAME, queue(), execute=False)

        assert bench.deploy(artifact()).results[NAME].action == "created"

    def test_a_failed_rollback_is_asked_about(self, bench: Bench) -> None:
        failed_rollback(bench)

        with pytest.raises(GuardError, match="--replace-failed"):
            bench.deploy(artifact(Good=queue(), Bad=queue()))
        assert bench.recorder.questions
        assert bench.fake.count("DeleteStack") == 0

    @pytest.mark.parametrize("how", ["asked", "option"])
    def test_a_failed_rollback_is_replaced_when_that_is_wanted(self, bench: Bench, how: str) -> None:
        failed_rollback(bench)
        bench.recorder.answer = how == "asked"
        bench.fake.world.scripts.clear()

        done = bench.deploy(artifact(Good=queue(), Bad=queue()), options=Options(replace_failed=how == "option"))

        assert done.results[NAME].action == "created"

    def test_a_failure_without_rollback_is_rolled_back_first(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("More", fails="no", times=1)
        other_update(bench, stack, More=queue(), wait=True, disable_rollback=True)
        assert bench.status(NAME) == "UPDATE_FAILED"

        assert bench.deploy(more(stack)).results[NAME].action == "updated"

    def test_deletion_is_waited_for(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("Jobs", "DELETE", takes=100)
        bench.fake.call("DeleteStack", {"StackName": NAME})

        assert bench.deploy(stack).results[NAME].action == "created"

    def test_a_stack_that_cannot_be_deleted_stops_the_run(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("Jobs", "DELETE", fails="has a dependent object")
        bench.fake.call("DeleteStack", {"StackName": NAME})
        bench.fake.settle()

        with pytest.raises(StuckError, match="DELETE_FAILED"):
            bench.deploy(more(stack))

    def test_cleaning_up_ends_as_success_and_names_what_stays(self, bench: Bench) -> None:
        stack = artifact(Topic={"Type": "AWS::SNS::Topic"})
        bench.deploy(stack)
        bench.fake.script("Topic", "DELETE", fails="in use")

        done = bench.deploy(changed(stack, Topic=None, Other=queue()))

        assert done.results[NAME].action == "updated"
        assert [orphan.split(" ")[0] for orphan in done.results[NAME].orphans] == ["Topic"]
        assert bench.status(NAME) in COMPLETE

    def test_a_rolled_back_update_can_be_updated(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("More", fails="no", times=1)
        with pytest.raises(DeployError):
            bench.deploy(more(stack))

        assert bench.deploy(more(stack)).results[NAME].action == "updated"


class TestRefusals:
    def test_early_validation_is_told_with_its_place(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.world.validation_failures["More"] = ("NAME_CONFLICT_VALIDATION", "/Resources/More", "it is there")

        with pytest.raises(DeployError, match=r"/Resources/More: it is there.*--no-validation"):
            bench.deploy(more(stack))
        assert bench.left_behind() == []

        done = bench.deploy(more(stack), options=Options(validate=False))
        assert done.results[NAME].action == "updated"

    def test_capabilities_are_computed(self, bench: Bench) -> None:
        role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "me", "AssumeRolePolicyDocument": {}}}

        assert bench.deploy(artifact(Me=role)).results[NAME].action == "created"

    def test_a_missing_parameter_is_told_before_any_change_set(self, bench: Bench) -> None:
        stack = artifact(parameters={"Size": {"Type": "String"}})

        with pytest.raises(ArchlibError, match="Size"):
            bench.deployer().plan([stack])
        assert bench.fake.count("CreateChangeSet") == 0

    def test_a_role_that_is_too_new_is_tried_again(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("More", fails="The role defined for the function cannot be assumed by Lambda.", times=1)

        assert bench.deploy(more(stack)).results[NAME].action == "updated"
        assert bench.fake.count("ExecuteChangeSet") == 3

    def test_what_others_import_cannot_go(self, bench: Bench) -> None:
        stack = exporting(artifact())
        bench.deploy(stack)
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::ImportValue": "jobs"}}}
        create(bench, "other", topic)

        with pytest.raises(DeployError, match=r"in use by other.*first deploy the stacks that import it"):
            bench.deploy(artifact(New=queue()), options=Options(allow=frozenset({"Jobs"})))

    def test_nested_causes_are_found(self, bench: Bench) -> None:
        url = "https://b.s3.eu-west-1.amazonaws.com/inner.json"
        bench.fake.upload(url, '{"Resources": {"Deep": {"Type": "AWS::SQS::Queue"}}}')
        bench.fake.script("Deep", fails="Rate limit of the deep")
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}

        with pytest.raises(DeployError, match="Deep: Rate limit of the deep"):
            bench.deploy(artifact(Inner=nested, Jobs=queue()))

    def test_what_failed_in_a_nested_stack_before_is_no_cause_now(self, bench: Bench) -> None:
        def with_inner(**resources: Any) -> StackArtifact:
            url = f"https://b.s3.eu-west-1.amazonaws.com/{len(resources)}.json"
            bench.fake.upload(url, json.dumps({"Resources": resources}))
            return artifact(Inner={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}})

        bench.deploy(with_inner(A=queue()))
        bench.fake.script("B", fails="the cause of yesterday", times=1)
        with pytest.raises(DeployError, match="B: the cause of yesterday"):
            bench.deploy(with_inner(A=queue(), B=queue()))
        bench.fake.script("C", fails="the cause of today")

        with pytest.raises(DeployError, match="C: the cause of today") as caught:
            bench.deploy(with_inner(A=queue(), C=queue(), D=queue()))

        assert caught.value.failure.others == ()

    def test_cascades_are_counted_not_told(self, bench: Bench) -> None:
        bench.fake.script("A", fails="the cause", takes=5)
        bench.fake.script("B", takes=60)
        bench.fake.script("C", takes=60)

        with pytest.raises(DeployError, match="A: the cause") as caught:
            bench.deploy(artifact(A=queue(), B=queue(), C=queue()))

        assert caught.value.failure.cancelled == 2
        assert caught.value.failure.others == ()

    def test_changes_that_cloudformation_leaves_out_are_found(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.world.incomplete_property_values = True

        plan = bench.deployer().plan([more(stack, Jobs=queue(VisibilityTimeout=5))])

        assert [change.resource for change in plan.stacks[0].changes] == ["Jobs", "More"]

    def test_a_journal_that_cannot_be_written_is_no_reason_to_stop(self, tmp_path: Path, bench: Bench) -> None:
        file = tmp_path / "file"
        file.write_text("not a folder")
        bench.folder = file

        assert bench.deploy(artifact()).results[NAME].action == "created"
        assert "journal cannot be written" in bench.recorder.notes


class TestSeveral:
    def test_what_depends_on_a_failure_is_skipped_and_the_rest_runs(self, bench: Bench) -> None:
        first = artifact("a", outputs={"Url": {"Ref": "Bad"}}, Bad=queue())
        second = artifact("b", needs={"AUrl": ("a", "Url")})
        third = artifact("c")
        bench.fake.script("Bad", fails="no", times=1)

        with pytest.raises(DeployError) as caught:
            bench.deploy(first, second, third)

        deployment = caught.value.deployment
        assert set(deployment.errors) == {"a"}
        assert deployment.skipped == ("b",)
        assert deployment.results["c"].action == "created"
        done = bench.deploy(first, second, third)
        assert {name: result.action for name, result in done.results.items()} == {
            "a": "created",
            "b": "created",
            "c": "unchanged",
        }


def is_event(report: Report, resource: str) -> bool:
    return isinstance(report, Progress) and report.event.resource == resource


def other_update(
    bench: Bench, stack: StackArtifact, *, wait: bool = False, disable_rollback: bool = False, **resources: Any
) -> None:
    """Let somebody else update the stack."""
    body = json.dumps(changed(stack, **resources).template)
    parameters = {"StackName": NAME, "ChangeSetName": "other", "ChangeSetType": "UPDATE", "TemplateBody": body}
    made = bench.fake.call("CreateChangeSet", parameters)
    extra = {"DisableRollback": True} if disable_rollback else {}
    for _ in range(10):
        bench.clock.sleep(1)
        if bench.fake.call("DescribeChangeSet", {"ChangeSetName": made["Id"]})["Status"] == "CREATE_COMPLETE":
            break
    bench.fake.call("ExecuteChangeSet", {"ChangeSetName": made["Id"], **extra})
    if wait:
        bench.fake.settle()


def create(bench: Bench, name: str, resource: Any, *, execute: bool = True) -> None:
    """Let somebody else create a stack."""
    body = json.dumps({"Resources": {"Theirs": resource}})
    parameters = {"StackName": name, "ChangeSetName": "other", "ChangeSetType": "CREATE", "TemplateBody": body}
    made = bench.fake.call("CreateChangeSet", parameters)
    bench.fake.settle()
    if execute:
        bench.fake.call("ExecuteChangeSet", {"ChangeSetName": made["Id"]})
        bench.fake.settle()


def after_change_set(bench: Bench, do: Callable[[], object]) -> None:
    """Do something once, right before our change set is executed."""
    real = bench.fake.call
    done: list[bool] = []

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "ExecuteChangeSet" and how.get("caller", "outsider") != "outsider" and not done:
            done.append(True)
            do()
        return real(operation, parameters, **how)

    bench.fake.call = call  # type: ignore[method-assign]


def failed_rollback(bench: Bench) -> None:
    bench.fake.script("Bad", fails="no", takes=10)
    bench.fake.script("Good", "DELETE", fails="still in use")
    with pytest.raises(StuckError):
        bench.deploy(artifact(Good=queue(), Bad=queue()))
    assert bench.status(NAME) == "ROLLBACK_FAILED"


def exporting(stack: StackArtifact) -> StackArtifact:
    outputs = {"Jobs": {"Value": {"Ref": "Jobs"}, "Export": {"Name": "jobs"}}}
    return replace(stack, template={**stack.template, "Outputs": outputs})
