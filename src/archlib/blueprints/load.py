"""From a YAML or Python file to an app."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from archlib.blueprints.base import Settings
from archlib.blueprints.registry import BUILT_IN, blueprint, names
from archlib.cache import record
from archlib.core.app import App, Layout, Links
from archlib.core.assembly import nearest
from archlib.core.naming import check_name
from archlib.core.origin import Origin, at
from archlib.core.source import Path_, Source, parse_yaml, read_text, read_yaml
from archlib.core.stack import Removal
from archlib.core.tags import check_tags
from archlib.core.target import Target
from archlib.errors import ArchlibError, Problem, SettingsError, SourceError, UsageError
from archlib.units import show

M = TypeVar("M", bound=BaseModel)
_WORDS = {
    "bool": "true or false",
    "date": "a date such as 2030-01-31",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "mapping": "a mapping",
    "model": "a mapping",
    "path": "a path",
    "string": "text",
    "tuple": "a list",
}
"""What pydantic's types are called here."""


class WaiverSettings(Settings):
    """A finding that is accepted on one resource."""

    resource: str
    """Logical id of the resource."""

    rule: str
    """Id of the rule, such as ``W9201``."""

    reason: str
    """Why it is right here; it is written into the resource's metadata."""

    expires: date | None = None
    """Last day on which the waiver holds."""


class TargetSettings(Settings):
    """One account and region, and the rules there; see :class:`archlib.core.target.Target`."""

    account: str | None = None
    """Twelve digits, in quotes; credentials of another account are refused."""

    region: str | None = None
    """Where the stacks go; what the AWS configuration says by default."""

    profile: str | None = None
    """Profile of the AWS configuration."""

    assume_role: str | None = None
    """ARN of a role that the deployer takes on."""

    service_role: str | None = None
    """ARN of the role with which CloudFormation works; it sticks to the stacks."""

    protected: bool = False
    """Deploying and destroying ask for the app's name, and the stacks get termination protection."""

    notifications: list[str] = Field(default_factory=list)
    """ARNs of topics that CloudFormation tells of every event, up to 5."""

    rollback_alarms: list[str] = Field(default_factory=list)
    """ARNs of CloudWatch alarms that roll a change back, up to 5."""

    rollback_minutes: int = 0
    """How long the alarms are watched after a change, 0 to 180."""

    stack_policy: Path | None = None
    """A stack policy, JSON, for every stack."""

    parameters: dict[str, str] = Field(default_factory=dict)
    """Values of template parameters that no stack gives: ``Name`` or ``Stack.Name`` -> value."""


