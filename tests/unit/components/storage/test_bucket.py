from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from troposphere import Ref, events

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.key import Key
from archlib.components.storage.bucket import Bucket, Cors, ObjectLock
from archlib.components.storage.lifecycle import Lifecycle
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.permissions import action_name

KEY_ARN = {"Fn::GetAtt": ["AppKey", "Arn"]}
OBJECTS = {"Fn::Sub": "${PhotosBucket.Arn}/*"}


def resources(app: App) -> dict[str, Any]:
    return {name: resource for stack in app.assemble() for name, resource in stack.template["Resources"].items()}


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


def granted(binding: Binding) -> dict[str, Any]:
    return {action_name(action): encode(grant.resources) for grant in binding.grants for action in grant.actions}


def test_is_private_encrypted_versioned_and_logged(app: App, stack: Stack) -> None:
    Bucket(stack, "photos")

    found = resources(app)["PhotosBucket"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Retain"
    assert found["DependsOn"] == "AccessLogsBucketPolicy"
    properties = {name: value for name, value in found["Properties"].items() if name != "Tags"}
    assert properties == {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "BucketKeyEnabled": True,
                    "ServerSideEncryptionByDefault": {"KMSMasterKeyID": KEY_ARN, "SSEAlgorithm": "aws:kms"},
                }
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    "ExpiredObjectDeleteMarker": True,
                    "Id": "housekeeping",
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "Status": "Enabled",
                }
            ]
        },
        "LoggingConfiguration": {"DestinationBucketName": {"Ref": "AccessLogsBucket"}, "LogFilePrefix": "photos/"},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "VersioningConfiguration": {"Status": "Enabled"},
    }


def test_the_policy_has_the_exact_shape_that_control_tower_looks_for(app: App, stack: Stack) -> None:
    Bucket(stack, "photos")

    policy = resources(app)["PhotosBucketPolicy"]["Properties"]

    assert policy == {
        "Bucket": {"Ref": "PhotosBucket"},
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "DenyInsecureTransport",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [
                        {"Fn::GetAtt": ["PhotosBucket", "Arn"]},
                        {"Fn::Join": ["", [{"Fn::GetAtt": ["PhotosBucket", "Arn"]}, "/*"]]},
                    ],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    }


def test_says_why_it_has_no_replica_lock_or_events(app: App, stack: Stack) -> None:
    Bucket(stack, "photos")
    Bucket(stack, "records", events=True, lock=ObjectLock(30))
    found = resources(app)

    plain = found["PhotosBucket"]["Metadata"]["guard"]["SuppressedRules"]
    locked = found["RecordsBucket"]["Metadata"]["guard"]["SuppressedRules"]

    assert {"CT.S3.PR.4", "CT.S3.PR.9", "S3_BUCKET_REPLICATION_ENABLED", "S3_BUCKET_NO_PUBLIC_RW_ACL"} <= set(plain)
    assert set(locked) == {"S3_BUCKET_NO_PUBLIC_RW_ACL", "S3_BUCKET_REPLICATION_ENABLED"}
    assert found["PhotosBucketPolicy"]["Metadata"]["guard"]["SuppressedRules"] == ["S3_BUCKET_SSL_REQUESTS_ONLY"]


