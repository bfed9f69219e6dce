import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / ".ci"))
scan = importlib.import_module("scan")
values = importlib.import_module("scan_values")

REASON = "These actions have no resources that a policy could name; AWS demands a star."
LIST = [
    {
        "key": "action-has-no-resource",
        "types": ["AWS::IAM::ManagedPolicy"],
        "reason": REASON,
        "star_actions": ["xray:Put*"],
        "rules": {
            "cdk_nag": ["AwsSolutions-IAM5[Resource::*]"],
            "cfripper": ["WildcardResourceRule"],
            "guard": ["IAM_RULE"],
        },
    },
    {
        "key": "own-prefix",
        "types": ["AWS::IAM::ManagedPolicy"],
        "reason": "Only objects under the prefix of this function, which nobody else writes.",
        "rules": {"cdk_nag": [r"~AwsSolutions-IAM5\[Resource::(?!\*\]).+\*\]"]},
    },
    {
        "key": "preflight",
        "types": ["AWS::ApiGateway::Method"],
        "reason": "A browser sends the preflight request without credentials, by design.",
        "only_if": {"HttpMethod": ["OPTIONS"], "Integration.Type": ["MOCK"], "AuthorizerId": [None]},
        "rules": {"checkov": ["CKV_AWS_59"]},
    },
    {"key": "curt", "types": ["AWS::S3::Bucket"], "reason": "too short", "rules": {"checkov": ["CKV_AWS_18"]}},
]


def policy(*statements: Any, metadata: Any = None) -> Any:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    resource = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    return {**resource, "Metadata": metadata} if metadata else resource


def allow(action: Any, resource: Any = "*") -> Any:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def finding(scanner: Any, rule: Any, resource: Any = "Policy", template: str = "/root/shop/a.json") -> Any:
    return scan.Finding(template, resource, scanner, rule, "message")


def method(**changes: Any) -> Any:
    properties = {"HttpMethod": "OPTIONS", "Integration": {"Type": "MOCK"}, **changes}
    return {"Type": "AWS::ApiGateway::Method", "Properties": properties}


PREFLIGHT = scan.Suppression("checkov", "CKV_AWS_59", LIST[2]["reason"])
STAR = scan.Suppression("cfripper", "WildcardResourceRule", REASON)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"checkov": {"skip": [{"id": "CKV_AWS_1", "comment": "why"}]}}, ("checkov", "CKV_AWS_1", "why")),
        ({"cfripper": {"rules_to_suppress": [{"id": "ARule", "reason": "why"}]}}, ("cfripper", "ARule", "why")),
        ({"cdk_nag": {"rules_to_suppress": [{"id": "A-1", "reason": "why"}]}}, ("cdk_nag", "A-1", "why")),
        (
            {"cdk_nag": {"rules_to_suppress": [{"id": "A-1", "reason": "why", "applies_to": ["Resource::*"]}]}},
            ("cdk_nag", "A-1[Resource::*]", "why"),
        ),
        (
            {"cdk_nag": {"rules_to_suppress": [{"id": "A-1", "reason": "y", "applies_to": [{"regex": "/^R::.+$/"}]}]}},
            ("cdk_nag", r"~A-1\[R::.+\]", "y"),
        ),
        ({"guard": {"SuppressedRules": ["CT.A"], "Reasons": {"CT.A": "why"}}}, ("guard", "CT.A", "why")),
        ({"guard": {"SuppressedRules": ["CT.A"]}}, ("guard", "CT.A", "")),
        ({"cfn-lint": {"config": {"ignore_checks": ["W1001"]}}}, ("cfn-lint", "W1001", "")),
    ],
)
def test_reads_each_dialect(metadata: Any, expected: Any) -> None:
    assert list(scan.written(metadata)) == [scan.Suppression(*expected)]


def test_other_metadata_suppresses_nothing() -> None:
    assert list(scan.written({"Owner": "team", "checkov": {}})) == []


