"""From a file to what is deployed, in front of a fake CloudFormation, and of the local engine where S3 is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from archlib import App, load
from archlib.core.target import ASSETS_OUTPUT, BOOTSTRAP_STACK, Target
from archlib.deploy.plan import Plan
from archlib.deploy.run import Options
from archlib.errors import CheckError, CredentialsError, DeployError, GuardError, SettingsError, UsageError
from archlib.local import LocalEngine
from archlib.workflow.deployment import (
    Access,
    Place,
    bootstrap,
    check_stacks,
    deploy,
    deployer_for,
    needs_bucket,
    places,
    planned,
    prepare,
)
from deploying import Bench, artifact, table

ENDPOINT = "http://127.0.0.1:1"  # nobody answers: nothing here may ask
ROLE = "arn:aws:iam::123456789012:role/deploy"
FILE = """\
blueprint: serverless
app: shop
environment: dev
settings:
  monitoring: {alarms: false, dashboard: false}
  queues:
    jobs: {}
environments:
  dev: {}
  prod: {queues: {more: {}}}
targets:
  dev: {account: "111111111111", region: eu-west-1}
  prod:
    - {account: "222222222222", region: eu-west-1, profile: shop, protected: true, parameters: {Size: small, Zone: a}}
    - {account: "222222222222", region: us-east-1}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "archlib.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "journal")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    engine = LocalEngine(tmp_path_factory.mktemp("engine"))
    yield engine.start()
    engine.reset()


# Places


def test_without_a_name_it_is_the_environment_of_the_file(file: Path) -> None:
    (place,) = places(file, access=Access(endpoint=ENDPOINT))

    assert place.environment == "dev"
    assert place.deployer.target == Target(account="111111111111", region="eu-west-1")
    assert [stack.name for stack in place.stacks] == [stack.name for stack in load(file).assemble()]


def test_there_is_a_place_for_each_environment_and_each_of_its_targets(file: Path) -> None:
    found = places(file, environments=["prod", "dev"], access=Access(endpoint=ENDPOINT))

    assert [(place.environment, place.deployer.aws.region) for place in found] == [
        ("prod", "eu-west-1"), ("prod", "us-east-1"), ("dev", "eu-west-1"),
    ]  # fmt: skip
    assert found[0].stacks == found[1].stacks
    assert {stack.tags["environment"] for stack in found[2].stacks} == {"dev"}


