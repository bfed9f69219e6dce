"""What the command line and scripts both call: synthesize, check, write."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from archlib.blueprints.load import load
from archlib.checks.finding import Finding
from archlib.checks.run import REGIONS, check
from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.core.source import read_yaml
from archlib.emit.template import to_json, to_yaml
from archlib.errors import CheckError, OutputError, Problem, SourceError

MANIFEST = "manifest.json"
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


def synthesize(app: App, *, lint: bool = True, regions: Sequence[str] = REGIONS) -> Synthesis:
    """Assemble ``app`` and check it.

    Args:
        app: the app.
        lint: check the templates; without it no finding is reported.
        regions: where the templates must work.

    Raises:
        LinkError: references between the stacks do not resolve.
        SettingsError: a resource is incomplete.
    """
    stacks = app.assemble()
    findings = check(stacks, regions=regions) if lint else ()
    return Synthesis(app.name, app.environment, stacks, findings)


def write(synthesis: Synthesis, folder: Path, *, form: Literal["yaml", "json"] = "yaml") -> tuple[Path, ...]:
    """Write the templates and a manifest into ``folder``, and return the files.

    Files of an earlier synthesis in the folder that are no longer needed are removed; others are left alone.

    Raises:
        CheckError: there are unwaived error findings; nothing was written.
        OutputError: the folder cannot be written.
    """
    blocking = [finding for finding in synthesis.findings if finding.blocking]
    if blocking:
        raise CheckError(
            Problem(f"{finding.rule} {finding.stack}/{finding.resource or '-'}: {finding.message}", finding.origin)
            for finding in blocking
        )
    texts = {f"{stack.name}.{form}": _text(stack, form) for stack in synthesis.stacks}
    texts[MANIFEST] = json.dumps(_manifest(synthesis, texts, form), indent=2, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = _written_before(folder) - texts.keys()
        for name, text in texts.items():
            _replace(folder / name, text)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        message = f"folder {str(folder)!r}: cannot be written: {error.strerror}; choose another one with --out"
        raise OutputError(message) from None
    return tuple(folder / name for name in texts)


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


def _written_before(folder: Path) -> set[str]:
    try:
        stacks = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["stacks"]
        names = {str(stack["file"]) for stack in stacks}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if Path(name).name == name}


def _replace(file: Path, text: str) -> None:
    """Write ``text`` so that the file is either the old one or the new one, never half of it."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_template(path: Path) -> StackArtifact:
    """Return any CloudFormation template as a stack that can be checked, with the line of each resource.

    Raises:
        SourceError: the file cannot be read, or is not a template.
    """
    content, lines = read_yaml(path)
    file = str(path.resolve())
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        message = "must be a CloudFormation template with Resources, or a blueprint; check the file"
        raise SourceError(Problem(message, Origin(file, 1)))
    origins = {
        str(key[1]): Origin(file, line)
        for key, line in lines.items()
        if len(key) == 2  # noqa: PLR2004  (section and name)
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
        content, _ = read_yaml(file)
        if isinstance(content, dict) and "Resources" in content and "blueprint" not in content:
            return (read_template(file),)
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
        policies = [resource, *used_by] if template["Type"] == "AWS::IAM::Role" else [resource]
        origin = stack.origins.get(resource)
        return {
            "id": resource,
            "type": template["Type"],
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
        case {"Fn::Sub": str(text)} if len(node) == 1:
            names = {match[1].split(".")[0] for match in re.finditer(r"\$\{([^!}]+)\}", text)}
            return {name for name in names if not name.startswith("AWS::")}
        case dict():
            return set().union(*(_references(value) for value in node.values()))
        case list():
            return set().union(*(_references(value) for value in node))
        case _:
            return set()