def test_listed_suppression_is_allowed() -> None:
    assert scan.is_allowed(STAR, policy(allow(["xray:PutTraceSegments"])), LIST)


@pytest.mark.parametrize(
    "suppression",
    [
        scan.Suppression("cfripper", "WildcardResourceRule", "Another reason that is also long enough to be one."),
        scan.Suppression("cfripper", "OtherRule", REASON),
        scan.Suppression("parliament", "WildcardResourceRule", REASON),
        scan.Suppression("cfn-lint", "W1001", REASON),
    ],
)
def test_other_reason_rule_or_dialect_is_not_allowed(suppression: Any) -> None:
    assert not scan.is_allowed(suppression, policy(allow("xray:PutTraceSegments")), LIST)


def test_other_type_is_not_allowed() -> None:
    assert not scan.is_allowed(STAR, {"Type": "AWS::IAM::Policy", "Properties": {}}, LIST)


def test_short_reason_is_not_allowed() -> None:
    short = scan.Suppression("checkov", "CKV_AWS_18", "too short")
    assert not scan.is_allowed(short, {"Type": "AWS::S3::Bucket"}, LIST)


@pytest.mark.parametrize(
    "statement",
    [
        allow("s3:GetObject"),
        allow(["xray:PutTraceSegments", "s3:GetObject"]),
        allow("xray:PutTraceSegments", ["*", "arn:aws:s3:::data"]) | {"Action": "sqs:SendMessage"},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ],
)
def test_star_is_allowed_for_listed_actions_only(statement: Any) -> None:
    assert not scan.is_allowed(STAR, policy(allow("xray:PutTraceSegments"), statement), LIST)


@pytest.mark.parametrize(
    "statement", [allow("s3:GetObject", "arn:aws:s3:::data/*"), {**allow("s3:*"), "Effect": "Deny"}]
)
def test_named_resources_and_denials_do_not_count_as_star(statement: Any) -> None:
    assert scan.is_allowed(STAR, policy(statement), LIST)


def test_property_values_must_hold() -> None:
    assert scan.is_allowed(PREFLIGHT, method(), LIST)


@pytest.mark.parametrize(
    "changes", [{"HttpMethod": "GET"}, {"Integration": {"Type": "AWS_PROXY"}}, {"AuthorizerId": "abc"}]
)
def test_other_property_values_are_not_allowed(changes: Any) -> None:
    assert not scan.is_allowed(PREFLIGHT, method(**changes), LIST)


@pytest.mark.parametrize(
    ("suppression", "scanner", "rule", "expected"),
    [
        (("cdk_nag", "A-1[Resource::*]"), "AwsSolutions", "A-1[Resource::*]", True),
        (("cdk_nag", "A-1[Resource::*]"), "AwsSolutions", "A-1[Action::s3:*]", False),
        (("cdk_nag", "A-1"), "AwsSolutions", "A-1[Action::s3:*]", False),
        (("cdk_nag", r"~A-1\[Resource::(?!\*\]).+\*\]"), "AwsSolutions", "A-1[Resource::<Data.Arn>/in/*]", True),
        (("cdk_nag", r"~A-1\[Resource::(?!\*\]).+\*\]"), "AwsSolutions", "A-1[Resource::*]", False),
        (("cdk_nag", r"~A-1\[Resource::.+\*\]"), "AwsSolutions", "A-1[Resource::in/*] more", False),
        (("guard", "CT.S3.PR.9"), "ControlTower", "CT.S3.PR.9", True),
        (("guard", "CT.S3.PR.9"), "AwsSolutions", "CT.S3.PR.9", False),
        (("validate", "W3011"), "validate", "W3011", False),
    ],
)
def test_suppression_covers_its_own_finding(suppression: Any, scanner: Any, rule: Any, expected: Any) -> None:
    assert scan.covers(scan.Suppression(*suppression, REASON), finding(scanner, rule)) is expected


