"""A plan: what a deployment will do, as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Literal

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.models import OUTSIDE, ResourceChange
from archlib.errors import Problem, SourceError

SCHEMA_VERSION = 1
_WIDTH, _BEFORE = 60, 20


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What will happen to one stack.

    Attributes:
        stack: its name.
        region: where.
        action: ``recreate`` deletes what a failed creation left, and creates; ``delete`` is for destroying.
        changes: what happens to its resources.
        estimated: the changes come from the templates alone: CloudFormation was not asked, because the stack does not
            exist yet or needs values that only the deployment brings.
        change_set: ARN of the change set that does it, if there is one.
        stack_id: ARN of the stack, if it exists.
        changed: when the stack had last changed as the plan was made.
        content: hash of what was planned: template, parameters, tags.
        losses: logical ids whose data is lost or left behind.
        widening: what gives more rights or opens more ways.
        notes: what else to know.
    """

    stack: str
    region: str
    action: Literal["create", "update", "recreate", "none", "delete", "import"]
    changes: tuple[ResourceChange, ...] = ()
    estimated: bool = False
    change_set: str = ""
    stack_id: str = ""
    changed: str = ""
    content: str = ""
    losses: tuple[str, ...] = ()
    widening: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment will do.

    Attributes:
        app: its name.
        environment: its environment.
        account: where.
        region: where, unless a stack says otherwise.
        stacks: dependencies first.
        artifacts: what is deployed, so that a plan that was kept can be carried out without its sources.
        target: where to, and under which rules, without secrets.
    """

    app: str
    environment: str
    account: str
    region: str
    stacks: tuple[StackPlan, ...]
    artifacts: tuple[StackArtifact, ...] = field(default=(), repr=False)
    target: Target = field(default_factory=Target)

    @property
    def changes(self) -> int:
        """Return how many resources change."""
        return sum(len(stack.changes) for stack in self.stacks)

    @property
    def empty(self) -> bool:
        """Return whether nothing will happen."""
        return all(stack.action == "none" for stack in self.stacks)

    @property
    def losses(self) -> tuple[str, ...]:
        """Return the logical ids whose data is lost or left behind."""
        return tuple(name for stack in self.stacks for name in stack.losses)

    def to_data(self, *, artifacts: bool = False) -> dict[str, Any]:
        """Return the plan as plain data, with a ``schema_version``.

        Args:
            artifacts: also what is deployed, so that :func:`from_data` gives a plan that can be carried out.
        """
        data: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "app": self.app,
            "environment": self.environment,
            "account": self.account,
            "region": self.region,
            "changes": self.changes,
            "losses": list(self.losses),
            "stacks": adapter(StackPlan).dump_python(self.stacks, mode="json"),
        }
        if artifacts:
            # Lines inside the template, reasons and waivers have had their use.
            bare = tuple(replace(each, places={}, permissions={}, waivers=()) for each in self.artifacts)
            data["artifacts"] = adapter(StackArtifact).dump_python(bare, mode="json")
            (data["target"],) = adapter(Target).dump_python((self.target,), mode="json")
        return data

    def to_json(self) -> str:
        """Return the plan as JSON."""
        return json.dumps(self.to_data(), indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return the plan for people to read."""
        return "\n".join(_text(self))

    def to_markdown(self) -> str:
        """Return the plan as a comment on a pull request."""
        return "\n".join(_markdown(self))


def from_data(data: Any) -> Plan:
    """Return the plan that :meth:`Plan.to_data` gave with its artifacts.

    Raises:
        SourceError: the data is no such plan, or one of another version.
    """
    from pydantic import ValidationError  # noqa: PLC0415  (slow to import)

    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION or "artifacts" not in data:
        message = f"must be a plan that archlib plan --save wrote with schema_version {SCHEMA_VERSION}; plan again"
        raise SourceError(Problem(f"plan: {message}"))
    try:
        facts = adapter(str).validate_python([data[key] for key in ("app", "environment", "account", "region")])
        stacks = adapter(StackPlan).validate_python(data["stacks"])
        artifacts = adapter(StackArtifact).validate_python(data["artifacts"])
        (target,) = adapter(Target).validate_python([data["target"]])
        app, environment, account, region = facts
        return Plan(app, environment, account, region, stacks, artifacts, target)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(Problem(f"plan: is damaged ({where}: {first['msg']}); plan again")) from None
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(Problem(f"plan: is damaged ({error}); plan again")) from None


