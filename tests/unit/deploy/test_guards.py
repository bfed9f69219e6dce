"""What is refused unless the user says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from archlib.core.origin import Origin
from archlib.core.target import Target
from archlib.deploy.aws import Identity
from archlib.deploy.guards import check_account, check_approved, check_changes
from archlib.deploy.models import Action, PropertyChange, ResourceChange
from archlib.deploy.plan import StackPlan
from archlib.deploy.run import Options
from archlib.errors import GuardError, StaleError
from deploying import Bench, artifact, queue, table

ME = Identity("123456789012", "arn:aws:iam::123456789012:user/ada", "aws")
ORDERS = ResourceChange("replace", "Orders", "AWS::DynamoDB::Table")
STACK = replace(artifact(Orders=table()), origins={"Orders": Origin("shop.yaml", 4)})


@pytest.mark.parametrize(
    "target",
    [
        Target(),
        Target(account=ME.account),
        Target(region="eu-west-1"),
        Target(account=ME.account, region="eu-west-1"),
    ],
)
def test_the_right_account_and_region_pass(target: Target) -> None:
    check_account(target, ME, "eu-west-1")


def test_another_account_and_region_are_told_together() -> None:
    with pytest.raises(GuardError) as caught:
        check_account(Target(account="999999999999", region="us-east-1"), ME, "eu-west-1")

    assert caught.value.exit_code == 12
    account, region = (problem.message for problem in caught.value.problems)
    assert account.startswith(f"account must be 999999999999, got 123456789012 ({ME.arn}); log in")
    assert region.startswith("region must be us-east-1, got eu-west-1; correct it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ORDERS, "replaces Orders (AWS::DynamoDB::Table), which holds data;"),
        (replace(ORDERS, certain=False), "may replace Orders"),
        (replace(ORDERS, action="remove"), "deletes Orders"),
        (replace(ORDERS, action="remove", certain=False), "may delete Orders"),
        (
            replace(ORDERS, properties=(PropertyChange("A", recreates="always"), PropertyChange("B"))),
            "which holds data because A changes;",
        ),
        (
            replace(
                ORDERS, properties=(PropertyChange("A", recreates="always"), PropertyChange("B", recreates="maybe"))
            ),
            "which holds data because A, B change;",
        ),
    ],
)
def test_data_is_kept_unless_its_id_is_named(change: ResourceChange, said: str) -> None:
    with pytest.raises(GuardError) as caught:
        check_changes(STACK, [change], STACK.template["Resources"], allow=frozenset({"Other"}))

    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.message.endswith("if that is right: --allow-replace Orders")
    assert problem.origin == Origin("shop.yaml", 4)
    check_changes(STACK, [change], STACK.template["Resources"], allow=frozenset({"Orders"}))


def test_what_is_nested_is_told_with_the_line_of_its_stack() -> None:
    change = replace(ORDERS, resource="Orders/Deep")

    with pytest.raises(GuardError) as caught:
        check_changes(STACK, [change], {}, allow=frozenset({"Orders"}))

    (problem,) = caught.value.problems
    assert problem.message.endswith("--allow-replace Orders/Deep")
    assert problem.origin == Origin("shop.yaml", 4)
    check_changes(STACK, [change], {}, allow=frozenset({"Orders/Deep"}))


def nested(url: str) -> dict[str, Any]:
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}


@pytest.fixture
def inner(bench: Bench) -> Bench:
    """A bench with a stack in which another one is nested that has a table."""
    orders = {key: value for key, value in table().items() if "Policy" not in key}
    bench.fake.upload("orders", json.dumps({"Resources": {"Orders": orders}}))
    bench.fake.upload("topic", json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}))
    bench.deploy(artifact(Inner=nested("orders"), Jobs=queue()))
    return bench


def test_what_goes_with_a_nested_stack_is_not_lost_without_a_word(inner: Bench) -> None:
    without = artifact(Jobs=queue())

    assert inner.deployer().plan([without]).losses == ("Inner",)
    with pytest.raises(GuardError, match="deletes Inner"):
        inner.deploy(without)
    inner.deploy(without, options=Options(allow=frozenset({"Inner"})))


@pytest.mark.parametrize(("revert", "lost"), [(False, "deletes Inner/Orders"), (True, "may replace Inner")])
def test_what_goes_inside_a_nested_stack_is_not_lost_without_a_word(inner: Bench, lost: str, *, revert: bool) -> None:
    options = Options(revert_drift=revert)

    with pytest.raises(GuardError, match=lost):
        inner.deploy(artifact(Inner=nested("topic"), Jobs=queue()), options=options)


def test_all_losses_are_told_at_once() -> None:
    changes = [ORDERS, replace(ORDERS, resource="More", action="remove")]

    with pytest.raises(GuardError) as caught:
        check_changes(STACK, changes, {}, allow=frozenset())

    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("action", ["add", "modify", "import", "sync", "unknown"])
def test_other_changes_pass(action: Action) -> None:
    check_changes(STACK, [replace(ORDERS, action=action)], STACK.template["Resources"], allow=frozenset())


def test_what_holds_no_data_may_be_replaced() -> None:
    change = ResourceChange("replace", "Topic", "AWS::SNS::Topic")
    kept = {"Topic": {"Type": "AWS::SNS::Topic", "DeletionPolicy": "Retain"}}

    check_changes(STACK, [change], {"Topic": {"Type": "AWS::SNS::Topic"}}, allow=frozenset())
    with pytest.raises(GuardError):
        check_changes(STACK, [change], kept, allow=frozenset())


def plan(*changes: ResourceChange, estimated: bool = False) -> StackPlan:
    return StackPlan("shop", "eu-west-1", "update", changes, estimated=estimated)


ADD = ResourceChange("add", "Jobs", "AWS::SQS::Queue")


def test_what_was_approved_may_happen_and_less_too() -> None:
    check_approved("shop", [ADD], plan(ADD, ORDERS))
    check_approved("shop", [], plan(ADD))


@pytest.mark.parametrize("other", [replace(ADD, resource="More"), replace(ADD, action="modify"), ORDERS])
def test_what_was_not_approved_is_stale(other: ResourceChange) -> None:
    with pytest.raises(StaleError, match=f"does not have: {other.action} {other.resource}; plan again") as caught:
        check_approved("shop", [ADD, other], plan(ADD))

    assert caught.value.exit_code == 14


def test_an_estimate_is_read_by_resources_but_never_gives_way_to_losses() -> None:
    change = replace(ADD, action="modify")

    check_approved("shop", [change, replace(change, resource="More")], plan(ADD, estimated=True))
    for worse in (replace(ADD, action="replace"), replace(ADD, action="remove"), replace(ADD, resource="More")):
        with pytest.raises(StaleError):
            check_approved("shop", [worse], plan(ADD, estimated=True))


def test_queues_hold_data() -> None:
    with pytest.raises(GuardError):
        check_changes(STACK, [replace(ADD, action="remove")], {"Jobs": queue()}, allow=frozenset())
