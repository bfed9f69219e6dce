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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archlib.core.artifact import Asset, ParameterSource, Permission, StackArtifact, Template
from archlib.core.cycles import find_cycle
from archlib.core.forms import wrong_attributes, wrong_reference, wrong_references
from archlib.core.naming import link_name, stack_name
from archlib.core.origin import Origin
from archlib.core.suppression import write_suppression
from archlib.core.tags import apply_tags
from archlib.core.values import PSEUDO_PARAMETERS, SUBSTITUTION, encode
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
    """What becomes one CloudFormation stack: one stack of the app, or in the single layout all those of a region."""

    name: str
    template: Template
    stacks: list[Stack]
    parameters: dict[str, ParameterSource] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """Logical id as it was added -> as it is in the template, for resources that :meth:`Stack.renew` is about."""
    needs: dict[str, str] = field(default_factory=dict)
    """Physical name of a stack this one depends on -> the first reference that makes it so, in words."""

    @property
    def region(self) -> str | None:
        return self.stacks[0].region

    def collect(self, what: Callable[[Stack], Mapping[str, Any]]) -> dict[str, Any]:
        return {self.renamed.get(key, key): value for stack in self.stacks for key, value in what(stack).items()}


def assemble(app: App) -> tuple[StackArtifact, ...]:
    """Render and link the stacks of ``app``, dependencies first.

    Raises:
        LinkError: stacks or resources refer to each other in a cycle, or a reference has no target.
        SettingsError: a resource misses a property, or an override or waiver names nothing.
    """
    references: dict[str, set[str]] = {}
    units = _units(app, references)
    owners = _owners(units)
    _override(app, owners)
    for name, *_ in app.overrides:
        references.pop(name, None)
    _check_attributes(units)
    _waive(app, owners)
    renamed: dict[str, str] = {}
    for unit in units:
        _renew(unit)
        renamed |= unit.renamed
        owners |= dict.fromkeys(unit.renamed.values(), unit)
    # Publishing is being read by someone: a reader that nobody keeps.
    readers = [
        _Unit(stack.physical_name, {"Resources": {stack.name: encode(stack.published)}}, [stack])
        for stack in app.stacks.values()
        if stack.published and app.layout == "layered"
    ]
    linkers = [_Linker(app, unit, owners, renamed, references) for unit in [*units, *readers]]
    problems = [problem for linker in linkers for problem in linker.link()]
    if malformed := [problem for linker in linkers for problem in linker.malformed]:
        raise SettingsError(malformed)
    if problems:
        raise LinkError(problems)
    return tuple(_artifact(app, unit) for unit in _in_order(units))


def _owners(units: Iterable[_Unit]) -> dict[str, _Unit]:
    owners: dict[str, _Unit] = {}
    for unit in units:
        own = dict.fromkeys(unit.template["Resources"], unit)
        for name in sorted(owners.keys() & own.keys()):
            raise SettingsError(
                f"resource {name!r}: logical id must be unique in the app, but stacks {owners[name].name!r} and "
                f"{unit.name!r} both have it; rename one of the two"
            )
        owners |= own
    return owners


def _units(app: App, references: dict[str, set[str]]) -> list[_Unit]:
    """Render the stacks, and note in ``references`` the names that each resource refers to."""
    stacks = [stack for stack in app.stacks.values() if stack.template.resources]
    if not stacks:
        raise SettingsError(f"app {app.name!r}: there must be at least one resource, got none; add a component")
    problems: list[Problem] = []
    rendered = [(stack, _render(stack, app.tags, problems, references)) for stack in stacks]
    if problems:
        raise SettingsError(problems)
    if app.layout == "layered":
        return [_Unit(stack.physical_name, template, [stack]) for stack, template in rendered]
    merged: dict[str | None, _Unit] = {}
    for stack, template in rendered:
        unit = merged.get(stack.region)
        if unit is None:
            description = " ".join(filter(None, (f"{app.name} ({app.environment})", stack.region)))
            name = stack_name(app.name, app.environment, stack.region)
            unit = merged[stack.region] = _Unit(name, {"Description": description}, [])
        unit.stacks.append(stack)
        for section in _SECTIONS:
            for name, value in template.get(section, {}).items():
                known = unit.template.setdefault(section, {})
                if known.setdefault(name, value) != value:
                    raise SettingsError(
                        Problem(
                            f"{section[:-1].lower()} {name!r} of stack {stack.name!r}: must be the same in every stack "
                            'for layout="single", got different ones; rename it in one stack',
                            stack.origin,
                        )
                    )
        if "Transform" in template:
            unit.template["Transform"] = template["Transform"]
    return list(merged.values())


