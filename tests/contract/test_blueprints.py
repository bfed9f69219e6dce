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
from archlib.blueprints.serverless import Serverless
from archlib.checks import check
from archlib.checks.limits import limits
from archlib.core.source import read_yaml
from archlib.core.suppression import suppressions
from archlib.emit.template import to_yaml

ROOT = Path(__file__).parents[2]
FILES = {file.stem: file for file in sorted((ROOT / "blueprints").glob("*.yaml"))}
APP_KEY = {"Fn::GetAtt": ["AppKey", "Arn"]}
Layout = Literal["layered", "single"]
SERVICE = "service"
SEARCH = "AWS::OpenSearchService::Domain"
LAYERS = (
    *("foundation", "foundation-us-east1", "network", "data", "images", "cluster", "ingress", "edge"),
    *("app", "application", SERVICE, "monitoring", "monitoring-us-east1"),
)
LAYOUTS: tuple[Layout, ...] = ("layered", "single")
BLUEPRINTS = {name: blueprint(read_yaml(file)[0]["blueprint"]) for name, file in FILES.items()}
every_file = pytest.mark.parametrize("name", FILES)
every_serverless = pytest.mark.parametrize("name", [name for name, kind in BLUEPRINTS.items() if kind is Serverless])
ENVIRONMENTS = {name: tuple(read_yaml(file)[0]["environments"]) for name, file in FILES.items()}
PLACES = [(name, environment) for name, environments in ENVIRONMENTS.items() for environment in environments]
everywhere = pytest.mark.parametrize(("name", "environment"), PLACES)
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


def of_type(found: dict[str, Any], *kinds: str, some: bool = True) -> dict[str, Any]:
    """Return the properties of the resources of these types; without any, a test would say nothing."""
    those = {name: node.get("Properties", {}) for name, node in found.items() if node["Type"] in kinds}
    assert those or not some, kinds
    return those


