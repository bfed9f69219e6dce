"""From live stacks to plain data: render, then link.

A reference is a plain ``Ref``, ``Fn::GetAtt`` or ``Fn::Sub``; logical ids are unique in the app, so the id alone says
which stack it belongs to. A reference into another stack becomes a parameter here (or an import), an output there, and
a dependency between the two.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archlib.core.artifact import Asset, ParameterSource, Permission, StackArtifact, Template
from archlib.core.naming import link_name, stack_name
from archlib.core.origin import Origin
from archlib.core.stack import ASSET_BUCKET
from archlib.core.suppression import write_suppression
from archlib.core.tags import apply_tags
from archlib.core.values import encode
from archlib.errors import LinkError, Problem, SettingsError

if TYPE_CHECKING:
    from archlib.core.app import App
    from archlib.core.stack import Stack

_SECTIONS = ("Metadata", "Mappings", "Conditions", "Parameters", "Rules", "Resources", "Outputs")
_ATTRIBUTES = (
    *("Type", "Condition", "DependsOn", "CreationPolicy", "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy"),
    *("Properties", "Metadata"),
)
_REFERENCES = frozenset({"Ref", "Fn::GetAtt", "Fn::Sub"})
_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
_DIALECTS = (
    ("checkov", re.compile(r"CKV\d?_")),
    ("cdk_nag", re.compile(r"(AwsSolutions|Serverless|NIST|HIPAA|PCI)")),
    ("cfn-lint", re.compile(r"[EWI]\d{4}$")),
    ("cfn_nag", re.compile(r"[FW]\d{1,4}$")),
    ("guard", re.compile(r"(CT\.|[A-Z0-9]+(_[A-Z0-9]+)+$)")),
    ("cfripper", re.compile(r"\w+Rule$")),
    ("cloudsplaining", re.compile(r"([A-Z][a-z]+){2,}$")),
    ("parliament", re.compile(r"[A-Z_]+$")),
)


@dataclass
class _Unit:
    """What becomes one CloudFormation stack: one stack of the app, or all of them in the single layout."""

    name: str
    template: Template
    stacks: list[Stack]
    parameters: dict[str, ParameterSource] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """Logical id as it was added -> as it is in the template, for resources that :meth:`Stack.renew` is about."""
    needs: dict[str, str] = field(default_factory=dict)
    """Physical name of a stack this one depends on -> the first reference that makes it so, in words."""

    def collect(self, what: Callable[[Stack], Mapping[str, Any]]) -> dict[str, Any]:
        return {self.renamed.get(key, key): value for stack in self.stacks for key, value in what(stack).items()}


def assemble(app: App) -> tuple[StackArtifact, ...]:
    """Render and link the stacks of ``app``, dependencies first.

    Raises:
        LinkError: stacks refer to each other in a cycle, or a reference has no target.
        SettingsError: a resource misses a property, or an override or waiver names nothing.
    """
    units = _units(app)
    owners = {logical_id: unit for unit in units for logical_id in unit.template["Resources"]}
    _override(app, owners)
    _waive(app, owners)
    renamed: dict[str, str] = {}
    for unit in units:
        _renew(unit)
        renamed |= unit.renamed
        owners |= dict.fromkeys(unit.renamed.values(), unit)
    problems = [problem for unit in units for problem in _Linker(app, unit, owners, renamed).link()]
    if problems:
        raise LinkError(problems)
    return tuple(_artifact(app, unit) for unit in _in_order(units))


def _units(app: App) -> list[_Unit]:
    stacks = [stack for stack in app.stacks.values() if stack.template.resources]
    if not stacks:
        raise SettingsError(f"app {app.name!r}: there must be at least one resource, got none; add a component")
    problems: list[Problem] = []
    rendered = [(stack, _render(stack, app.tags, problems)) for stack in stacks]
    if problems:
        raise SettingsError(problems)
    if app.layout == "layered":
        return [_Unit(stack.physical_name, template, [stack]) for stack, template in rendered]
    merged: Template = {"Description": f"{app.name} ({app.environment})"}
    for stack, template in rendered:
        for section in _SECTIONS:
            for name, value in template.get(section, {}).items():
                known = merged.setdefault(section, {})
                if known.setdefault(name, value) != value:
                    raise SettingsError(
                        Problem(
                            f"{section[:-1].lower()} {name!r} of stack {stack.name!r}: must be the same in every stack "
                            'for layout="single", got different ones; rename it in one stack',
                            stack.origin,
                        )
                    )
        if "Transform" in template:
            merged["Transform"] = template["Transform"]
    return [_Unit(stack_name(app.name, app.environment, None), merged, stacks)]


def _render(stack: Stack, tags: Mapping[str, str], problems: list[Problem]) -> Template:
    source = stack.template
    resources = {}
    for name, resource in source.resources.items():
        try:
            rendered = encode(resource)
        except (ValueError, TypeError) as error:
            problems.append(Problem(f"resource {name!r}: {error}", stack.origins.get(name)))
            continue
        properties = rendered.setdefault("Properties", {})
        apply_tags(resource, properties, tags)
        if not properties:
            del rendered["Properties"]
        resources[name] = {key: rendered[key] for key in _ATTRIBUTES if key in rendered}
    template: Template = {"Description": source.description, "Resources": resources}
    for section in _SECTIONS:
        if section != "Resources" and (content := getattr(source, section.lower())):
            template[section] = encode(content)
    if source.transform:
        template["Transform"] = encode(source.transform)
    return template


def _override(app: App, owners: Mapping[str, _Unit]) -> None:
    problems = []
    for name, path, value, origin in app.overrides:
        if name not in owners:
            message = f"override of {name!r}: there is no such resource{nearest(name, owners)}"
            problems.append(Problem(message, origin))
        elif not _change(owners[name].template["Resources"][name], path.split("."), value):
            message = (
                f"override of {name!r}: path must lead to a property, got {path!r}; "
                f"start at the resource, for example Properties.{path.rpartition('.')[2]}"
            )
            problems.append(Problem(message, origin))
    if problems:
        raise SettingsError(problems)


def _change(node: Any, path: Sequence[str], value: Any) -> bool:
    """Set ``path`` of the resource ``node`` to ``value``, and return whether there is such a place."""
    *parents, last = path
    if path[0] not in _ATTRIBUTES:
        return False
    try:
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        if value is None:
            node.pop(int(last) if isinstance(node, list) else last)
        elif isinstance(node, list) and int(last) == len(node):
            node.append(encode(value))
        else:
            node[int(last) if isinstance(node, list) else last] = encode(value)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return False
    return True


def _waive(app: App, owners: Mapping[str, _Unit]) -> None:
    problems = [
        Problem(f"waiver of {waiver.rule} on {waiver.resource!r}: there is no such resource"
                f"{nearest(waiver.resource, owners)}", waiver.origin)
        for waiver in app.waivers
        if waiver.resource not in owners
    ]  # fmt: skip
    if problems:
        raise SettingsError(problems)
    for waiver in app.waivers:
        metadata = owners[waiver.resource].template["Resources"][waiver.resource].setdefault("Metadata", {})
        dialect = next((name for name, pattern in _DIALECTS if pattern.match(waiver.rule)), "archlib")
        write_suppression(metadata, dialect, [waiver.rule], waiver.reason)


def _renew(unit: _Unit) -> None:
    """Give what cannot be updated a logical id that follows the resources it was made from."""
    resources = unit.template["Resources"]
    for title, following in unit.collect(lambda stack: stack.renewed).items():
        content = []
        for name in following:
            properties = resources.get(name, {}).get("Properties", {})
            content.append((name, {key: value for key, value in properties.items() if key != "Tags"}))
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
        unit.renamed[title] = title + digest
    unit.template["Resources"] = {unit.renamed.get(name, name): node for name, node in resources.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known name closest to ``name``, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


class _Linker:
    """Makes every reference of one unit resolve inside it."""

    def __init__(self, app: App, unit: _Unit, owners: Mapping[str, _Unit], renamed: Mapping[str, str]) -> None:
        self.app = app
        self.unit = unit
        self.owners = owners
        self.renamed = renamed
        self.origins: dict[str, Origin] = unit.collect(lambda stack: stack.origins)
        self.local = set(unit.template["Resources"]) | set(unit.template.get("Parameters", ()))
        self.problems: list[Problem] = []
        self.where = ""

    def link(self) -> list[Problem]:
        """Rewrite the unit's template in place and return the references that lead nowhere."""
        template = self.unit.template
        for section in ("Conditions", "Outputs", "Resources"):
            for name, node in list(template.get(section, {}).items()):
                self.where = name
                if section == "Resources" and "DependsOn" in node:
                    self._depends_on(node)
                template[section][name] = self._resolve(node)
        return self.problems

    def _resolve(self, node: Any) -> Any:
        # Every value of every template comes through here: cheap tests first, and nothing is copied.
        if isinstance(node, dict):
            if len(node) == 1:
                ((key, value),) = node.items()
                if key in _REFERENCES:
                    return self._intrinsic(key, value, node)
            for key, value in node.items():
                if isinstance(value, (dict, list)):
                    node[key] = self._resolve(value)
        elif isinstance(node, list):
            for index, value in enumerate(node):
                if isinstance(value, (dict, list)):
                    node[index] = self._resolve(value)
        return node

    def _intrinsic(self, key: str, value: Any, node: Template) -> Template:
        if key == "Ref":
            return self._reference(value, "", node)
        if key == "Fn::Sub":
            return {key: self._substitution(value)}
        target, attribute = value.split(".", 1) if isinstance(value, str) else value
        return self._reference(target, self._resolve(attribute), node)

    def _reference(self, target: str, attribute: Any, node: Template) -> Template:
        if target in self.renamed:
            target = self.renamed[target]
            node = {"Fn::GetAtt": [target, attribute]} if attribute else {"Ref": target}
        if target in self.local or target.startswith("AWS::"):
            return node
        producer = self.owners.get(target)
        if producer is None or producer is self.unit or not isinstance(attribute, str):
            hint = nearest(target, [*self.local, *self.owners])
            message = f"resource {self.where!r}: refers to {target!r}, which no stack of the app has{hint}"
            self.problems.append(Problem(message, self.origins.get(self.where)))
            return node
        name = link_name(target, attribute)
        self._need(producer, target)
        output = producer.template.setdefault("Outputs", {}).setdefault(
            name, {"Description": f"{attribute or 'Ref'} of {target}", "Value": dict(node)}
        )
        if output["Value"] != node:
            message = f"output {name!r} of stack {producer.name!r} clashes with the link to {target!r}; rename it"
            self.problems.append(Problem(message, self.origins.get(self.where)))
        if self.app.links == "exports":
            output["Export"] = {"Name": f"{producer.name}:{name}"}
            return {"Fn::ImportValue": f"{producer.name}:{name}"}
        if self.app.links == "stack-output":
            return {"Fn::GetStackOutput": {"StackName": producer.name, "OutputName": name}}
        if name in self.local:
            message = f"{name!r} of stack {self.unit.name!r} clashes with the link to {target!r}; rename it"
            self.problems.append(Problem(message, self.origins.get(name)))
            return node
        self.unit.template.setdefault("Parameters", {})[name] = {
            "Type": "String",
            "Description": f"{attribute or 'Ref'} of {target} in stack {producer.name}",
        }
        self.unit.parameters[name] = ParameterSource("output", producer.name, name)
        return {"Ref": name}

    def _need(self, producer: _Unit, target: str) -> None:
        origin = self.origins.get(self.where)
        self.unit.needs.setdefault(producer.name, f"{self.where} uses {target}" + (f" ({origin})" if origin else ""))

    def _substitution(self, value: Any) -> Any:
        text, variables = (value, {}) if isinstance(value, str) else (value[0], self._resolve(value[1]))
        added: dict[str, Any] = {}

        def replace(match: re.Match[str]) -> str:
            target, _, attribute = match[1].partition(".")
            if match[1] in variables or target in self.local or target.startswith("AWS::"):
                return match[0]
            node = {"Fn::GetAtt": [target, attribute]} if attribute else {"Ref": target}
            linked = self._reference(target, attribute, node)
            name = link_name(target, attribute)
            if linked != {"Ref": name}:
                added[name] = linked
            return f"${{{name}}}"

        text = _VARIABLE.sub(replace, text)
        return [text, {**variables, **added}] if variables or added else text

    def _depends_on(self, node: Template) -> None:
        """Keep what is local; a dependency on another unit's resource is one on that unit."""
        wanted = node["DependsOn"] if isinstance(node["DependsOn"], list) else [node["DependsOn"]]
        kept = []
        for name in wanted:
            target: str = self.renamed.get(name, name)
            producer = self.owners.get(target)
            if producer is None:
                self._reference(target, "", node)
            elif producer is self.unit:
                kept.append(target)
            else:
                self._need(producer, target)
        if kept:
            node["DependsOn"] = kept[0] if len(kept) == 1 else sorted(kept)
        else:
            del node["DependsOn"]