def adapter(kind: type) -> Any:
    """Return what turns tuples of ``kind`` into plain data and back."""
    from pydantic import TypeAdapter  # noqa: PLC0415  (slow to import)

    return TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]


SYMBOLS: Mapping[str, str] = {
    "add": "+", "modify": "~", "replace": "-/+", "remove": "-", "import": "<", "sync": "=", "unknown": "?",
}  # fmt: skip
"""How a change is marked."""


def summary(plan: Plan) -> str:
    """Return the plan in one line."""
    counts: dict[str, int] = {}
    for stack in plan.stacks:
        for change in stack.changes:
            counts[change.action] = counts.get(change.action, 0) + 1
    words = {"add": "to add", "modify": "to change", "replace": "to replace", "remove": "to remove",
             "import": "to import", "sync": "to bring back"}  # fmt: skip
    told = [f"{counts[action]} {word}" for action, word in words.items() if action in counts]
    busy = sum(stack.action != "none" for stack in plan.stacks)
    if not busy:
        return f"nothing to do: {len(plan.stacks)} stacks are as they should be"
    return f"{busy} of {len(plan.stacks)} stacks change: {', '.join(told) or 'only outputs, tags or settings'}"


def describe(change: ResourceChange) -> Iterator[str]:
    """Yield what changes in a resource, one line for each property."""
    for each in change.properties:
        forces = {"never": "", "maybe": "  (may replace)", "always": "  (replaces)"}[each.recreates]
        values = ""
        if each.before is not None or each.after is not None:
            outside = f"  ({each.cause})" if each.cause == OUTSIDE else ""
            values = f": {short(each.before, each.after)} -> {short(each.after, each.before)}{outside}"
        elif each.cause:
            values = f": follows {each.cause}"
        yield f"{each.path}{values}{forces}"


def short(value: str | None, other: str | None = None) -> str:
    """Return ``value`` as it fits into a line: of a long one the part in which it differs from ``other``."""
    if value is None:
        return "(unknown)"
    if len(value) <= _WIDTH:
        return value
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(value, other or "", strict=False)))
    start = max(0, min(same - _BEFORE, len(value) - _WIDTH)) if other else 0
    end = start + _WIDTH - 3
    return f"{'...' if start else ''}{value[start:end]}{'...' if end < len(value) else ''}"


def _text(plan: Plan) -> Iterator[str]:
    yield f"{plan.app} {plan.environment} in {plan.account}, {plan.region}"
    for stack in plan.stacks:
        if stack.action == "none":
            yield f"  {stack.stack}: unchanged"
            continue
        yield f"  {stack.stack}: {stack.action}{' (estimated from the templates)' if stack.estimated else ''}"
        for change in stack.changes:
            uncertain = "" if change.certain else "  (perhaps)"
            yield f"    {SYMBOLS[change.action]:>3} {change.resource}  {change.type}{uncertain}"
            yield from (f"          {each}" for each in describe(change))
        yield from (f"      ! data: {name}" for name in stack.losses)
        yield from (f"      ! {each}" for each in stack.widening)
        yield from (f"      {each}" for each in stack.notes)
    yield summary(plan)


def _markdown(plan: Plan) -> Iterator[str]:
    yield f"### Plan for {plan.app} {plan.environment} ({plan.account}, {plan.region})"
    yield ""
    yield summary(plan)
    if plan.losses:
        yield ""
        yield f"> **Data is lost or left behind:** {', '.join(f'`{name}`' for name in plan.losses)}"
    for stack in plan.stacks:
        if stack.action == "none":
            continue
        yield ""
        yield f"<details open><summary><b>{stack.stack}</b>: {stack.action}, {len(stack.changes)} changes</summary>"
        yield ""
        yield "| | Resource | Type | What |"
        yield "| --- | --- | --- | --- |"
        for change in stack.changes:
            what = "<br>".join(cell(each) for each in describe(change))
            yield f"| `{SYMBOLS[change.action]}` | {change.resource} | {change.type} | {what} |"
        for each in (*stack.widening, *stack.notes):
            yield f"\n- {cell(each)}"
        yield ""
        yield "</details>"


def cell(text: str) -> str:
    """Return ``text`` as it can stand in a table of Markdown."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")
