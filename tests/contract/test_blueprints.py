"""What every ready-to-deploy blueprint file promises, and what each of them must hold so that it works."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache, reduce
from pathlib import Path
from typing import Any, Literal

import pytest

from archlib import App, StackArtifact, load
from archlib.blueprints.load import Document
from archlib.blueprints.registry import blueprint
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.checks import check
from archlib.checks.limits import limits
from archlib.core.source import read_yaml
from archlib.core.suppression import suppressions
from archlib.emit.template import to_yaml

ROOT = Path(__file__).parents[2]
FILES = {file.stem: file for file in sorted((ROOT / "blueprints").glob("*.yaml"))}
APP_KEY = {"Fn::GetAtt": ["AppKey", "Arn"]}
Layout = Literal["layered", "single"]
LAYOUTS: tuple[Layout, ...] = ("layered", "single")
every_file = pytest.mark.parametrize("name", FILES)
every_environment = pytest.mark.parametrize("environment", ["dev", "prod"])
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


@cache
def stacks(name: str, environment: str, layout: Layout) -> tuple[StackArtifact, ...]:
    return load(FILES[name], environment=environment, layout=layout).assemble()


def resources(name: str, environment: str, layout: Layout = "single") -> dict[str, Any]:
    return {
        title: node
        for stack in stacks(name, environment, layout)
        for title, node in stack.template["Resources"].items()
    }


def of_type(found: dict[str, Any], *kinds: str) -> dict[str, Any]:
    return {name: node.get("Properties", {}) for name, node in found.items() if node["Type"] in kinds}


def statements(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, policy in of_type(found, "AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


# --- every file ---------------------------------------------------------------------------------------------------


@every_file
@every_environment
@every_layout
def test_has_no_error_and_no_warning(name: str, environment: str, layout: Layout) -> None:
    found = check(stacks(name, environment, layout))

    assert [str(finding) for finding in found if finding.severity != "info"] == []


@every_file
def test_works_in_the_other_partitions_as_far_as_they_have_the_services(name: str) -> None:
    found = check(stacks(name, "prod", "single"), regions=["us-gov-west-1", "cn-north-1", "eu-central-1"])

    missing = [each for each in found if each.rule == "E3006" and "AWS::Cognito::" in each.message]
    assert [str(each) for each in found if each.severity != "info" and each not in missing] == []
    assert all("'cn-north-1'" in each.message for each in missing)


@every_file
@every_environment
@every_layout
def test_every_template_is_far_from_the_limits(name: str, environment: str, layout: Layout) -> None:
    for stack in stacks(name, environment, layout):
        assert [str(each) for each in limits(stack) if each.severity != "info"] == []
        assert "Transform" not in stack.template
        assert len(stack.template["Resources"]) < 200


@every_file
@every_environment
def test_no_right_has_a_wildcard_and_every_star_is_explained(name: str, environment: str) -> None:
    found = resources(name, environment)
    row = suppressions()["action-has-no-resource"]

    assert of_type(found, "AWS::IAM::Policy", "AWS::IAM::UserPolicy", "AWS::IAM::RolePolicy") == {}
    assert not any(
        "Policies" in role or "ManagedPolicyArns" in role for role in of_type(found, "AWS::IAM::Role").values()
    )
    for policy, statement in statements(found):
        assert not any("*" in action or "?" in action for action in statement["Action"]), policy
        if "*" in statement["Resource"]:
            assert statement["Resource"] == ["*"], policy
            for action in statement["Action"]:
                assert any(fnmatchcase(action, pattern) for pattern in row["star_actions"]), (policy, action)
            assert json.dumps(row["reason"]) in json.dumps(found[policy]["Metadata"]), policy


@every_file
@every_environment
def test_every_role_has_one_policy_and_is_assumed_for_this_account_only(name: str, environment: str) -> None:
    found = resources(name, environment)
    policies = of_type(found, "AWS::IAM::ManagedPolicy")

    for title, role in of_type(found, "AWS::IAM::Role").items():
        assert sum(policy["Roles"] == [{"Ref": title}] for policy in policies.values()) == 1, title
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert "AWS::AccountId" in json.dumps(trust["Condition"]), title


# Where each type says which key encrypts it.
KEYS = {
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::Events::EventBus": ("KmsKeyIdentifier",),
    "AWS::Events::Archive": ("KmsKeyIdentifier",),
    "AWS::StepFunctions::StateMachine": ("EncryptionConfiguration", "KmsKeyId"),
    "AWS::Scheduler::Schedule": ("KmsKeyArn",),
}


@every_file
@every_environment
def test_what_is_stored_is_encrypted_with_the_apps_key(name: str, environment: str) -> None:
    found = resources(name, environment)

    assert of_type(found, "AWS::KMS::Key")["AppKey"]["EnableKeyRotation"] is True
    for title, properties in of_type(found, *KEYS).items():
        assert reduce(lambda node, key: node[key], KEYS[found[title]["Type"]], properties) == APP_KEY, title
    for title, function in of_type(found, "AWS::Lambda::Function").items():
        assert function.get("KmsKeyArn") == (APP_KEY if "Environment" in function else None), title
    for title, bucket in of_type(found, "AWS::S3::Bucket").items():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        how = rule["ServerSideEncryptionByDefault"]
        # S3 delivers access logs only to buckets with its own encryption.
        assert how.get("KMSMasterKeyID") == (None if title == "AccessLogsBucket" else APP_KEY), title
    for title, stream in of_type(found, "AWS::Kinesis::Stream").items():
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS", title
    for title, group in of_type(found, "AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] >= 365, title


@every_file
@every_environment
def test_everything_that_can_be_traced_is(name: str, environment: str) -> None:
    found = resources(name, environment)

    for title, node in found.items():
        properties = node.get("Properties", {})
        match node["Type"]:
            case "AWS::Lambda::Function":
                assert properties["TracingConfig"] == {"Mode": "Active"}, title
            case "AWS::StepFunctions::StateMachine":
                assert properties["TracingConfiguration"] == {"Enabled": True}, title
            case "AWS::ApiGateway::Stage":
                assert properties["TracingEnabled"] is True, title
            case "AWS::SNS::Topic":
                assert properties["TracingConfig"] == "Active", title


@every_file
@every_environment
def test_every_queue_has_its_dead_letter_queue_and_every_dead_letter_queue_its_user(
    name: str, environment: str
) -> None:
    found = resources(name, environment)
    queues = of_type(found, "AWS::SQS::Queue")
    text = {title: json.dumps(node) for title, node in found.items()}

    for title, queue in queues.items():
        if title.endswith("DeadLetterQueue"):
            assert queue["MessageRetentionPeriod"] == 14 * 86_400, title
            reference = json.dumps({"Fn::GetAtt": [title, "Arn"]})
            users = [
                user
                for user in text
                if found[user]["Type"] not in {"AWS::SQS::QueuePolicy", "AWS::IAM::ManagedPolicy"}
                and reference in text[user]
            ]
            assert users, f"nothing sends to {title}"
        else:
            letters = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            assert letters in queues, title
            assert queue["VisibilityTimeout"] >= 30, title


@every_file
@every_environment
def test_every_delivery_that_can_fail_has_a_place_for_what_failed(name: str, environment: str) -> None:
    found = resources(name, environment)
    queues = of_type(found, "AWS::SQS::Queue")

    for title, node in found.items():
        properties = node.get("Properties", {})
        match node["Type"]:
            case "AWS::Events::Rule":
                assert properties["Targets"], title
                letters = [target["DeadLetterConfig"]["Arn"] for target in properties["Targets"]]
            case "AWS::Scheduler::Schedule":
                letters = [properties["Target"]["DeadLetterConfig"]["Arn"]]
            case "AWS::SNS::Subscription":
                letters = [properties["RedrivePolicy"]["deadLetterTargetArn"]]
            case "AWS::Events::EventBus":
                letters = [properties["DeadLetterConfig"]["Arn"]]
            case "AWS::Lambda::EventInvokeConfig":
                letters = [properties["DestinationConfig"]["OnFailure"]["Destination"]]
            case "AWS::Lambda::EventSourceMapping" if "StartingPosition" in properties:
                letters = [properties["DestinationConfig"]["OnFailure"]["Destination"]]
            case _:
                continue
        for place in letters:
            assert place["Fn::GetAtt"][0] in queues, title


@every_file
@every_environment
def test_every_alarm_tells_someone_and_every_dead_letter_queue_has_one(name: str, environment: str) -> None:
    found = resources(name, environment)
    topic = [{"Ref": "AlarmsTopic"}]
    alarms = of_type(found, "AWS::CloudWatch::Alarm")

    assert len(alarms) > 15
    for title, alarm in alarms.items():
        assert alarm["ActionsEnabled"] is True, title
        assert alarm["AlarmActions"] == alarm["OKActions"] == alarm["InsufficientDataActions"] == topic, title
        assert alarm["AlarmDescription"], title
    watched = json.dumps(list(alarms.values()))
    for title in of_type(found, "AWS::SQS::Queue"):
        if title.endswith("DeadLetterQueue") and not title.startswith("AlarmsTopic"):
            assert json.dumps({"Fn::GetAtt": [title, "QueueName"]}) in watched, f"nobody hears of messages in {title}"
    for title in of_type(found, "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine", "AWS::Kinesis::Stream"):
        assert json.dumps({"Ref": title}) in watched, title


@every_file
def test_people_are_told_in_production(name: str) -> None:
    subscriptions = of_type(resources(name, "prod"), "AWS::SNS::Subscription").values()

    assert [each["Endpoint"] for each in subscriptions if each["Protocol"] == "email"] == ["oncall@example.com"]
    assert "email" not in {
        each["Protocol"] for each in of_type(resources(name, "dev"), "AWS::SNS::Subscription").values()
    }


@every_file
@every_environment
def test_the_dashboard_shows_every_part(name: str, environment: str) -> None:
    found = resources(name, environment)
    (dashboard,) = of_type(found, "AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["DashboardBody"])

    shown = of_type(found, "AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::Kinesis::Stream")
    for title in shown:
        assert title in body, title
    for heading in ("Functions", "Messaging", "Data"):
        assert f"# {heading}" in body


@every_file
@every_environment
def test_data_survives_its_stack(name: str, environment: str) -> None:
    found = resources(name, environment)

    for title, node in found.items():
        if node["Type"] in {
            "AWS::Cognito::UserPool",
            "AWS::DynamoDB::Table",
            "AWS::KMS::Key",
            "AWS::Kinesis::Stream",
            "AWS::Logs::LogGroup",
            "AWS::S3::Bucket",
            "AWS::SQS::Queue",
            "AWS::StepFunctions::StateMachine",
        }:
            assert (node["DeletionPolicy"], node["UpdateReplacePolicy"]) == ("Retain", "Retain"), title
    for title, table in of_type(found, "AWS::DynamoDB::Table").items():
        assert table["DeletionProtectionEnabled"] is True, title
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True, title
    for title, pool in of_type(found, "AWS::Cognito::UserPool").items():
        assert pool["DeletionProtection"] == "ACTIVE", title


@every_file
@every_environment
def test_buckets_are_private_versioned_and_logged(name: str, environment: str) -> None:
    found = resources(name, environment)
    denied = json.dumps({"Bool": {"aws:SecureTransport": "false"}})
    policies = {
        policy["Bucket"]["Ref"]: json.dumps(policy) for policy in of_type(found, "AWS::S3::BucketPolicy").values()
    }

    assert len(of_type(found, "AWS::S3::Bucket")) == 2
    for title, bucket in of_type(found, "AWS::S3::Bucket").items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, title
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, title
        assert denied in policies[title], title
        if title != "AccessLogsBucket":
            assert bucket["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "AccessLogsBucket"}, title


# --- one file -----------------------------------------------------------------------------------------------------


def arn(title: str) -> Any:
    return {"Fn::GetAtt": [title, "Arn"]}


def ref(title: str) -> Any:
    return {"Ref": title}


APIS = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis"
MUST_HAVE: dict[tuple[str, str], dict[str, Any]] = {
    ("serverless", "*"): {
        # requests
        "StoreStage": {"RestApiId": ref("StoreRestApi"), "MethodSettings": [{"DataTraceEnabled": False}]},
        "StoreCustomersAuthorizer": {"Type": "COGNITO_USER_POOLS", "ProviderARNs": [arn("CustomersUserPool")]},
        "StoreGetOrdersMethod": {
            "HttpMethod": "GET",
            "AuthorizationType": "COGNITO_USER_POOLS",
            "AuthorizerId": ref("StoreCustomersAuthorizer"),
            "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST"},
        },
        "StorePostOrdersMethod": {
            "HttpMethod": "POST",
            "AuthorizationType": "COGNITO_USER_POOLS",
            "AuthorizerId": ref("StoreCustomersAuthorizer"),
            "RequestModels": {"$default": ref("StorePostOrdersModel")},
            "RequestValidatorId": ref("StoreRequestValidator"),
        },
        "StoreRequestValidator": {"ValidateRequestBody": True, "ValidateRequestParameters": True},
        "OrdersFromStoreGetOrdersPermission": {
            "Principal": "apigateway.amazonaws.com",
            "SourceAccount": ref("AWS::AccountId"),
        },
        "OrdersFromStorePostOrdersPermission": {"Principal": "apigateway.amazonaws.com"},
        "ApiLoggingApiGatewayAccount": {"CloudWatchRoleArn": arn("ApiLoggingRole")},
        "CustomersWebClient": {"UserPoolId": ref("CustomersUserPool"), "CallbackURLs": ["https://shop.example.com/callback"]},
        "CustomersUserPool": {"MfaConfiguration": "ON"},
        # firewall
        "EdgeFirewall": {
            "Scope": "REGIONAL",
            "Rules": [
                {"Statement": {"RateBasedStatement": {"Limit": 1000}}, "Action": {"Block": {}}},
                {"Statement": {"ManagedRuleGroupStatement": {"Name": "AWSManagedRulesCommonRuleSet"}}},
                {"Statement": {"ManagedRuleGroupStatement": {"Name": "AWSManagedRulesKnownBadInputsRuleSet"}}},
            ],
        },
        "EdgeStoreAssociation": {
            "WebACLArn": arn("EdgeFirewall"),
            "ResourceArn": {"Fn::Sub": f"{APIS}/${{StoreRestApi}}/stages/${{StoreStage}}"},
        },
        "EdgeFirewallLogging": {
            "ResourceArn": arn("EdgeFirewall"),
            "RedactedFields": [{"SingleHeader": {"Name": "authorization"}}],
        },
        # events and work
        "OrderPlacedRule": {
            "EventBusName": ref("ShopBus"),
            "EventPattern": {"source": ["shop.orders"], "detail-type": ["order-placed"]},
            "State": "ENABLED",
            "Targets": [
                {
                    "Arn": ref("FulfilmentStateMachine"),
                    "RoleArn": arn("OrderPlacedRuleRole"),
                    "DeadLetterConfig": {"Arn": arn("FulfilmentStateMachineDeadLetterQueue")},
                }
            ],
        },
        "ShopBusArchive": {"SourceArn": arn("ShopBus"), "RetentionDays": 30},
        "FulfilmentStateMachine": {
            "RoleArn": arn("FulfilmentStateMachineRole"),
            "LoggingConfiguration": {"Level": "ALL", "IncludeExecutionData": False},
            "DefinitionSubstitutions": {
                "SHIP_ORDER_FUNCTION": arn("ShipOrderFunction"),
                "ORDER_UPDATES_TOPIC_ARN": ref("OrderUpdatesTopic"),
            },
        },
        "NotificationsQueueFromOrderUpdatesSubscription": {
            "TopicArn": ref("OrderUpdatesTopic"),
            "Protocol": "sqs",
            "Endpoint": arn("NotificationsQueue"),
            "RedrivePolicy": {"deadLetterTargetArn": arn("NotificationsDeadLetterQueue")},
        },
        "NotifyCustomerFromNotifications": {
            "EventSourceArn": arn("NotificationsQueue"),
            "FunctionName": arn("NotifyCustomerFunction"),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Enabled": True,
        },
        "RecordActivityFromActivity": {
            "EventSourceArn": arn("ActivityStream"),
            "FunctionName": arn("RecordActivityFunction"),
            "BatchSize": 500,
            "MaximumBatchingWindowInSeconds": 60,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": arn("RecordActivityFunctionDeadLetterQueue")}},
        },
        # data
        "OrdersTable": {
            "KeySchema": [
                {"AttributeName": "customer", "KeyType": "HASH"},
                {"AttributeName": "order", "KeyType": "RANGE"},
            ]
        },
        "ArchiveBucket": {
            "LifecycleConfiguration": {
                "Rules": [{"Status": "Enabled", "Transitions": [{"StorageClass": "INTELLIGENT_TIERING"}]}]
            }
        },
        "OrdersFunction": {
            "Environment": {
                "Variables": {
                    "ORDERS_TABLE": ref("OrdersTable"),
                    "SHOP_BUS_NAME": ref("ShopBus"),
                    "ACTIVITY_STREAM_NAME": ref("ActivityStream"),
                }
            }
        },
        "RecordActivityFunction": {"Environment": {"Variables": {"ARCHIVE_BUCKET": ref("ArchiveBucket")}}},
    },
    ("serverless", "prod"): {
        "OrdersTable": {"ContributorInsightsSpecification": {"Enabled": True}},
        "OrdersLiveAlias": {"Name": "live", "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2}},
        "OrdersDeploymentGroup": {
            "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
            "AutoRollbackConfiguration": {"Enabled": True},
            "ServiceRoleArn": arn("OrdersDeploymentRole"),
        },
        "OrdersScalableTarget": {"MinCapacity": 2, "MaxCapacity": 20},
        "OrdersScalingPolicy": {"ScalingTargetId": ref("OrdersScalableTarget")},
        "OrdersFromStoreGetOrdersPermission": {"FunctionName": ref("OrdersLiveAlias")},
    },
    ("serverless", "dev"): {"OrdersFromStoreGetOrdersPermission": {"FunctionName": arn("OrdersFunction")}},
    ("event-driven", "*"): {
        "UploadsBucket": {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}},
        "UploadedRule": {
            "EventBusName": "default",
            "EventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [ref("UploadsBucket")]}},
            },
            "Targets": [
                {
                    "Arn": arn("IndexDocumentFunction"),
                    "DeadLetterConfig": {"Arn": arn("IndexDocumentFunctionDeadLetterQueue")},
                }
            ],
        },
        "IndexDocumentFromUploadedRulePermission": {
            "Principal": "events.amazonaws.com",
            "FunctionName": arn("IndexDocumentFunction"),
            "SourceArn": arn("UploadedRule"),
        },
        "IndexDocumentFunctionAsyncInvocation": {
            "FunctionName": ref("IndexDocumentFunction"),
            "DestinationConfig": {"OnFailure": {"Destination": arn("IndexDocumentFunctionDeadLetterQueue")}},
        },
        "IndexDocumentFunction": {
            "DeadLetterConfig": {"TargetArn": arn("IndexDocumentFunctionDeadLetterQueue")},
            "Environment": {
                "Variables": {"DOCUMENTS_TABLE": ref("DocumentsTable"), "INDEXED_TOPIC_ARN": ref("IndexedTopic")}
            },
        },
        "MakePreviewFunction": {"Environment": {"Variables": {"UPLOADS_BUCKET": ref("UploadsBucket")}}},
        "PreviewsQueueFromIndexedSubscription": {
            "TopicArn": ref("IndexedTopic"),
            "Endpoint": arn("PreviewsQueue"),
            "RedrivePolicy": {"deadLetterTargetArn": arn("PreviewsDeadLetterQueue")},
        },
        "RecordsQueueFromIndexedSubscription": {
            "TopicArn": ref("IndexedTopic"),
            "Endpoint": arn("RecordsQueue"),
            "RedrivePolicy": {"deadLetterTargetArn": arn("RecordsDeadLetterQueue")},
        },
        "MakePreviewFromPreviews": {
            "EventSourceArn": arn("PreviewsQueue"),
            "FunctionName": arn("MakePreviewFunction"),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
        "KeepRecordFromRecords": {
            "EventSourceArn": arn("RecordsQueue"),
            "FunctionName": arn("KeepRecordFunction"),
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
        "NightlyIndexSchedule": {
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "State": "ENABLED",
            "Target": {
                "Arn": arn("RecordsQueue"),
                "RoleArn": arn("NightlyIndexScheduleRole"),
                "DeadLetterConfig": {"Arn": arn("NightlyIndexScheduleDeadLetterQueue")},
            },
        },
        "RecordsQueue": {"MessageRetentionPeriod": 14 * 86_400},
    },
    ("event-driven", "prod"): {"MakePreviewFunction": {"MemorySize": 1024, "Timeout": 120}},
    ("event-driven", "dev"): {"MakePreviewFunction": {"MemorySize": 256, "Timeout": 30}},
}  # fmt: skip

# Who may do what: role's policy -> action -> resource.
MUST_ALLOW: dict[str, list[tuple[str, str, Any]]] = {
    "serverless": [
        ("OrdersFunctionPolicy", "dynamodb:Query", arn("OrdersTable")),
        ("OrdersFunctionPolicy", "dynamodb:PutItem", arn("OrdersTable")),
        ("OrdersFunctionPolicy", "events:PutEvents", arn("ShopBus")),
        ("OrdersFunctionPolicy", "kinesis:PutRecord", arn("ActivityStream")),
        ("OrdersFunctionPolicy", "kms:Decrypt", APP_KEY),
        ("NotifyCustomerFunctionPolicy", "sqs:ReceiveMessage", arn("NotificationsQueue")),
        ("NotifyCustomerFunctionPolicy", "sqs:DeleteMessage", arn("NotificationsQueue")),
        ("NotifyCustomerFunctionPolicy", "kms:Decrypt", APP_KEY),
        ("RecordActivityFunctionPolicy", "kinesis:GetRecords", arn("ActivityStream")),
        ("RecordActivityFunctionPolicy", "s3:PutObject", {"Fn::Sub": "${ArchiveBucket.Arn}/*"}),
        ("RecordActivityFunctionPolicy", "sqs:SendMessage", arn("RecordActivityFunctionDeadLetterQueue")),
        ("OrderPlacedRulePolicy", "states:StartExecution", ref("FulfilmentStateMachine")),
        ("FulfilmentStateMachinePolicy", "lambda:InvokeFunction", arn("ShipOrderFunction")),
        ("FulfilmentStateMachinePolicy", "sns:Publish", ref("OrderUpdatesTopic")),
    ],
    "event-driven": [
        ("IndexDocumentFunctionPolicy", "dynamodb:PutItem", arn("DocumentsTable")),
        ("IndexDocumentFunctionPolicy", "sns:Publish", ref("IndexedTopic")),
        ("IndexDocumentFunctionPolicy", "kms:GenerateDataKey", APP_KEY),
        ("IndexDocumentFunctionPolicy", "sqs:SendMessage", arn("IndexDocumentFunctionDeadLetterQueue")),
        ("MakePreviewFunctionPolicy", "s3:GetObject", {"Fn::Sub": "${UploadsBucket.Arn}/*"}),
        ("MakePreviewFunctionPolicy", "sqs:ReceiveMessage", arn("PreviewsQueue")),
        ("KeepRecordFunctionPolicy", "sqs:ReceiveMessage", arn("RecordsQueue")),
        ("NightlyIndexSchedulePolicy", "sqs:SendMessage", arn("RecordsQueue")),
    ],
}

# Who may deliver where: queue or topic -> service -> on behalf of which resource.
MUST_ADMIT: dict[str, list[tuple[str, str, Any]]] = {
    "serverless": [
        ("NotificationsQueue", "sns", ref("OrderUpdatesTopic")),
        ("NotificationsDeadLetterQueue", "sns", ref("OrderUpdatesTopic")),
        ("FulfilmentStateMachineDeadLetterQueue", "events", arn("OrderPlacedRule")),
        ("ShopBusDeadLetterQueue", "events", arn("ShopBus")),
    ],
    "event-driven": [
        ("PreviewsQueue", "sns", ref("IndexedTopic")),
        ("RecordsQueue", "sns", ref("IndexedTopic")),
        ("IndexDocumentFunctionDeadLetterQueue", "events", arn("UploadedRule")),
    ],
}


def covers(actual: Any, wanted: Any) -> bool:
    """Whether everything in ``wanted`` is in ``actual``; a mapping and a list may have more."""
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(key in actual and covers(actual[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(actual, list) and all(any(covers(item, each) for item in actual) for each in wanted)
    return bool(actual == wanted and type(actual) is type(wanted))


@pytest.mark.parametrize(
    ("name", "environment", "title"),
    [
        (name, environment, title)
        for (name, where), wanted in MUST_HAVE.items()
        for environment in ("dev", "prod")
        if where in {"*", environment}
        for title in wanted
    ],
)
def test_holds_what_it_needs_to_work(name: str, environment: str, title: str) -> None:
    found = resources(name, environment)
    properties = found[title]["Properties"]

    for where in ("*", environment):
        wanted = MUST_HAVE.get((name, where), {}).get(title, {})
        assert covers(properties, wanted), json.dumps(properties, indent=1)


@every_file
@every_environment
def test_every_caller_may_do_what_it_is_there_for(name: str, environment: str) -> None:
    rights = [
        (policy, action, resource)
        for policy, statement in statements(resources(name, environment))
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]

    assert [wanted for wanted in MUST_ALLOW[name] if wanted not in rights] == []


@every_file
@every_environment
def test_every_target_admits_who_delivers_to_it(name: str, environment: str) -> None:
    found = resources(name, environment)
    policies = of_type(found, "AWS::SQS::QueuePolicy").values()
    admitted = [
        (
            policy["Queues"][0]["Ref"],
            statement["Principal"]["Service"],
            statement["Condition"]["ArnLike"]["aws:SourceArn"],
        )
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    wanted = [(queue, f"{service}.amazonaws.com", source) for queue, service, source in MUST_ADMIT[name]]
    assert [each for each in wanted if each not in admitted] == []


@every_environment
def test_no_method_of_the_shop_is_open(environment: str) -> None:
    methods = of_type(resources("serverless", environment), "AWS::ApiGateway::Method")

    assert {title for title, method in methods.items() if method["AuthorizationType"] == "NONE"} == {
        "StoreOptionsOrdersMethod"  # browsers ask before they sign in
    }
    assert methods["StoreOptionsOrdersMethod"]["HttpMethod"] == "OPTIONS"
    assert methods["StoreOptionsOrdersMethod"]["Integration"]["Type"] == "MOCK"


@every_file
@every_environment
def test_services_that_deliver_encrypted_may_use_the_key(name: str, environment: str) -> None:
    found = resources(name, environment)
    policy = json.dumps(found["AppKey"]["Properties"]["KeyPolicy"])

    for service in ("sns.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com", "logs.${AWS::Region}"):
        assert service in policy, service


def test_every_file_has_its_lists() -> None:
    assert set(FILES) == {name for name, _ in MUST_HAVE} == set(MUST_ALLOW) == set(MUST_ADMIT)


# --- the same in every way ----------------------------------------------------------------------------------------


def merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merged(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return over


@every_file
@every_environment
@every_layout
def test_python_gives_the_same_bytes_as_yaml(name: str, environment: str, layout: Layout) -> None:
    content, _ = read_yaml(FILES[name])
    settings = merged(content["settings"], content["environments"][environment])
    app = App(content["app"], environment, tags=content["tags"], layout=layout)

    Serverless(app, ServerlessSettings.model_validate(settings, context={"folder": FILES[name].parent}))

    assert [(stack.name, to_yaml(stack.template)) for stack in app.assemble()] == [
        (stack.name, to_yaml(stack.template)) for stack in stacks(name, environment, layout)
    ]


@every_file
@every_environment
@every_layout
def test_two_runs_give_the_same_bytes(name: str, environment: str, layout: Layout) -> None:
    again = load(FILES[name], environment=environment, layout=layout).assemble()

    assert [to_yaml(stack.template) for stack in again] == [
        to_yaml(stack.template) for stack in stacks(name, environment, layout)
    ]
    assert again == stacks(name, environment, layout)


def unlinked(artifacts: tuple[StackArtifact, ...]) -> dict[str, Any]:
    """Return the resources of all stacks with every link between them taken back."""
    outputs = {
        (stack.name, name): node["Value"]
        for stack in artifacts
        for name, node in stack.template.get("Outputs", {}).items()
    }
    found: dict[str, Any] = {}
    for stack in artifacts:
        values = {
            name: outputs[source.stack, source.output]
            for name, source in stack.parameters.items()
            if source.kind == "output"
        }
        found |= {name: _unlinked(node, values) for name, node in stack.template["Resources"].items()}
    return found


def _unlinked(node: Any, values: dict[str, Any]) -> Any:
    match node:
        case {"Ref": str(name)} if name in values:
            return copy.deepcopy(values[name])
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": re.sub(r"\$\{(\w+)\}", lambda found: _variable(found[1], values), text)}
        case dict():
            return {key: _unlinked(child, values) for key, child in node.items()}
        case list():
            return [_unlinked(child, values) for child in node]
    return node


def _variable(name: str, values: dict[str, Any]) -> str:
    match values.get(name):
        case {"Ref": target}:
            return f"${{{target}}}"
        case {"Fn::GetAtt": [target, attribute]}:
            return f"${{{target}.{attribute}}}"
    return f"${{{name}}}"


@every_file
@every_environment
def test_both_layouts_hold_the_same_resources(name: str, environment: str) -> None:
    single, layered = resources(name, environment), unlinked(stacks(name, environment, "layered"))

    assert set(layered) == set(single)
    for title, node in single.items():
        assert {key: value for key, value in layered[title].items() if key != "DependsOn"} == {
            key: value for key, value in node.items() if key != "DependsOn"
        }, title


@every_file
@every_environment
def test_layers_depend_downwards_only(name: str, environment: str) -> None:
    order = ["foundation", "network", "data", "app", "monitoring"]
    done: set[str] = set()

    for stack in stacks(name, environment, "layered"):
        assert stack.depends_on <= done
        done.add(stack.name)
        own = order.index(stack.name.rpartition("-")[2])
        assert all(order.index(other.rpartition("-")[2]) < own for other in stack.depends_on)


@every_file
@every_environment
def test_every_resource_carries_the_line_that_asked_for_it(name: str, environment: str) -> None:
    lines = FILES[name].read_text(encoding="utf-8").splitlines()
    (only,) = stacks(name, environment, "single")

    assert set(only.origins) >= set(only.template["Resources"])
    assert {origin.file for origin in only.origins.values()} == {str(FILES[name])}
    for title, origin in only.origins.items():
        assert 1 <= origin.line <= len(lines), title
        assert lines[origin.line - 1].strip(), title


@every_file
def test_is_written_for_people_and_editors(name: str) -> None:
    first, second, *_ = FILES[name].read_text(encoding="utf-8").splitlines()
    content, _ = read_yaml(FILES[name])
    document = Document.model_validate(content)

    assert first.startswith("# ")
    assert second == "# yaml-language-server: $schema=schema.json"
    assert set(document.environments) == {"dev", "prod"}
    assert blueprint(document.blueprint) is Serverless
