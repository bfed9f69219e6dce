"""Build, check, write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from archlib.blueprints.load import load
from archlib.checks.finding import Finding
from archlib.checks.run import REGIONS, Lint, check
from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.core.regions import check_regions
from archlib.core.source import Lines, read_yaml
from archlib.core.values import PSEUDO_PARAMETERS, references
from archlib.emit.template import to_json, to_yaml
from archlib.errors import CheckError, Problem, SettingsError, SourceError, UsageError
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
        UsageError: CloudFormation is not in one of ``regions``.
    """
    check_regions(regions)
    stacks = app.assemble()
    findings = check(stacks, regions=regions, lint=linter) if lint else ()
    return Synthesis(app.name, app.environment, stacks, findings)


def render(synthesis: Synthesis, *, form: Literal["yaml", "json"] = "yaml") -> dict[str, str]:
    """Return the templates and the manifest of ``synthesis``: file name -> text.

    Raises:
        CheckError: there are unwaived error findings.
        SettingsError: a text cannot be written as UTF-8.
    """
    blocking = [finding for finding in synthesis.findings if finding.blocking]
    if blocking:
        raise CheckError(
            Problem(f"{finding.rule} {finding.stack}/{finding.resource or '-'}: {finding.message}", finding.origin)
            for finding in blocking
        )
    try:
        texts = {f"{stack.name}.{form}": _text(stack, form) for stack in synthesis.stacks}
        manifest = _manifest(synthesis, texts, form)
    except UnicodeEncodeError:
        raise SettingsError([problem for stack in synthesis.stacks for problem in _unwritable(stack)]) from None
    return {**texts, MANIFEST: json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"}


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


def _unwritable(stack: StackArtifact) -> Iterator[Problem]:
    """Yield the texts of ``stack`` that have no form in UTF-8."""
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), stack.template)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, dict):
            todo += [((*path, key), value) for key, value in node.items()]
        elif isinstance(node, list):
            todo += [((*path, index), value) for index, value in enumerate(node)]
        elif isinstance(node, str) and not node.isascii():
            try:
                node.encode()
            except UnicodeEncodeError as error:
                message = f"must be characters only, got {node[error.start]!r}, half of a surrogate pair; remove it"
                yield Problem(f"stack {stack.name!r}: {'.'.join(map(str, path))} {message}", stack.origin(path))


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
                **({"region": stack.region} if stack.region else {}),
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
    """Return any CloudFormation template as a stack that can be checked, with the line of each of its keys.

    Raises:
        SourceError: the file cannot be read, or is not a template.
    """
    return _template(path, *read_yaml(path))


def _template(path: Path, content: Any, lines: Lines) -> StackArtifact:
    file = str(path.resolve())
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        message = "must be a CloudFormation template with Resources, or a blueprint; check the file"
        raise SourceError(Problem(message, Origin(file, 1)))
    places = {path: Origin(file, line) for path, line in lines.items()}
    origins = {name: places["Resources", name] for name in content["Resources"]}
    return StackArtifact(name=path.name, template=content, origins=origins, places=places)


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
        UsageError: ``environment``, ``sets`` or ``layout`` are given for a template.
    """
    if file.suffix != ".py":
        content, lines = read_yaml(file)
        if isinstance(content, dict) and "Resources" in content and "blueprint" not in content:
            if environment is not None or sets or layout is not None:
                message = f"--env, --set and --layout work on blueprints only, got the template {str(file)!r}"
                raise UsageError(f"{message}; check it by itself, without them")
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
        used_by = [name for name, other in stack.template["Resources"].items() if resource in references(other)]
        kind = template.get("Type") if isinstance(template, dict) else None
        policies = [resource, *used_by] if kind == "AWS::IAM::Role" else [resource]
        origin = stack.origins.get(resource)
        return {
            "id": resource,
            "type": kind,
            "stack": stack.name,
            "origin": str(origin) if origin else None,
            "uses": sorted(references(template) - PSEUDO_PARAMETERS),
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
