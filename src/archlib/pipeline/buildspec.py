"""A buildspec, version 0.2: what CodeBuild runs, as typed data.

AWS: https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)  # fmt: skip

from archlib.blueprints.load import validate
from archlib.core.assembly import nearest
from archlib.core.formats import VARIABLE
from archlib.core.origin import Origin
from archlib.core.source import Source, read_yaml, read_yaml_text
from archlib.errors import Problem, SourceError
from archlib.units import show

VERSION = "0.2"
PHASES = ("install", "pre_build", "build", "post_build")
"""In the order in which they run."""

FORMATS = (
    *("CUCUMBERJSON", "JUNITXML", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX"),
    *("CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV"),
)
"""Of reports: of tests, then of coverage."""

_KEPT = "CODEBUILD_"
_MOST_REPORTS, _MOST_FALLBACKS, _MOST_RETRIES, _RETRIES = 5, 5, 100, 3
_RETRY = re.compile(r"RETRY(?:-(?P<count>\d+)(?=-|$))?(?:-(?P<pattern>.+))?", re.IGNORECASE | re.DOTALL)
# What YAML makes of the versions 3.10 and 1.20.
_SHORTENED = {"python": 3.1, "golang": 1.2}


class Reference(NamedTuple):
    """A variable whose value is kept elsewhere.

    Attributes:
        variable: its name in the build.
        service: where it is kept.
        id: name of the parameter; name or ARN of the secret.
        json_key: of a secret: the key in it, which is JSON; empty: all of it.
        version_stage: of a secret; empty: the current one.
        version_id: of a secret; empty: the current one.
    """

    variable: str
    service: Literal["parameter-store", "secrets-manager"]
    id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


class Retry(NamedTuple):
    """How often a phase is tried again, and after which errors."""

    times: int
    pattern: re.Pattern[str]


def _text(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            raise ValueError("must be text, got a mapping; put it in quotes if it has a colon and a space in it")
        case _:
            return value


def _yes_or_no(value: Any) -> bool:
    known = {True: True, False: False, "yes": True, "no": False, "true": True, "false": False}
    if not isinstance(value, (bool, str)) or value not in known:
        raise ValueError(f"must be yes or no, got {show(value)}")
    return known[value]


def _version(value: Any) -> str:
    if str(value) == VERSION:
        return VERSION
    raise ValueError(f"must be {VERSION}, got {show(value)}; in 0.1 each command has a shell of its own")


def _variable(name: str) -> str:
    if not VARIABLE.fullmatch(name):
        raise ValueError(f"must be named by letters, digits and _, got {name!r}; rename it")
    if name.startswith(_KEPT):
        raise ValueError(f"must be a name that does not begin with {_KEPT}, got {name!r}; CodeBuild sets those")
    return name


def _secret(text: str) -> str:
    reference = _secret_reference("", text)
    if not reference.id or text.count(":") > (9 if text.startswith("arn:") else 3):
        raise ValueError(f"must be secret-id:json-key:version-stage:version-id, got {text!r}; the id alone is enough")
    if reference.version_stage and reference.version_id:
        raise ValueError(f"must be with a version stage or a version id, not both, got {text!r}; leave one out")
    return text


def _on_failure(text: str) -> str:
    if text in {"ABORT", "CONTINUE"}:
        return text
    found = _RETRY.fullmatch(text)
    if not found:
        allowed = "ABORT, CONTINUE, RETRY, RETRY-<count>, RETRY-<regex> or RETRY-<count>-<regex>"
        raise ValueError(f"must be {allowed}, got {text!r}{nearest(text.upper(), ('ABORT', 'CONTINUE', 'RETRY'))}")
    if int(found["count"] or 0) > _MOST_RETRIES:
        raise ValueError(f"must be with a count of 0 to {_MOST_RETRIES}, got {text!r}")
    try:
        re.compile(found["pattern"] or "")
    except re.error as error:
        raise ValueError(f"must be with a regular expression, got {text!r}: {error}") from None
    return text


def _runtimes(value: Any) -> Any:
    for name, version in value.items() if isinstance(value, Mapping) else ():
        if _SHORTENED.get(name) == version:
            raise ValueError(f"must be in quotes, got {name}: {version}; YAML takes {version}0 for it, too")
    return value


def _some(files: list[str]) -> list[str]:
    if not files:
        raise ValueError("must be at least one path or pattern, got none; '**/*' is all files")
    return files


def _identifier(name: str) -> str:
    if not re.fullmatch(r"[\w-]+", name, re.ASCII):
        raise ValueError(f"must be named by letters, digits, - and _, got {name!r}; rename it")
    return name


def _format(value: Any) -> Any:
    if not isinstance(value, str) or value.upper() in FORMATS:
        return value
    raise ValueError(f"must be one of {', '.join(FORMATS)}, got {value!r}{nearest(value.upper(), FORMATS)}")


Text = Annotated[str, BeforeValidator(_text)]
YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Variable = Annotated[str, AfterValidator(_variable)]


class _Part(BaseModel):
    """A mapping in a buildspec: unknown keys are refused; what is ``run_as`` here is ``run-as`` in the file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        coerce_numbers_to_str=True,
        alias_generator=lambda name: name.rstrip("_").replace("_", "-"),
        populate_by_name=True,
        defer_build=True,
    )