class Document(Settings):
    """A blueprint file."""

    blueprint: str
    """Which blueprint to build."""

    app: str
    """Name of the app; first part of every stack name."""

    environment: str = "dev"
    """Environment that is built unless another one is asked for; second part of every stack name."""

    settings: dict[str, Any] = Field(default_factory=dict)
    """Settings of the blueprint, the same for every environment."""

    environments: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What differs by environment: merged over ``settings``. If any is listed, only listed ones can be built."""

    targets: dict[str, TargetSettings | list[TargetSettings]] = Field(default_factory=dict)
    """Environment -> the account and region it is deployed to, or a list of them."""

    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of every resource."""

    removal: Removal | dict[str, Removal] = "Retain"
    """``Retain`` keeps data when its stack goes away; ``Delete`` is for throw-away environments. Also by environment:
    ``{dev: Delete}``, where ``Retain`` holds for the others."""

    layout: Layout = "layered"
    """``layered``: stacks by lifecycle; ``single``: one template."""

    links: Links = "parameters"
    """How values get from stack to stack."""

    waivers: list[WaiverSettings] = Field(default_factory=list)
    """Findings that are accepted, each with its reason."""

    overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Logical id -> path in the resource -> value: ``{OrdersTable: {Properties.TableClass: STANDARD}}``."""


def load(
    file: Path | str,
    *,
    environment: str | None = None,
    sets: Sequence[str] = (),
    layout: Literal["layered", "single"] | None = None,
) -> App:
    """Return the app that ``file`` describes.

    Args:
        file: a blueprint in YAML, or a Python file that defines ``app``: an :class:`App`, or a function that takes
            the environment and returns one.
        environment: which environment; the file's own by default.
        sets: ``path=value`` to change settings after everything else; for YAML only.
        layout: instead of the file's own.

    Raises:
        SourceError: the file cannot be read or run.
        SettingsError: something in it is wrong; all problems at once.
        UsageError: it has no such environment.
    """
    path = Path(file)
    if path.suffix != ".py":
        return _from_yaml(path, environment, sets, layout)
    app = _from_python(path, environment, sets)
    if layout is not None:
        app.layout = layout
    return app


def _from_yaml(path: Path, environment: str | None, sets: Sequence[str], layout: Layout | None) -> App:
    content, lines = read_yaml(path)
    source = Source(str(path.resolve()), lines)
    if not isinstance(content, dict):
        message = "must be a mapping with the keys blueprint, app and settings; start with: archlib init"
        raise SettingsError(Problem(message, Origin(str(path.resolve()), 1)))
    if "Resources" in content and "blueprint" not in content:
        message = f"must be a blueprint, got a CloudFormation template; check it with: archlib check {path}"
        raise SourceError(Problem(message, source.origin()))
    document = validate(Document, content, source)
    # What the blueprints of other packages depend on is not known here.
    record(path if document.blueprint in BUILT_IN else None)
    kind = _blueprint(document.blueprint, source)
    chosen = _environment(document, environment, source)
    asked = None if environment is None else Origin("--env", 0)
    for what, name, origin in (("app", document.app, None), ("environment", chosen, asked)):
        with at(origin or source.origin(what)):
            check_name(name, what)
    for key, value in document.tags.items():
        with at(source.origin("tags", key)):
            check_tags({key: value})
    merged = _merge(document.settings, document.environments.get(chosen, {}))
    applied = [_set(merged, text) for text in sets]
    settings_source = source.under(("environments", chosen), ("settings",), changes=applied)
    settings = validate(kind.Settings, merged, settings_source, context={"folder": source.folder})
    with at(source.origin("app")):
        app = App(
            document.app,
            chosen,
            tags=document.tags,
            removal=document.removal if isinstance(document.removal, str) else document.removal.get(chosen, "Retain"),
            layout=layout or document.layout,
            links=document.links,
        )
    app.targets = tuple(_targets(document, chosen, source))
    with at(source.origin()):
        kind(app, settings, source=settings_source)
    for index, waiver in enumerate(document.waivers):
        with at(source.origin("waivers", index)):
            app.waive(waiver.resource, waiver.rule, reason=waiver.reason, expires=waiver.expires)
    for resource, changes in document.overrides.items():
        for place, value in changes.items():
            with at(source.origin("overrides", resource, place)):
                app.override(resource, place, value)
    return app


def _blueprint(name: str, source: Source) -> Any:
    try:
        return blueprint(name)
    except SettingsError as error:
        raise SettingsError(Problem(str(error), source.origin("blueprint"))) from None


def _environment(document: Document, asked: str | None, source: Source) -> str:
    chosen = document.environment if asked is None else asked
    if document.environments and chosen not in document.environments:
        known = ", ".join(document.environments)
        message = f"environment must be one of {known}, got {chosen!r}{nearest(chosen, document.environments)}"
        raise UsageError(Problem(message, source.origin("environments")))
    return chosen


def _targets(document: Document, environment: str, source: Source) -> Iterator[Target]:
    """Yield where ``environment`` goes."""
    known = ", ".join(document.environments)
    problems = [
        Problem(
            f"targets.{name}: must be an environment, one of {known}{nearest(name, document.environments)}",
            source.origin("targets", name),
        )
        for name in document.targets
        if document.environments and name not in document.environments
    ]
    found = document.targets.get(environment, [])
    listed = isinstance(found, list)
    for index, settings in enumerate(found if isinstance(found, list) else [found]):
        place = ("targets", environment, *((index,) if listed else ()))
        try:
            # A path is relative to the file.
            policy = settings.stack_policy and read_text(source.folder / settings.stack_policy)
            yield Target(
                **{
                    **settings.model_dump(),
                    "notifications": tuple(settings.notifications),
                    "rollback_alarms": tuple(settings.rollback_alarms),
                    "stack_policy": policy,
                }
            )
        except (SettingsError, SourceError) as error:
            problems += [
                Problem(
                    problem.message, source.origin(*place, problem.field) if problem.field else source.origin(*place)
                )
                for problem in error.problems
            ]
    if problems:
        raise SettingsError(problems)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return merged


def _set(settings: dict[str, Any], text: str) -> tuple[Path_, Origin]:
    """Change ``settings`` as ``text`` says, and return what changed and the place that says so."""
    path, separator, value = text.partition("=")
    if not separator or not path:
        raise UsageError(f"--set must be path=value, got {text!r}; for example functions.api.memory_mib=512")
    origin = Origin(f"--set {text}", 0)
    if not value.strip():
        message = f"value must be given, got nothing; write '{path}=\"\"' for empty text, or {path}=null for none"
        raise UsageError(Problem(message, origin))
    changed: list[str | int] = []
    node: Any = settings
    *parents, last = path.split(".")
    for key in parents:
        changed.append(_step(node, key, changed, origin))
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = {}
        node = node[changed[-1]]
    changed.append(_step(node, last, changed, origin))
    node[changed[-1]] = parse_yaml(value)
    return tuple(changed), origin


def _step(node: Any, key: str, above: Sequence[str | int], origin: Origin) -> str | int:
    """Return ``key`` as ``node``, which is at the path ``above``, takes it: a number in a list."""
    place = ".".join(map(str, above))
    match node:
        case dict():
            return key
        case list() if key.isdecimal() and int(key) < len(node):
            return int(key)
        case list():
            known = f"a place in the list, 0 to {len(node) - 1}" if node else "left out, for an empty list"
            message = f"what follows {place!r} must be {known}, got {key!r}; or set the whole list: {place}=[...]"
        case _:
            message = f"{key!r} is inside a value, not a mapping; shorten the path to {place!r}"
    raise UsageError(Problem(message, origin))


def validate(
    model: type[M],
    content: Any,
    source: Source,
    *,
    context: dict[str, Any] | None = None,
) -> M:
    """Return ``content`` as ``model``, or raise all that is wrong with it, each with its line.

    Args:
        model: the settings class.
        content: plain data.
        source: where it was written.
        context: passed to validators.

    Raises:
        SettingsError: something is wrong.
    """
    try:
        return model.model_validate(content, context=context)
    except ValidationError as error:
        by_place: dict[Path_, list[Any]] = {}
        for details in error.errors():
            by_place.setdefault(_place(content, details), []).append(details)
        problems = [
            Problem(
                f"{'.'.join(map(str, (*source.prefix, *path)))}: {_message(model, path, found)}", source.origin(*path)
            )
            for path, found in by_place.items()
            # What is wrong further inside says more than the other branches of a union, which do not fit at all.
            if not any(other[: len(path)] == path for other in by_place if other != path)
        ]
        raise SettingsError(sorted(problems, key=lambda problem: problem.origin or Origin("", 0))) from None


def _message(model: type[BaseModel], path: Path_, found: Sequence[Any]) -> str:
    """Return what is wrong at ``path``; a union has one entry in ``found`` for each of its branches."""
    details = found[0]
    match details["type"]:
        case "extra_forbidden":
            known = _known_keys(model, path[:-1])
            hint = nearest(str(path[-1]), known) or (f"; known are {', '.join(sorted(known))}" if known else "")
            return f"unknown key {path[-1]!r}{hint}"
        case "missing":
            return f"must be set; add {path[-1]!r}"
        case _:
            words = dict.fromkeys(_allowed(each).removeprefix("must be ") for each in found)
            allowed = f"must be {' or '.join(words)}"
            if ", got " in allowed:
                return allowed
            advice = "; write {} for the defaults" if details["input"] is None and "mapping" in allowed else ""
            return f"{allowed}, got {_given(details['input'])}{advice}"


def _allowed(details: Any) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    # pydantic tells the type from its form, "int_type" from "int_parsing"; for people it is the same mistake.
    words = _WORDS.get(details["type"].split("_")[0])
    return f"must be {words}" if words else str(details["msg"]).replace("Input should be", "must be")


def _given(value: Any) -> str:
    match value:
        case None | bool() | str() | int() | float():
            return show(value)
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def _place(content: Any, details: Any) -> Path_:
    """Return where in ``content`` the mistake is: pydantic's location without the names of branches of unions."""
    path: list[str | int] = []
    node = content
    for part in details["loc"]:
        if (isinstance(node, Mapping) and part in node) or (isinstance(node, list) and isinstance(part, int)):
            path.append(part)
            node = node[part]
    if details["type"] == "missing":
        path.append(details["loc"][-1])
    return tuple(path)


