"""One stack in many accounts and regions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archlib.deploy.stacksets import StackSetResult, StackSetTarget, deploy_stack_set, destroy_stack_set
from archlib.errors import DeployError, GuardError, RunningError, SettingsError
from deploying import Bench, artifact, changed, queue

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
OU = "ou-ab12-11111111"
STACK = artifact("org-prod-baseline")


def _target(*accounts: str, regions: tuple[str, ...] = ("eu-west-1",), **more: Any) -> StackSetTarget:
    return StackSetTarget(STACK.name, regions, accounts=accounts, **more)


def _instances(bench: Bench) -> set[tuple[str, str]]:
    (found,) = [each for each in bench.fake.world.store.stack_sets if each.status == "ACTIVE"]
    return set(found.instances)


def test_a_set_is_made_with_its_stacks(bench: Bench) -> None:
    result = deploy_stack_set(bench.deployer(), STACK, _target(ONE, TWO, regions=("eu-west-1", "us-east-1")))

    assert result.action == "created"
    assert {(each.account, each.region, each.status) for each in result.instances} == {
        (account, region, "SUCCEEDED") for account in (ONE, TWO) for region in ("eu-west-1", "us-east-1")
    }
    assert len(_instances(bench)) == 4
    assert json.loads(json.dumps(result.to_data()))["schema_version"] == 1
    assert f"  {ONE} eu-west-1  SUCCEEDED" in result.to_text()


def test_the_same_again_does_nothing(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE))
    bench.fake.calls.clear()

    assert deploy_stack_set(bench.deployer(), STACK, _target(ONE)).action == "unchanged"
    assert {call.operation for call in bench.fake.calls} == {"DescribeStackSet", "ListStackInstances"}


def test_a_changed_stack_and_a_new_account_are_brought_in(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE))

    result = deploy_stack_set(bench.deployer(), changed(STACK, More=queue()), _target(ONE, TWO))

    assert result.action == "updated"
    assert _instances(bench) == {(ONE, "eu-west-1"), (TWO, "eu-west-1")}


def test_surplus_stacks_are_told_and_only_deleted_when_allowed(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE, TWO))

    assert deploy_stack_set(bench.deployer(), STACK, _target(ONE)).surplus == ((TWO, "eu-west-1"),)
    assert len(_instances(bench)) == 2
    assert deploy_stack_set(bench.deployer(), STACK, _target(ONE), remove=True).surplus == ()
    assert _instances(bench) == {(ONE, "eu-west-1")}


def test_each_account_that_fails_is_told_with_its_reason(bench: Bench) -> None:
    bench.fake.world.instance_failures[TWO, "eu-west-1"] = "Account gate says no"

    with pytest.raises(DeployError) as caught:
        deploy_stack_set(bench.deployer(), STACK, _target(ONE, TWO))

    assert f"{TWO} in eu-west-1: Account gate says no" in str(caught.value)
    assert isinstance(caught.value.deployment, StackSetResult)
    assert len(caught.value.deployment.instances) == 2


def test_units_bring_their_accounts(bench: Bench) -> None:
    bench.fake.world.organization[OU] = [ONE, TWO]

    deploy_stack_set(bench.deployer(), STACK, StackSetTarget(STACK.name, ("eu-west-1",), ous=(OU,)))

    (made,) = [call.parameters for call in bench.fake.calls if call.operation == "CreateStackSet"]
    assert made["PermissionModel"] == "SERVICE_MANAGED"
    assert made["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    assert _instances(bench) == {(ONE, "eu-west-1"), (TWO, "eu-west-1")}


def test_a_set_does_not_change_who_gives_its_rights(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE))

    with pytest.raises(GuardError, match="is SELF_MANAGED, which cannot become SERVICE_MANAGED"):
        deploy_stack_set(bench.deployer(), STACK, StackSetTarget(STACK.name, ("eu-west-1",), ous=(OU,)))


def test_somebody_elses_operation_is_waited_for(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE))
    bench.fake.world.timing.resource = 40.0
    call = {"StackSetName": STACK.name, "Accounts": [THREE], "Regions": ["eu-west-1"], "OperationId": "theirs"}
    bench.fake.call("CreateStackInstances", call)

    deploy_stack_set(bench.deployer(), STACK, _target(ONE, TWO))

    assert (TWO, "eu-west-1") in _instances(bench)
    assert "somebody else is working on it" in bench.recorder.notes


def test_a_lost_answer_starts_no_second_operation(bench: Bench) -> None:
    bench.fake.fault("CreateStackInstances", "lost_response")

    deploy_stack_set(bench.deployer(), STACK, _target(ONE))

    (found,) = bench.fake.world.store.stack_sets
    assert len(found.operations) == 1


def test_who_stops_watching_learns_that_aws_goes_on(bench: Bench) -> None:
    bench.fake.world.timing.resource = 10_000.0
    deployer = bench.deployer()
    bench.fake.outsider(bench.clock.now() + 60.0, deployer.stop.request)

    with pytest.raises(RunningError, match="AWS goes on"):
        deploy_stack_set(deployer, STACK, _target(ONE))


def test_destroying_deletes_the_stacks_and_the_set(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE, TWO))

    assert destroy_stack_set(bench.deployer(), STACK.name).action == "deleted"
    assert [each.status for each in bench.fake.world.store.stack_sets] == ["DELETED"]
    assert destroy_stack_set(bench.deployer(), STACK.name).action == "absent"


def test_a_set_whose_stacks_cannot_all_be_deleted_stays(bench: Bench) -> None:
    deploy_stack_set(bench.deployer(), STACK, _target(ONE))
    bench.fake.world.instance_failures[ONE, "eu-west-1"] = "bucket is not empty"

    with pytest.raises(DeployError, match="bucket is not empty"):
        destroy_stack_set(bench.deployer(), STACK.name)

    assert bench.fake.count("DeleteStackSet") == 0


def test_wrong_settings_are_all_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        StackSetTarget("1x", (), accounts=("12",), failure_tolerance_percent=101, max_concurrent_percent=0)

    assert [problem.field for problem in caught.value.problems] == [
        "name", "regions", "accounts", "failure_tolerance_percent", "max_concurrent_percent",
    ]  # fmt: skip


def test_a_stack_that_needs_values_of_this_account_is_refused(bench: Bench) -> None:
    stack = artifact("org-prod-baseline", needs={"Key": ("other", "Key")})

    with pytest.raises(SettingsError, match="parameter 'Key' must not come from other"):
        deploy_stack_set(bench.deployer(), stack, _target(ONE))