class Env(_Part):
    """Variables of the build.

    Attributes:
        shell: None: ``sh``.
        variables: name -> value.
        parameter_store: name -> name of the parameter.
        secrets_manager: name -> ``secret-id:json-key:version-stage:version-id``.
        exported_variables: those that the pipeline gets.
        git_credential_helper: Git gets the credentials of the source.
    """

    shell: Literal["bash", "/bin/sh", "powershell.exe", "cmd.exe"] | None = None
    variables: dict[Variable, Text] = Field(default_factory=dict)
    parameter_store: dict[Variable, Text] = Field(default_factory=dict)
    secrets_manager: dict[Variable, Annotated[Text, AfterValidator(_secret)]] = Field(default_factory=dict)
    exported_variables: list[Text] = Field(default_factory=list)
    git_credential_helper: YesNo = False

    @field_validator("exported_variables")
    @classmethod
    def _no_secrets(cls, names: list[str], info: ValidationInfo) -> list[str]:
        secret = {*info.data.get("parameter_store", ()), *info.data.get("secrets_manager", ())}
        for name in names:
            if name in secret or name.startswith("AWS_") or not VARIABLE.fullmatch(name):
                allowed = "names of variables, without secrets and what begins with AWS_"
                raise ValueError(f"must be {allowed}, got {name!r}; remove it")
        return names

    @property
    def references(self) -> list[Reference]:
        """Return the variables whose values are kept elsewhere."""
        parameters = [Reference(name, "parameter-store", each) for name, each in self.parameter_store.items()]
        return [*parameters, *(_secret_reference(name, each) for name, each in self.secrets_manager.items())]


class Proxy(_Part):
    """What goes through an explicit proxy."""

    upload_artifacts: YesNo = False
    logs: YesNo = False


class TaskEnv(_Part):
    """What is different in one build of a batch."""

    compute_type: Text | None = None
    fleet: Text | None = None
    image: Text | None = None
    privileged_mode: YesNo = False
    type: Text | None = None
    variables: dict[Variable, Text] = Field(default_factory=dict)

    @field_validator("fleet")
    @classmethod
    def _one_place(cls, fleet: str | None, info: ValidationInfo) -> str | None:
        if fleet is not None and info.data.get("compute_type") is not None:
            raise ValueError(f"must be without compute-type, got {fleet!r}; leave one out")
        return fleet


class Task(_Part):
    """One build of a list of builds that run at once."""

    identifier: Text
    buildspec: Text | None = None
    debug_session: YesNo = False
    env: TaskEnv | None = None
    ignore_failure: YesNo = False


class DependentTask(Task):
    """One build of a graph of builds."""

    depend_on: list[Text] = Field(default_factory=list)


class Static(_Part):
    """What holds for all builds of a matrix."""

    ignore_failure: YesNo = False
    env: TaskEnv | None = None