def test_a_file_without_targets_goes_where_the_credentials_lead(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(FILE[: FILE.index("targets:")])
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    (place,) = places(file, access=Access(endpoint=ENDPOINT))

    assert place.deployer.target == Target()
    assert place.deployer.aws.region == "eu-central-1"


def test_settings_and_layout_reach_the_stacks(file: Path) -> None:
    (place,) = places(
        file, sets=["queues.jobs.visibility=7m"], layout="single", access=Access(endpoint=ENDPOINT)
    )  # fmt: skip

    (stack,) = place.stacks
    assert stack.template["Resources"]["JobsQueue"]["Properties"]["VisibilityTimeout"] == 420


def test_a_python_file_says_its_targets_itself(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(
        dedent("""\
            from archlib import App, Stack
            from archlib.components.messaging.queue import Queue
            from archlib.deploy import Target

            app = App("shop", "dev")
            Queue(Stack(app, "data"), "jobs")
            app.targets = (Target(region="eu-west-1"), Target(region="eu-central-1"))
            """)
    )

    found = places(file, access=Access(endpoint=ENDPOINT))

    assert [place.deployer.target.region for place in found] == ["eu-west-1", "eu-central-1"]


def test_an_unknown_environment_is_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="environment must be one of dev, prod, got 'pord'; did you mean 'prod'"):
        places(file, environments=["pord"], access=Access(endpoint=ENDPOINT))


# Access


def test_what_is_given_goes_before_what_the_file_says(file: Path) -> None:
    access = Access(
        region="eu-west-1", assume_role=ROLE, service_role=ROLE, parameters={"Size": "large"}, endpoint=ENDPOINT
    )  # fmt: skip

    (place,) = places(file, environments=["prod"], access=access)

    assert place.deployer.target == Target(
        account="222222222222",
        region="eu-west-1",
        profile="shop",
        assume_role=ROLE,
        service_role=ROLE,
        protected=True,
        parameters={"Size": "large", "Zone": "a"},
    )
    assert place.deployer.aws.region == "eu-west-1"


def test_a_region_that_no_target_has_is_refused(file: Path) -> None:
    with pytest.raises(GuardError, match="region of shop prod must be eu-west-1, us-east-1, got ap-south-1"):
        places(file, environments=["prod"], access=Access(region="ap-south-1", endpoint=ENDPOINT))


def test_what_is_given_must_be_right_too() -> None:
    with pytest.raises(SettingsError, match="service_role must be the ARN of a role, got 'deploy'"):
        deployer_for(access=Access(service_role="deploy", region="eu-west-1", endpoint=ENDPOINT))


def test_a_profile_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    with pytest.raises(CredentialsError, match="nobody"):
        deployer_for(Target(profile="somebody"), access=Access(profile="nobody", region="eu-west-1"))


def test_another_account_is_refused_before_anything_is_changed(file: Path, endpoint: str) -> None:
    (place,) = places(file, access=Access(endpoint=endpoint))

    with pytest.raises(GuardError, match="account must be 111111111111, got 000000000000"):
        deploy(place, lint=False)

    assert place.deployer.run().cloudformation.stacks() == ()


def test_this_machine_has_no_account_role_or_protection(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    engine = LocalEngine()
    try:
        place, other = places(file, environments=["prod"], access=Access(local=True, assume_role=ROLE))

        assert place.deployer.aws.endpoint == engine.endpoint
        assert place.deployer.target == Target(region="eu-west-1", parameters={"Size": "small", "Zone": "a"})
        assert other.deployer.aws.region == "us-east-1"
        assert place.deployer.identity.account == "000000000000"
    finally:
        engine.reset()


# The bucket


def test_bootstrap_makes_the_bucket_once(endpoint: str) -> None:
    deployer = deployer_for(access=Access(region="eu-north-1", endpoint=endpoint))

    first, second = bootstrap(deployer), bootstrap(deployer)

    assert first.results[BOOTSTRAP_STACK].action == "created"
    assert second.results[BOOTSTRAP_STACK].action == "unchanged"
    bucket = first.outputs[BOOTSTRAP_STACK][ASSETS_OUTPUT]
    assert deployer.uploads().bucket() == bucket
    s3 = deployer.aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())


def test_bootstrap_in_several_regions_tells_each(endpoint: str) -> None:
    deployer = deployer_for(access=Access(region="eu-south-1", endpoint=endpoint))

    done = bootstrap(deployer, regions=["eu-south-1", "eu-west-3"])

    assert list(done.results) == [f"{BOOTSTRAP_STACK} (eu-south-1)", f"{BOOTSTRAP_STACK} (eu-west-3)"]
    assert deployer.uploads("eu-west-3").exists()


def place_of(bench: Bench, *stacks: object, **how: object) -> Place:
    return Place(App("shop", "dev"), stacks, bench.deployer(**how))  # type: ignore[arg-type]


def test_small_templates_without_code_need_no_bucket(bench: Bench) -> None:
    place = place_of(bench, artifact())

    assert needs_bucket(place) == ()
    prepare(place)
    assert [stack.name for stack in bench.fake.world.store.stacks] == []


def test_code_and_large_templates_need_it_where_they_go(file: Path, endpoint: str) -> None:
    (file.parent / "src").mkdir()
    (file.parent / "src" / "main.py").write_text("def handler(event, context): ...\n")
    file.write_text(
        FILE[: FILE.index("targets:")].replace(
            "  queues:\n", "  functions: {work: {code: src, handler: main.handler}}\n  queues:\n", 1
        )
    )
    (place,) = places(file, access=Access(region="eu-central-2", endpoint=endpoint))

    large = {
        f"Queue{number}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q" * 80}} for number in range(499)
    }
    big = replace(artifact(), template={"Resources": large}, region="il-central-1")
    assert needs_bucket(place) == ("eu-central-2",)
    assert needs_bucket(replace(place, stacks=(*place.stacks, big))) == ("eu-central-2", "il-central-1")
    prepare(place)
    assert needs_bucket(place) == ()


