"""Things that exist become part of a stack."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from archlib.core.origin import Origin
from archlib.deploy.importing import execute_import, import_resources, importable, plan_import
from archlib.deploy.models import Failure
from archlib.errors import DeployError, SettingsError, StaleError, StuckError
from deploying import Bench, artifact, changed, queue, table
from fakes import cloudformation

BASE = artifact(Jobs=queue())
STACK = replace(changed(BASE, Orders=table(TableName="orders")), origins={"Orders": Origin("shop.yaml", 3)})
ORDERS = {"Orders": {"TableName": "orders"}}


@pytest.fixture
def existing(bench: Bench) -> Bench:
    """A bench on which the table ``orders`` is there, without a stack."""
    bench.deploy(artifact("old", Orders=table(TableName="orders")))
    bench.fake.call("DeleteStack", {"StackName": "old"})
    bench.fake.settle()
    return bench


def test_a_thing_is_imported_into_a_stack_and_nothing_else_changes(existing: Bench) -> None:
    existing.deploy(BASE)
    wanted = changed(STACK, Jobs=queue(DelaySeconds=5))

    result = import_resources(existing.deployer(), wanted, ORDERS)

    assert result.action == "imported"
    assert existing.status(STACK.name) == "IMPORT_COMPLETE"
    assert existing.fake.stack(STACK.name).resources["Jobs"].properties == {}
    assert "archlib deploy" in existing.recorder.notes
    assert existing.left_behind() == []
    assert existing.deploy(wanted).results[STACK.name].action == "updated"


def test_a_stack_can_begin_with_an_import(existing: Bench) -> None:
    import_resources(existing.deployer(), STACK, ORDERS)

    assert set(existing.fake.stack(STACK.name).resources) == {"Orders"}
    # CloudFormation refuses tags and outputs in an import: they come with the deployment.
    (made,) = [each.parameters for each in existing.fake.calls if each.parameters.get("ChangeSetType") == "IMPORT"]
    assert not made.get("Tags")
    assert existing.deploy(STACK).results[STACK.name].action == "updated"


def test_a_plan_that_begins_a_stack_leaves_nothing_of_it(existing: Bench) -> None:
    deployer = existing.deployer()

    deployer.discard(plan_import(deployer, STACK, ORDERS))

    assert existing.left_behind() == []


def test_a_plan_rolls_nothing_back_and_deletes_nothing(existing: Bench) -> None:
    existing.fake.script("Jobs", "CREATE", fails="no", times=1)
    request = {"StackName": STACK.name, "ChangeSetName": "theirs"}
    existing.fake.call(
        "CreateChangeSet", {**request, "ChangeSetType": "CREATE", "TemplateBody": json.dumps(BASE.template)}
    )
    existing.clock.sleep(9.0)
    existing.fake.call("ExecuteChangeSet", {**request, "DisableRollback": True})
    existing.fake.settle()

    with pytest.raises(StuckError, match="is CREATE_FAILED"):
        plan_import(existing.deployer(), STACK, ORDERS)

    assert existing.status(STACK.name) == "CREATE_FAILED"


def test_what_others_do_is_waited_for(existing: Bench) -> None:
    existing.deploy(BASE)
    existing.fake.script("Jobs", "UPDATE", takes=100)
    request = {"StackName": STACK.name, "ChangeSetName": "theirs"}
    theirs = changed(BASE, Jobs=queue(VisibilityTimeout=60)).template
    existing.fake.call("CreateChangeSet", {**request, "TemplateBody": json.dumps(theirs)})
    existing.clock.sleep(9.0)
    existing.fake.call("ExecuteChangeSet", request)

    assert import_resources(existing.deployer(), STACK, ORDERS).action == "imported"
    assert "somebody else is working on it" in existing.recorder.notes


@pytest.mark.parametrize("takes", range(1, 80, 8))
def test_events_that_come_late_do_not_make_it_fail(existing: Bench, takes: int) -> None:
    existing.deploy(BASE)
    existing.fake.world.timing.start = takes
    call = existing.fake.call

    def late(operation: str, parameters: Any, **how: Any) -> Any:
        answer = call(operation, parameters, **how)
        if operation == "DescribeStackEvents":
            told = existing.fake.time() - 10
            answer["StackEvents"] = [each for each in answer["StackEvents"] if each["Timestamp"] <= told]
        return answer

    existing.fake.call = late  # type: ignore[method-assign]

    assert import_resources(existing.deployer(), STACK, ORDERS).action == "imported"


def test_the_plan_shows_what_is_imported_with_the_users_line(existing: Bench) -> None:
    existing.deploy(BASE)
    deployer = existing.deployer()

    plan = plan_import(deployer, STACK, ORDERS)

    (change,) = plan.stacks[0].changes
    assert (change.action, change.resource, change.origin) == ("import", "Orders", Origin("shop.yaml", 3))
    deployer.discard(plan)


def test_all_problems_are_told_at_once(bench: Bench) -> None:
    stack = changed(STACK, Topic=queue(), Last={**table(), "DependsOn": "Extra"}, Extra=queue())
    bench.deploy(BASE)

    with pytest.raises(SettingsError) as caught:
        plan_import(bench.deployer(), stack, {"Jobs": "x", "Nothing": "x", "Topic": "x", "Last": "x"})

    told = str(caught.value)
    assert "resource 'Jobs': stack 'shop-dev-data' has it already" in told
    assert "resource 'Nothing': must be a logical id of stack 'shop-dev-data'" in told
    assert "resource 'Topic': DeletionPolicy must be set" in told
    assert "resource 'Last': needs Extra, which does not exist yet" in told


def test_a_thing_that_does_not_exist_is_refused_and_nothing_is_left(bench: Bench) -> None:
    bench.deploy(BASE)

    with pytest.raises(DeployError, match="do not exist"):
        plan_import(bench.deployer(), STACK, {"Orders": {"TableName": "missing"}})

    assert bench.left_behind() == []


def test_too_many_are_refused(bench: Bench) -> None:
    with pytest.raises(SettingsError, match="must be 1 to 200, got 0"):
        plan_import(bench.deployer(), STACK, {})


def test_what_was_in_the_way_of_a_creation_can_be_imported(bench: Bench) -> None:
    failure = Failure(STACK.name, "Orders", "AWS::DynamoDB::Table", "orders already exists")

    found = importable(bench.deployer(), STACK, failure)

    assert found is not None
    assert found.command.startswith("archlib import --stack shop-dev-data --resource Orders")
    assert "orders" in found.command
    assert importable(bench.deployer(), STACK, replace(failure, reason="Access denied")) is None


def test_what_another_stack_has_is_not_proposed(bench: Bench) -> None:
    bench.deploy(artifact("old", Orders=table(TableName="orders")))
    physical = bench.fake.stack("old").resources["Orders"].physical_id
    failure = Failure(STACK.name, "Orders", "AWS::DynamoDB::Table", f"{physical} already exists")

    found = importable(bench.deployer(), STACK, failure)

    assert found is not None
    assert found.owner == "old"
    assert found.command.startswith("stack old has it")


@pytest.fixture
def telling(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose service tells by which keys things are identified."""
    keys = [
        {
            "ResourceType": "AWS::DynamoDB::Table",
            "LogicalResourceIds": ["Orders", "Pair"],
            "ResourceIdentifiers": ["TableName"],
        },
        {
            "ResourceType": "AWS::Cognito::UserPoolClient",
            "LogicalResourceIds": ["Client"],
            "ResourceIdentifiers": ["UserPoolId", "ClientId"],
        },
    ]
    answer = {"ResourceIdentifierSummaries": keys}
    monkeypatch.setitem(cloudformation._OPERATIONS, "GetTemplateSummary", lambda world, request: answer)
    return bench


