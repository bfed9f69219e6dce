from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from awacs import sqs as actions
from hypothesis import given
from hypothesis import strategies as st
from troposphere import GetAtt, Ref, iam

from archlib.core.artifact import Permission
from archlib.core.suppression import suppressions
from archlib.core.values import encode, join
from archlib.errors import WiringError
from archlib.wiring.binding import Grant
from archlib.wiring.permissions import Permissions, action_name

JOBS, MAILS = GetAtt("JobsQueue", "Arn"), GetAtt("MailsQueue", "Arn")
JOBS_ARN, MAILS_ARN = {"Fn::GetAtt": ["JobsQueue", "Arn"]}, {"Fn::GetAtt": ["MailsQueue", "Arn"]}


def permissions(*grants: Grant) -> tuple[Permissions, iam.ManagedPolicy, list[Permission]]:
    policy, reasons = iam.ManagedPolicy("WorkerPolicy"), list[Permission]()
    made = Permissions(policy, reasons)
    for number, grant in enumerate(grants):
        made.allow(grant, why=f"reason {number}")
    return made, policy, reasons


def statements(*grants: Grant) -> list[dict[str, Any]]:
    document: dict[str, Any] = encode(permissions(*grants)[1])["Properties"]["PolicyDocument"]
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def test_actions_on_the_same_resources_are_united_and_sorted() -> None:
    assert statements(
        Grant(("sqs:SendMessage", "sqs:GetQueueUrl"), (JOBS, MAILS)), Grant(("sqs:DeleteMessage",), (MAILS, JOBS))
    ) == [
        {
            "Effect": "Allow",
            "Action": ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:SendMessage"],
            "Resource": [JOBS_ARN, MAILS_ARN],
        }
    ]


def test_resources_of_the_same_actions_are_united_and_sorted() -> None:
    assert statements(Grant(("sqs:SendMessage",), (MAILS,)), Grant(("sqs:SendMessage",), (JOBS,))) == [
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [JOBS_ARN, MAILS_ARN]}
    ]


def test_what_stands_on_a_star_stays_apart_from_the_same_action_on_a_resource() -> None:
    found = statements(Grant(("logs:DescribeLogGroups",), ("*",)), Grant(("logs:DescribeLogGroups",), (JOBS,)))

    assert sorted(map(str, (each["Resource"] for each in found))) == ["['*']", str([JOBS_ARN])]


def test_different_actions_on_different_resources_stay_apart() -> None:
    found = statements(Grant(("sqs:SendMessage",), (MAILS,)), Grant(("sqs:DeleteMessage",), (JOBS,)))

    assert [(each["Action"], each["Resource"]) for each in found] == [
        (["sqs:DeleteMessage"], [JOBS_ARN]),
        (["sqs:SendMessage"], [MAILS_ARN]),
    ]


def test_grants_under_different_conditions_stay_apart() -> None:
    condition = {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}}

    found = statements(
        Grant(("sqs:SendMessage",), (JOBS,)),
        Grant(("sqs:SendMessage",), (JOBS,), condition),
        Grant(("sqs:DeleteMessage",), (JOBS,), condition),
    )

    assert found == [
        {
            "Effect": "Allow",
            "Action": ["sqs:DeleteMessage", "sqs:SendMessage"],
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
            "Resource": [JOBS_ARN],
        },
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [JOBS_ARN]},
    ]


def test_the_same_grant_twice_is_one_statement() -> None:
    grant = Grant((actions.SendMessage, "sqs:SendMessage"), (JOBS, JOBS))

    assert statements(grant, grant) == [{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [JOBS_ARN]}]


def test_what_is_allowed_after_the_policy_was_added_is_in_it_too() -> None:
    made, policy, _ = permissions(Grant(("sqs:SendMessage",), (JOBS,)))
    made.allow(Grant(("sqs:DeleteMessage",), (JOBS,)), why="later")

    assert encode(policy)["Properties"]["PolicyDocument"]["Statement"][0]["Action"] == [
        "sqs:DeleteMessage",
        "sqs:SendMessage",
    ]


@pytest.mark.parametrize(
    ("action", "name"), [(actions.SendMessage, "sqs:SendMessage"), ("sqs:SendMessage", "sqs:SendMessage")]
)
def test_actions_may_be_awacs_ones_or_text(action: Any, name: str) -> None:
    assert action_name(action) == name


@pytest.mark.parametrize("action", ["*", "sqs:*", "sqs:Send*", "s3:Get*Object", "s3:GetObjec?"])
def test_an_action_with_a_wildcard_is_refused(action: str) -> None:
    with pytest.raises(WiringError) as caught:
        permissions(Grant((action, "sqs:GetQueueUrl"), (JOBS,)))

    assert str(caught.value) == f"grant for reason 0: actions must be exact, got {action}; name each action"


