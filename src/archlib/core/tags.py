"""Tags: checked once for the app, written on every resource that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from troposphere import AWSObject

from archlib.core.origin import here
from archlib.errors import Problem, SettingsError

_KEY_MAX, _VALUE_MAX, _TAGS_MAX = 128, 256, 40
# They get the tags of their stack; but scanners of templates do not know yet that they take any.
_LEFT_TO_CLOUDFORMATION = frozenset({"AWS::ElasticLoadBalancingV2::Listener"})


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return ``tags`` sorted.

    Raises:
        SettingsError: a tag is reserved, too long or empty, or there are over 40 (AWS allows 50 on a resource;
            the rest is left to the resource's own tags and to CloudFormation's).
    """
    problems = []
    if len(tags) > _TAGS_MAX:
        problems.append(f"tags: there must be at most {_TAGS_MAX}, got {len(tags)}; remove some")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            problems.append(f"tag {key!r}: key must not start with 'aws:', which AWS reserves; rename it")
        if not 1 <= len(key) <= _KEY_MAX:
            problems.append(f"tag {key!r}: key must be 1 to {_KEY_MAX} characters, got {len(key)}; shorten it")
        if not isinstance(value, str):
            problems.append(f"tag {key!r}: value must be text of at most {_VALUE_MAX} characters, got {value!r}")
        elif len(value) > _VALUE_MAX:
            problems.append(
                f"tag {key!r}: value must be text of at most {_VALUE_MAX} characters, got {len(value)}; shorten it"
            )
    if problems:
        raise SettingsError(Problem(problem, here()) for problem in problems)
    return dict(sorted(tags.items()))


def apply_tags(resource: AWSObject, properties: dict[str, Any], tags: Mapping[str, str]) -> None:
    """Write ``tags`` into the rendered ``properties`` of ``resource``, in the shape its type takes.

    The resource's own tags win. Types that take none are left alone.
    """
    if "Tags" not in resource.props or resource.resource_type in _LEFT_TO_CLOUDFORMATION:
        return
    own = properties.get("Tags")
    if isinstance(own, dict) or (own is None and resource.props["Tags"][0] is dict):
        properties["Tags"] = {**tags, **(own or {})}
        return
    written: list[dict[str, Any]] = []
    for key, value in tags.items():
        written.append({"Key": key, "Value": value})
    if resource.resource_type == "AWS::AutoScaling::AutoScalingGroup":
        written = [{**tag, "PropagateAtLaunch": True} for tag in written]
    if own:
        named = {tag["Key"] for tag in own}
        written = sorted([*own, *(tag for tag in written if tag["Key"] not in named)], key=lambda tag: str(tag["Key"]))
    properties["Tags"] = written