class DynamicEnv(_Part):
    """What the builds of a matrix combine."""

    compute_type: list[Text] = Field(default_factory=list)
    image: list[Text] = Field(default_factory=list)
    variables: dict[Variable, list[Text]] = Field(default_factory=dict)


class Dynamic(_Part):
    """What makes the builds of a matrix: each combination is one."""

    buildspec: list[Text] = Field(default_factory=list)
    env: DynamicEnv | None = None


class Matrix(_Part):
    """One build for each combination."""

    static: Static | None = None
    dynamic: Dynamic


class Fanout(_Part):
    """One build that is split into several."""

    parallelism: Annotated[int, Field(ge=1)]
    ignore_failure: YesNo = False


class Batch(_Part):
    """Several builds; one of the four forms."""

    fast_fail: YesNo = False
    build_list: list[Task] | None = None
    build_graph: list[DependentTask] | None = None
    build_matrix: Matrix | None = None
    build_fanout: Fanout | None = None

    @field_validator("build_list", "build_graph")
    @classmethod
    def _known(cls, tasks: list[Any] | None) -> list[Any] | None:
        names: list[str] = []
        for task in tasks or ():
            if task.identifier in names:
                raise ValueError(f"must be builds with different identifiers, got {task.identifier!r} again; rename it")
            names.append(task.identifier)
        for task in tasks or ():
            for name in getattr(task, "depend_on", ()):
                if name not in names:
                    raise ValueError(f"must be builds that depend on each other, got {name!r}{nearest(name, names)}")
        try:
            TopologicalSorter({task.identifier: getattr(task, "depend_on", ()) for task in tasks or ()}).prepare()
        except CycleError as error:
            raise ValueError(f"must be builds that wait in no circle, got {' -> '.join(error.args[1])}") from None
        return tasks

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = ("build-list", "build-graph", "build-matrix", "build-fanout")
        given = [form for form in forms if getattr(self, form.replace("-", "_")) is not None]
        if len(given) != 1:
            raise ValueError(f"must be one of {', '.join(forms)}, got {' and '.join(given) or 'none'}")
        return self


class Phase(_Part):
    """What runs in one phase.

    Attributes:
        run_as: the user who runs it; None: as the buildspec says.
        on_failure: ``ABORT``, ``CONTINUE`` or ``RETRY...``; None: only a failed build goes on, to post_build.
        commands: in order, until one fails.
        finally_: run after them, also when one has failed.
    """

    run_as: Text | None = None
    on_failure: Annotated[Text, AfterValidator(_on_failure)] | None = None
    commands: list[Text]
    finally_: list[Text] = Field(default_factory=list)

    @property
    def retry(self) -> Retry:
        """Return how often it is tried again when it fails."""
        found = _RETRY.fullmatch(self.on_failure or "")
        if not found:
            return Retry(0, re.compile(""))
        return Retry(int(found["count"] or _RETRIES), re.compile(found["pattern"] or ""))


class Install(Phase):
    """The first phase, which can choose runtimes.

    Attributes:
        runtime_versions: runtime -> version.
    """

    runtime_versions: Annotated[dict[str, Text], BeforeValidator(_runtimes)] = Field(default_factory=dict)
    commands: list[Text] = Field(default_factory=list)


class Phases(_Part):
    """What runs, in this order; at least one phase."""

    install: Install | None = None
    pre_build: Phase | None = Field(default=None, alias="pre_build")
    build: Phase | None = None
    post_build: Phase | None = Field(default=None, alias="post_build")

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.given:
            raise ValueError(f"must be at least one of {', '.join(PHASES)}, got none")
        return self

    @property
    def given(self) -> dict[str, Phase]:
        """Return the phases that there are, in order."""
        return {name: phase for name in PHASES if (phase := getattr(self, name)) is not None}


class Files(_Part):
    """Files that a build leaves.

    Attributes:
        files: paths or patterns, relative to the base directory; ``**/*`` is all.
        base_directory: folder or pattern of folders; None: the source.
        discard_paths: keep the names only.
    """

    files: Annotated[list[Text], AfterValidator(_some)]
    base_directory: Text | None = None
    discard_paths: YesNo = False


