"""Stacks on a local engine, by boto3 alone: what the tests of the engine deploy with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any

import boto3
from botocore.config import Config

from archlib import StackArtifact
from archlib.core.package import write_zip

HOME = "eu-west-1"
INLINE_BYTES = 51_200
PREFIX_LISTS = {
    "s3": "com.amazonaws.{region}.s3",
    "dynamodb": "com.amazonaws.{region}.dynamodb",
    "cloudfront": "com.amazonaws.global.cloudfront.origin-facing",
}
CONFIG = Config(s3={"addressing_style": "path"})
NAMES = count()


class Stacks:
    """What a deployer does, without any of its care.

    Args:
        endpoint: the engine.
        region: of stacks that do not name one.
    """

    def __init__(self, endpoint: str, region: str = HOME) -> None:
        self.endpoint = endpoint
        self.region = region
        self._regions: dict[str, str] = {}
        self.client = cache(self._client)

    def _client(self, service: str, region: str = "") -> Any:
        return boto3.client(
            service,
            region_name=region or self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id="000000000000",
            aws_secret_access_key="local",  # noqa: S106  (nobody checks it)
            config=CONFIG,
        )

    def forget_everything(self) -> None:
        connection = HTTPConnection(self.endpoint.removeprefix("http://"))
        connection.request("POST", "/_ministack/reset")
        assert connection.getresponse().status == 200
        connection.close()

    def deploy(self, stacks: Sequence[StackArtifact]) -> dict[str, str]:
        """Create or update the stacks, and return the status of each."""
        return {stack.name: self.apply(stack) for stack in stacks}

    def delete(self, stacks: Sequence[StackArtifact]) -> dict[str, str]:
        return {stack.name: self.remove(stack.name) for stack in reversed(stacks)}

    def apply(self, stack: StackArtifact) -> str:
        """Create or update ``stack`` by a change set, and return its status, or why there is no change."""
        region = self._regions[stack.name] = stack.region or self.region
        cloudformation = self.client("cloudformation", region)
        for asset in stack.assets:
            content = write_zip(Path(asset.path))
            self.client("s3", region).put_object(Bucket=self._bucket(region), Key=asset.key, Body=content)
        change_set = cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=f"change-{next(NAMES)}",
            ChangeSetType="UPDATE" if self.exists(stack.name) else "CREATE",
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in self._values(stack, region).items()
            ],
            Tags=[{"Key": key, "Value": value} for key, value in stack.tags.items()],
            **self._body(stack, region),
        )["Id"]
        description = self._settled(lambda: cloudformation.describe_change_set(ChangeSetName=change_set), "Status")
        if description["Status"] == "FAILED":
            return str(description["StatusReason"])
        cloudformation.execute_change_set(ChangeSetName=change_set)
        return self.settle(stack.name)

    def remove(self, name: str) -> str:
        cloudformation = self.client("cloudformation", self._regions.get(name, self.region))
        identity = self.describe(name)["StackId"]
        cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        cloudformation.delete_stack(StackName=name)
        return self.settle(identity)

    def settle(self, name: str) -> str:
        stack = self._settled(lambda: self.describe(name), "StackStatus")
        failed = [event for event in self.events(name) if event["ResourceStatus"].endswith("_FAILED")]
        reasons = (f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed)
        status: str = stack["StackStatus"]
        return "\n".join((status, *reasons)) if "FAILED" in status or "ROLLBACK" in status else status

    def describe(self, name: str) -> Any:
        region = name.split(":")[3] if name.startswith("arn:") else self._regions.get(name, self.region)
        return self.client("cloudformation", region).describe_stacks(StackName=name)["Stacks"][0]

    def exists(self, name: str) -> bool:
        cloudformation = self.client("cloudformation", self._regions.get(name, self.region))
        try:
            return bool(cloudformation.describe_stacks(StackName=name))
        except cloudformation.exceptions.ClientError:
            return False

    def events(self, name: str) -> list[Any]:
        region = name.split(":")[3] if name.startswith("arn:") else self._regions.get(name, self.region)
        found = self.client("cloudformation", region).describe_stack_events(StackName=name)
        return list(found["StackEvents"])

    def outputs(self, name: str) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.describe(name).get("Outputs", ())}

    def resources(self, name: str) -> dict[str, str]:
        """Return the physical ids of a stack."""
        cloudformation = self.client("cloudformation", self._regions.get(name, self.region))
        found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def drift(self, name: str) -> str:
        cloudformation = self.client("cloudformation", self._regions.get(name, self.region))
        detection = cloudformation.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
        done = self._settled(
            lambda: cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection),
            "DetectionStatus",
        )
        assert done["DetectionStatus"] == "DETECTION_COMPLETE"
        return str(done["StackDriftStatus"])

    def _settled(self, look: Any, key: str) -> Any:
        for _ in range(600):
            found = look()
            if not found[key].endswith(("IN_PROGRESS", "PENDING")):
                return found
            sleep(0.05)
        raise AssertionError(f"still {found[key]}")

    def _values(self, stack: StackArtifact, region: str) -> Mapping[str, str]:
        values = {}
        for name, source in stack.parameters.items():
            match source.kind:
                case "output":
                    values[name] = self.outputs(source.stack)[source.output]
                case "asset-bucket":
                    values[name] = self._bucket(region)
                case "prefix-list":
                    wanted = {"Name": "prefix-list-name", "Values": [PREFIX_LISTS[source.output].format(region=region)]}
                    (found,) = self.client("ec2", region).describe_managed_prefix_lists(Filters=[wanted])["PrefixLists"]
                    values[name] = found["PrefixListId"]
                case "user":
                    values[name] = stack.template["Parameters"][name]["Default"]
        return values

    def _bucket(self, region: str) -> str:
        name = f"assets-{region}"
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3 = self.client("s3", region)
        if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=name, **place)
        return name

    def _body(self, stack: StackArtifact, region: str) -> dict[str, str]:
        text = json.dumps(stack.template)
        if len(text) <= INLINE_BYTES:
            return {"TemplateBody": text}
        bucket, key = self._bucket(region), f"{stack.name}.json"
        self.client("s3", region).put_object(Bucket=bucket, Key=key, Body=text)
        return {"TemplateURL": f"{self.endpoint}/{bucket}/{key}"}


def template(resources: Mapping[str, Any], outputs: Mapping[str, Any] | None = None, **rest: Any) -> StackArtifact:
    """Return a stack of any resources."""
    content = {"Resources": dict(resources), "Outputs": {k: {"Value": v} for k, v in (outputs or {}).items()}}
    return StackArtifact(name=rest.pop("name", "any"), template=content, **rest)
