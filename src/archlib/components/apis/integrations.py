"""What answers a request: a function, a web address, an AWS service, or API Gateway itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from troposphere import Select, Split, apigateway

from archlib.components.apis.authorizers import check_function, invocation_uri
from archlib.components.apis.routes import Route
from archlib.core.component import Check
from archlib.core.values import Value, arn, encode, join
from archlib.errors import WiringError
from archlib.wiring.binding import Grant
from archlib.wiring.roles import Invocable, Target

TIMEOUT = (timedelta(milliseconds=50), timedelta(seconds=29))

_HOLE = re.compile("\0(\\d+)\0")
_ERRORS = {"400": (r"4\d{2}", "the request was refused"), "500": (r"5\d{2}", "the service failed")}


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """Passes the request on to a web address and the answer back.

    Attributes:
        url: an https:// address; ``{id}`` in it stands for the parameter of the same name in the route.
        method: the method to call it with; the route's own by default.
        timeout: how long to wait, 50 milliseconds to 29 seconds.
    """

    url: Value
    method: str | None = None
    timeout: timedelta = TIMEOUT[1]

    grants = ()

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(
            not isinstance(self.url, str) or self.url.startswith("https://"),
            "target.url", "an https:// address", self.url,
        )  # fmt: skip
        check.between("target.timeout", self.timeout, *TIMEOUT)

    def build(self, route: Route, role: Value, prefix: Value) -> apigateway.Integration:  # noqa: ARG002  (a proxy)
        """Return the property of the method."""
        url = json.dumps(encode(self.url))
        return apigateway.Integration(
            IntegrationHttpMethod=self.method or route.method,
            RequestParameters={
                f"integration.request.path.{name}": f"method.request.path.{name}"
                for name in route.parameters
                if f"{{{name}}}" in url
            },
            TimeoutInMillis=milliseconds(self.timeout),
            Type="HTTP_PROXY",
            Uri=self.url,
        )


@dataclass(frozen=True, slots=True)
class AwsService:
    """Calls an action of an AWS service, without code in between.

    Attributes:
        service: the service's name, such as ``dynamodb``.
        action: the action, such as ``GetItem``; with a slash, a path as SQS and S3 have them.
        request: mapping template (VTL) that makes the service's request out of a JSON body.
        grants: the rights the API's role needs for it.
        response: mapping template that makes the answer out of the service's; the service's own by default.
        headers: headers of the service's request.
    """

    service: str
    action: Value
    request: Value
    grants: Sequence[Grant] = ()
    response: Value = "$input.body"
    headers: Mapping[str, str] = field(default_factory=dict)

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(self.grants, "target.grants", "at least one right", list(self.grants))

    def build(self, route: Route, role: Value, prefix: Value) -> apigateway.Integration:  # noqa: ARG002
        """Return the property of the method."""
        kind = "action/" if isinstance(self.action, str) and "/" not in self.action else "path/"
        failures = [
            apigateway.IntegrationResponse(
                ResponseTemplates={"application/json": join(prefix, json.dumps({"message": message}))},
                SelectionPattern=pattern,
                StatusCode=status,
            )
            for status, (pattern, message) in _ERRORS.items()
        ]
        return apigateway.Integration(
            Credentials=role,
            IntegrationHttpMethod="POST",
            IntegrationResponses=[
                apigateway.IntegrationResponse(
                    ResponseTemplates={"application/json": join(prefix, self.response)}, StatusCode="200"
                ),
                *failures,
            ],
            # A body that no template fits is refused instead of passed on as it is.
            PassthroughBehavior="NEVER",
            RequestParameters={f"integration.request.header.{key}": f"'{text}'" for key, text in self.headers.items()},
            RequestTemplates={"application/json": self.request},
            Type="AWS",
            Uri=arn("apigateway", join(kind, self.action), account=self.service),
        )


@dataclass(frozen=True, slots=True)
class Mock:
    """Answers by itself.

    Attributes:
        body: the answer, as JSON or as a mapping template.
        status: its status code.
    """

    body: Value = "{}"
    status: int = 200

    grants = ()

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.between("target.status", self.status, 200, 599)

    def build(self, route: Route, role: Value, prefix: Value) -> apigateway.Integration:  # noqa: ARG002
        """Return the property of the method."""
        return apigateway.Integration(
            IntegrationResponses=[
                apigateway.IntegrationResponse(
                    ResponseTemplates={"application/json": join(prefix, self.body)}, StatusCode=str(self.status)
                )
            ],
            PassthroughBehavior="NEVER",
            RequestTemplates={"application/json": json.dumps({"statusCode": self.status})},
            Type="MOCK",
        )


@dataclass(frozen=True, slots=True)
class LambdaProxy:
    """Passes the whole request to a function, which makes the whole answer; what a plain target stands for.

    Attributes:
        function: the function.
        timeout: how long to wait, 50 milliseconds to 29 seconds.
    """

    function: Invocable
    timeout: timedelta = TIMEOUT[1]

    grants = ()

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check_function(check, "target", self.function)
        check.between("target.timeout", self.timeout, *TIMEOUT)

    def build(self, route: Route, role: Value, prefix: Value) -> apigateway.Integration:  # noqa: ARG002  (a proxy)
        """Return the property of the method."""
        return apigateway.Integration(
            IntegrationHttpMethod="POST",
            TimeoutInMillis=milliseconds(self.timeout),
            Type="AWS_PROXY",
            Uri=invocation_uri(self.function.arn),
        )


Integration = HttpUrl | AwsService | LambdaProxy | Mock


def send_message(queue: Target, *, group: str = "") -> AwsService:
    """Return the integration that sends the body of a request to the SQS queue ``queue``.

    Args:
        queue: the queue.
        group: for a FIFO queue, template of the message group, such as ``$input.params('customer')``.

    Raises:
        WiringError: a FIFO queue has no group, or another queue has one.
    """
    if bool(group) != bool(queue.resource.properties.get("FifoQueue")):
        raise WiringError(
            f"sending to {queue.name!r}: group must be given for a FIFO queue and only then, got {group!r}"
        )
    part = Split(":", queue.arn)
    more = f"&MessageGroupId=$util.urlEncode({group})" if group else ""
    return AwsService(
        "sqs",
        join(Select(4, part), "/", Select(5, part)),
        f"Action=SendMessage&MessageBody=$util.urlEncode($input.body){more}",
        queue.start_grants(),
        response='{"message": "accepted"}',
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def start_execution(machine: Target) -> AwsService:
    """Return the integration that starts the Step Functions state machine ``machine`` with the body of a request."""
    # escapeJavaScript also escapes single quotes, which JSON does not know.
    body = r"""$util.escapeJavaScript($input.json('$')).replaceAll("\\'", "'")"""
    return AwsService(
        "states",
        "StartExecution",
        join('{"stateMachineArn": "', machine.arn, f'", "input": "{body}"}}'),
        machine.start_grants(),
        response="{\"executionArn\": $input.json('$.executionArn')}",
    )


def json_template(content: Mapping[str, Any]) -> Value:
    """Return ``content`` as a JSON mapping template; its texts may be references and hold VTL."""
    references: list[Value] = []

    def hole(value: Value) -> str:
        references.append(value)
        return f"\0{len(references) - 1}\0"

    text = json.dumps(content, default=hole).replace("\\u0000", "\0")
    return join(*(references[int(part)] if index % 2 else part for index, part in enumerate(_HOLE.split(text))))


def milliseconds(duration: timedelta) -> int:
    """Return ``duration`` in whole milliseconds."""
    return duration // timedelta(milliseconds=1)
