"""A named architecture in one environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeVar, get_args

from archlib.core.artifact import StackArtifact, Waiver
from archlib.core.naming import check_name, stack_name
from archlib.core.origin import Origin, here
from archlib.core.stack import Removal, Stack
from archlib.core.tags import check_tags
from archlib.core.target import Target
from archlib.errors import Problem, SettingsError

T = TypeVar("T")
Layout = Literal["layered", "single"]
Links = Literal["parameters", "exports", "stack-output"]

_REASON_MIN = 10


class App:
    """A named architecture in one environment; owns stacks, tags, removal policy and layout.

    Args:
        name: kebab-case; first part of every stack name.
        environment: kebab-case, such as ``dev`` or ``prod``; second part of every stack name. It changes no default
            by itself: settings do.
        tags: written on every resource that takes tags, beside ``app`` and ``environment``.
        removal: what happens to resources that hold data when their stack or they themselves are removed:
            ``Retain`` keeps them (or takes a final snapshot), ``Delete`` is for throw-away environments and also
            switches deletion protection off.
        layout: ``layered`` keeps the stacks apart by lifecycle; ``single`` puts everything into one template.
        links: how a value gets from one stack into another: template ``parameters`` that the deployer fills in,
            CloudFormation ``exports``, or ``stack-output`` (``Fn::GetStackOutput``).
        targets: the accounts and regions it is deployed to; none: what the AWS configuration says.

    Attributes:
        stacks: the stacks by name, in the order they were made.
        homes: for each logical id that was added, its stack.

    Raises:
        SettingsError: a name, tag or choice is malformed.
    """

    def __init__(
        self,
        name: str,
        environment: str = "dev",
        *,
        tags: Mapping[str, str] | None = None,
        removal: Removal = "Retain",
        layout: Layout = "layered",
        links: Links = "parameters",
        targets: Sequence[Target] = (),
    ) -> None:
        self.name = check_name(name, "app")
        self.environment = check_name(environment, "environment")
        for field, value, allowed in (
            ("removal", removal, Removal),
            ("layout", layout, Layout),
            ("links", links, Links),
        ):
            if value not in get_args(allowed):
                choices = " or ".join(map(repr, get_args(allowed)))
                raise SettingsError(Problem(f"app {name!r}: {field} must be {choices}, got {value!r}", here()))
        self.removal = removal
        self.layout = layout
        self.links = links
        self.targets = tuple(targets)
        self.tags = check_tags({"app": name, "environment": environment, **(tags or {})})
        self.stacks: dict[str, Stack] = {}
        self.homes: dict[str, Stack] = {}
        self.waivers: list[Waiver] = []
        self.overrides: list[tuple[str, str, Any, Origin | None]] = []
        self._shared: dict[str, Any] = {}
        stack_name(name, environment, None)

    def register(self, stack: Stack) -> None:
        """Take ``stack`` into the app; its constructor calls this."""
        if stack.name in self.stacks:
            first = self.stacks[stack.name].origin
            raise SettingsError(
                Problem(f"stack {stack.name!r}: name must be unique in the app, but {first} made one already", here())
            )
        self.stacks[stack.name] = stack

    def stack(self, name: str, *, description: str = "", region: str | None = None) -> Stack:
        """Return the stack ``name``, made now if it does not exist yet; see :class:`Stack`."""
        return self.stacks.get(name) or Stack(self, name, description=description, region=region)

    def once(self, what: str, make: Callable[[], T]) -> T:
        """Return the thing ``what`` that the whole app shares, made by ``make`` the first time."""
        if what not in self._shared:
            self._shared[what] = make()
        made: T = self._shared[what]
        return made

    def waive(self, resource: str, rule: str, *, reason: str, expires: date | None = None) -> None:
        """Accept the finding of ``rule`` on the logical id ``resource``.

        Args:
            resource: logical id.
            rule: id of the rule, such as ``W9201``.
            reason: why it is right here; at least 10 characters. It is written into the resource's metadata.
            expires: last day on which the waiver holds; None: it has no end.

        Raises:
            SettingsError: the reason is too short to be one.
        """
        if len(reason.strip()) < _REASON_MIN:
            raise SettingsError(
                Problem(f"waiver of {rule} on {resource!r}: reason must be {_REASON_MIN} characters or more", here())
            )
        self.waivers.append(Waiver(resource, rule, reason.strip(), expires, here()))

    def override(self, resource: str, path: str, value: Any) -> None:
        """Set ``path`` (dots between keys, list positions as numbers) of the rendered ``resource`` to ``value``.

        The path starts at the resource: ``Properties.MemorySize``, ``Metadata.Owner``. None removes it.
        """
        self.overrides.append((resource, path, value, here()))

    def assemble(self) -> tuple[StackArtifact, ...]:
        """Return the stacks as plain data, dependencies first; the app itself does not change.

        Raises:
            LinkError: stacks refer to each other in a cycle, or a reference has no target.
            SettingsError: a resource misses a property, or an override or waiver names nothing.
        """
        from archlib.core.assembly import assemble

        return assemble(self)
