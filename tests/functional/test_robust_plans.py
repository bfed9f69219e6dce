"""Plans that are kept: carried out as they were shown, or refused; and nothing secret in what is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlib.cli.reporters import choose
from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.deployer import _capabilities
from archlib.deploy.plan import Plan, from_data
from archlib.deploy.run import Options
from archlib.errors import ArchlibError, DeployError, GuardError, SettingsError, StaleError
from archlib.workflow import deployment as workflow
from deploying import Bench, artifact, changed, queue, table
from meddling import NAME, SLOWER, consumer, nested, others_bring, place, producer, saved, secretive, upload

FIRST, SECOND = "planted-first-value", "planted-second-value"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def stack(bench: Bench) -> StackArtifact:
    """A stack that exists."""
    made = artifact(Jobs=queue(VisibilityTimeout=30))
    bench.deploy(made)
    return made


class TestStale:
    def test_a_creation_does_not_delete_what_somebody_else_created(self, bench: Bench) -> None:
        stack = artifact(Orders=table(), Jobs=queue())
        plan = saved(bench.deployer().plan([stack]))
        bench.fake.script("Jobs", "CREATE", fails="no", times=1)
        others_bring(bench, stack, kind="CREATE", DisableRollback=True)

        with pytest.raises(StaleError):
            bench.deployer().execute(plan)

        assert bench.status(NAME) == "CREATE_FAILED"

    def test_an_update_is_refused_before_anything_is_rolled_back(self, bench: Bench, stack: StackArtifact) -> None:
        plan = saved(bench.deployer().plan([changed(stack, Jobs=SLOWER)]))
        bench.fake.script("Jobs", "UPDATE", fails="no", times=1)
        others_bring(bench, changed(stack, Jobs=queue(VisibilityTimeout=9), Orders=table()), DisableRollback=True)

        with pytest.raises(StaleError):
            bench.deployer().execute(plan)

        assert bench.status(NAME) == "UPDATE_FAILED"

    def test_other_values_than_those_of_the_plan_are_refused(self, bench: Bench) -> None:
        bench.deploy(producer("30"), consumer())
        bench.deploy(producer("40"))
        plan = saved(bench.deployer().plan([consumer()]))
        bench.deploy(producer("99"))

        with pytest.raises(StaleError):
            bench.deployer().execute(plan)

    def test_a_stack_that_lives_by_now_is_not_made_anew(self, bench: Bench) -> None:
        stack = artifact()
        bench.fake.script("Jobs", "CREATE", fails="no", times=1)
        with pytest.raises(DeployError):
            bench.deploy(stack)
        plan = saved(bench.deployer().plan([stack]))
        assert plan.stacks[0].action == "recreate"
        bench.deploy(changed(stack, Jobs=SLOWER))

        with pytest.raises(StaleError):
            bench.deployer().execute(plan)

    def test_nothing_to_do_is_looked_at_again_after_a_while(self, bench: Bench) -> None:
        deployer = bench.deployer()
        bench.deploy(producer("30"))
        plan = deployer.plan([producer("30")])
        assert plan.empty
        bench.clock.sleep(3600)
        bench.deploy(producer("40"))

        with pytest.raises(StaleError):
            deployer.execute(plan)


def template_changed(data: Any) -> None:
    data["artifacts"][0]["template"]["Resources"]["Jobs"]["Properties"]["VisibilityTimeout"] = 43_200


def stack_added(data: Any) -> None:
    data["artifacts"].append({**data["artifacts"][0], "name": "shop-dev-other"})


def stack_removed(data: Any) -> None:
    data["artifacts"].clear()


class TestCarriedOut:
    @pytest.mark.parametrize("tamper", [template_changed, stack_added, stack_removed])
    def test_a_plan_that_was_changed_is_refused(
        self, bench: Bench, stack: StackArtifact, tamper: Callable[[Any], None]
    ) -> None:
        plan = bench.deployer().plan([changed(stack, Jobs=SLOWER)])
        data = json.loads(json.dumps(plan.to_data(artifacts=True)))
        tamper(data)
        executed = bench.fake.count("ExecuteChangeSet")

        with pytest.raises(ArchlibError):
            bench.deployer().execute(from_data(data))

        assert bench.fake.count("ExecuteChangeSet") == executed

    def test_a_plan_that_brings_back_what_drifted(self, bench: Bench) -> None:
        stack = artifact(Jobs=SLOWER)
        bench.deploy(stack)
        bench.fake.drift(NAME, "Jobs", VisibilityTimeout=5)
        plan = saved(bench.deployer(options=Options(revert_drift=True)).plan([stack]))

        bench.deployer().execute(plan)

        jobs = bench.fake.stack(NAME).resources["Jobs"]
        assert (jobs.actual or jobs.properties)["VisibilityTimeout"] == 60
        assert bench.left_behind() == []

    def test_what_a_guard_refused_can_be_allowed_and_carried_out(self, bench: Bench) -> None:
        stack = artifact(Orders=table(TableName="first"))
        bench.deploy(stack)
        plan = saved(bench.deployer().plan([changed(stack, Orders=table(TableName="second"))]))
        with pytest.raises(GuardError, match="--allow-replace Orders"):
            bench.deployer().execute(plan)

        done = bench.deployer(options=Options(allow=frozenset({"Orders"}))).execute(plan)

        assert done.results[NAME].action == "updated"

    def test_data_that_somebody_added_after_the_plan_is_not_deleted(self, bench: Bench, stack: StackArtifact) -> None:
        def meddle_and_agree(plan: Plan) -> bool:
            others_bring(bench, changed(stack, Hotfix={"Type": "AWS::EC2::Instance"}))
            return True

        with pytest.raises(GuardError, match="deletes Hotfix"):
            workflow.deploy(place(bench, changed(stack, Jobs=SLOWER)), agree=meddle_and_agree, lint=False)

        assert "Hotfix" in bench.fake.stack(NAME).resources

    def test_a_failure_that_passes_is_tried_again(self, bench: Bench, stack: StackArtifact) -> None:
        plan = saved(bench.deployer().plan([changed(stack, Jobs=SLOWER)]))
        bench.fake.script("Jobs", "UPDATE", fails="The role cannot be assumed by Lambda.", times=1)

        assert bench.deployer().execute(plan).results[NAME].action == "updated"

    def test_a_secret_that_is_missing_is_told_before_any_change(self, bench: Bench) -> None:
        target = Target(parameters={"Password": FIRST})
        plan = saved(bench.deployer(target=target).plan([secretive()]))

        with pytest.raises(SettingsError, match="parameter 'Password' must be given"):
            bench.deployer().execute(plan)

        assert bench.fake.count("CreateChangeSet") == 0

    def test_macros_inside_a_template_are_acknowledged(self) -> None:
        include = {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/part.yaml"}}

        assert "CAPABILITY_AUTO_EXPAND" in _capabilities(artifact(Jobs={**queue(), "Fn::Transform": include}))

    def test_data_inside_a_nested_stack_is_guarded_while_drift_is_brought_back(self, bench: Bench) -> None:
        orders = {key: value for key, value in table().items() if "Policy" not in key}
        upload(bench, "with-data", Orders=orders)
        upload(bench, "without-data", Jobs=queue())
        stack = artifact(Inner=nested("with-data"))
        bench.deploy(stack)

        with pytest.raises(GuardError, match="--allow-replace Inner"):
            bench.deploy(changed(stack, Inner=nested("without-data")), options=Options(revert_drift=True))


class TestSecrets:
    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize("given", [True, False])
    def test_outputs_do_not_show_them(self, bench: Bench, *, as_json: bool, given: bool) -> None:
        outputs = {"Url": {"Fn::Sub": "postgres://user:${Password}@host"}, "DbPassword": SECOND}
        made = secretive()
        values = {key: {"Value": value} for key, value in outputs.items()}
        stack = replace(made, template={**made.template, "Outputs": values}, results=("Url",))
        target = Target(parameters={"Password": FIRST})
        bench.deploy(stack, target=target)
        told = io.StringIO()
        outlet = choose(as_json=as_json, stdout=told, stderr=told)
        deployer = bench.deployer(target=target if given else Target())
        deployer.reporter = outlet

        outlet.deployment(deployer.deploy([stack]))

        assert NAME in told.getvalue()
        assert "planted" not in told.getvalue()

    def test_plans_do_not_show_what_is_secret_by_its_name(self, bench: Bench) -> None:
        stack = artifact(Handler=function(FIRST))
        bench.deploy(stack)

        plan = bench.deployer().plan([changed(stack, Handler=function(SECOND))])

        assert [change.resource for change in plan.stacks[0].changes] == ["Handler"]
        assert "planted" not in plan.to_json()


def function(password: str) -> dict[str, Any]:
    environment = {"Variables": {"DB_PASSWORD": password}}
    return {"Type": "AWS::Lambda::Function", "Properties": {"Environment": environment}}
