from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.cicd.artifacts import ArtifactBucket
from archlib.components.identity.key import Key
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.permissions import action_name

Rendered = Callable[[], dict[str, Any]]
KEY = {"Fn::GetAtt": ["AppKey", "Arn"]}


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


def test_is_private_encrypted_versioned_logged_and_kept(stack: Stack, rendered: Rendered) -> None:
    ArtifactBucket(stack, "delivery")

    bucket = rendered()["DeliveryArtifactBucket"]

    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    properties = bucket["Properties"]
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": KEY, "SSEAlgorithm": "aws:kms"}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert all(properties["PublicAccessBlockConfiguration"].values())
    assert properties["LoggingConfiguration"]["LogFilePrefix"] == "delivery-artifacts/"


def test_refuses_callers_without_tls(stack: Stack, rendered: Rendered) -> None:
    ArtifactBucket(stack, "delivery")

    (statement,) = rendered()["DeliveryArtifactBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_artifacts_go_after_a_while(stack: Stack, rendered: Rendered) -> None:
    ArtifactBucket(stack, "delivery", expire_days=14)

    rules = rendered()["DeliveryArtifactBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    assert {"Id": "expiry", "ExpirationInDays": 14, "Status": "Enabled"} in rules


def test_takes_another_key(stack: Stack, rendered: Rendered) -> None:
    ArtifactBucket(stack, "delivery", key=Key(stack, "own"))

    assert "OwnKey" in str(rendered()["DeliveryArtifactBucket"]["Properties"]["BucketEncryption"])


def test_lives_beside_a_bucket_of_the_same_name(stack: Stack, rendered: Rendered) -> None:
    ArtifactBucket(stack, "delivery")

    assert "DeliveryBucketPolicy" not in rendered()


@pytest.mark.parametrize("days", [0, 3651, True])
def test_refuses_days_outside_the_range(stack: Stack, days: int) -> None:
    with pytest.raises(SettingsError, match="artifact bucket 'delivery': expire_days must be 1 to 3650"):
        ArtifactBucket(stack, "delivery", expire_days=days)


def test_gives_rights_on_objects_under_a_prefix_on_the_bucket_and_on_the_key(stack: Stack) -> None:
    binding = ArtifactBucket(stack, "delivery").for_reading_and_writing("cache/")
    granted = {action_name(action): encode(grant.resources) for grant in binding.grants for action in grant.actions}

    assert granted["s3:PutObject"] == granted["s3:GetObjectVersion"]
    assert granted["s3:PutObject"] == [{"Fn::Sub": "${DeliveryArtifactBucket.Arn}/cache/*"}]
    assert granted["s3:GetBucketVersioning"] == [{"Fn::GetAtt": ["DeliveryArtifactBucket", "Arn"]}]
    assert granted["kms:Decrypt"] == granted["kms:ReEncryptTo"] == [KEY]
    assert "s3:DeleteObject" not in granted
    assert encode(dict(binding.environment)) == {"BUCKET": {"Ref": "DeliveryArtifactBucket"}}


@pytest.mark.parametrize("prefix", ["/cache", "cache/*", "a?", "$x"])
def test_refuses_a_prefix_that_is_a_pattern(stack: Stack, prefix: str) -> None:
    bucket = ArtifactBucket(stack, "delivery")

    with pytest.raises(SettingsError, match="prefix must be the start of a key"):
        bucket.for_reading_and_writing(prefix)
