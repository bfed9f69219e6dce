"""What the command line and scripts both call: synthesize, check, write."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from archlib.blueprints.load import load
from archlib.checks.finding import Finding
from archlib.checks.run import REGIONS, Lint, check
from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.core.source import Lines, read_yaml
from archlib.emit.template import to_json, to_yaml
from archlib.errors import CheckError, Problem, SourceError
from archlib.output import MANIFEST, write_texts

_INLINE_BYTES = 51_200


@dataclass(frozen=True, slots=True)
class Synthesis:
    """The stacks of an app and what is wrong with them.

    Attributes:
        app: name of the app.
        environment: its environment.
        stacks: dependencies first.
        findings: worst first.
    """

    app: str
    environment: str
    stacks: tuple[StackArtifact, ...]
    findings: tuple[Finding, ...]

    @property
    def resources(self) -> int:
        """Return how many resources the stacks have together."""
        return sum(len(stack.template["Resources"]) for stack in self.stacks)


def synthesize(
    app: App, *, lint: bool = True, regions: Sequence[str] = REGIONS, linter: Lint | None = None
) -> Synthesis:
    """Assemble ``app`` and check it.

    Args:
        app: the app.
        lint: check the templates; without it no finding is reported.
        regions: where the templates must work.
        linter: what lints, see :func:`archlib.checks.check`.

    Raises:
        LinkError: references between the stacks do not resolve.
        SettingsError: a resource is incomplete.
    """
    stacks = app.assemble()
    findings = check(stacks, regions=regions, lint=linter) if lint else ()
    return Synthesis(app.name, app.environment, stacks, findings)


def render(synthesis: Synthesis, *, form: Literal["yaml", "json"] = "yaml") -> dict[str, str]:
    """Return the templates and the manifest of ``synthesis``: file name -> text.

    Raises:
        CheckError: there are unwaived error findings.
    """
    blocking = [finding for finding in synthesis.findings if finding.blocking]
    if blocking:
        raise CheckError(
            Problem(f"{finding.rule} {finding.stack}/{finding.resource or '-'}: {finding.message}", finding.origin)
            for finding in blocking
        )
    texts = {f"{stack.name}.{form}": _text(stack, form) for stack in synthesis.stacks}
    return {**texts, MANIFEST: json.dumps(_manifest(synthesis, texts, form), indent=2, ensure_ascii=False) + "\n"}


def write(synthesis: Synthesis, folder: Path, *, form: Literal["yaml", "json"] = "yaml") -> tuple[Path, ...]:
    """Write the templates and a manifest into ``folder``, and return the files; see :func:`render`.

    Raises:
        CheckError: there are unwaived error findings; nothing was written.
        OutputError: the folder cannot be written.
    """
    return write_texts(render(synthesis, form=form), folder)


def _text(stack: StackArtifact, form: Literal["yaml", "json"]) -> str:
    if form == "yaml":
        return to_yaml(stack.template)
    pretty = to_json(stack.template)
    return pretty if len(pretty.encode()) <= _INLINE_BYTES else to_json(stack.template, minified=True)


def _manifest(synthesis: Synthesis, texts: dict[str, str], form: str) -> dict[str, Any]:
    return {
        "app": synthesis.app,
        "environment": synthesis.environment,
        "stacks": [
            {
                "name": stack.name,
                "file": f"{stack.name}.{form}",
                "sha256": hashlib.sha256(texts[f"{stack.name}.{form}"].encode()).hexdigest(),
                "resources": len(stack.template["Resources"]),
                "depends_on": sorted(stack.depends_on),
                "parameters": {
                    name: {key: value for key, value in asdict(source).items() if value}
                    for name, source in stack.parameters.items()
                },
                "assets": [{"sha256": asset.sha256, "key": asset.key} for asset in stack.assets],
                "tags": dict(stack.tags),
            }
            for stack in synthesis.stacks
        ],
    }


def read_template(path: Path) -> StackArtifact:
    """Return any CloudFormation template as a stack that can be checked, with the line of each resource.

    Raises:
        SourceError: the file cannot be read, or is not a template.
    """
    return _template(path, *read_yaml(path))


def _template(path: Path, content: Any, lines: Lines) -> StackArtifact:
    file = str(path.resolve())
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        message = "must be a CloudFormation template with Resources, or a blueprint; check the file"
        raise SourceError(Problem(message, Origin(file, 1)))
    origins = {
        str(key[1]): Origin(file, line)
        for key, line in sorted(lines.items(), key=lambda item: item[0][:1] == ("Resources",))
        if len(key) == 2  # noqa: PLR2004  (section and name; of two of one name the resource wins)
    }
    return StackArtifact(name=path.name, template=content, origins=origins)


def read_stacks(
    file: Path,
    *,
    environment: str | None = None,
    sets: Sequence[str] = (),
    layout: Literal["layered", "single"] | None = None,
) -> tuple[StackArtifact, ...]:
    """Return the stacks of a blueprint or Python file, or the one stack that any other template is.

    Raises:
        SourceError: the file cannot be read.
        SettingsError: something in it is wrong.
    """
    if file.suffix != ".py":
        content, lines = read_yaml(file)
        if isinstance(content, dict) and "Resources" in content and "blueprint" not in content:
            return (_template(file, content, lines),)
    return load(file, environment=environment, sets=sets, layout=layout).assemble()


def explain(stacks: Sequence[StackArtifact], resource: str) -> dict[str, Any] | None:
    """Return what is known about the logical id ``resource``, or None if no stack has it.

    The permissions of a role are those of its policies.
    """
    for stack in stacks:
        template = stack.template["Resources"].get(resource)
        if template is None:
            continue
        used_by = [name for name, other in stack.template["Resources"].items() if resource in _references(other)]
        kind = template.get("Type") if isinstance(template, dict) else None
        policies = [resource, *used_by] if kind == "AWS::IAM::Role" else [resource]
        origin = stack.origins.get(resource)
        return {
            "id": resource,
            "type": kind,
            "stack": stack.name,
            "origin": str(origin) if origin else None,
            "uses": sorted(_references(template)),
            "used_by": sorted(used_by),
            "template": template,
            "permissions": [
                {
                    "why": permission.why,
                    "actions": list(permission.actions),
                    "origin": str(permission.origin) if permission.origin else None,
                }
                for policy in policies
                for permission in stack.permissions.get(policy, ())
            ],
        }
    return None


def _references(node: Any) -> set[str]:
    """Return the names that ``node`` refers to by ``Ref``, ``Fn::GetAtt`` or ``Fn::Sub``."""
    match node:
        case {"Ref": str(name)} if len(node) == 1:
            return set() if name.startswith("AWS::") else {name}
        case {"Fn::GetAtt": [str(name), *_]} if len(node) == 1:
            return {name}
        case {"Fn::GetAtt": str(name)} if len(node) == 1:
            return {name.split(".")[0]}
        case {"Fn::Sub": [str(text), dict(variables)]} if len(node) == 1:
            return _references({"Fn::Sub": text}) - variables.keys() | _references(variables)
        case {"Fn::Sub": str(text)} if len(node) == 1:
            names = {match[1].split(".")[0] for match in re.finditer(r"\$\{([^!}]+)\}", text)}
            return {name for name in names if not name.startswith("AWS::")}
        case dict():
            return set().union(*(_references(value) for value in node.values()))
        case list():
            return set().union(*(_references(value) for value in node))
        case _:
            return set()