# Checks


def test_what_is_right_passes_the_checks(file: Path) -> None:
    (place,) = places(file, access=Access(endpoint=ENDPOINT))

    check_stacks(place)


def test_what_is_wrong_is_refused_with_its_line(file: Path, bench: Bench) -> None:
    file.write_text(f"{FILE}overrides:\n  JobsQueue:\n    Properties.VisibilityTimeout: never\n")
    stacks = load(file).assemble()
    place = place_of(bench, *stacks)

    with pytest.raises(CheckError) as caught:
        deploy(place)

    (problem,) = caught.value.problems
    assert "JobsQueue" in problem.message
    assert problem.origin is not None
    assert problem.origin.file == str(file)
    assert bench.fake.world.store.stacks == []


# Deploying


def test_a_place_is_planned_agreed_to_and_deployed(bench: Bench) -> None:
    shown: list[Plan] = []

    def agree(plan: Plan) -> bool:
        shown.append(plan)
        return True

    plan, done = deploy(place_of(bench, artifact()), agree=agree, lint=False)

    assert shown == [plan]
    assert done is not None
    assert done.results["shop-dev-data"].action == "created"
    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"


def test_what_is_not_agreed_to_leaves_nothing_behind(bench: Bench) -> None:
    bench.deploy(artifact())

    plan, done = deploy(place_of(bench, artifact(Orders=table())), agree=lambda _: False, lint=False)

    assert not plan.empty
    assert done is None
    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"
    assert bench.left_behind() == []


def test_nobody_is_asked_when_there_is_nothing_to_do(bench: Bench) -> None:
    bench.deploy(artifact())

    def never(plan: Plan) -> bool:
        raise AssertionError(plan)

    plan, done = deploy(place_of(bench, artifact()), agree=never, lint=False)

    assert plan.empty
    assert done is not None
    assert done.results["shop-dev-data"].action == "unchanged"


def test_without_anybody_to_ask_it_goes_on_and_the_guards_hold(bench: Bench) -> None:
    bench.deploy(artifact(Orders=table()))
    place = place_of(bench, artifact())

    with pytest.raises(GuardError, match="--allow-replace Orders"):
        deploy(place, lint=False)

    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"
    assert bench.left_behind() == []


def test_a_protected_place_wants_to_be_named(bench: Bench) -> None:
    with pytest.raises(GuardError, match="--confirm NAME"):
        deploy(place_of(bench, artifact(), target=Target(protected=True)), lint=False)

    named = place_of(bench, artifact(), target=Target(protected=True), options=Options(confirmed=True))
    deploy(named, lint=False)
    assert bench.fake.stack("shop-dev-data").protected


def test_a_plan_that_is_not_carried_out_is_discarded_whatever_happens(bench: Bench) -> None:
    bench.deploy(artifact())
    place = place_of(bench, artifact(Orders=table()))

    def fail(plan: Plan) -> None:
        raise KeyError(plan.stacks[0].change_set)

    with pytest.raises(KeyError, match="archlib-plan-"), planned(place.deployer, place.stacks) as plan:
        fail(plan)

    assert bench.left_behind() == []


def test_a_failed_deployment_tells_what_became_of_each_stack(bench: Bench) -> None:
    bench.fake.script("Jobs", fails="Access Denied")
    good = artifact("shop-dev-app", Other={"Type": "AWS::SQS::Queue"})

    with pytest.raises(DeployError, match="Access Denied") as caught:
        deploy(place_of(bench, artifact(), good), lint=False)

    assert caught.value.deployment.results.keys() == {"shop-dev-app"}
    assert caught.value.deployment.errors.keys() == {"shop-dev-data"}
