"""Stacks go in order, and nothing goes that somebody wants to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.destroy import destroy, destroy_plan
from archlib.deploy.existing import StackName, find
from archlib.deploy.run import Options
from archlib.errors import DeployError, GuardError, InterruptError, SettingsError, StuckError
from deploying import Bench, artifact, queue, table


def chain() -> tuple[StackArtifact, StackArtifact]:
    data = artifact("shop-dev-data", outputs={"JobsUrl": {"Ref": "Jobs"}})
    return data, artifact("shop-dev-code", needs={"JobsUrl": ("shop-dev-data", "JobsUrl")})


def exported() -> tuple[StackArtifact, StackArtifact]:
    data = artifact("a-data")
    outputs = {"Url": {"Value": {"Ref": "Jobs"}, "Export": {"Name": "a-data:Url"}}}
    code = artifact("b-code", More=queue(KmsMasterKeyId={"Fn::ImportValue": "a-data:Url"}))
    data = replace(data, template={**data.template, "Outputs": outputs})
    return data, replace(code, depends_on=frozenset({"a-data"}))


def deleted(bench: Bench) -> list[str]:
    return [call.parameters["StackName"].split("/")[1] for call in bench.fake.calls if call.operation == "DeleteStack"]


@pytest.mark.parametrize("by_name", [False, True])
def test_those_that_need_others_go_first(bench: Bench, *, by_name: bool) -> None:
    stacks = chain()
    bench.deploy(*stacks)

    done = destroy(bench.deployer(), [StackName(each.name) for each in stacks] if by_name else stacks)

    assert deleted(bench) == ["shop-dev-code", "shop-dev-data"]
    assert {name: result.action for name, result in done.results.items()} == {
        "shop-dev-code": "deleted",
        "shop-dev-data": "deleted",
    }
    assert bench.status("shop-dev-data") == "DELETE_COMPLETE"


def test_by_name_the_order_comes_from_exports_too(bench: Bench) -> None:
    data, code = exported()
    bench.deploy(data, code)

    destroy(bench.deployer(), [StackName("a-data"), StackName("b-code")])

    assert deleted(bench) == ["b-code", "a-data"]


def test_values_that_are_equal_by_chance_do_not_stop_it(bench: Bench) -> None:
    mine: Any = {"parameters": {"Size": {"Type": "String", "Default": "1"}}, "outputs": {"Size": "1"}}
    bench.deploy(artifact("one", **mine), artifact("two", **mine))

    done = destroy(bench.deployer(), [StackName("one"), StackName("two")])

    assert [result.action for result in done.results.values()] == ["deleted", "deleted"]


def test_what_is_gone_counts_as_done(bench: Bench) -> None:
    done = destroy(bench.deployer(), chain())

    assert [result.action for result in done.results.values()] == ["absent", "absent"]
    assert bench.fake.count("DeleteStack") == 0


def test_the_plan_tells_what_goes_what_stays_and_what_is_lost(bench: Bench) -> None:
    stack = artifact(Orders=table(), Jobs=queue(), Copies={**table(), "DeletionPolicy": "Snapshot"})
    bench.deploy(stack)
    calls = len(bench.fake.calls)

    plan = destroy_plan(bench.deployer(), [stack, artifact("shop-dev-other")])

    mine = next(each for each in plan.stacks if each.stack == "shop-dev-data")
    other = next(each for each in plan.stacks if each.stack == "shop-dev-other")
    assert mine.action == "delete"
    assert {(change.resource, change.policy) for change in mine.changes} == {("Jobs", "Delete"), ("Copies", "Snapshot")}
    assert mine.losses == ("Jobs",)
    orders = bench.fake.stack("shop-dev-data").resources["Orders"].physical_id
    assert any(note.startswith(f"Orders (AWS::DynamoDB::Table, {orders}): stays") for note in mine.notes)
    assert (other.action, other.changes, other.notes) == ("none", (), ("it does not exist",))
    assert all(call.operation.startswith(("Describe", "Get", "List")) for call in bench.fake.calls[calls:])
    assert plan.app == "shop"
    assert "stays" in plan.to_text()


def test_the_plan_names_stacks_of_others_that_are_in_the_way(bench: Bench) -> None:
    data, code = exported()
    bench.deploy(data, code)

    plan = destroy_plan(bench.deployer(), [data])

    assert "cannot be deleted while b-code import a-data:Url" in plan.stacks[0].notes
    with pytest.raises(DeployError, match="in use by b-code"):
        destroy(bench.deployer(), [data])


def test_what_stays_is_listed_with_its_real_id(bench: Bench) -> None:
    stack = artifact(Orders=table(), Jobs=queue())
    bench.deploy(stack)
    orders = bench.fake.stack("shop-dev-data").resources["Orders"].physical_id

    done = destroy(bench.deployer(), [stack])

    assert done.results["shop-dev-data"].left == (f"Orders (AWS::DynamoDB::Table, {orders})",)


def test_the_protected_stays_until_named_and_unprotected(bench: Bench) -> None:
    stack = artifact()
    target, confirmed = Target(protected=True), Options(confirmed=True)
    bench.deploy(stack, artifact("shop-dev-more"), target=target, options=confirmed)

    for options, unprotect in ((confirmed, False), (Options(), True)):
        with pytest.raises(GuardError, match="--unprotect") as caught:
            destroy(bench.deployer(target=target, options=options), [stack], unprotect=unprotect)
        assert caught.value.exit_code == 12
    with pytest.raises(GuardError, match="termination protection"):
        destroy(bench.deployer(), [stack])
    with pytest.raises(GuardError, match="environment is protected"):
        destroy(bench.deployer(target=target), [artifact("shop-dev-absent")])
    assert bench.fake.count("DeleteStack") == 0

    done = destroy(bench.deployer(target=target, options=confirmed), [stack], unprotect=True)

    assert done.results["shop-dev-data"].action == "deleted"


def test_what_cannot_be_deleted_is_told_with_what_to_do(bench: Bench) -> None:
    stack = artifact(Role=queue(), Jobs=queue())
    bench.deploy(stack)
    bench.fake.script("Role", "DELETE", fails="Lambda was unable to delete it because it is a replicated function.")

    with pytest.raises(StuckError, match="replicated function") as caught:
        destroy(bench.deployer(), [stack])

    assert caught.value.exit_code == 21
    assert "--retain Role" in bench.recorder.notes
    assert bench.fake.count("DeleteStack") == 1
    assert bench.status("shop-dev-data") == "DELETE_FAILED"


@pytest.mark.parametrize("again", [False, True])
def test_retain_keeps_only_what_refuses(bench: Bench, *, again: bool) -> None:
    stack = artifact(Edge=queue(), Jobs=queue())
    bench.deploy(stack)
    bench.fake.script("Edge", "DELETE", fails="replicated function")
    if again:
        with pytest.raises(StuckError):
            destroy(bench.deployer(), [stack])

    done = destroy(bench.deployer(), [stack], retain=("Edge", "Jobs"))

    edge = bench.fake.stack("shop-dev-data").resources["Edge"].physical_id
    assert done.results["shop-dev-data"].left == (f"Edge (AWS::SQS::Queue, {edge})",)
    deletions = [call.parameters for call in bench.fake.calls if call.operation == "DeleteStack"]
    assert [each.get("RetainResources") for each in deletions] == [None, ["Edge"]]


def test_force_keeps_whatever_refuses_but_only_in_the_second_step(bench: Bench) -> None:
    stack = artifact(Edge=queue())
    bench.deploy(stack)
    bench.fake.script("Edge", "DELETE", fails="replicated function")

    done = destroy(bench.deployer(), [stack], force=True)

    assert len(done.results["shop-dev-data"].left) == 1
    deletions = [call.parameters for call in bench.fake.calls if call.operation == "DeleteStack"]
    assert [each.get("DeletionMode") for each in deletions] == [None, "FORCE_DELETE_STACK"]


def test_an_unknown_id_to_retain_is_refused_before_anything_goes(bench: Bench) -> None:
    bench.deploy(artifact())

    with pytest.raises(SettingsError, match="no stack has a resource 'Jbos'"):
        destroy(bench.deployer(), [artifact()], retain=("Jbos",))

    assert bench.fake.count("DeleteStack") == 0


def test_when_one_fails_those_it_needs_stay(bench: Bench) -> None:
    stacks = chain()
    bench.deploy(*stacks, artifact("shop-dev-alone"))
    bench.fake.script("Jobs", "DELETE", fails="no", stack="shop-dev-code")

    with pytest.raises(StuckError) as caught:
        destroy(bench.deployer(), [*stacks, artifact("shop-dev-alone")])

    deployment = caught.value.deployment
    assert deployment.skipped == ("shop-dev-data",)
    assert set(deployment.results) == {"shop-dev-alone"}
    assert bench.status("shop-dev-data") == "CREATE_COMPLETE"


def test_a_stuck_rollback_is_live_and_only_goes_by_force(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.script("Jobs", "ROLLBACK", fails="cannot go back")
    bench.fake.script("More", fails="no")
    with pytest.raises(StuckError):
        bench.deploy(artifact(Jobs=queue(VisibilityTimeout=60), More=queue()))

    with pytest.raises(GuardError, match="archlib recover shop-dev-data"):
        destroy(bench.deployer(), [stack])
    assert bench.fake.count("DeleteStack") == 0

    assert destroy(bench.deployer(), [stack], force=True).results["shop-dev-data"].action == "deleted"


def test_a_deletion_that_is_going_on_is_followed(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.fake.call("DeleteStack", {"StackName": "shop-dev-data"})

    done = destroy(bench.deployer(), [stack])

    assert done.results["shop-dev-data"].action == "deleted"
    assert bench.fake.count("DeleteStack") == 1


def test_who_stops_deletes_nothing(bench: Bench) -> None:
    bench.deploy(artifact())
    deployer = bench.deployer()
    deployer.stop.request()

    with pytest.raises(InterruptError):
        destroy(deployer, [artifact()])

    assert bench.fake.count("DeleteStack") == 0


def test_stacks_are_found_by_their_tags(bench: Bench) -> None:
    bench.deploy(
        artifact("shop-dev-data"),
        artifact("shop-prod-data", tags={"app": "shop", "environment": "prod"}),
        artifact("shop-dev-code"),
    )

    found = find(bench.deployer(), "shop", "dev")

    assert [each.name for each in found] == ["shop-dev-data", "shop-dev-code"]
    assert {each.region for each in found} == {"eu-west-1"}