class Report(Files):
    """Results of tests, or coverage.

    Attributes:
        file_format: one of :data:`FORMATS`; ``JUNITXML`` by default.
    """

    file_format: Annotated[Text, BeforeValidator(_format)] = "JUNITXML"


class Artifact(Files):
    """What a build makes.

    Attributes:
        name: may have variables and commands of the shell.
        exclude_paths: paths or patterns that are left out.
        enable_symlinks: links stay links.
        s3_prefix: of the object in the bucket.
    """

    name: Text | None = None
    exclude_paths: list[Text] = Field(default_factory=list)
    enable_symlinks: YesNo = False
    s3_prefix: Text | None = None


class Artifacts(Artifact):
    """The main artifact, and more.

    Attributes:
        secondary_artifacts: identifier -> artifact.
    """

    secondary_artifacts: dict[Annotated[str, AfterValidator(_identifier)], Artifact] = Field(default_factory=dict)


class Cache(_Part):
    """What later builds find again.

    Attributes:
        key: of this state; the same key is the same cache.
        fallback_keys: beginnings of keys that will do, at most 5.
        action: None: both.
        paths: what is kept.
    """

    key: Text | None = None
    fallback_keys: list[Text] = Field(default_factory=list)
    action: Literal["restore", "save"] | None = None
    paths: list[Text]

    @field_validator("fallback_keys")
    @classmethod
    def _beside_a_key(cls, keys: list[str], info: ValidationInfo) -> list[str]:
        if keys and info.data.get("key") is None:
            raise ValueError(f"must be beside a key, got {show(keys)}; without it they are ignored")
        if len(keys) > _MOST_FALLBACKS:
            raise ValueError(f"must be at most {_MOST_FALLBACKS} keys, got {len(keys)}")
        return keys


class Buildspec(_Part):
    """What CodeBuild runs, and what it keeps.

    Attributes:
        version: ``0.2``.
        run_as: the user who runs all commands; None: root.
        reports: name or ARN of the report group -> files, at most 5.
    """

    version: Annotated[str, BeforeValidator(_version)]
    run_as: Text | None = None
    env: Env = Field(default_factory=Env)
    proxy: Proxy | None = None
    batch: Batch | None = None
    phases: Phases
    reports: dict[str, Report] = Field(default_factory=dict)
    artifacts: Artifacts | None = None
    cache: Cache | None = None

    @field_validator("reports")
    @classmethod
    def _few(cls, reports: dict[str, Report]) -> dict[str, Report]:
        if len(reports) > _MOST_REPORTS:
            raise ValueError(f"must be at most {_MOST_REPORTS} report groups, got {len(reports)}")
        return reports

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the buildspec that ``obj``, plain data of a file, is; its keys are those of files only."""
        return super().model_validate(obj, by_alias=True, by_name=False, **options)


def parse(source: Path | str) -> Buildspec:
    """Return the buildspec that ``source`` is: a file, or the text itself.

    Raises:
        SourceError: the file cannot be read, or is not YAML.
        SettingsError: something in it is wrong; all problems at once, with their lines.
    """
    if isinstance(source, Path):
        file = str(source.resolve())
        content, lines = read_yaml(source)
    else:
        file = "buildspec"
        content, lines = read_yaml_text(source, file)
    if not isinstance(content, dict):
        message = "must be a buildspec: a mapping with version and phases"
        raise SourceError(Problem(message, Origin(file, 1)))
    return validate(Buildspec, content, Source(file, lines))


def render(spec: Buildspec) -> str:
    """Return ``spec`` as YAML; the same every time, without what is as by default."""
    data = spec.model_dump(by_alias=True, exclude_defaults=True)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def _secret_reference(variable: str, text: str) -> Reference:
    parts = _parts(text)
    return Reference(variable, "secrets-manager", next(parts), next(parts, ""), next(parts, ""), next(parts, ""))


def _parts(text: str) -> Iterator[str]:
    """Yield the parts of the reference ``text``: an ARN has colons of its own."""
    parts = text.split(":")
    length = 7 if text.startswith("arn:") else 1
    yield ":".join(parts[:length])
    yield from parts[length:]