def test_finding_with_a_listed_suppression_is_suppressed() -> None:
    entry = {"rules_to_suppress": [{"id": "WildcardResourceRule", "reason": REASON}]}
    resources = {"Policy": policy(allow("xray:PutTraceSegments"), metadata={"cfripper": entry})}
    explained, other = finding("cfripper", "WildcardResourceRule"), finding("cfripper", "WildcardResourceRule", "Else")
    still_open, suppressed = scan.judge({"/root/shop/a.json": {"Resources": resources}}, [explained, other], LIST)
    assert (still_open, suppressed) == ([other], [explained])


def test_unlisted_suppression_is_a_finding_and_hides_nothing() -> None:
    entry = {"rules_to_suppress": [{"id": "WildcardResourceRule", "reason": "because"}]}
    templates = {"/root/shop/a.json": {"Resources": {"Policy": policy(metadata={"cfripper": entry})}}}
    still_open, suppressed = scan.judge(templates, [finding("cfripper", "WildcardResourceRule")], LIST)
    assert [(item.scanner, item.rule) for item in still_open] == [
        ("cfripper", "WildcardResourceRule"),
        ("suppressions", "WildcardResourceRule"),
    ]
    assert suppressed == []


def test_suppression_for_a_whole_template_is_a_finding() -> None:
    metadata = {"cdk_nag": {"rules_to_suppress": [{"id": "AwsSolutions-IAM5", "reason": REASON}]}}
    still_open, _ = scan.judge({"/root/a.json": {"Metadata": metadata, "Resources": {}}}, [], LIST)
    assert [(item.resource, item.scanner) for item in still_open] == [("", "suppressions")]


def test_figures_per_folder() -> None:
    templates: dict[str, Any] = {
        "/root/shop/a.json": {"Resources": {"A": {}, "B": {}}},
        "/root/shop/b.json": {"Resources": {"C": {}, "D": {}}},
        "/root/web/single/a.json": {"Resources": {"E": {}}},
    }
    twice = scan.Finding("/root/shop/a.json", "Policy", "cfripper", "R", "another statement")
    sets = scan.figures(
        templates,
        [finding("checkov", "CKV_1")],
        [finding("cfripper", "R"), twice, finding("checkov", "C")],
        Path("/root"),
    )
    assert sets == [
        scan.TemplateSet("shop", 2, 4, {"checkov": 1}, 2),
        scan.TemplateSet("web/single", 1, 1, {}, 0),
    ]
    assert [item.ratio for item in sets] == [0.5, 0.0]


def test_table_has_a_line_per_set() -> None:
    lines = scan.table([scan.TemplateSet("shop", 2, 4, {"checkov": 1}, 2)], ["checkov", "cfripper"]).splitlines()
    assert [line.split() for line in lines] == [
        ["set", "templates", "resources", "checkov", "cfripper", "suppressed", "per", "resource"],
        ["shop", "2", "4", "1", "0", "2", "0.50"],
    ]


def checkov_report(kind: Any, count: Any, **results: Any) -> Any:
    return {
        "check_type": kind,
        "results": {"failed_checks": [], "skipped_checks": [], "parsing_errors": [], **results},
        "summary": {"resource_count": count},
    }


def test_reads_failed_skipped_and_unreadable_from_checkov() -> None:
    failed = {
        "file_abs_path": "/root/a.json",
        "resource": "AWS::SQS::Queue.Jobs",
        "check_id": "CKV_AWS_27",
        "check_name": "encrypted",
        "check_result": {"result": "FAILED"},
    }
    skipped = {**failed, "check_id": "CKV_AWS_1", "check_result": {"result": "SKIPPED", "suppress_comment": "why"}}
    secret = {**failed, "check_id": "CKV_SECRET_2", "resource": "0a1b2c"}
    answer = [
        checkov_report("cloudformation", 3, failed_checks=[failed], skipped_checks=[skipped], parsing_errors=["/b"]),
        checkov_report("secrets", 0, failed_checks=[secret]),
    ]
    assert scan.checkov_findings(answer) == (
        3,
        [
            scan.Finding("/root/a.json", "Jobs", "checkov", "CKV_AWS_27", "encrypted"),
            scan.Finding("/root/a.json", "Jobs", "checkov", "CKV_AWS_1", "why"),
            scan.Finding("/b", "", "checkov", "PARSING", "checkov cannot read this template"),
            scan.Finding("/root/a.json", "", "checkov", "CKV_SECRET_2", "encrypted"),
        ],
    )


