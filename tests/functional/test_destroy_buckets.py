"""Buckets with all their versions go with their stack when that is asked for, and no others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archlib.core.artifact import StackArtifact
from archlib.deploy.aws import Aws
from archlib.deploy.deployer import Deployer
from archlib.deploy.destroy import destroy, destroy_plan


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    pytest.importorskip("ministack")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    engine = subprocess.Popen(
        [sys.executable, "-m", "ministack"], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(150):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        engine.terminate()
        engine.wait(10)


def contents(s3: Any, bucket: str) -> list[tuple[str, str]]:
    page = s3.list_object_versions(Bucket=bucket)
    found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    return [(item["Key"], item["VersionId"]) for item in found]


def test_everything_in_a_bucket_goes_and_nothing_else(endpoint: str, tmp_path: Path) -> None:
    def bucket(name: str, policy: str) -> dict[str, object]:
        versions = {"BucketName": name, "VersioningConfiguration": {"Status": "Enabled"}}
        return {"Type": "AWS::S3::Bucket", "DeletionPolicy": policy, "Properties": versions}

    resources = {"Files": bucket("shop-files", "Delete"), "Kept": bucket("shop-kept", "Retain")}
    stack = StackArtifact("shop-dev-data", {"Resources": resources}, {"app": "shop", "environment": "dev"})
    aws = Aws(region="eu-west-1", endpoint=endpoint)
    deployer = Deployer(aws=aws, journal=tmp_path)
    deployer.deploy([stack])
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for name in ("shop-files", "shop-kept", "theirs"):
        for number in range(3):
            s3.put_object(Bucket=name, Key="a/key", Body=str(number).encode())
            s3.put_object(Bucket=name, Key=f"b/{number}", Body=b"x")
        s3.delete_object(Bucket=name, Key="a/key")
        s3.create_multipart_upload(Bucket=name, Key="half")

    before = [contents(s3, name) for name in ("shop-kept", "theirs")]

    told = destroy_plan(deployer, [stack])
    emptying = destroy_plan(deployer, [stack], empty_buckets=True)
    done = destroy(deployer, [stack], empty_buckets=True)

    assert any("not empty, so it cannot be deleted without --empty-buckets" in note for note in told.stacks[0].notes)
    assert "Files (shop-files): everything in it is deleted" in emptying.stacks[0].notes
    assert done.results["shop-dev-data"].action == "deleted"
    left = {item["Name"] for item in s3.list_buckets()["Buckets"]}
    assert "shop-files" not in left
    assert {"shop-kept", "theirs"} <= left
    assert before == [contents(s3, name) for name in ("shop-kept", "theirs")]
    assert all(before)