def test_star_is_refused_for_an_action_that_has_resources() -> None:
    with pytest.raises(WiringError) as caught:
        permissions(Grant(("sqs:SendMessage", "xray:PutTraceSegments"), ("*",)))

    assert str(caught.value) == (
        "grant for reason 0: resources must be ARNs for sqs:SendMessage, got '*'; "
        "only actions without resource-level permissions may have it, in a grant of their own"
    )


def test_star_is_refused_beside_other_resources() -> None:
    with pytest.raises(WiringError, match=r"must be ARNs for xray:PutTraceSegments, got '\*'"):
        permissions(Grant(("xray:PutTraceSegments",), ("*", JOBS)))


def test_star_is_allowed_for_the_listed_actions_and_explained_on_the_policy() -> None:
    _, policy, _ = permissions(Grant(("xray:PutTraceSegments", "ec2:DescribeNetworkInterfaces"), ("*",)))

    metadata = encode(policy)["Metadata"]
    reason = suppressions()["action-has-no-resource"]["reason"]
    assert {"id": "AwsSolutions-IAM5", "reason": reason, "applies_to": ["Resource::*"]} in metadata["cdk_nag"][
        "rules_to_suppress"
    ]
    assert {"id": "W13", "reason": reason} in metadata["cfn_nag"]["rules_to_suppress"]


def test_a_prefix_is_explained_on_the_policy() -> None:
    _, policy, _ = permissions(Grant(("s3:GetObject",), (join(GetAtt("DataBucket", "Arn"), "/*"),)))

    entries = encode(policy)["Metadata"]["cdk_nag"]["rules_to_suppress"]
    assert {entry["reason"] for entry in entries} == {suppressions()["objects-under-own-prefix"]["reason"]}


def test_exact_resources_need_no_explanation() -> None:
    _, policy, _ = permissions(Grant(("sqs:SendMessage",), (JOBS,)))

    assert "Metadata" not in encode(policy)


def test_a_refused_grant_leaves_nothing_behind() -> None:
    made, policy, reasons = permissions(Grant(("sqs:SendMessage",), (JOBS,)))
    before = encode(policy), list(reasons)

    with pytest.raises(WiringError):
        made.allow(Grant(("sqs:DeleteMessage",), ("*",)), why="nothing good")

    assert (encode(policy), reasons) == before


def test_every_permission_knows_why_it_exists_and_who_asked() -> None:
    _, _, reasons = permissions(Grant((actions.SendMessage, "sqs:GetQueueUrl"), (JOBS,)))

    (reason,) = reasons
    assert reason.actions == ("sqs:GetQueueUrl", "sqs:SendMessage")
    assert reason.why == "reason 0"
    assert reason.origin is not None
    assert reason.origin.file == __file__


ACTIONS = st.sampled_from(["sqs:SendMessage", "sqs:DeleteMessage", "s3:GetObject", "s3:PutObject", "kms:Decrypt"])
RESOURCES = st.sampled_from(
    ["arn:aws:sqs:::one", JOBS, MAILS, Ref("Topic"), join(GetAtt("DataBucket", "Arn"), "/*"), join("a", Ref("B"))]
)
CONDITIONS = st.sampled_from(
    [{}, {"StringEquals": {"a": "b"}}, {"StringEquals": {"a": Ref("C")}}, {"Bool": {"x": "true"}, "Null": {"y": "no"}}]
)
GRANTS = st.builds(
    Grant, st.lists(ACTIONS, min_size=1, max_size=4), st.lists(RESOURCES, min_size=1, max_size=4), CONDITIONS
) | st.builds(
    Grant, st.sampled_from([("xray:PutTraceSegments",), ("ec2:DescribeSubnets",)]), st.just(("*",)), CONDITIONS
)
Triple = tuple[str, str, str]


def asked(grants: Sequence[Grant]) -> set[Triple]:
    return {
        (action_name(action), json.dumps(encode(resource)), json.dumps(encode(grant.conditions), sort_keys=True))
        for grant in grants
        for action in grant.actions
        for resource in grant.resources
    }


def given_by(found: Sequence[dict[str, Any]]) -> list[Triple]:
    return [
        (action, json.dumps(resource), json.dumps(each.get("Condition", {}), sort_keys=True))
        for each in found
        for action in each["Action"]
        for resource in each["Resource"]
    ]


@given(st.lists(GRANTS, min_size=1, max_size=8))
def test_the_document_grants_exactly_what_was_asked_for(grants: list[Grant]) -> None:
    found = statements(*grants)

    triples = given_by(found)
    assert set(triples) == asked(grants)
    for each in found:
        assert each["Action"] == sorted(set(each["Action"]))
        resources = [json.dumps(resource, sort_keys=True) for resource in each["Resource"]]
        assert resources == sorted(set(resources))


@given(
    st.lists(GRANTS, min_size=1, max_size=6).flatmap(lambda grants: st.tuples(st.just(grants), st.permutations(grants)))
)
def test_the_document_does_not_depend_on_the_order(orders: tuple[list[Grant], list[Grant]]) -> None:
    one, other = orders

    assert json.dumps(statements(*one)) == json.dumps(statements(*other))
