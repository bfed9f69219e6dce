from __future__ import annotations

from typing import Any

import pytest
from troposphere import GetAtt, Ref

from archlib.core.values import encode
from archlib.wiring.policies import ResourcePolicy, service_principal, trust_service

JOBS, RULE, TOPIC = GetAtt("JobsQueue", "Arn"), GetAtt("PlacedRule", "Arn"), Ref("NewsTopic")
ACCOUNT = {"Ref": "AWS::AccountId"}


def statements(policy: ResourcePolicy) -> list[dict[str, Any]]:
    document = encode(policy.document)
    assert document["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = document["Statement"]
    return found


def test_calls_without_tls_are_refused_first() -> None:
    policy = ResourcePolicy("sqs:*", [JOBS])
    policy.allow("events", ["sqs:SendMessage"], JOBS, RULE)

    first, _ = statements(policy)

    assert first == {
        "Sid": "DenyInsecureTransport",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_refusal_may_cover_several_resources() -> None:
    (refusal,) = statements(ResourcePolicy("s3:*", ["arn:bucket", "arn:bucket/*"]))

    assert refusal["Resource"] == ["arn:bucket", "arn:bucket/*"]


def test_a_service_may_deliver_for_this_account_and_the_one_source() -> None:
    policy = ResourcePolicy("sqs:*", [JOBS])
    policy.allow("events", ["sqs:SendMessage"], JOBS, RULE)

    assert statements(policy)[1:] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Resource": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": {"Fn::GetAtt": ["PlacedRule", "Arn"]}},
            },
        }
    ]


def test_without_a_source_the_account_is_the_condition() -> None:
    policy = ResourcePolicy("s3:*", ["arn:bucket"])
    policy.allow("logging.s3.amazonaws.com", ["s3:PutObject"], "arn:bucket/*")

    (_, allowed) = statements(policy)

    assert allowed["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_a_service_that_does_not_say_for_whom_it_asks_has_no_condition() -> None:
    policy = ResourcePolicy("sns:Publish", [TOPIC])
    policy.allow_unconditionally("codestar-notifications", ["sns:Publish"], TOPIC)

    assert "Condition" not in statements(policy)[1]


def test_each_deliverer_has_one_statement() -> None:
    policy = ResourcePolicy("sqs:*", [JOBS])
    for source in (RULE, TOPIC, GetAtt("PlacedRule", "Arn"), Ref("NewsTopic")):
        policy.allow("sns" if source.data == {"Ref": "NewsTopic"} else "events", ["sqs:SendMessage"], JOBS, source)
        policy.allow_unconditionally("config", ["sqs:SendMessage"], JOBS)

    assert [each["Principal"] for each in statements(policy)] == [
        "*",
        {"Service": "events.amazonaws.com"},
        {"Service": "config.amazonaws.com"},
        {"Service": "sns.amazonaws.com"},
    ]


def test_two_sources_of_one_service_are_two_deliverers() -> None:
    policy = ResourcePolicy("sqs:*", [JOBS])
    policy.allow("events", ["sqs:SendMessage"], JOBS, RULE)
    policy.allow("events", ["sqs:SendMessage"], JOBS, GetAtt("OtherRule", "Arn"))

    assert len(statements(policy)) == 3


def test_the_document_has_what_was_allowed_after_it_was_handed_out() -> None:
    policy = ResourcePolicy("sqs:*", [JOBS])
    document = policy.document

    policy.allow("events", ["sqs:SendMessage"], JOBS, RULE)

    assert len(encode(document)["Statement"]) == 2


@pytest.mark.parametrize(
    ("service", "principal"),
    [("lambda", "lambda.amazonaws.com"), ("delivery.logs.amazonaws.com", "delivery.logs.amazonaws.com")],
)
def test_a_service_is_named_shortly_or_in_full(service: str, principal: str) -> None:
    assert service_principal(service) == {"Service": principal}


@pytest.mark.parametrize(
    ("service", "condition"),
    [
        ("lambda", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ("scheduler", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ("firehose", {"StringEquals": {"sts:ExternalId": ACCOUNT}}),
        ("sns", {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        ("apigateway", {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        ("eks", {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        ("ec2", {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
        ("rds", {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}),
    ],
)
def test_a_service_assumes_a_role_for_this_account_only(service: str, condition: dict[str, Any]) -> None:
    assert encode(trust_service(service)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }
        ],
    }


def test_cloudfront_is_known_by_the_distribution_it_asks_for() -> None:
    policy = ResourcePolicy("s3:*", [JOBS])
    policy.allow("cloudfront", ["s3:GetObject"], JOBS, RULE)
    policy.allow("cloudfront", ["s3:PutObject"], JOBS)

    conditions = [statement["Condition"] for statement in statements(policy)[1:]]

    assert conditions == [
        {"ArnLike": {"aws:SourceArn": {"Fn::GetAtt": ["PlacedRule", "Arn"]}}},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ]