def _render(
    stack: Stack, tags: Mapping[str, str], problems: list[Problem], references: dict[str, set[str]]
) -> Template:
    source = stack.template
    resources: Template = {}
    for name, resource in source.resources.items():
        try:
            rendered = encode(resource, references.setdefault(name, set()))
        except (ValueError, TypeError) as error:
            problems.append(Problem(f"resource {name!r}: {error}", stack.origins.get(name)))
            continue
        properties = rendered.setdefault("Properties", {})
        apply_tags(resource, properties, tags)
        if not properties:
            del rendered["Properties"]
        resources[name] = node = {}
        for key in _ATTRIBUTES:
            if key in rendered:
                node[key] = rendered[key]
    template: Template = {"Description": source.description, "Resources": resources}
    for section in _SECTIONS:
        if section != "Resources" and (content := getattr(source, section.lower())):
            template[section] = encode(content)
    if source.transform:
        template["Transform"] = encode(source.transform)
    return template


def _override(app: App, owners: Mapping[str, _Unit]) -> None:
    problems = [
        Problem(f"override of {name!r}: {wrong}", origin)
        for name, path, value, origin in app.overrides
        for wrong in _set(owners, name, path, value)
    ]
    if problems:
        raise SettingsError(problems)


def _set(owners: Mapping[str, _Unit], name: str, path: str, value: Any) -> Iterator[str]:
    """Set ``path`` of the resource ``name`` to ``value``, and yield what is wrong with that."""
    if name not in owners:
        yield f"there is no such resource{nearest(name, owners)}"
        return
    try:
        encoded = None if value is None else encode(value)
    except (ValueError, TypeError) as error:
        yield str(error)
        return
    keys = path.split(".")
    if not _change(owners[name].template["Resources"][name], keys, encoded):
        yield f"path must lead to a property, got {path!r}; start at the resource, for example Properties.{keys[-1]}"
    elif encoded is not None:
        yield from wrong_attributes({path: encoded} if len(keys) == 1 else {})
        yield from wrong_references({keys[-1]: encoded})


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
            node.append(value)
        else:
            node[int(last) if isinstance(node, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        return False
    return True


def _check_attributes(units: Iterable[_Unit]) -> None:
    problems = [
        Problem(f"resource {name!r}: {wrong}", origin)
        for unit in units
        for origins in [unit.collect(lambda stack: stack.origins)]
        for name, resource in unit.template["Resources"].items()
        for origin in [origins.get(name)]
        for wrong in wrong_attributes(resource)
    ]
    if problems:
        raise SettingsError(problems)


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

    def __init__(
        self,
        app: App,
        unit: _Unit,
        owners: Mapping[str, _Unit],
        renamed: Mapping[str, str],
        references: Mapping[str, set[str]],
    ) -> None:
        self.app = app
        self.unit = unit
        self.owners = owners
        self.renamed = renamed
        self.references = references
        self.origins: dict[str, Origin] = unit.collect(lambda stack: stack.origins)
        self.local = set(unit.template["Resources"]) | set(unit.template.get("Parameters", ()))
        self.problems: list[Problem] = []
        self.malformed: list[Problem] = []
        self.where = ""
        self.used: set[str] = set()

    def link(self) -> list[Problem]:
        """Rewrite the unit's template in place and return the references that lead nowhere, or in a circle."""
        template = self.unit.template
        uses: dict[str, set[str]] = {}
        known = self.local | PSEUDO_PARAMETERS
        for section in ("Conditions", "Outputs", "Resources"):
            for name, node in list(template.get(section, {}).items()):
                self.where = name
                self.used = set()
                if section == "Resources":
                    uses[name] = self.used
                    if "DependsOn" in node:
                        self._depends_on(node)
                # Most resources refer to nothing elsewhere, and need no second look.
                names = self.references.get(name) if section == "Resources" else None
                if names is not None and names <= known:
                    self.used |= names
                else:
                    template[section][name] = self._resolve(node)
        if cycle := find_cycle(uses, self.origins):
            self.problems.append(cycle)
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
        if wrong := wrong_reference(key, value):
            self.malformed.append(Problem(f"resource {self.where!r}: {wrong}", self.origins.get(self.where)))
            return node
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
            self.used.add(target)
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
        # Neither of the other links leads into another region.
        links = self.app.links if producer.region == self.unit.region else "parameters"
        if links == "exports":
            output["Export"] = {"Name": f"{producer.name}:{name}"}
            return {"Fn::ImportValue": f"{producer.name}:{name}"}
        if links == "stack-output":
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
        if producer.name not in self.unit.needs:
            origin = self.origins.get(self.where)
            self.unit.needs[producer.name] = f"{self.where} uses {target}" + (f" ({origin})" if origin else "")

    def _substitution(self, value: Any) -> Any:
        text, variables = (value, {}) if isinstance(value, str) else (value[0], self._resolve(value[1]))
        added: dict[str, Any] = {}

        def replace(match: re.Match[str]) -> str:
            target, _, attribute = match[1].partition(".")
            if match[1] in variables:
                return match[0]
            if target in self.local or target.startswith("AWS::"):
                self.used.add(target)
                return match[0]
            node = {"Fn::GetAtt": [target, attribute]} if attribute else {"Ref": target}
            linked = self._reference(target, attribute, node)
            name = link_name(target, attribute)
            if linked != {"Ref": name}:
                added[name] = linked
            return f"${{{name}}}"

        text = SUBSTITUTION.sub(replace, text)
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
                self.used.add(target)
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


def _places(app: App, unit: _Unit) -> dict[tuple[str | int, ...], Origin]:
    """Return the line of each override in the template of ``unit``."""
    places = {}
    for resource, path, _, origin in app.overrides:
        name = unit.renamed.get(resource, resource)
        node = unit.template["Resources"].get(name)
        if node is None or origin is None:
            continue
        keys: list[str | int] = []
        for key in path.split("."):
            if isinstance(node, list) and key.isdigit():
                keys.append(int(key))
                node = node[int(key)] if int(key) < len(node) else None
            else:
                keys.append(key)
                node = node.get(key) if isinstance(node, dict) else None
        places["Resources", name, *keys] = origin
    return places


def _artifact(app: App, unit: _Unit) -> StackArtifact:
    template = unit.template
    sources = {**unit.parameters, **unit.collect(lambda stack: stack.sources)}
    for name in template.get("Parameters", ()):
        sources.setdefault(name, ParameterSource("user"))
    if "Parameters" in template:
        template["Parameters"] = dict(sorted(template["Parameters"].items()))
    if "Outputs" in template:
        template["Outputs"] = dict(sorted(template["Outputs"].items()))
    assets: dict[str, Asset] = unit.collect(lambda stack: stack.assets)
    permissions: dict[str, list[Permission]] = unit.collect(lambda stack: stack.permissions)
    return StackArtifact(
        name=unit.name,
        region=unit.region,
        template={"AWSTemplateFormatVersion": "2010-09-09"}
        | {key: template[key] for key in ("Transform", "Description", *_SECTIONS) if key in template},
        tags=app.tags,
        parameters=dict(sorted(sources.items())),
        depends_on=frozenset(unit.needs),
        assets=tuple(assets[key] for key in sorted(assets)),
        origins=unit.collect(lambda stack: stack.origins),
        places=_places(app, unit),
        permissions={name: tuple(reasons) for name, reasons in permissions.items()},
        results=tuple(sorted(name for stack in unit.stacks for name in stack.template.outputs)),
        waivers=tuple(
            replace(waiver, resource=name)
            for waiver in app.waivers
            if (name := unit.renamed.get(waiver.resource, waiver.resource)) in template["Resources"]
        ),
    )
