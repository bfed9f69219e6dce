"""Many stacks at once: what is planned, what is carried out, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from archlib.core.artifact import ParameterSource, StackArtifact
from archlib.core.origin import Origin
from archlib.core.package import pack
from archlib.core.target import ASSETS_OUTPUT, BOOTSTRAP_STACK, Target
from archlib.deploy.clock import Stop
from archlib.deploy.deployer import Deployer
from archlib.deploy.plan import Plan, from_data
from archlib.deploy.reporter import Ended
from archlib.deploy.run import Options
from archlib.errors import (
    ArchlibError,
    AwsError,
    DeployError,
    GuardError,
    InterruptError,
    SettingsError,
    StaleError,
    StuckError,
)
from deploying import REGION, Bench, FakeAws, artifact, changed, queue, session, table
from fakes import Buckets, FakeCloudFormation, ScriptedServices, ServiceError

NAME = "shop-dev-data"
STACK = artifact()
MORE = changed(STACK, More=queue())


def kept(plan: Plan) -> Plan:
    """Return the plan as it comes back from a file."""
    return from_data(json.loads(json.dumps(plan.to_data(artifacts=True))))


def failing(bench: Bench, name: str = NAME) -> None:
    bench.fake.script("Jobs", fails="no", times=1, stack=name)
    with pytest.raises(DeployError):
        bench.deploy(artifact(name))


class TestPlanning:
    def test_what_is_new_is_estimated_from_its_template(self, bench: Bench) -> None:
        made = replace(artifact(Orders=table(), Jobs=queue()), origins={"Jobs": Origin("shop.yaml", 3)})

        (stack,) = bench.deployer().plan([made]).stacks

        assert (stack.action, stack.estimated, stack.change_set, stack.stack_id) == ("create", True, "", "")
        assert [(change.action, change.resource) for change in stack.changes] == [("add", "Jobs"), ("add", "Orders")]
        assert stack.changes[0].origin == Origin("shop.yaml", 3)
        assert (stack.losses, stack.widening) == ((), ())
        assert {call.operation for call in bench.fake.calls} == {"DescribeStacks"}

    def test_what_changes_is_asked_for(self, bench: Bench) -> None:
        bench.deploy(artifact(Orders=table(), Jobs=queue()))
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
        other = artifact(Orders=table(KeySchema=[{"AttributeName": "no", "KeyType": "HASH"}]), Role=role)

        plan = bench.deployer().plan([other])

        (stack,) = plan.stacks
        assert (stack.action, stack.estimated, stack.region) == ("update", False, REGION)
        assert stack.change_set.startswith("arn:")
        assert {(change.action, change.resource) for change in stack.changes} == {
            ("add", "Role"),
            ("remove", "Jobs"),
            ("replace", "Orders"),
        }
        assert sorted(stack.losses) == ["Jobs", "Orders"]
        assert stack.widening == ("rights: Role add",)
        assert (plan.app, plan.environment, plan.account, plan.region) == ("shop", "dev", "123456789012", REGION)

    def test_nothing_to_do_is_found_without_a_change_set(self, bench: Bench) -> None:
        bench.deploy(STACK)

        plan = bench.deployer().plan([STACK])

        assert plan.empty
        assert bench.fake.count("CreateChangeSet") == 1  # that made it

    def test_nothing_to_do_is_also_found_with_one(self, bench: Bench) -> None:
        bench.deploy(STACK)

        plan = bench.deployer(options=Options(import_existing=True)).plan([STACK])

        assert plan.empty
        assert bench.left_behind() == []

    def test_a_failed_creation_is_made_anew(self, bench: Bench) -> None:
        failing(bench)

        assert bench.deployer().plan([STACK]).stacks[0].action == "recreate"

    def test_a_shell_of_somebody_is_created(self, bench: Bench) -> None:
        body = json.dumps(STACK.template)
        bench.fake.call(
            "CreateChangeSet",
            {"StackName": NAME, "ChangeSetName": "x", "ChangeSetType": "CREATE", "TemplateBody": body},
        )

        assert bench.deployer().plan([STACK]).stacks[0].action == "create"

    def test_a_busy_stack_is_estimated(self, bench: Bench) -> None:
        bench.deploy(STACK)
        bench.fake.script("Other", takes=500)
        stop = Stop()
        bench.recorder.listener = lambda report: stop.request() if "Other" in str(report) else None
        with pytest.raises(ArchlibError):
            bench.deploy(changed(STACK, Other=queue()), stop=stop)
        bench.recorder.listener = lambda report: None

        (stack,) = bench.deployer().plan([MORE]).stacks

        assert stack.estimated
        assert stack.notes == (
            "somebody else is working on it (UPDATE_IN_PROGRESS): the changes may be others when they are done",
        )

    def test_a_failure_without_rollback_is_estimated(self, bench: Bench) -> None:
        bench.deploy(STACK)
        status(bench, "UPDATE_FAILED")

        (stack,) = bench.deployer().plan([MORE]).stacks

        assert stack.estimated
        assert stack.notes == ("it is UPDATE_FAILED and will be rolled back first",)

    def test_what_is_stuck_ends_the_plan(self, bench: Bench) -> None:
        bench.deploy(STACK)
        status(bench, "UPDATE_ROLLBACK_FAILED")

        with pytest.raises(StuckError, match="archlib recover"):
            bench.deployer().plan([MORE])

    def test_values_that_do_not_exist_yet_are_named(self, bench: Bench) -> None:
        needy = artifact("b", needs={"Url": ("a", "Url")})
        bench.deploy(artifact("a", outputs={"Url": {"Ref": "Jobs"}}), needy)
        first = artifact("a", outputs={"Url": {"Ref": "Jobs"}, "Arn": "x"})
        second = changed(artifact("b", needs={"Url": ("a", "Url"), "Arn": ("a", "Arn")}), More=queue())

        plan = bench.deployer().plan([first, second])

        assert plan.stacks[1].estimated
        assert plan.stacks[1].notes == ("needs values of a that do not exist yet",)
        assert [change.resource for change in plan.stacks[1].changes] == ["More"]

    def test_values_of_stacks_outside_are_read(self, bench: Bench) -> None:
        needy = artifact("b", needs={"Url": ("a", "Url")})
        bench.deploy(artifact("a", outputs={"Url": {"Ref": "Jobs"}}), needy)

        assert bench.deployer().plan([needy]).empty

    def test_what_cloudformation_refuses_ends_it_and_leaves_nothing(self, bench: Bench) -> None:
        first, second = artifact("a"), artifact("b")
        bench.deploy(first, second)
        bench.fake.world.validation_failures["Bad"] = ("NAME_CONFLICT_VALIDATION", "/Resources/Bad", "it is there")

        with pytest.raises(DeployError, match="it is there"):
            bench.deployer().plan([changed(first, More=queue()), changed(second, Bad=queue())])

        assert bench.left_behind() == []

    def test_a_template_that_is_refused_is_told(self, bench: Bench) -> None:
        bench.deploy(STACK)
        refuse(bench, "CreateChangeSet", "ValidationError", "Template error: no such thing")

        with pytest.raises(DeployError, match="Template error: no such thing; run: archlib check"):
            bench.deployer().plan([MORE])

    def test_somebody_who_begins_meanwhile_makes_it_an_estimate(self, bench: Bench) -> None:
        bench.deploy(STACK)
        refuse(bench, "CreateChangeSet", "ValidationError", "Stack is in UPDATE_IN_PROGRESS state")

        (stack,) = bench.deployer().plan([MORE]).stacks

        assert stack.estimated
        assert "somebody else is working on it" in stack.notes[0]

    def test_who_stops_leaves_nothing(self, bench: Bench) -> None:
        bench.deploy(STACK)
        stop = Stop()
        bench.fake.world.timing.change_set = 20
        bench.fake.outsider(bench.clock.now() + 5, stop.request)

        with pytest.raises(InterruptError):
            bench.deployer(stop=stop).plan([MORE])

        bench.fake.settle()
        assert bench.left_behind() == []

    def test_discarding_leaves_nothing_and_never_hurts(self, bench: Bench) -> None:
        bench.deploy(STACK, artifact("other"))
        deployer = bench.deployer()
        plan = deployer.plan([MORE, artifact("other"), artifact("new")])
        assert len(bench.left_behind()) == 1

        deployer.discard(plan)
        deployer.discard(plan)

        assert bench.left_behind() == []

    def test_what_was_carried_out_is_not_discarded(self, bench: Bench) -> None:
        bench.deploy(STACK)
        deployer = bench.deployer()
        plan = deployer.plan([MORE])
        deployer.execute(plan)
        deletes = bench.fake.count("DeleteChangeSet")

        deployer.discard(plan)

        assert bench.fake.count("DeleteChangeSet") == deletes

    def test_all_missing_parameters_are_told_before_anything_is_asked(self, bench: Bench) -> None:
        text = {"Type": "String"}

        with pytest.raises(SettingsError) as caught:
            bench.deployer().plan([artifact("a", parameters={"A": text}), artifact("b", parameters={"B": text})])

        assert len(caught.value.problems) == 2

    def test_an_empty_plan_of_nothing(self, bench: Bench) -> None:
        plan = bench.deployer().plan([])

        assert (plan.app, plan.stacks) == ("", ())
        assert bench.deployer().execute(plan).results == {}

    def test_code_is_uploaded_when_it_is_carried_out_somewhere_else(self, bench: Bench, tmp_path: Path) -> None:
        services = ScriptedServices()
        buckets = Buckets({"assets": set()})
        buckets.serve(services)
        bench.others["s3"] = services.attach(session().client("s3"))
        bench.deploy(artifact(BOOTSTRAP_STACK, outputs={ASSETS_OUTPUT: "assets"}))
        code = tmp_path / "code"
        code.mkdir()
        (code / "index.py").write_text("1")
        stack = replace(STACK, assets=(pack(code),))

        bench.deployer().plan([stack])
        assert buckets.contents["assets"] == set()
        bench.deployer().plan([stack], upload=True)
        assert buckets.contents["assets"] == {pack(code).key}


class TestExecuting:
    def test_a_plan_that_was_kept_is_carried_out_by_another(self, bench: Bench) -> None:
        bench.deploy(STACK)
        plan = kept(bench.deployer().plan([MORE, artifact("new")]))
        bench.fake.calls.clear()

        done = bench.deployer().execute(plan)

        assert {name: result.action for name, result in done.results.items()} == {NAME: "updated", "new": "created"}
        made = [call.parameters["StackName"] for call in bench.fake.calls if call.operation == "CreateChangeSet"]
        assert made == ["new"], "the change set that was approved is the one that is executed"
        executed = [
            call.parameters["ChangeSetName"] for call in bench.fake.calls if call.operation == "ExecuteChangeSet"
        ]
        assert plan.stacks[0].change_set in executed
        assert bench.left_behind() == []

    def test_a_plan_of_nothing_looks_again(self, bench: Bench) -> None:
        bench.deploy(STACK)
        plan = kept(bench.deployer().plan([STACK]))

        assert bench.deployer().execute(plan).results[NAME].action == "unchanged"

    @pytest.mark.parametrize("binding", [True, False])
    def test_what_moved_is_stale_only_if_the_plan_binds(self, bench: Bench, *, binding: bool) -> None:
        bench.deploy(STACK)
        plan = kept(bench.deployer().plan([MORE]))
        bench.deploy(changed(STACK, Other=queue()))

        def execute() -> Any:
            return bench.deployer(options=Options(allow=frozenset({"Other"}))).execute(plan, binding=binding)

        if binding:
            with pytest.raises(StaleError, match="plan again, and have it approved again") as caught:
                execute()
            assert caught.value.exit_code == 14
            assert set(bench.fake.stack(NAME).resources) == {"Jobs", "Other"}
        else:
            assert execute().results[NAME].action == "updated"
            assert set(bench.fake.stack(NAME).resources) == {"Jobs", "More"}

    def test_a_stack_that_somebody_made_meanwhile_is_stale(self, bench: Bench) -> None:
        plan = kept(bench.deployer().plan([STACK]))
        bench.deploy(changed(STACK, Other=queue()))

        with pytest.raises(StaleError, match="changed since the plan was made"):
            bench.deployer().execute(plan)

    def test_a_stack_that_somebody_deleted_meanwhile_is_stale(self, bench: Bench) -> None:
        bench.deploy(STACK)
        plan = kept(bench.deployer().plan([MORE]))
        bench.fake.call("DeleteStack", {"StackName": NAME})
        bench.fake.settle()

        with pytest.raises(StaleError):
            bench.deployer().execute(plan)

    def test_a_change_set_that_is_gone_is_stale(self, bench: Bench) -> None:
        bench.deploy(STACK)
        deployer = bench.deployer()
        plan = deployer.plan([MORE])
        deployer.discard(plan)

        with pytest.raises(StaleError, match="its change set is gone or obsolete; plan again"):
            bench.deployer().execute(kept(plan))

    def test_a_failed_creation_is_made_anew_as_planned(self, bench: Bench) -> None:
        failing(bench)
        plan = kept(bench.deployer().plan([STACK]))

        assert bench.deployer().execute(plan).results[NAME].action == "created"

    @pytest.mark.parametrize("other", [{"account": "999999999999"}, {"region": "us-east-1"}])
    def test_a_plan_of_another_place_is_refused(self, bench: Bench, other: dict[str, Any]) -> None:
        plan = replace(bench.deployer().plan([STACK]), **other)

        with pytest.raises(GuardError, match=r"plan: is for .* log in to the right one"):
            bench.deployer().execute(plan)
        assert bench.fake.count("CreateChangeSet") == 0

    @pytest.mark.parametrize("target", [Target(account="999999999999"), Target(region="us-east-1")])
    def test_another_account_or_region_than_the_targets_is_refused(self, bench: Bench, target: Target) -> None:
        plan = bench.deployer().plan([STACK])
        deployer = bench.deployer(target=target)
        calls = len(bench.fake.calls)

        for do in (lambda: deployer.plan([STACK]), lambda: deployer.execute(plan), lambda: deployer.deploy([STACK])):
            with pytest.raises(GuardError, match="must be"):
                do()
        assert len(bench.fake.calls) == calls

    def test_a_protected_environment_wants_to_be_named(self, bench: Bench) -> None:
        target = Target(protected=True)
        plan = bench.deployer(target=target).plan([STACK])

        for do in (
            lambda: bench.deployer(target=target).execute(plan),
            lambda: bench.deployer(target=target).deploy([STACK]),
        ):
            with pytest.raises(GuardError, match="--confirm NAME"):
                do()

        assert bench.deployer(target=target, options=Options(confirmed=True)).execute(plan).results

    def test_cleaning_up_is_waited_for_at_the_end(self, bench: Bench) -> None:
        first = artifact(Topic={"Type": "AWS::SNS::Topic"}, outputs={"Url": "x"})
        bench.deploy(first)
        bench.fake.script("Topic", "DELETE", takes=600)
        began = bench.clock.now()
        ended: dict[str, float] = {}
        bench.recorder.listener = lambda report: (
            ended.setdefault(report.stack, bench.clock.now() - began) if isinstance(report, Ended) else None
        )

        done = bench.deploy(
            artifact(Other=queue(), outputs={"Url": "x"}), artifact("behind", needs={"Url": (NAME, "Url")})
        )

        assert done.results[NAME].cleaning == ""
        assert ended["behind"] < 120, "who needs it does not wait for the clean-up"
        assert bench.status(NAME) == "UPDATE_COMPLETE"
        assert bench.clock.now() - began > 600

    def test_cleaning_up_that_cannot_be_watched_is_no_failure(self, bench: Bench) -> None:
        bench.deploy(artifact(Topic={"Type": "AWS::SNS::Topic"}))
        bench.fake.script("Topic", "DELETE", takes=600)
        stop = Stop()
        bench.recorder.listener = lambda report: stop.request() if isinstance(report, Ended) else None

        done = bench.deploy(artifact(Other=queue()), stop=stop)

        assert done.results[NAME].action == "updated"
        assert done.results[NAME].cleaning.startswith("arn:")
        assert "is still deleting what was replaced" in bench.recorder.notes


class TestErrors:
    def test_the_worst_class_wins_and_all_problems_are_told(self, bench: Bench) -> None:
        bench.deploy(artifact("stuck"), artifact("guarded", Orders=table()))
        status(bench, "UPDATE_ROLLBACK_FAILED", "stuck")
        bench.fake.script("Jobs", fails="no", stack="failing")

        with pytest.raises(StuckError) as caught:
            bench.deploy(
                artifact("guarded", Other=queue()), artifact("failing"), changed(artifact("stuck"), More=queue())
            )

        error = caught.value
        assert error.exit_code == 21
        assert {type(each) for each in error.deployment.errors.values()} == {StuckError, GuardError, DeployError}
        for said in ("deletes Orders", "Jobs: no", "archlib recover stuck"):
            assert said in str(error)

    def test_the_failure_of_one_goes_with_the_error(self, bench: Bench) -> None:
        bench.fake.script("Jobs", fails="no")

        with pytest.raises(DeployError) as caught:
            bench.deploy(STACK)

        assert caught.value.failure.resource == "Jobs"
        (ended,) = [report for report in bench.recorder.reports if isinstance(report, Ended)]
        assert ended.failure == caught.value.failure

    def test_a_mistake_in_archlib_is_none_of_ours_and_names_its_stack(self, bench: Bench) -> None:
        def broken(_: str) -> Any:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            bench.deployer().work({"a": frozenset()}, broken)

        assert caught.value.__notes__ == ["while working on stack a"]

    def test_a_value_that_nobody_has_is_named(self, bench: Bench) -> None:
        with pytest.raises(AwsError, match="needs Url of gone, which does not exist; deploy that stack first"):
            bench.deployer().job(artifact("b", needs={"Url": ("gone", "Url")}))


class TestPlaces:
    def test_stacks_go_to_their_own_regions(self, bench: Bench, tmp_path: Path) -> None:
        far = FakeCloudFormation(bench.clock, region="us-east-1")
        aws = Regions(bench.fake, far)
        deployer = Deployer(aws=aws, clock=bench.clock, journal=tmp_path, reporter=bench.recorder)
        edge = replace(artifact("edge", outputs={"Arn": {"Ref": "Jobs"}}), region="us-east-1")
        web = artifact("web", needs={"Arn": ("edge", "Arn")})

        plan = deployer.plan([edge, web])
        done = deployer.execute(plan)

        assert [(stack.stack, stack.region) for stack in plan.stacks] == [("edge", "us-east-1"), ("web", REGION)]
        assert [stack.name for stack in far.world.store.stacks] == ["edge"]
        assert [stack.name for stack in bench.fake.world.store.stacks] == ["web"]
        assert done.outputs["edge"]["Arn"]
        assert {folder.name for folder in tmp_path.iterdir()} == {f"123456789012-{REGION}", "123456789012-us-east-1"}
        again = deployer.plan([edge, web])
        assert again.empty
        assert not deployer.plan([edge, changed(web, More=queue())]).empty

    def test_values_of_the_region_are_asked_once(self, bench: Bench) -> None:
        services = ScriptedServices()
        services.reply("ec2", "DescribeManagedPrefixLists", {"PrefixLists": [{"PrefixListId": "pl-1"}]})
        bench.others["ec2"] = services.attach(session().client("ec2"))
        deployer = bench.deployer()
        stacks = [listed("a", "s3"), listed("b", "s3")]

        deployer.deploy(stacks)

        assert services.count("ec2", "DescribeManagedPrefixLists") == 1
        (call,) = services.calls
        assert call.parameters["Filters"][0]["Values"] == ["com.amazonaws.eu-west-1.s3"]
        parameters = bench.fake.call("DescribeStacks", {"StackName": "a"})["Stacks"][0]["Parameters"]
        assert parameters[0]["ParameterValue"] == "pl-1"

    def test_a_list_that_does_not_exist_there(self, bench: Bench) -> None:
        services = ScriptedServices()
        services.reply("ec2", "DescribeManagedPrefixLists", {"PrefixLists": []})
        bench.others["ec2"] = services.attach(session().client("ec2"))

        with pytest.raises(AwsError, match=r"origin-facing'.*does not exist in eu-west-1; deploy to another region"):
            bench.deployer().deploy([listed("a", "cloudfront")])

    def test_a_list_that_cannot_be_read(self, bench: Bench) -> None:
        class Gone:
            def describe_managed_prefix_lists(self, **_: Any) -> Any:
                raise EndpointConnectionError(endpoint_url="https://ec2")

        bench.others["ec2"] = Gone()

        with pytest.raises(AwsError, match="cannot be read: Could not connect"):
            bench.deployer().deploy([listed("a", "dynamodb")])


def test_without_an_account_it_takes_what_the_target_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert Deployer(target=Target(region="eu-north-1")).aws.region == "eu-north-1"


@pytest.mark.parametrize(
    ("kind", "extra", "needed"),
    [
        ("AWS::SQS::Queue", {}, None),
        ("AWS::IAM::Role", {}, ["CAPABILITY_NAMED_IAM"]),
        ("AWS::CloudFormation::Stack", {}, ["CAPABILITY_AUTO_EXPAND", "CAPABILITY_NAMED_IAM"]),
        (
            "AWS::SQS::Queue",
            {"Transform": "AWS::Serverless-2016-10-31"},
            ["CAPABILITY_AUTO_EXPAND", "CAPABILITY_NAMED_IAM"],
        ),
    ],
)
def test_capabilities_follow_from_the_template(bench: Bench, kind: str, extra: Any, needed: Any) -> None:
    stack = replace(STACK, template={"Resources": {"It": {"Type": kind}}, **extra})

    assert list(bench.deployer().job(stack).capabilities) == (needed or [])


class Regions(FakeAws):
    """An account with a fake in each of two regions."""

    def __init__(self, near: FakeCloudFormation, far: FakeCloudFormation) -> None:
        super().__init__(near)
        self._far = FakeAws(far)

    def client(self, service: str, region: str | None = None) -> Any:
        return self._far.client(service) if region == "us-east-1" else super().client(service)


def listed(name: str, service: str) -> StackArtifact:
    stack = artifact(name, parameters={"List": {"Type": "String"}})
    return replace(stack, parameters={"List": ParameterSource("prefix-list", output=service)})


def status(bench: Bench, value: str, name: str = NAME) -> None:
    """Let a stack be in a state that takes long to get into."""
    bench.fake.stack(name).status = value


def refuse(bench: Bench, operation: str, code: str, message: str) -> None:
    real: Callable[..., dict[str, Any]] = bench.fake.call

    def call(name: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if name == operation and how.get("caller", "outsider") != "outsider":
            raise ServiceError(code, message)
        return real(name, parameters, **how)

    fake: Any = bench.fake
    fake.call = call