def test_checkov_that_read_nothing_saw_no_resource() -> None:
    assert scan.checkov_findings({"passed": 0, "failed": 0, "resource_count": 0}) == (0, [])


def test_messages_do_not_name_the_package_registry() -> None:
    text = scan.without_hosts("Looking in indexes: https://a.example/simple\nHTTPSConnectionPool(host='b.example')")
    assert "example" not in text


def test_lock_files_name_no_place() -> None:
    for lock in scan.CI.glob("scan-*.txt"):
        lines = lock.read_text(encoding="utf-8").splitlines()
        assert lines
        assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_changed_lock_is_not_current(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1", encoding="utf-8")
    assert not scan._is_current(tmp_path, lock)
    scan._stamp(tmp_path, lock)
    assert scan._is_current(tmp_path, lock)
    lock.write_text("a==2", encoding="utf-8")
    assert not scan._is_current(tmp_path, lock)


ACCOUNT = "us-east-1:111122223333"
PRODUCER = {
    "Resources": {"JobsQueue": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {"JobsQueueArn": {"Value": {"Fn::GetAtt": ["JobsQueue", "Arn"]}}},
}
CONSUMER = {
    "Parameters": {
        "JobsQueueArn": {"Type": "String"},
        "CertificateArn": {"Type": "String"},
        "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>"},
        "Size": {"Type": "Number"},
        "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"]},
        "Domain": {"Type": "String", "Default": "shop.example.com"},
    },
    "Mappings": {"Zones": {"us-east-1": {"id": "Z1"}}},
    "Resources": {
        "DataBucket": {"Type": "AWS::S3::Bucket"},
        "NewsTopic": {"Type": "AWS::SNS::Topic"},
        "ItemsTable": {"Type": "AWS::DynamoDB::Table"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Network": {"Type": "AWS::EC2::VPC"},
    },
}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("text", "text"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "NewsTopic"}, f"arn:aws:sns:{ACCOUNT}:newstopic"),
        ({"Ref": "DataBucket"}, "databucket"),
        ({"Ref": "Network"}, "vpc-0123456789abcdef0"),
        ({"Ref": "JobsQueueArn"}, f"arn:aws:sqs:{ACCOUNT}:jobsqueue"),
        ({"Ref": "CertificateArn"}, f"arn:aws:acm:{ACCOUNT}:certificate/0a1b2c3d-1111-2222-3333-444455556666"),
        ({"Ref": "Subnets"}, ["subnet-0123456789abcdef0"]),
        ({"Ref": "Size"}, "1"),
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "Domain"}, "shop.example.com"),
        ({"Fn::GetAtt": ["DataBucket", "Arn"]}, "arn:aws:s3:::databucket"),
        ({"Fn::GetAtt": "Role.Arn"}, "arn:aws:iam::111122223333:role/role"),
        (
            {"Fn::GetAtt": ["ItemsTable", "StreamArn"]},
            f"arn:aws:dynamodb:{ACCOUNT}:table/itemstable/stream/2026-01-01",
        ),
        ({"Fn::Join": ["", [{"Fn::GetAtt": ["DataBucket", "Arn"]}, "/*"]]}, "arn:aws:s3:::databucket/*"),
        (
            {"Fn::Sub": "${DataBucket.Arn}/${AWS::Region}/${!aws:username}"},
            "arn:aws:s3:::databucket/us-east-1/${aws:username}",
        ),
        ({"Fn::Sub": ["${x}/*", {"x": {"Fn::GetAtt": ["DataBucket", "Arn"]}}]}, "arn:aws:s3:::databucket/*"),
        ({"Fn::If": ["IsBig", {"Ref": "AWS::NoValue"}, "small"]}, "small"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
        (["a", {"Ref": "AWS::NoValue"}], ["a"]),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b"]}]}, "b"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "us-east-1a"),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::FindInMap": ["Zones", {"Ref": "AWS::Region"}, "id"]}, "Z1"),
        ({"Fn::ImportValue": "shop-prod-data:JobsQueueArn"}, f"arn:aws:sqs:{ACCOUNT}:jobsqueue"),
        (
            {"Fn::GetStackOutput": {"StackName": "shop-prod-data", "OutputName": "JobsQueueArn"}},
            f"arn:aws:sqs:{ACCOUNT}:jobsqueue",
        ),
        ({"Fn::ToJsonString": {"a": {"Ref": "Domain"}}}, '{"a": "shop.example.com"}'),
        ({"Fn::Base64": "x"}, "x"),
    ],
)
def test_plausible_values(node: Any, expected: Any) -> None:
    assert values.Resolver(CONSUMER, values.outputs([PRODUCER, CONSUMER])).value(node) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "JobsQueueArn"}, {"Fn::GetAtt": ["JobsQueue", "Arn"]}),
        ({"Ref": "AWS::AccountId"}, "111122223333"),
        ({"Fn::ImportValue": "shop-prod-data:JobsQueueArn"}, f"arn:aws:sqs:{ACCOUNT}:jobsqueue"),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::${Domain}/*"}, "arn:aws:s3:::shop.example.com/*"),
        ({"Fn::Sub": "${AWS::Region}-${DataBucket}"}, {"Fn::Sub": "us-east-1-${DataBucket}"}),
        ({"Ref": "DataBucket"}, {"Ref": "DataBucket"}),
        ({"Ref": "AWS::NoValue"}, {"Ref": "AWS::NoValue"}),
        (
            {"Names": [{"Ref": "Domain"}, {"Fn::GetAtt": ["Role", "Arn"]}]},
            {"Names": ["shop.example.com", {"Fn::GetAtt": ["Role", "Arn"]}]},
        ),
    ],
)
def test_links_are_known_and_local_references_stay(node: Any, expected: Any) -> None:
    assert values.Resolver(CONSUMER, values.outputs([PRODUCER])).links(node) == expected


def test_merged_templates_refer_to_each_other_directly() -> None:
    consumer = {**CONSUMER, "Resources": {"Mailer": {"Type": "AWS::Lambda::Function", "Arn": {"Ref": "JobsQueueArn"}}}}
    assert values.merged([PRODUCER, consumer]) == {
        "Mappings": CONSUMER["Mappings"],
        "Conditions": {},
        "Resources": {
            "JobsQueue": {"Type": "AWS::SQS::Queue"},
            "Mailer": {"Type": "AWS::Lambda::Function", "Arn": {"Fn::GetAtt": ["JobsQueue", "Arn"]}},
        },
    }


def test_logical_ids_of_merged_templates_must_differ() -> None:
    with pytest.raises(ValueError, match="JobsQueue"):
        values.merged([PRODUCER, PRODUCER])


DOCUMENT = {"Version": "2012-10-17", "Statement": [allow("s3:GetObject")]}


@pytest.mark.parametrize(
    "node",
    [
        {"PolicyDocument": DOCUMENT},
        {"Policies": [{"PolicyName": "x", "PolicyDocument": DOCUMENT}]},
        {"PolicyDocument": json.dumps(DOCUMENT)},
    ],
)
def test_finds_policy_documents(node: Any) -> None:
    assert list(values.documents(node)) == [DOCUMENT]


@pytest.mark.parametrize(
    "node",
    [
        {"Rules": [{"Statement": {"RateBasedStatement": {"Limit": 100}}}]},
        {"Text": '{"Statement" is no JSON'},
        {"Statement": "text"},
    ],
)
def test_other_statements_are_no_policy_documents(node: Any) -> None:
    assert list(values.documents(node)) == []
