"""One stack, from any state to what it should be."""

from __future__ import annotations

import pytest

from archlib.core.target import Target
from archlib.deploy.run import Options
from archlib.errors import DeployError, GuardError, StuckError
from deploying import Bench, artifact, changed, queue, table


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

    with pytest.raises(GuardError, match="replaces Orders .*--allow-replace Orders") as caught:
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