def _known_keys(model: type[BaseModel], path: Path_) -> set[str]:
    """Return the keys that ``model`` knows at ``path``, read from its JSON schema."""
    schema = model.model_json_schema(by_alias=True)
    nodes = [schema]
    for part in (*path, None):
        expanded: list[dict[str, Any]] = []
        while nodes:
            node = nodes.pop()
            if "$ref" in node:
                nodes.append(schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
            nodes.extend(node.get("anyOf", ()))
            nodes.extend(node.get("oneOf", ()))
            expanded.append(node)
        if part is None:
            return {key for node in expanded for key in node.get("properties", {})}
        for node in expanded:
            children = (
                node.get("properties", {}).get(part),
                node.get("additionalProperties"),
                node.get("items"),
            )
            nodes.extend(child for child in children if isinstance(child, dict))
    return set()


def _from_python(path: Path, environment: str | None, sets: Sequence[str]) -> App:
    if sets:
        raise UsageError(f"--set works on YAML files only, got {str(path)!r}; change the Python file")
    read_text(path)
    record(None)
    file = str(path.resolve())
    sys.path.insert(0, str(path.resolve().parent))
    try:
        found = runpy.run_path(file, run_name="archlib_app").get("app")
        made = (
            found("dev" if environment is None else environment)
            if callable(found) and not isinstance(found, App)
            else found
        )
    except ArchlibError:
        raise
    except SyntaxError as error:
        raise SourceError(
            Problem(f"must be Python: {error.msg}", Origin(error.filename or file, error.lineno or 1))
        ) from None
    except SystemExit as error:
        message = f"must define app and return, got an exit with {error.code!r}; remove it"
        raise SourceError(Problem(message, _last_line(error, file))) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise SourceError(Problem(f"failed: {type(error).__name__}: {error}", _last_line(error, file))) from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    if not isinstance(made, App):
        message = (
            f"must define app = App(...), or a function app(environment) that returns one, got {type(made).__name__}"
        )
        raise SourceError(Problem(message, Origin(file, 1)))
    if environment is not None and made.environment != environment:
        message = f"environment must be {made.environment!r}, the only one this file makes, got {environment!r}"
        raise UsageError(Problem(f"{message}; define a function app(environment) instead", Origin(file, 1)))
    return made


def _last_line(error: BaseException, file: str) -> Origin:
    """Return the deepest line of ``file`` that ``error`` passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return Origin(file, (lines[-1] if lines else None) or 1)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of blueprint files, for editors."""
    document = Document.model_json_schema()
    known = {name: blueprint(name).Settings for name in sorted(names())}
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415  (only the schema needs it)

    roots, shared = models_json_schema([(settings, "validation") for settings in known.values()])
    definitions = {**document.pop("$defs", {}), **shared["$defs"]}
    cases = [
        {
            "if": {"properties": {"blueprint": {"const": name}}},
            "then": {"properties": {"settings": roots[settings, "validation"]}},
        }
        for name, settings in known.items()
    ]
    document["properties"]["blueprint"]["enum"] = sorted(names())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document,
        "title": "archlib blueprint",
        "allOf": cases,
        "$defs": dict(sorted(definitions.items())),
    }
