"""What was changed outside of CloudFormation, found and told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from archlib.core.origin import Origin
from archlib.deploy.drift import Drift, PropertyDrift, StackDrift, detect
from archlib.deploy.existing import StackName
from archlib.deploy.run import Options
from archlib.errors import AwsError, InterruptError
from deploying import Bench, artifact, queue

STACK = replace(artifact(Jobs=queue(DelaySeconds=0), More=queue()), origins={"Jobs": Origin("shop.yaml", 7)})


@pytest.fixture
def drifted(bench: Bench) -> Drift:
    bench.deploy(STACK)
    bench.fake.drift(STACK.name, "Jobs", DelaySeconds=30)
    bench.fake.drift(STACK.name, "More", gone=True)
    return detect(bench.deployer(), [STACK])


def test_an_untouched_stack_is_in_sync(bench: Bench) -> None:
    bench.deploy(STACK)

    drift = detect(bench.deployer(), [STACK])

    (stack,) = drift.stacks
    assert (stack.status, stack.compared, stack.unsupported, stack.resources) == ("IN_SYNC", 2, 0, ())
    assert not drift.drifted
    assert drift.certain


def test_where_nothing_can_be_compared_that_is_told() -> None:
    blind = StackDrift("shop-dev-data", "eu-west-1", "IN_SYNC", compared=0, unsupported=3)
    drift = Drift("123456789012", (blind, replace(blind, stack="shop-dev-code", compared=1)))

    assert drift.to_text().split("\n")[:2] == [
        "shop-dev-data: not compared, 3 resources cannot be compared",
        "shop-dev-code: as its template says, 3 resources cannot be compared",
    ]
    assert "; not compared: shop-dev-data; 6 resources" in drift.to_markdown()


def test_what_was_changed_is_told_with_both_values_and_the_users_line(drifted: Drift) -> None:
    jobs, more = drifted.stacks[0].resources

    assert drifted.drifted
    assert jobs.properties == (PropertyDrift("DelaySeconds", "changed", "0", "30"),)
    assert jobs.origin == Origin("shop.yaml", 7)
    assert (more.resource, more.status) == ("More", "DELETED")


def test_it_can_be_read_as_text_markdown_and_json(drifted: Drift) -> None:
    text = drifted.to_text()
    assert "  ~ Jobs  AWS::SQS::Queue  (shop.yaml:7)\n      DelaySeconds: 0 -> 30\n" in text
    assert "  - More  AWS::SQS::Queue\n" in text
    assert text.endswith("1 of 1 stacks were changed outside of CloudFormation (2 resources)")
    assert "| `~` | Jobs | AWS::SQS::Queue | DelaySeconds: 0 -> 30 |" in drifted.to_markdown()
    data = json.loads(drifted.to_json())
    assert (data["schema_version"], data["drifted"], data["certain"]) == (1, True, True)
    assert data["stacks"][0]["resources"][0]["properties"][0]["actual"] == "30"


def test_stacks_can_be_named_without_their_file(bench: Bench) -> None:
    bench.deploy(STACK)
    bench.fake.drift(STACK.name, "Jobs", DelaySeconds=30)

    (stack,) = detect(bench.deployer(), [StackName(STACK.name)]).stacks

    assert [(each.resource, each.origin) for each in stack.resources] == [("Jobs", None)]


def test_names_that_no_stack_has_are_all_refused_at_once(bench: Bench) -> None:
    with pytest.raises(AwsError) as caught:
        detect(bench.deployer(), [StackName("one"), StackName("two")])

    assert [problem.message for problem in caught.value.problems] == [
        f"stack {name!r}: does not exist in eu-west-1; correct the name, or give its --region"
        for name in ("one", "two")
    ]


def test_a_stack_of_a_file_may_not_be_deployed_yet(bench: Bench) -> None:
    drift = detect(bench.deployer(), [STACK])

    assert drift.stacks[0].status == "ABSENT"
    assert not drift.drifted
    assert bench.fake.count("DetectStackDrift") == 0


def test_all_stacks_are_compared_at_the_same_time(bench: Bench) -> None:
    stacks = [artifact(f"shop-dev-{number}") for number in range(5)]
    bench.deploy(*stacks)
    bench.fake.world.timing.drift = 60.0
    began = bench.clock.now()

    drift = detect(bench.deployer(), stacks)

    assert [stack.stack for stack in drift.stacks] == [stack.name for stack in stacks]
    assert bench.clock.now() - began < 90.0


def test_a_stack_that_cannot_be_compared_now_is_not_called_in_sync(bench: Bench) -> None:
    bench.deploy(STACK)
    bench.fake.stack(STACK.name).status = "UPDATE_IN_PROGRESS"

    drift = detect(bench.deployer(), [STACK])

    assert drift.stacks[0].status == "UNKNOWN"
    assert "UPDATE_IN_PROGRESS" in drift.stacks[0].reason
    assert not drift.certain
    assert "cannot tell for shop-dev-data" in drift.to_text()
    assert "UPDATE_IN_PROGRESS" in drift.to_markdown()


def test_resources_that_cannot_be_compared_are_counted(bench: Bench) -> None:
    child = json.dumps({"Resources": {"Jobs": queue()}})
    bench.fake.upload("https://bucket/child.json", child)
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://bucket/child.json"}}
    stack = artifact(Jobs=queue(), Inner=nested)
    bench.deploy(stack)

    drift = detect(bench.deployer(), [stack])

    assert (drift.stacks[0].compared, drift.stacks[0].unsupported) == (1, 1)
    assert "1 resources cannot be compared" in drift.to_text()


def test_secrets_are_masked_wherever_they_stand(bench: Bench) -> None:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"MasterPassword": "hunter2-old", "Environment": {"Variables": {"API_KEY": "abc-old"}}},
    }
    stack = artifact(Work=function)
    bench.deploy(stack)
    environment = {"Variables": {"API_KEY": "abc-new", "MODE": "fast"}}
    bench.fake.drift(stack.name, "Work", MasterPassword="hunter2-new", Environment=environment)

    told = detect(bench.deployer(), [stack])

    everything = told.to_text() + told.to_markdown() + told.to_json()
    assert not [secret for secret in ("hunter2", "abc-old", "abc-new") if secret in everything]
    assert "MasterPassword: **** -> ****" in told.to_text()


def test_stopping_changes_nothing(bench: Bench) -> None:
    bench.deploy(STACK)
    bench.fake.world.timing.drift = 10_000.0
    deployer = bench.deployer()
    bench.fake.outsider(bench.clock.now() + 20.0, deployer.stop.request)

    with pytest.raises(InterruptError, match="nothing was changed"):
        detect(deployer, [STACK])


def test_a_plan_that_brings_back_what_was_changed_shows_what_is_there_and_what_will_be(bench: Bench) -> None:
    bench.deploy(STACK)
    bench.fake.drift(STACK.name, "Jobs", DelaySeconds=30)
    deployer = bench.deployer(options=Options(revert_drift=True))

    plan = deployer.plan([STACK])

    (change,) = plan.stacks[0].changes
    (property_,) = change.properties
    assert (property_.path, property_.before, property_.after) == ("DelaySeconds", "30", "0")
    assert "DelaySeconds: 30 -> 0  (changed outside of CloudFormation)" in plan.to_text()
    deployer.execute(plan)
    assert not detect(bench.deployer(), [STACK]).drifted
