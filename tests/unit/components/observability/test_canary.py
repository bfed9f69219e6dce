from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.observability.canary import Canary
from archlib.components.storage.bucket import Bucket
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
GROUP = "log-group:/aws/lambda/cwsyn-shop-test-site-*"


@pytest.fixture
def visits(stack: Stack) -> Bucket:
    return Bucket(stack, "visits")


def rights(rendered: Rendered) -> dict[str, Any]:
    policy = rendered()["SiteCanaryPolicy"]["Properties"]["PolicyDocument"]
    return {action: statement for statement in policy["Statement"] for action in statement["Action"]}


def test_visits_the_page_and_keeps_encrypted_reports(stack: Stack, visits: Bucket, rendered: Rendered) -> None:
    Canary(stack, "site", url="https://shop.example.com/", artifacts=visits)

    canary = rendered()["SiteCanary"]
    found = canary["Properties"]

    assert canary["DependsOn"] == "SiteCanaryPolicy"
    assert found["Name"] == "shop-test-site"
    assert found["ArtifactS3Location"] == {"Fn::Sub": "s3://${VisitsBucket}/site"}
    assert found["ArtifactConfig"]["S3Encryption"] == {
        "EncryptionMode": "SSE_KMS",
        "KmsKeyArn": {"Ref": "AppKeyArn"},
    }
    assert found["RunConfig"] == {
        "ActiveTracing": True,
        "EnvironmentVariables": {"URL": "https://shop.example.com/"},
        "MemoryInMB": 1024,
        "TimeoutInSeconds": 60,
    }
    assert found["Schedule"] == {"DurationInSeconds": "0", "Expression": "rate(5 minutes)"}
    assert found["RuntimeVersion"].startswith("syn-nodejs-puppeteer-")
    assert "process.env.URL" in found["Code"]["Script"]
    assert found["StartCanaryAfterCreation"] is True


def test_may_do_no_more_than_it_must(stack: Stack, visits: Bucket, rendered: Rendered) -> None:
    Canary(stack, "site", url="https://shop.example.com/", artifacts=visits)

    found = rights(rendered)

    assert set(found) == {
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:GetBucketLocation"),
        *("s3:ListAllMyBuckets", "kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("cloudwatch:PutMetricData", "xray:PutTraceSegments"),
    }
    assert found["cloudwatch:PutMetricData"]["Condition"] == {
        "StringEquals": {"cloudwatch:namespace": "CloudWatchSynthetics"}
    }
    (streams,) = found["logs:PutLogEvents"]["Resource"]
    assert streams["Fn::Sub"].endswith(GROUP)


def test_its_log_is_encrypted_and_ends(stack: Stack, visits: Bucket, rendered: Rendered) -> None:
    Canary(stack, "site", url="https://shop.example.com/", artifacts=visits, log_retention_days=30)

    group = rendered()["SiteCanaryLogGroup"]["Properties"]

    assert group["LogGroupName"] == {"Fn::Sub": "/aws/lambda/cwsyn-shop-test-site-${SiteCanary.Id}"}
    assert group["RetentionInDays"] == 30
    assert group["KmsKeyId"] == {"Ref": "AppKeyArn"}


def test_traces_only_if_asked(stack: Stack, visits: Bucket, rendered: Rendered) -> None:
    Canary(stack, "site", url="https://shop.example.com/", artifacts=visits, tracing=False)

    assert rendered()["SiteCanary"]["Properties"]["RunConfig"]["ActiveTracing"] is False
    assert "xray:PutTraceSegments" not in rights(rendered)


@pytest.mark.parametrize(
    ("every", "rate"),
    [
        (timedelta(minutes=1), "rate(1 minute)"),
        (timedelta(minutes=59), "rate(59 minutes)"),
        (timedelta(hours=1), "rate(1 hour)"),
    ],
)
def test_visits_as_often_as_asked(
    stack: Stack, visits: Bucket, rendered: Rendered, every: timedelta, rate: str
) -> None:
    Canary(stack, "site", url="https://shop.example.com/", artifacts=visits, every=every)

    assert rendered()["SiteCanary"]["Properties"]["Schedule"]["Expression"] == rate


def test_a_long_name_is_cut_and_stays_different() -> None:
    names = []
    for name in ("catalogue-for-everybody", "catalogue-for-everyone"):
        stack = Stack(App("shop", "production"), "main")
        names.append(
            Canary(
                stack, name, url="https://shop.example.com", artifacts=Bucket(stack, "visits")
            ).canary_name
        )  # fmt: skip

    assert all(len(name) <= 21 and name.startswith("shop-producti") for name in names)
    assert len(set(names)) == 2


def test_success_is_worth_an_alarm(stack: Stack, visits: Bucket) -> None:
    (watch,) = Canary(stack, "site", url="https://shop.example.com/", artifacts=visits).watches()

    assert (watch.metric, watch.comparison, watch.threshold) == ("SuccessPercent", "<", 90)
    assert watch.dimensions == {"CanaryName": "shop-test-site"}


def test_all_wrong_settings_are_told_at_once(stack: Stack, visits: Bucket) -> None:
    with pytest.raises(SettingsError) as caught:
        Canary(
            stack, "site", url="http://shop.example.com", artifacts=visits, every=timedelta(seconds=90),
            timeout=timedelta(minutes=2), memory_mib=1000, keep_days=0,
        )  # fmt: skip

    assert [problem.message.partition(": ")[2] for problem in caught.value.problems] == [
        "url must be an address with https://, got 'http://shop.example.com'",
        "every must be whole minutes, got 1m30s",
        "timeout must be at most every, got 2m",
        "memory_mib must be a multiple of 64, got 1000",
        "keep_days must be 1 to 455, got 0",
    ]