def monitoring_roles(found: dict[str, Any]) -> set[str]:
    """Return the roles by which RDS reports the state of instances: the one thing with a policy that AWS makes."""
    return {
        title
        for title, role in of_type(found, "AWS::IAM::Role").items()
        if role.get("ManagedPolicyArns")
        == [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"}]
    }


def statements(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, policy in of_type(found, "AWS::IAM::ManagedPolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


# --- every file ---------------------------------------------------------------------------------------------------


@everywhere
@every_layout
def test_has_no_error_and_no_warning(name: str, environment: str, layout: Layout) -> None:
    found = check(stacks(name, environment, layout))

    assert [str(finding) for finding in found if finding.severity != "info"] == []


@every_file
def test_works_in_the_other_partitions_as_far_as_they_have_the_services(name: str) -> None:
    anywhere = [stack for stack in stacks(name, "prod", "single") if stack.region is None]
    found = check(anywhere, regions=["us-gov-west-1", "cn-north-1", "eu-central-1"])

    missing = [each for each in found if each.rule == "E3006" and "AWS::Cognito::" in each.message]
    assert [str(each) for each in found if each.severity != "info" and each not in missing] == []
    assert all("'cn-north-1'" in each.message for each in missing)
    assert bool(missing) == ("AWS::Cognito::UserPool" in {node["Type"] for node in resources(name, "prod").values()})


@everywhere
@every_layout
def test_every_template_is_far_from_the_limits(name: str, environment: str, layout: Layout) -> None:
    for stack in stacks(name, environment, layout):
        assert [str(each) for each in limits(stack) if each.severity != "info"] == []
        assert "Transform" not in stack.template
        assert len(stack.template["Resources"]) < (200 if layout == "layered" else 300)


@everywhere
def test_no_right_has_a_wildcard_and_every_star_is_explained(name: str, environment: str) -> None:
    found = resources(name, environment)
    row = suppressions()["action-has-no-resource"]

    assert of_type(found, "AWS::IAM::Policy", "AWS::IAM::UserPolicy", "AWS::IAM::RolePolicy", some=False) == {}
    roles = of_type(found, "AWS::IAM::Role")
    assert not any("Policies" in role for role in roles.values())
    assert {title for title, role in roles.items() if "ManagedPolicyArns" in role} == monitoring_roles(found)
    for policy, statement in statements(found):
        assert not any("*" in action or "?" in action for action in statement["Action"]), policy
        if "*" in statement["Resource"]:
            assert statement["Resource"] == ["*"], policy
            for action in statement["Action"]:
                assert any(fnmatchcase(action, pattern) for pattern in row["star_actions"]), (policy, action)
            assert json.dumps(row["reason"]) in json.dumps(found[policy]["Metadata"]), policy


@everywhere
def test_every_role_has_one_policy_and_is_assumed_for_this_account_only(name: str, environment: str) -> None:
    found = resources(name, environment)
    policies = of_type(found, "AWS::IAM::ManagedPolicy")

    for title, role in of_type(found, "AWS::IAM::Role").items():
        # Who administers a search domain has the rights by the policy of the domain.
        domains = json.dumps([domain["AccessPolicies"] for domain in of_type(found, SEARCH, some=False).values()])
        if title not in monitoring_roles(found) and json.dumps(arn(title)) not in domains:
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


@every_serverless
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
    for title, stream in of_type(found, "AWS::Kinesis::Stream", some=name == "serverless").items():
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS", title
    for title, group in of_type(found, "AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] >= 365, title


@every_serverless
@every_environment
def test_everything_that_can_be_traced_is(name: str, environment: str) -> None:
    found = resources(name, environment)
    seen = set()

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
            case _:
                continue
        seen.add(node["Type"])
    assert {"AWS::Lambda::Function", "AWS::SNS::Topic"} <= seen


@every_serverless
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


@every_serverless
@every_environment
def test_every_delivery_that_can_fail_has_a_place_for_what_failed(name: str, environment: str) -> None:
    found = resources(name, environment)
    queues = of_type(found, "AWS::SQS::Queue")
    seen = set()

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
        assert letters, title
        for place in letters:
            assert place["Fn::GetAtt"][0] in queues, title
        seen.add(node["Type"])
    assert {"AWS::Events::Rule", "AWS::SNS::Subscription", "AWS::Lambda::EventInvokeConfig"} <= seen


@every_serverless
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
    found = resources(name, "prod")
    told = [
        (each["TopicArn"]["Ref"], each["Endpoint"])
        for each in of_type(found, "AWS::SNS::Subscription").values()
        if each["Protocol"] == "email"
    ]

    # Alarms tell a topic of their own region.
    topics = {json.dumps(alarm["AlarmActions"]) for alarm in of_type(found, "AWS::CloudWatch::Alarm").values()}
    assert told == [
        (topic, "oncall@example.com") for topic in found if f'[{{"Ref": "{topic}"}}]' in topics and "Topic" in topic
    ]
    assert told
    others = of_type(resources(name, "dev"), "AWS::SNS::Subscription", some=False).values()
    assert "email" not in {each["Protocol"] for each in others}


@every_serverless
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


@every_serverless
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
    for title, pool in of_type(found, "AWS::Cognito::UserPool", some=name == "serverless").items():
        assert pool["DeletionProtection"] == "ACTIVE", title


@every_serverless
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


DISTRIBUTIONS = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*"
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
    ("static-site", "*"): {
        # requests
        "SiteDistribution": {
            "DistributionConfig": {
                "Enabled": True,
                "DefaultRootObject": "index.html",
                "HttpVersion": "http2and3",
                "IPV6Enabled": True,
                "Origins": [
                    {
                        "DomainName": ref("SiteBucketRegionalDomainName"),
                        "OriginAccessControlId": ref("SiteOrigin1AccessControl"),
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
                "DefaultCacheBehavior": {
                    "ViewerProtocolPolicy": "redirect-to-https",
                    "ResponseHeadersPolicyId": ref("SiteResponseHeaders"),
                    "FunctionAssociations": [
                        {
                            "EventType": "viewer-request",
                            "FunctionARN": {"Fn::GetAtt": ["SitePathsFunction", "FunctionMetadata.FunctionARN"]},
                        }
                    ],
                },
                "CustomErrorResponses": [{"ErrorCode": 404, "ResponseCode": 404, "ResponsePagePath": "/404.html"}],
                "ViewerCertificate": {
                    "AcmCertificateArn": ref("SiteCertificate"),
                    "MinimumProtocolVersion": "TLSv1.2_2021",
                    "SslSupportMethod": "sni-only",
                },
                "WebACLId": arn("SiteFirewall"),
                "Logging": {"Bucket": {"Fn::GetAtt": ["AccessLogsUsEast1Bucket", "DomainName"]}},
            }
        },
        "SiteFirewall": {
            "Scope": "CLOUDFRONT",
            "Rules": [{"Statement": {"ManagedRuleGroupStatement": {"Name": "AWSManagedRulesCommonRuleSet"}}}],
        },
        "SiteCertificate": {"ValidationMethod": "DNS"},
        "SiteRecord": {
            "Type": "A",
            "HostedZoneId": "Z0123456789ABCDEFGHIJ",
            "AliasTarget": {
                "DNSName": {"Fn::GetAtt": ["SiteDistribution", "DomainName"]},
                "HostedZoneId": "Z2FDTNDATAQYW2",
            },
        },
        "SiteIpv6Record": {"Type": "AAAA"},
        # files
        "SiteBucketPolicy": {
            "Bucket": ref("SiteBucket"),
            "PolicyDocument": {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudfront.amazonaws.com"},
                        "Action": ["s3:GetObject"],
                        "Condition": {"ArnLike": {"aws:SourceArn": {"Fn::Sub": DISTRIBUTIONS}}},
                    }
                ]
            },
        },
        "AppKey": {
            "KeyPolicy": {
                "Statement": [
                    {
                        "Principal": {"Service": "cloudfront.amazonaws.com"},
                        "Action": "kms:Decrypt",
                        "Condition": {"ArnLike": {"aws:SourceArn": {"Fn::Sub": DISTRIBUTIONS}}},
                    }
                ]
            }
        },
        "AccessLogsUsEast1Bucket": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
        # whether it works
        "SiteCanary": {
            "ArtifactS3Location": {"Fn::Sub": "s3://${SiteVisitsBucket}/site"},
            "ExecutionRoleArn": arn("SiteCanaryRole"),
            "StartCanaryAfterCreation": True,
        },
        "SiteCanarySuccessAlarm": {"AlarmActions": [ref("AlarmsTopic")]},
        "SiteDistributionServerErrorsAlarm": {
            "AlarmActions": [ref("AlarmsTopic")],
            "Dimensions": [{"Name": "DistributionId", "Value": ref("SiteDistribution")}],
        },
    },
    ("static-site", "prod"): {
        "SiteDistribution": {"DistributionConfig": {"Aliases": ["www.example.com", "example.com"]}},
        "SiteCertificate": {"DomainName": "www.example.com", "SubjectAlternativeNames": ["example.com"]},
        "SiteRecord": {"Name": "www.example.com"},
        "SiteName2Record": {"Name": "example.com"},
        "SiteFirewall": {"Rules": [{"Statement": {"RateBasedStatement": {"Limit": 1000}}}]},
    },
    ("static-site", "dev"): {"SiteRecord": {"Name": "dev.example.com"}},
    ("fastapi-ec2", "*"): {
        # requests
        "PublicLoadBalancer": {
            "Scheme": "internet-facing",
            "Subnets": [ref("BlogPublicSubnet1"), ref("BlogPublicSubnet2")],
        },
        "PublicListener": {
            "Port": 443,
            "Protocol": "HTTPS",
            "Certificates": [{"CertificateArn": ref("PublicCertificate")}],
            "DefaultActions": [{"Type": "fixed-response"}],
        },
        "PublicRedirectListener": {
            "Port": 80,
            "DefaultActions": [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}],
        },
        "PublicCertificate": {"DomainName": "blog.example.com", "ValidationMethod": "DNS"},
        "PublicRecord": {
            "Name": "blog.example.com",
            "AliasTarget": {"DNSName": {"Fn::GetAtt": ["PublicLoadBalancer", "DNSName"]}},
        },
        "PublicEntryAssociation": {"WebACLArn": arn("PublicFirewall"), "ResourceArn": ref("PublicLoadBalancer")},
        "ApplicationPublicRule": {
            "ListenerArn": ref("PublicListener"),
            "Actions": [{"Type": "forward", "TargetGroupArn": ref("ApplicationPublicTargetGroup")}],
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
        },
        "ApplicationPublicTargetGroup": {"Port": 8080, "TargetType": "instance", "HealthCheckPath": "/health"},
        "PublicToApplication8080Ingress": {
            "GroupId": {"Fn::GetAtt": ["ApplicationInstancesSecurityGroup", "GroupId"]},
            "SourceSecurityGroupId": {"Fn::GetAtt": ["PublicLoadBalancerSecurityGroup", "GroupId"]},
            "FromPort": 8080,
        },
        # code
        "ApplicationInstances": {
            "MaxSize": "4",
            "HealthCheckType": "ELB",
            "TargetGroupARNs": [ref("ApplicationPublicTargetGroup")],
            "VPCZoneIdentifier": [ref("BlogPrivateSubnet1"), ref("BlogPrivateSubnet2")],
            "LaunchTemplate": {"LaunchTemplateId": ref("ApplicationInstancesTemplate")},
        },
        "ApplicationInstancesTemplate": {
            "LaunchTemplateData": {
                "IamInstanceProfile": {"Arn": arn("ApplicationInstancesProfile")},
                "MetadataOptions": {"HttpTokens": "required"},
                "NetworkInterfaces": [{"AssociatePublicIpAddress": False}],
            }
        },
        "ApplicationInstancesProfile": {"Roles": [ref("ApplicationInstancesRole")]},
        # data
        "PostsTable": {
            "GlobalSecondaryIndexes": [
                {"IndexName": "user-id", "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}]}
            ]
        },
        "GithubSecret": {"KmsKeyId": APP_KEY},
    },
    ("fastapi-ec2", "dev"): {"ApplicationInstances": {"MinSize": "1"}},
    ("fastapi-ec2", "staging"): {"ApplicationInstances": {"MinSize": "1"}},
    ("fastapi-ec2", "prod"): {"ApplicationInstances": {"MinSize": "2"}},
    ("multi-tier", "*"): {
        # presentation
        "PublicDistribution": {
            "DistributionConfig": {
                "Aliases": ["store.example.com"],
                "DefaultCacheBehavior": {"TargetOriginId": "Origin1", "ViewerProtocolPolicy": "redirect-to-https"},
                "CacheBehaviors": [{"PathPattern": "/api/*", "TargetOriginId": "Origin2"}],
                "Origins": [
                    {"Id": "Origin1", "OriginAccessControlId": ref("PublicOrigin1AccessControl")},
                    {
                        "Id": "Origin2",
                        "VpcOriginConfig": {"VpcOriginId": {"Fn::GetAtt": ["PublicOrigin2VpcOrigin", "Id"]}},
                    },
                ],
                "ViewerCertificate": {"AcmCertificateArn": ref("PublicUsEast1Certificate")},
                "WebACLId": arn("PublicFirewall"),
            }
        },
        "PublicOrigin2VpcOrigin": {
            "VpcOriginEndpointConfig": {"Arn": ref("PublicLoadBalancer"), "OriginProtocolPolicy": "https-only"}
        },
        "FilesBucketPolicy": {
            "Bucket": ref("FilesBucket"),
            "PolicyDocument": {
                "Statement": [{"Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": ["s3:GetObject"]}]
            },
        },
        "PublicRecord": {"Name": "store.example.com", "Type": "A"},
        "PublicHealthCheck": {
            "HealthCheckConfig": {"FullyQualifiedDomainName": "store.example.com", "ResourcePath": "/api/health"}
        },
        # application
        "PublicLoadBalancer": {"Scheme": "internal"},
        "PublicListener": {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": ref("PublicCertificate")}]},
        "ApplicationPublicRule": {
            "Conditions": [{"PathPatternConfig": {"Values": ["/api/*"]}}],
            "Actions": [{"TargetGroupArn": ref("ApplicationPublicTargetGroup")}],
        },
        "ApplicationInstances": {
            "TargetGroupARNs": [ref("ApplicationPublicTargetGroup")],
            "VPCZoneIdentifier": [ref(f"StorePrivateSubnet{zone}") for zone in (1, 2, 3)],
        },
        # data
        "ApplicationToOrders5433Egress": {"FromPort": 5433},
        "ApplicationToCatalogue6380Egress": {"FromPort": 6380},
        "OrdersDatabase": {"PubliclyAccessible": False, "StorageEncrypted": True, "ManageMasterUserPassword": True},
        "SessionsTable": {"TimeToLiveSpecification": {"AttributeName": "expires-at", "Enabled": True}},
    },
    ("multi-tier", "dev"): {"ApplicationInstances": {"MinSize": "1", "MaxSize": "2"}},
    ("multi-tier", "prod"): {
        "ApplicationInstances": {"MinSize": "2", "MaxSize": "8"},
        "OrdersDatabase": {"DeletionProtection": True},
    },
    ("microservices", "*"): {
        # requests
        "PublicDistribution": {
            "DistributionConfig": {
                "Aliases": ["catalogue.example.com"],
                "Origins": [{"VpcOriginConfig": {"VpcOriginId": {"Fn::GetAtt": ["PublicOrigin1VpcOrigin", "Id"]}}}],
                "ViewerCertificate": {"AcmCertificateArn": ref("PublicUsEast1Certificate")},
                "WebACLId": arn("PublicFirewall"),
            }
        },
        "PublicLoadBalancer": {"Scheme": "internal"},
        "ProductPublicRule": {
            "ListenerArn": ref("PublicListener"),
            "Conditions": [{"PathPatternConfig": {"Values": ["/products/*", "/health"]}}],
            "Actions": [{"TargetGroupArn": ref("ProductPublicTargetGroup")}],
        },
        "ProductService": {
            "LoadBalancers": [{"ContainerPort": 8080, "TargetGroupArn": ref("ProductPublicTargetGroup")}],
            "DeploymentConfiguration": {"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
            "Cluster": arn("CatalogueCluster"),
        },
        "ProductServiceTask": {
            "ContainerDefinitions": [
                {
                    "Name": "main",
                    "ReadonlyRootFilesystem": True,
                    "User": "1000:1000",
                    "Environment": [
                        {"Name": "CATALOGUE_HOST", "Value": {"Fn::GetAtt": ["CatalogueDatabase", "Endpoint.Address"]}},
                        {"Name": "CHANGES_TOPIC_ARN", "Value": ref("ChangesTopic")},
                        {"Name": "CLICKS_STREAM_NAME", "Value": ref("ClicksStream")},
                    ],
                }
            ]
        },
        # who may reach whom
        "ProductToCatalogue5433Egress": {"FromPort": 5433},
        "ProductToSessions6380Egress": {"FromPort": 6380},
        "AuthToSessions6380Egress": {"FromPort": 6380},
        "SearchToProducts443Egress": {"FromPort": 443},
        "AnalyticsToProduct8080Egress": {"FromPort": 8080},
        # messages
        "IndexingQueueFromChangesSubscription": {"TopicArn": ref("ChangesTopic"), "Endpoint": arn("IndexingQueue")},
    },
    ("microservices", "dev"): {"ProductServiceScaling": {"MinCapacity": 1, "MaxCapacity": 50}},
    ("microservices", "staging"): {"ProductServiceScaling": {"MinCapacity": 5, "MaxCapacity": 50}},
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
    "fastapi-ec2": [
        *(
            ("ApplicationInstancesPolicy", action, arn("UsersTable"))
            for action in ("dynamodb:Query", "dynamodb:PutItem")
        ),
        ("ApplicationInstancesPolicy", "dynamodb:DeleteItem", arn("PostsTable")),
        ("ApplicationInstancesPolicy", "dynamodb:Query", {"Fn::Sub": "${PostsTable.Arn}/index/*"}),
        ("ApplicationInstancesPolicy", "kms:Decrypt", APP_KEY),
        ("ApplicationInstancesPolicy", "ssmmessages:CreateControlChannel", "*"),
    ],
    "multi-tier": [
        ("ApplicationInstancesPolicy", "dynamodb:PutItem", arn("SessionsTable")),
        ("ApplicationInstancesPolicy", "s3:GetObject", {"Fn::Sub": "${ImagesBucket.Arn}/*"}),
        ("ApplicationInstancesPolicy", "s3:PutObject", {"Fn::Sub": "${ImagesBucket.Arn}/*"}),
        ("ApplicationInstancesPolicy", "sqs:SendMessage", arn("FulfilmentQueue")),
        (
            "ApplicationInstancesPolicy",
            "secretsmanager:GetSecretValue",
            {"Fn::GetAtt": ["OrdersDatabase", "MasterUserSecret.SecretArn"]},
        ),
        ("ApplicationInstancesPolicy", "secretsmanager:GetSecretValue", ref("CatalogueCacheSecret")),
        ("ApplicationInstancesPolicy", "kms:GenerateDataKey", APP_KEY),
    ],
    "microservices": [
        ("ProductServicePolicy", "s3:GetObject", {"Fn::Sub": "${UploadsBucket.Arn}/*"}),
        ("ProductServicePolicy", "sns:Publish", ref("ChangesTopic")),
        ("ProductServicePolicy", "kinesis:PutRecord", arn("ClicksStream")),
        (
            "ProductServicePolicy",
            "secretsmanager:GetSecretValue",
            {"Fn::GetAtt": ["CatalogueDatabase", "MasterUserSecret.SecretArn"]},
        ),
        ("ProductServicePolicy", "xray:PutTraceSegments", "*"),
        ("ProductServiceExecutionPolicy", "ecr:BatchGetImage", arn("ProductRepository")),
        ("AuthServicePolicy", "dynamodb:PutItem", arn("UsersTable")),
        ("AuthServicePolicy", "secretsmanager:GetSecretValue", ref("SigningSecret")),
        ("SearchServicePolicy", "es:ESHttpPost", {"Fn::Sub": "${ProductsSearchDomain.Arn}/*"}),
        ("SearchServicePolicy", "sqs:ReceiveMessage", arn("IndexingQueue")),
        ("AnalyticsServicePolicy", "kinesis:GetRecords", arn("ClicksStream")),
        ("AnalyticsServicePolicy", "s3:PutObject", {"Fn::Sub": "${ReportsBucket.Arn}/*"}),
    ],
    "static-site": [
        ("SiteCanaryPolicy", "s3:PutObject", {"Fn::Sub": "${SiteVisitsBucket.Arn}/*"}),
        ("SiteCanaryPolicy", "s3:GetBucketLocation", arn("SiteVisitsBucket")),
        ("SiteCanaryPolicy", "kms:GenerateDataKey", arn("AppUsEast1Key")),
        ("SiteCanaryPolicy", "cloudwatch:PutMetricData", "*"),
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
        for environment in ENVIRONMENTS[name]
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


@everywhere
def test_every_caller_may_do_what_it_is_there_for(name: str, environment: str) -> None:
    rights = [
        (policy, action, resource)
        for policy, statement in statements(resources(name, environment))
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]

    assert [wanted for wanted in MUST_ALLOW[name] if wanted not in rights] == []


@every_serverless
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


@every_serverless
@every_environment
def test_services_that_deliver_encrypted_may_use_the_key(name: str, environment: str) -> None:
    found = resources(name, environment)
    policy = json.dumps(found["AppKey"]["Properties"]["KeyPolicy"])

    for service in ("sns.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com", "logs.${AWS::Region}"):
        assert service in policy, service


# What each design asks for: its line -> type, what the resource must have, how many of them there are.
TASKS, POLICY = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"
TRACKING = "TargetTrackingScalingPolicyConfiguration"
STEPS = "AWS::AutoScaling::ScalingPolicy"
ALARM, SUBNET = "AWS::CloudWatch::Alarm", "AWS::EC2::Subnet"
Line = tuple[str, dict[str, Any], int]
HOLDS: dict[str, dict[str, Line]] = {
    "microservices": {
        "product 5-50": (TASKS, {"MinCapacity": 5, "MaxCapacity": 50}, 1),
        "auth 2-10, analytics 2-10": (TASKS, {"MinCapacity": 2, "MaxCapacity": 10}, 2),
        "search 2-15": (TASKS, {"MinCapacity": 2, "MaxCapacity": 15}, 1),
        "on Fargate over 3 zones": (
            "AWS::ECS::Service",
            {
                "CapacityProviderStrategy": [{"CapacityProvider": "FARGATE"}],
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {
                        "AssignPublicIp": "DISABLED",
                        "Subnets": [ref(f"CataloguePrivateSubnet{zone}") for zone in (1, 2, 3)],
                    }
                },
            },
            4,
        ),
        "ALB": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "application"}, 1),
        "path routing": ("AWS::ElasticLoadBalancingV2::ListenerRule", {"Conditions": [{"Field": "path-pattern"}]}, 4),
        "cache in cluster mode": (
            "AWS::ElastiCache::ReplicationGroup",
            {"NumNodeGroups": 3, "ReplicasPerNodeGroup": 1, "MultiAZEnabled": True, "TransitEncryptionEnabled": True},
            1,
        ),
        "primary and 2 replicas": (
            "AWS::RDS::DBInstance",
            {"DBClusterIdentifier": ref("CatalogueDatabase"), "DBInstanceClass": "db.r7g.large"},
            3,
        ),
        "DynamoDB global table": ("AWS::DynamoDB::GlobalTable", {"Replicas": [{"Region": "eu-central-1"}]}, 1),
        "OpenSearch 3 nodes": (
            "AWS::OpenSearchService::Domain",
            {"ClusterConfig": {"InstanceCount": 3, "ZoneAwarenessConfig": {"AvailabilityZoneCount": 3}}},
            1,
        ),
        "Kinesis": ("AWS::Kinesis::Stream", {}, 1),
        "SQS": ("AWS::SQS::Queue", {"RedrivePolicy": {"maxReceiveCount": 3}}, 1),
        "SNS": ("AWS::SNS::Topic", {"TracingConfig": "Active"}, 3),  # two of them for alarms
        "CloudFront": ("AWS::CloudFront::Distribution", {"DistributionConfig": {"Enabled": True}}, 1),
        "WAF": ("AWS::WAFv2::WebACL", {"Scope": "CLOUDFRONT"}, 1),
        "Route 53": ("AWS::Route53::RecordSet", {"Name": "catalogue.example.com"}, 2),
        "Route 53 health checks": ("AWS::Route53::HealthCheck", {"HealthCheckConfig": {"ResourcePath": "/health"}}, 1),
        "alarms of services": (ALARM, {"Namespace": "AWS/ECS", "AlarmActions": [ref("AlarmsTopic")]}, 8),
        "alarms of the entry": (ALARM, {"Namespace": "AWS/ApplicationELB", "AlarmActions": [ref("AlarmsTopic")]}, 11),
        "alarms of the database": (ALARM, {"Namespace": "AWS/RDS", "AlarmActions": [ref("AlarmsTopic")]}, 3),
        "alarms in us-east-1": (ALARM, {"AlarmActions": [ref("AlarmsUsEast1Topic")]}, 5),
        "X-Ray": ("AWS::XRay::SamplingRule", {}, 1),
        "X-Ray, in each service": (
            "AWS::ECS::TaskDefinition",
            {"ContainerDefinitions": [{"Name": "main"}, {"Name": "collector"}]},
            4,
        ),
        "secrets": ("AWS::SecretsManager::Secret", {"KmsKeyId": APP_KEY}, 2),
        "scaling by CPU, 70 %": (
            POLICY,
            {
                TRACKING: {
                    "TargetValue": 70,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                }
            },
            4,
        ),
        "scaling by requests": (
            POLICY,
            {
                TRACKING: {
                    "TargetValue": 1000,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"},
                }
            },
            4,
        ),
        "scaling by latency, 200 ms": (ALARM, {"MetricName": "TargetResponseTime", "Threshold": 0.2}, 4),
        "scaling by errors": (ALARM, {"MetricName": "HTTPCode_Target_5XX_Count", "Threshold": 20.0}, 4),
        "cooldowns 60 and 300 s": (POLICY, {TRACKING: {"ScaleOutCooldown": 60, "ScaleInCooldown": 300}}, 8),
        "steps wait for 60 s": (POLICY, {"StepScalingPolicyConfiguration": {"Cooldown": 60}}, 8),
    },
    "fastapi-ec2": {
        "VPC": ("AWS::EC2::VPC", {}, 1),
        "subnets in two zones": (SUBNET, {"AvailabilityZone": {"Fn::Select": ["0", {"Fn::GetAZs": ""}]}}, 3),
        "subnets in the other zone": (SUBNET, {"AvailabilityZone": {"Fn::Select": ["1", {"Fn::GetAZs": ""}]}}, 3),
        "2 public subnets": ("AWS::EC2::SubnetRouteTableAssociation", {"RouteTableId": ref("BlogPublicRouteTable")}, 2),
        "ALB": (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            {"Subnets": [ref("BlogPublicSubnet1"), ref("BlogPublicSubnet2")], "Scheme": "internet-facing"},
            1,
        ),
        "ASG up to 4, in 2 private subnets": (
            "AWS::AutoScaling::AutoScalingGroup",
            {"MaxSize": "4", "VPCZoneIdentifier": [ref("BlogPrivateSubnet1"), ref("BlogPrivateSubnet2")]},
            1,
        ),
        "launch template": (
            "AWS::EC2::LaunchTemplate",
            {"LaunchTemplateData": {"NetworkInterfaces": [{"AssociatePublicIpAddress": False}]}},
            1,
        ),
        "no launch configuration": ("AWS::AutoScaling::LaunchConfiguration", {}, 0),
        "tables users and posts": ("AWS::DynamoDB::Table", {"KeySchema": [{"AttributeName": "id"}]}, 2),
        "user_id index": (
            "AWS::DynamoDB::Table",
            {"GlobalSecondaryIndexes": [{"KeySchema": [{"AttributeName": "user_id"}]}]},
            1,
        ),
        "CPU alarm scales out": (
            ALARM,
            {"Threshold": 70.0, "AlarmActions": [ref("ApplicationInstancesCpuAboveScaling")]},
            1,
        ),
        "CPU alarm scales in": (
            ALARM,
            {"Threshold": 25.0, "AlarmActions": [ref("ApplicationInstancesCpuBelowScaling")]},
            1,
        ),
        "HTTP 5xx alarm scales": (
            ALARM,
            {
                "MetricName": "HTTPCode_Target_5XX_Count",
                "AlarmActions": [ref("ApplicationInstancesErrorsAboveScaling")],
            },
            1,
        ),
        "HTTP 2xx alarm scales": (
            ALARM,
            {
                "MetricName": "HTTPCode_Target_2XX_Count",
                "AlarmActions": [ref("ApplicationInstancesSuccessesAboveScaling")],
            },
            1,
        ),
        "scaling policies": (STEPS, {"AutoScalingGroupName": ref("ApplicationInstances")}, 4),
        "role": ("AWS::IAM::InstanceProfile", {"Roles": [ref("ApplicationInstancesRole")]}, 1),
        "GitHub secret": ("AWS::SecretsManager::Secret", {"KmsKeyId": APP_KEY}, 1),
    },
    "multi-tier": {
        "three zones, three tiers": (SUBNET, {"MapPublicIpOnLaunch": False}, 6),
        "S3 front end": (
            "AWS::S3::BucketPolicy",
            {"PolicyDocument": {"Statement": [{"Principal": {"Service": "cloudfront.amazonaws.com"}}]}},
            1,
        ),
        "CloudFront": ("AWS::CloudFront::Distribution", {"DistributionConfig": {"Enabled": True}}, 1),
        "ALB": ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Type": "application", "Scheme": "internal"}, 1),
        "Auto Scaling EC2": ("AWS::AutoScaling::AutoScalingGroup", {"MinSize": "2", "MaxSize": "8"}, 1),
        "scaling by requests": (STEPS, {"TargetTrackingConfiguration": {"TargetValue": 1000}}, 1),
        "scaling by latency, 200 ms": (ALARM, {"MetricName": "TargetResponseTime", "Threshold": 0.2}, 1),
        "RDS Multi-AZ": ("AWS::RDS::DBInstance", {"Engine": "postgres", "MultiAZ": True}, 1),
        "DynamoDB sessions": ("AWS::DynamoDB::Table", {"TimeToLiveSpecification": {"Enabled": True}}, 1),
        "S3 images": (
            "AWS::S3::Bucket",
            {"LifecycleConfiguration": {"Rules": [{"Transitions": [{"StorageClass": "INTELLIGENT_TIERING"}]}]}},
            1,
        ),
        "cache": ("AWS::ElastiCache::ReplicationGroup", {"ReplicasPerNodeGroup": 1, "MultiAZEnabled": True}, 1),
        "WAF": ("AWS::WAFv2::WebACL", {"Scope": "CLOUDFRONT"}, 1),
        "Route 53": ("AWS::Route53::RecordSet", {"Name": "store.example.com"}, 2),
        "Route 53 health check": ("AWS::Route53::HealthCheck", {}, 1),
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in HOLDS.items() for line in lines])
def test_holds_every_line_of_its_design(name: str, line: str) -> None:
    kind, wanted, count = HOLDS[name][line]

    found = of_type(resources(name, "prod"), kind, some=count > 0)

    assert len([title for title, properties in found.items() if covers(properties, wanted)]) == count, sorted(found)


IN_NETWORK = ("fastapi-ec2", "microservices", "multi-tier")


@pytest.mark.parametrize(("name", "environment"), [place for place in PLACES if place[0] in IN_NETWORK])
def test_only_the_load_balancer_is_open_and_only_for_the_web(name: str, environment: str) -> None:
    found = resources(name, environment)
    groups = of_type(found, "AWS::EC2::SecurityGroup")
    rules = [
        *(rule for group in groups.values() for rule in group.get("SecurityGroupIngress", [])),
        *of_type(found, "AWS::EC2::SecurityGroupIngress").values(),
    ]
    ways_out = [
        *(rule for group in groups.values() for rule in group["SecurityGroupEgress"]),
        *of_type(found, "AWS::EC2::SecurityGroupEgress").values(),
    ]

    assert {rule["FromPort"] for rule in rules if "CidrIp" in rule} == ({80, 443} if name == "fastapi-ec2" else set())
    assert {title for title, group in groups.items() if "SecurityGroupIngress" in group} <= {
        "PublicLoadBalancerSecurityGroup"
    }
    assert {rule["CidrIp"] for rule in ways_out if "CidrIp" in rule} == {"127.0.0.1/32"}
    assert all(rule["FromPort"] == rule["ToPort"] and rule["IpProtocol"] == "tcp" for rule in rules + ways_out)
    assert 22 not in {rule["FromPort"] for rule in rules}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in of_type(found, "AWS::EC2::Subnet").values())


@pytest.mark.parametrize("name", IN_NETWORK)
def test_has_an_environment_to_try_it_in(name: str) -> None:
    assert ENVIRONMENTS[name] == ("dev", "staging", "prod")


def test_every_file_has_its_lists() -> None:
    assert FILES
    assert set(FILES) == {name for name, _ in MUST_HAVE} == set(MUST_ALLOW)
    assert all([*MUST_HAVE.values(), *MUST_ALLOW.values(), *MUST_ADMIT.values()])


# --- the same in every way ----------------------------------------------------------------------------------------


def merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merged(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return over


@everywhere
@every_layout
def test_python_gives_the_same_bytes_as_yaml(name: str, environment: str, layout: Layout) -> None:
    content, _ = read_yaml(FILES[name])
    settings = merged(content["settings"], content["environments"][environment])
    app = App(content["app"], environment, tags=content["tags"], layout=layout)

    kind = BLUEPRINTS[name]
    kind(app, kind.Settings.model_validate(settings, context={"folder": FILES[name].parent}))

    assert [(stack.name, to_yaml(stack.template)) for stack in app.assemble()] == [
        (stack.name, to_yaml(stack.template)) for stack in stacks(name, environment, layout)
    ]


@everywhere
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


@everywhere
def test_both_layouts_hold_the_same_resources(name: str, environment: str) -> None:
    single, layered = (unlinked(stacks(name, environment, layout)) for layout in LAYOUTS[::-1])

    assert set(layered) == set(single)
    for title, node in single.items():
        assert {key: value for key, value in layered[title].items() if key != "DependsOn"} == {
            key: value for key, value in node.items() if key != "DependsOn"
        }, title


@everywhere
def test_layers_depend_downwards_only(name: str, environment: str) -> None:
    prefix = stacks(name, environment, "layered")[0].name.partition(environment)[0] + environment
    done: set[str] = set()

    def layer(stack: str) -> int:
        return LAYERS.index(SERVICE if stack.endswith("-service") else stack.removeprefix(f"{prefix}-"))

    for stack in stacks(name, environment, "layered"):
        assert stack.depends_on <= done
        done.add(stack.name)
        for other in stack.depends_on:
            # A service may call another one.
            assert layer(other) < layer(stack.name) or layer(other) == layer(stack.name) == LAYERS.index(SERVICE)


@everywhere
def test_every_resource_carries_the_line_that_asked_for_it(name: str, environment: str) -> None:
    lines = FILES[name].read_text(encoding="utf-8").splitlines()

    for stack in stacks(name, environment, "single"):
        assert set(stack.origins) >= set(stack.template["Resources"])
        assert {origin.file for origin in stack.origins.values()} == {str(FILES[name])}
        for title, origin in stack.origins.items():
            assert 1 <= origin.line <= len(lines), title
            assert lines[origin.line - 1].strip(), title


@every_file
def test_is_written_for_people_and_editors(name: str) -> None:
    first, second, *_ = FILES[name].read_text(encoding="utf-8").splitlines()
    content, _ = read_yaml(FILES[name])
    document = Document.model_validate(content)

    assert first.startswith("# ")
    assert second == "# yaml-language-server: $schema=schema.json"
    assert {"dev", "prod"} <= set(document.environments)
    assert BLUEPRINTS[name].name == document.blueprint