def _in_order(units: list[_Unit]) -> list[_Unit]:
    by_name = {unit.name: unit for unit in units}
    try:
        order = TopologicalSorter({unit.name: unit.needs for unit in units}).static_order()
        return [by_name[name] for name in order]
    except CycleError as error:
        # graphlib lists each node behind the one it is needed by.
        cycle = list(reversed(error.args[1]))
        steps = [f"{user} needs {used}: {by_name[user].needs[used]}" for user, used in pairwise(cycle)]
        raise LinkError(
            "stacks depend on each other in a cycle; move one of these into the other's stack:\n  " + "\n  ".join(steps)
        ) from None


def _artifact(app: App, unit: _Unit) -> StackArtifact:
    template = unit.template
    sources = dict(unit.parameters)
    for name in template.get("Parameters", ()):
        sources.setdefault(name, ParameterSource("asset-bucket" if name == ASSET_BUCKET else "user"))
    if "Parameters" in template:
        template["Parameters"] = dict(sorted(template["Parameters"].items()))
    if "Outputs" in template:
        template["Outputs"] = dict(sorted(template["Outputs"].items()))
    assets: dict[str, Asset] = unit.collect(lambda stack: stack.assets)
    permissions: dict[str, list[Permission]] = unit.collect(lambda stack: stack.permissions)
    return StackArtifact(
        name=unit.name,
        template={"AWSTemplateFormatVersion": "2010-09-09"}
        | {key: template[key] for key in ("Transform", "Description", *_SECTIONS) if key in template},
        tags=app.tags,
        parameters=dict(sorted(sources.items())),
        depends_on=frozenset(unit.needs),
        assets=tuple(assets[key] for key in sorted(assets)),
        origins=unit.collect(lambda stack: stack.origins),
        permissions={name: tuple(reasons) for name, reasons in permissions.items()},
        waivers=tuple(
            replace(waiver, resource=name)
            for waiver in app.waivers
            if (name := unit.renamed.get(waiver.resource, waiver.resource)) in template["Resources"]
        ),
    )
