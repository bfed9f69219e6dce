"""The border between building and deploying: frozen, plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from archlib.core.origin import Origin

Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ParameterSource:
    """Where the value of a template parameter comes from.

    Attributes:
        kind: ``output`` of another stack, the ``asset-bucket`` the deployer uploads to, the id of a ``prefix-list``
            that AWS manages in the region, or the ``user``.
        stack: for ``output``, the physical name of the stack that has it.
        output: for ``output``, its name there; for ``prefix-list``, the service: ``s3``, ``dynamodb``, ``cloudfront``.
    """

    kind: Literal["output", "asset-bucket", "prefix-list", "user"]
    stack: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """Local content that a deployment uploads before the stack that uses it.

    Attributes:
        path: absolute path of the folder or file.
        sha256: hash of the content, hex.
        key: object key in the asset bucket; contains the hash, so it never changes its meaning.
    """

    path: str
    sha256: str
    key: str


@dataclass(frozen=True, slots=True)
class Permission:
    """One reason for statements in a policy.

    Attributes:
        actions: the IAM actions it brings.
        why: in words: ``for_sending of queue 'emails'``.
        origin: the line that connected the two.
    """

    actions: tuple[str, ...]
    why: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A finding that the user accepts on one resource, with a reason.

    Attributes:
        resource: logical id.
        rule: id of the rule.
        reason: why it is right here.
        expires: last day on which it holds, if any.
        origin: the line that waived it.
    """

    resource: str
    rule: str
    reason: str
    expires: date | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class StackArtifact:
    """One stack, ready to be checked, drawn, priced or deployed.

    Attributes:
        name: physical stack name.
        template: the CloudFormation template as plain dicts, lists and scalars.
        tags: stack tags.
        parameters: for each template parameter, where its value comes from.
        depends_on: physical names of the stacks that must exist first.
        assets: local content to upload first.
        origins: logical id -> the user's own file and line.
        places: path in the template -> the line on which the user wrote just that, where it is known.
        permissions: logical id of a policy -> why each of its permissions exists.
        waivers: accepted findings on resources of this stack.
        region: the one region it can be deployed to; None: the region of the deployment.
        results: names of the outputs that are for people; the others are what stacks tell each other.
    """

    name: str
    template: Template
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, ParameterSource] = field(default_factory=dict)
    depends_on: frozenset[str] = frozenset()
    assets: tuple[Asset, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    places: Mapping[tuple[str | int, ...], Origin] = field(default_factory=dict)
    permissions: Mapping[str, tuple[Permission, ...]] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    region: str | None = None
    results: tuple[str, ...] = ()

    def origin(self, path: Sequence[str | int]) -> Origin | None:
        """Return the user's line for ``path`` in the template: of the closest thing around it whose line is known."""
        around = (self.places.get(tuple(path[:end])) for end in range(len(path), 0, -1))
        named = str(path[1]) if len(path) > 1 else ""
        return next(filter(None, around), None) or self.origins.get(named)