def test_what_is_not_identified_is_told_at_once(telling: Bench) -> None:
    client = {"Type": "AWS::Cognito::UserPoolClient", "DeletionPolicy": "Retain"}
    stack = changed(BASE, Orders=table(), Pair=table(), Client=client, Kept={**queue(), "DeletionPolicy": "Retain"})

    with pytest.raises(SettingsError) as caught:
        plan_import(
            telling.deployer(), stack, {"Orders": {}, "Pair": {"Name": "x"}, "Client": {"ClientId": "c"}, "Kept": "url"}
        )

    told = str(caught.value)
    assert "resource 'Orders': must be identified by TableName, got no TableName" in told
    assert "resource 'Pair': must be identified by TableName, got Name" in told
    assert "add --resource Client.UserPoolId=VALUE" in told
    assert "resource 'Kept': CloudFormation cannot import AWS::SQS::Queue" in told


@pytest.mark.parametrize("given", ["orders", {}, {"TableName": "orders"}])
def test_one_key_needs_no_name_and_a_name_in_the_template_no_value(telling: Bench, given: Any) -> None:
    telling.deploy(artifact("old", Orders=table(TableName="orders")))
    telling.fake.call("DeleteStack", {"StackName": "old"})
    telling.fake.settle()

    import_resources(telling.deployer(), STACK, {"Orders": given})

    (made,) = [
        call.parameters
        for call in telling.fake.calls
        if call.operation == "CreateChangeSet" and call.parameters["ChangeSetType"] == "IMPORT"
    ]
    assert made["ResourcesToImport"][0]["ResourceIdentifier"] == {"TableName": "orders"}


def test_a_plan_that_somebody_overtook_is_stale(existing: Bench) -> None:
    existing.deploy(BASE)
    deployer = existing.deployer()
    plan = plan_import(deployer, STACK, ORDERS)
    existing.deploy(changed(BASE, More=queue()))

    with pytest.raises(StaleError, match="run again: archlib import"):
        execute_import(deployer, plan)


def test_an_import_that_fails_puts_everything_back(existing: Bench) -> None:
    existing.deploy(BASE)
    deployer = existing.deployer()
    plan = plan_import(deployer, STACK, ORDERS)
    existing.fake.world.store.physical.pop("orders", None)

    with pytest.raises(DeployError, match="Orders"):
        execute_import(deployer, plan)

    assert existing.status(STACK.name) == "IMPORT_ROLLBACK_COMPLETE"
