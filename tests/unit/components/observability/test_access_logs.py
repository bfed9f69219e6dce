from __future__ import annotations

import pytest

from archlib import App, Stack
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.storage.bucket import Bucket
from archlib.errors import SettingsError


def test_one_bucket_keeps_the_logs_of_all_others() -> None:
    app = App("shop", "test")
    Bucket(Stack(app, "data"), "photos")
    Bucket(Stack(app, "more"), "films")

    stacks = {stack.name: stack for stack in app.assemble()}

    foundation = stacks["shop-test-foundation"].template["Resources"]
    assert [name for name in foundation if name.endswith("Bucket")] == ["AccessLogsBucket"]
    for name, title in (("data", "PhotosBucket"), ("more", "FilmsBucket")):
        stack = stacks[f"shop-test-{name}"]
        logging = stack.template["Resources"][title]["Properties"]["LoggingConfiguration"]
        assert logging["DestinationBucketName"] == {"Ref": "AccessLogsBucket"}
        assert stack.parameters["AccessLogsBucket"].output == "AccessLogsBucket"
        assert stack.depends_on == {"shop-test-foundation"}


def test_is_encrypted_by_s3_does_not_log_itself_and_expires(app: App) -> None:
    AccessLogs.of(app)

    found = app.assemble()[0].template["Resources"]
    bucket = found["AccessLogsBucket"]

    assert "AppKey" not in found
    assert bucket["DeletionPolicy"] == "Retain"
    assert "LoggingConfiguration" not in bucket["Properties"]
    encryption = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    _, expiry = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert expiry == {"ExpirationInDays": 365, "Status": "Enabled"}
    assert {"CT.S3.PR.2", "CT.S3.PR.10"} <= set(bucket["Metadata"]["guard"]["SuppressedRules"])


def test_admits_log_delivery_of_this_account_only(app: App) -> None:
    logs = AccessLogs.of(app)
    logs.admit("logdelivery.elasticloadbalancing.amazonaws.com", ("s3:PutObject",), prefix="balancer/")

    policy = app.assemble()[0].template["Resources"]["AccessLogsBucketPolicy"]["Properties"]["PolicyDocument"]

    deny, s3, balancer = policy["Statement"]
    assert deny["Effect"] == "Deny"
    assert s3 == {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": {"Fn::Sub": "${AccessLogsBucket.Arn}/*"},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    assert balancer["Resource"] == {"Fn::Sub": "${AccessLogsBucket.Arn}/balancer/*"}


def test_refuses_to_keep_nothing(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="bucket 'logs': keep_days must be 1 or more, got 0"):
        AccessLogs(stack, "logs", keep_days=0)


def test_each_region_has_a_bucket_of_its_own(app: App) -> None:
    edge = Stack(app, "edge", region="us-east-1")

    here, there = AccessLogs.of(app), AccessLogs.of(app, stack=edge)

    assert here is not there
    assert AccessLogs.of(app, region="us-east-1") is there
    stacks = {stack.name: set(stack.template["Resources"]) for stack in app.assemble()}
    assert stacks == {
        "shop-test-foundation": {"AccessLogsBucket", "AccessLogsBucketPolicy"},
        "shop-test-edge": {"AccessLogsUsEast1Bucket", "AccessLogsUsEast1BucketPolicy"},
    }


def test_cloudfront_delivers_by_an_access_control_list(app: App) -> None:
    logs = AccessLogs.of(app)
    before = logs.resource.OwnershipControls.to_dict()
    logs.admit_cloudfront()

    bucket = app.assemble()[0].template["Resources"]["AccessLogsBucket"]["Properties"]

    assert before == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    assert bucket["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    assert logs.domain_name.to_dict() == {"Fn::GetAtt": ["AccessLogsBucket", "DomainName"]}  # type: ignore[union-attr]
