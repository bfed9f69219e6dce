"""What requests have in common: templates, tags, tokens, pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from fakes.cfn.parameters import given_values, meanings
from fakes.cfn.resource_types import required_capability
from fakes.cfn.state import Source, Stack
from fakes.cfn.template import dependencies, parse
from fakes.cfn.world import World
from fakes.errors import ServiceError, validation

Parameters = dict[str, Any]
Item = TypeVar("Item")

INLINE_LIMIT = 51_200
URL_LIMIT = 1_000_000
RESOURCE_LIMIT = 500


def template_body(world: World, request: Parameters, previous: Stack | None = None) -> str:
    """Return the template of a request.

    Raises:
        ServiceError: none, several, too large, or not there.
    """
    given = [name for name in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if request.get(name)]
    if len(given) != 1:
        raise validation("Either Template URL or Template Body must be specified.")
    if given == ["UsePreviousTemplate"]:
        if previous is None or previous.status == "REVIEW_IN_PROGRESS":
            raise validation("Template body or url must be provided: there is no previous template")
        return previous.source.body
    if given == ["TemplateURL"]:
        body = world.template_at(request["TemplateURL"])
        if len(body.encode()) > URL_LIMIT:
            raise validation(f"Template may not exceed {URL_LIMIT} bytes in size.")
        return body
    body = str(request["TemplateBody"])
    if len(body.encode()) > INLINE_LIMIT:
        raise validation(
            f"1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {INLINE_LIMIT}"
        )
    return body


def source_of(world: World, request: Parameters, stack: Stack | None) -> Source:
    """Return what a request wants a stack to be made from.

    Raises:
        ServiceError: the template, a parameter or a capability is not right.
    """
    body = template_body(world, request, stack)
    template = parse(body)
    if len(template["Resources"]) > RESOURCE_LIMIT:
        raise validation(
            f"Template format error: Number of resources, {len(template['Resources'])}, "
            f"is greater than maximum allowed, {RESOURCE_LIMIT}"
        )
    dependencies(template)
    updating = stack is not None and stack.status != "REVIEW_IN_PROGRESS"
    previous = stack.source if stack is not None and updating else Source()
    values = given_values(template, request.get("Parameters", []), previous.parameters, updating=updating)
    meanings(template, values, world.ssm)
    capabilities = request.get("Capabilities", [])
    check_capabilities(template, capabilities)
    return Source(
        body,
        values,
        tags_of(request) if "Tags" in request else dict(previous.tags),
        capabilities,
        request.get("NotificationARNs", previous.notification_arns),
        request.get("RollbackConfiguration", previous.rollback_configuration),
    )


def check_capabilities(template: dict[str, Any], given: list[str]) -> None:
    """Raise unless everything the template needs is acknowledged.

    Raises:
        ServiceError: InsufficientCapabilitiesException.
    """
    needed = {
        required_capability(item["Type"], item.get("Properties", {})) for item in template["Resources"].values()
    } - {None}
    covered = set(given) | ({"CAPABILITY_IAM"} if "CAPABILITY_NAMED_IAM" in given else set())
    if needed - covered:
        name = "CAPABILITY_NAMED_IAM" if "CAPABILITY_NAMED_IAM" in needed else "CAPABILITY_IAM"
        raise ServiceError("InsufficientCapabilitiesException", f"Requires capabilities : [{name}]")


def tags_of(request: Parameters) -> dict[str, str]:
    """Return the tags of a request."""
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as answers show them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def page(items: Sequence[Item], request: Parameters, size: int) -> tuple[list[Item], dict[str, str]]:
    """Return the page of ``items`` (oldest first, shown newest first) that the request asks for, and the next token."""
    end = int(request["NextToken"].removeprefix("before-")) if "NextToken" in request else len(items)
    start = max(0, end - size)
    token = {"NextToken": f"before-{start}"} if start else {}
    return list(reversed(items[start:end])), token


def forward_page(items: Sequence[Item], request: Parameters, size: int) -> tuple[list[Item], dict[str, str]]:
    """Return the page of ``items`` that the request asks for, and the next token."""
    start = int(request["NextToken"].removeprefix("from-")) if "NextToken" in request else 0
    end = start + size
    token = {"NextToken": f"from-{end}"} if end < len(items) else {}
    return list(items[start:end]), token


def present(**members: Any) -> dict[str, Any]:
    """Return the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def use_token(stack: Stack, token: str | None, kind: str) -> None:
    """Raise if a token was used for another kind of operation on this stack.

    Raises:
        ServiceError: TokenAlreadyExistsException.
    """
    if token and any(event.token == token and event.operation_type != kind for event in stack.events):
        raise ServiceError("TokenAlreadyExistsException", f"A client request token {token} already exists")