def test_objects_can_tier_move_expire_and_be_locked(app: App, stack: Stack) -> None:
    Bucket(
        stack,
        "photos",
        lifecycle=[Lifecycle("old/", expire_days=400, move_days={"GLACIER": 90, "STANDARD_IA": 30})],
        tiering=True,
        old_version_days=5,
        lock=ObjectLock(30),
    )

    properties = resources(app)["PhotosBucket"]["Properties"]

    housekeeping, tiering, old = properties["LifecycleConfiguration"]["Rules"]
    assert housekeeping["NoncurrentVersionExpiration"] == {"NoncurrentDays": 5}
    assert tiering == {
        "Status": "Enabled",
        "Transitions": [{"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0}],
    }
    assert old == {
        "ExpirationInDays": 400,
        "Prefix": "old/",
        "Status": "Enabled",
        "Transitions": [
            {"StorageClass": "STANDARD_IA", "TransitionInDays": 30},
            {"StorageClass": "GLACIER", "TransitionInDays": 90},
        ],
    }
    assert properties["ObjectLockEnabled"] is True
    assert properties["ObjectLockConfiguration"]["Rule"] == {"DefaultRetention": {"Days": 30, "Mode": "GOVERNANCE"}}


def test_pages_of_named_origins_may_use_it(app: App, stack: Stack) -> None:
    pages = Ref("Pages")
    stack.parameter("pages", description="Origin of the pages")
    Bucket(
        stack,
        "photos",
        cors=[Cors(["https://a.example", pages]), Cors(["http://localhost:8000"], ("PUT",), ("X",), ("ETag",))],
    )

    rules = resources(app)["PhotosBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]

    assert rules == [
        {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["https://a.example", {"Ref": "Pages"}], "MaxAge": 3600},
        {
            "AllowedHeaders": ["X"],
            "AllowedMethods": ["PUT"],
            "AllowedOrigins": ["http://localhost:8000"],
            "ExposedHeaders": ["ETag"],
            "MaxAge": 3600,
        },
    ]


def test_another_key_encrypts_it_and_no_app_key_is_made(app: App, stack: Stack) -> None:
    bucket = Bucket(stack, "photos", key=Key(stack, "mine"))

    found = resources(app)

    assert "AppKey" not in found
    assert bucket.key_arn.to_dict() == {"Fn::GetAtt": ["MineKey", "Arn"]}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"old_version_days": 0}, "bucket 'photos': old_version_days must be 1 or more, got 0"),
        ({"lock": ObjectLock(0)}, "lock.days must be 1 to 36500, got 0"),
        ({"lock": ObjectLock(1, "SOFT")}, "lock.mode must be one of GOVERNANCE, COMPLIANCE, got 'SOFT'"),  # type: ignore[arg-type]
        (
            {"cors": [Cors(["*"])]},
            "cors[0].origins must be origins such as https://shop.example.com without '*', got '*'",
        ),
        ({"cors": [Cors(["https://*.example.com"])]}, "without '*', got 'https://*.example.com'"),
        ({"cors": [Cors(["http://shop.example.com"])]}, "got 'http://shop.example.com'"),
        ({"cors": [Cors([])]}, "cors[0].origins must be at least one origin"),
        ({"cors": [Cors(["https://a.b"], ("PATCH",))]}, "cors[0].methods must be one of GET"),  # type: ignore[arg-type]
        ({"cors": [Cors(["https://a.b"], max_age=timedelta(days=2))]}, "cors[0].max_age must be 0s to 1d, got 2d"),
        ({"lifecycle": [Lifecycle(expire_days=0)]}, "lifecycle[0].expire_days must be 1 or more, got 0"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Bucket(stack, "photos", **settings)

    assert message in str(caught.value)
    assert not stack.template.resources


def test_readers_list_and_read(stack: Stack) -> None:
    assert granted(Bucket(stack, "photos").for_reading()) == {
        "kms:Decrypt": [KEY_ARN],
        "s3:GetObject": [OBJECTS],
        "s3:ListBucket": [{"Fn::GetAtt": ["PhotosBucket", "Arn"]}],
    }


def test_writers_put_but_neither_read_nor_delete(stack: Stack) -> None:
    assert granted(Bucket(stack, "photos").for_writing()) == {
        "kms:Decrypt": [KEY_ARN],
        "kms:GenerateDataKey": [KEY_ARN],
        "s3:AbortMultipartUpload": [OBJECTS],
        "s3:ListMultipartUploadParts": [OBJECTS],
        "s3:PutObject": [OBJECTS],
    }


def test_reading_and_writing_is_both_and_deleting_is_apart(stack: Stack) -> None:
    bucket = Bucket(stack, "photos")

    both = granted(bucket.for_reading_and_writing())

    assert both == granted(bucket.for_reading()) | granted(bucket.for_writing())
    assert granted(bucket.for_deleting()) == {"s3:DeleteObject": [OBJECTS]}


def test_a_prefix_limits_what_a_caller_in_another_stack_can_use() -> None:
    app = App("shop", "test")
    bucket = Bucket(Stack(app, "data"), "photos")
    function = Function(Stack(app, "code"), "worker", code=Code(inline="def handler(event, context): pass"))
    function.connect(bucket.for_reading("in/"), bucket.for_deleting("tmp/"))

    found = {stack.name: stack for stack in app.assemble()}
    worker = found["shop-test-code"].template["Resources"]

    statements = worker["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    by_action = {row["Action"][0]: row for row in statements}
    assert by_action["s3:GetObject"]["Resource"] == [{"Fn::Sub": "${PhotosBucketArn}/in/*"}]
    assert by_action["s3:DeleteObject"]["Resource"] == [{"Fn::Sub": "${PhotosBucketArn}/tmp/*"}]
    assert by_action["s3:ListBucket"]["Condition"] == {"StringLike": {"s3:prefix": "in/*"}}
    assert worker["WorkerFunction"]["Properties"]["Environment"]["Variables"] == {
        "PHOTOS_BUCKET": {"Ref": "PhotosBucket"}
    }
    assert found["shop-test-data"].depends_on == {"shop-test-foundation"}


@pytest.mark.parametrize("prefix", ["/in", "in/*", "?", "${aws:username}/"])
def test_refuses_a_prefix_that_means_something_else(stack: Stack, prefix: str) -> None:
    with pytest.raises(SettingsError, match="prefix must be the start of a key"):
        Bucket(stack, "photos").for_reading(prefix)


@pytest.mark.parametrize(
    ("arguments", "detail_type", "keys"),
    [
        ({}, "Object Created", None),
        ({"kind": "removed"}, "Object Deleted", None),
        ({"prefix": "in/"}, "Object Created", [{"prefix": "in/"}]),
        ({"suffix": ".jpg"}, "Object Created", [{"suffix": ".jpg"}]),
        ({"prefix": "in*/", "suffix": ".jpg"}, "Object Created", [{"wildcard": "in\\*/*.jpg"}]),
    ],
)
def test_a_rule_sees_its_objects_by_reference(
    app: App, stack: Stack, arguments: dict[str, Any], detail_type: str, keys: Any
) -> None:
    pattern = Bucket(stack, "photos", events=True).event_pattern(**arguments)
    stack.add(events.Rule("Uploaded", EventPattern=pattern))
    found = resources(app)

    detail: dict[str, Any] = {"bucket": {"name": [{"Ref": "PhotosBucket"}]}}
    if keys:
        detail["object"] = {"key": keys}
    assert found["Uploaded"]["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": [detail_type],
        "detail": detail,
    }
    notifications = found["PhotosBucket"]["Properties"]["NotificationConfiguration"]
    assert notifications == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_a_rule_needs_events_and_a_known_kind(stack: Stack) -> None:
    with pytest.raises(WiringError, match=r"events must be on .* set events to true"):
        Bucket(stack, "photos").event_pattern()
    with pytest.raises(SettingsError, match="kind must be one of created, removed"):
        Bucket(stack, "films", events=True).event_pattern("renamed")  # type: ignore[arg-type]


def test_a_service_can_be_admitted_to_objects_and_key(app: App, stack: Stack) -> None:
    bucket = Bucket(stack, "photos")

    bucket.admit("textract", ["s3:GetObject"], source="arn:aws:textract:*:1:adapters/*", prefix="site/")

    found = resources(app)
    statements = found["PhotosBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statements[1] == {
        "Effect": "Allow",
        "Principal": {"Service": "textract.amazonaws.com"},
        "Action": ["s3:GetObject"],
        "Resource": {"Fn::Sub": "${PhotosBucket.Arn}/site/*"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": "arn:aws:textract:*:1:adapters/*"},
        },
    }
    assert "textract.amazonaws.com" in str(found["AppKey"]["Properties"]["KeyPolicy"])


def test_distributions_of_this_account_can_read_and_decrypt(app: App, stack: Stack) -> None:
    bucket = Bucket(stack, "photos")

    bucket.admit_cloudfront()
    bucket.admit_cloudfront()

    found = resources(app)
    _, objects, listing = found["PhotosBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    source = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*"
    condition = {"ArnLike": {"aws:SourceArn": {"Fn::Sub": source}}}
    assert (objects["Action"], objects["Resource"], objects["Condition"]) == (["s3:GetObject"], OBJECTS, condition)
    assert (listing["Action"], listing["Condition"]) == (["s3:ListBucket"], condition)
    assert listing["Resource"] == {"Fn::GetAtt": ["PhotosBucket", "Arn"]}
    policy = found["AppKey"]["Properties"]["KeyPolicy"]["Statement"]
    (read,) = [each for each in policy if each["Principal"] == {"Service": "cloudfront.amazonaws.com"}]
    assert (read["Action"], read["Condition"]) == ("kms:Decrypt", condition)


def test_uses_the_key_and_the_log_bucket_of_its_region(app: App) -> None:
    Bucket(Stack(app, "edge", region="us-east-1"), "photos")

    found = {
        name: node for stack in app.assemble() if stack.region for name, node in stack.template["Resources"].items()
    }

    photos = found["PhotosBucket"]["Properties"]
    (rule,) = photos["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == {"Fn::GetAtt": ["AppUsEast1Key", "Arn"]}
    assert photos["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": "AccessLogsUsEast1Bucket"}


def test_has_a_name_and_a_host(stack: Stack) -> None:
    bucket = Bucket(stack, "photos")

    assert bucket.bucket_name.to_dict() == {"Ref": "PhotosBucket"}  # type: ignore[union-attr]
    assert bucket.domain_name.to_dict() == {"Fn::GetAtt": ["PhotosBucket", "RegionalDomainName"]}  # type: ignore[union-attr]
