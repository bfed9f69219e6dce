"""All other services: a table of answers by service and operation, behind real clients."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes import protocols
from fakes.errors import ModelViolation, ServiceError
from fakes.exchange import Answer
from fakes.transport import aws_response

Parameters = dict[str, Any]
Reply = dict[str, Any] | ServiceError | Exception | Callable[[Parameters], dict[str, Any]]


@dataclass
class ServiceCall:
    """One attempt of a call; a retry is another one."""

    service: str
    operation: str
    parameters: Parameters


@dataclass
class ScriptedServices:
    """Answers for any client, as a table says.

    A reply is what comes back, an error of the service, an exception of the network, or a function of the parameters
    that returns or raises one of these. A list of replies is used up from the left; its last one stays.
    """

    account: str = "123456789012"
    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    calls: list[ServiceCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._asked = threading.local()
        arn = f"arn:aws:sts::{self.account}:assumed-role/ci/run"
        self.reply("sts", "GetCallerIdentity", {"Account": self.account, "Arn": arn, "UserId": "AROAEXAMPLE:run"})

    def reply(self, service: str, operation: str, *replies: Reply) -> None:
        """Say what an operation answers, call by call."""
        self.replies[service, operation] = list(replies)

    def count(self, service: str, operation: str) -> int:
        """Return how many attempts of a call were made."""
        return sum((call.service, call.operation) == (service, operation) for call in self.calls)

    def attach(self, client: Any) -> Any:
        """Let every request of ``client`` be answered from the table, and return the client."""
        service = client.meta.service_model.service_name

        def remember(params: Parameters, **_: Any) -> None:
            self._asked.parameters = params

        def send(request: Any, event_name: str, **_: Any) -> Any:
            operation = event_name.rsplit(".", 1)[1]
            call = ServiceCall(service, operation, self._asked.parameters)
            self.calls.append(call)
            return aws_response(request.url, self._answer(call))

        client.meta.events.register_first("provide-client-params.*", remember)
        client.meta.events.register("before-send.*", send)
        return client

    def _answer(self, call: ServiceCall) -> Answer:
        replies = self.replies.get((call.service, call.operation))
        if not replies:
            raise ModelViolation(f"no answer is scripted for {call.service} {call.operation}")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            if isinstance(reply, Exception):
                raise reply
            result = reply(call.parameters) if callable(reply) else reply
        except ServiceError as error:
            return protocols.refusal(call.service, error)
        return protocols.answer(call.service, call.operation, result)


class Buckets:
    """The part of S3 that deployers use, in memory: give it to `ScriptedServices` with :meth:`serve`.

    Args:
        contents: the keys of each bucket; share it with ``FakeCloudFormation.world.bucket_contents`` and emptying a
            bucket here lets CloudFormation delete it.
        owner: the account that has all buckets.
    """

    def __init__(self, contents: dict[str, set[str]] | None = None, owner: str = "123456789012") -> None:
        self.contents = {} if contents is None else contents
        self.owner = owner
        self.bodies: dict[tuple[str, str], bytes] = {}

    def serve(self, services: ScriptedServices) -> None:
        """Answer for S3."""
        for operation, reply in (
            ("CreateBucket", self._create),
            ("HeadBucket", self._head_bucket),
            ("PutObject", self._put),
            ("HeadObject", self._head),
            ("GetObject", self._get),
            ("ListObjectVersions", self._versions),
            ("DeleteObjects", self._delete),
        ):
            services.reply("s3", operation, reply)

    def _bucket(self, parameters: Parameters) -> set[str]:
        if parameters["Bucket"] not in self.contents:
            raise ServiceError("NoSuchBucket", "The specified bucket does not exist", status=404)
        if parameters.get("ExpectedBucketOwner", self.owner) != self.owner:
            raise ServiceError("AccessDenied", "Access Denied", status=403)
        return self.contents[parameters["Bucket"]]

    def _create(self, parameters: Parameters) -> dict[str, Any]:
        if parameters["Bucket"] in self.contents:
            raise ServiceError("BucketAlreadyOwnedByYou", "You already own it", status=409)
        self.contents[parameters["Bucket"]] = set()
        return {"Location": f"/{parameters['Bucket']}"}

    def _head_bucket(self, parameters: Parameters) -> dict[str, Any]:
        self._bucket(parameters)
        return {}

    def _put(self, parameters: Parameters) -> dict[str, Any]:
        keys, key = self._bucket(parameters), parameters["Key"]
        if parameters.get("IfNoneMatch") == "*" and key in keys:
            message = "At least one of the pre-conditions you specified did not hold"
            raise ServiceError("PreconditionFailed", message, status=412)
        body = parameters.get("Body", b"")
        body = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else body.read()
        keys.add(key)
        self.bodies[parameters["Bucket"], key] = body
        return {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}

    def _head(self, parameters: Parameters) -> dict[str, Any]:
        if parameters["Key"] not in self._bucket(parameters):
            raise ServiceError("404", "Not Found", status=404)
        body = self.bodies.get((parameters["Bucket"], parameters["Key"]), b"")
        return {"ContentLength": len(body), "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}

    def _get(self, parameters: Parameters) -> dict[str, Any]:
        if parameters["Key"] not in self._bucket(parameters):
            raise ServiceError("NoSuchKey", "The specified key does not exist.", status=404)
        body = self.bodies.get((parameters["Bucket"], parameters["Key"]), b"")
        return {"Body": body, "ContentLength": len(body)}

    def _versions(self, parameters: Parameters) -> dict[str, Any]:
        versions = [{"Key": key, "VersionId": "null"} for key in sorted(self._bucket(parameters))]
        return {"Name": parameters["Bucket"], "IsTruncated": False, "Versions": versions}

    def _delete(self, parameters: Parameters) -> dict[str, Any]:
        keys = self._bucket(parameters)
        gone = [item["Key"] for item in parameters["Delete"]["Objects"]]
        keys.difference_update(gone)
        return {"Deleted": [{"Key": key} for key in gone]}
