"""Runs a buildspec on this machine, without Docker: its phases, variables, artifacts and reports."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from archlib.deploy.redact import Redactor, is_secret_name
from archlib.errors import OutputError, Problem, SettingsError, SourceError
from archlib.pipeline.buildspec import Artifacts, Buildspec, Install, Phase, Reference
from archlib.pipeline.collect import Collected, collect
from archlib.pipeline.shell import Outcome, Shell
from archlib.units import format_duration

Status = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "SKIPPED"]
Resolver = Callable[[Reference], str]
Log = Callable[[str, str], None]

MANIFEST = "build.json"
UPLOAD = "upload_artifacts"
"""What the phase is called that is not in the buildspec."""

_TIMEOUT = timedelta(hours=1)
_LAST_LINES = 20
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DOCKER = re.compile(r"(^|[\s;&|(])docker\s")
# So that a build reaches AWS only with what it is given.
_NO_AWS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """What became of a phase.

    Attributes:
        name: as in the buildspec, or :data:`UPLOAD`.
        status: what became of it.
        seconds: how long it took, with all attempts.
        attempts: how often it was run.
        command: the one that failed; empty: none did.
        exit_code: of that command; None: it was stopped, or none failed.
        log: the last lines.
    """

    name: str
    status: Status
    seconds: float = 0.0
    attempts: int = 0
    command: str = ""
    exit_code: int | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Build:
    """What became of a build.

    Attributes:
        status: ``SUCCEEDED`` if all phases did.
        seconds: how long it took.
        phases: those of the buildspec, then :data:`UPLOAD` if there are artifacts.
        exported: the variables that it exports, without secrets.
        artifacts: the main one first.
        reports: files of each report group; what they say is not read.
        notes: what is otherwise than in CodeBuild.
    """

    status: Status
    seconds: float
    phases: tuple[PhaseResult, ...]
    exported: Mapping[str, str]
    artifacts: tuple[Collected, ...]
    reports: tuple[Collected, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> PhaseResult | None:
        """Return the first phase that failed."""
        return next((phase for phase in self.phases if phase.status in {"FAILED", "TIMED_OUT"}), None)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return data


def build(
    spec: Buildspec,
    *,
    source: Path,
    out: Path | None = None,
    environment: Mapping[str, str] | None = None,
    resolve: Resolver | None = None,
    timeout: timedelta = _TIMEOUT,
    log: Log | None = None,
) -> Build:
    """Run ``spec`` in a copy of ``source``, and return what became of it.

    The commands run with the rights of the user, and with their variables except those of AWS.

    Args:
        spec: what runs.
        source: folder of the source; it stays as it is.
        out: where artifacts and reports go: a new or empty folder, or that of an earlier build; None: nowhere.
        environment: variables that go before those of ``spec``.
        resolve: gives the values of parameters and secrets, which no log shows; None: nothing does.
        timeout: how long all commands may take, 1s to 36h.
        log: gets each line, after the name of its phase.

    Raises:
        SettingsError: a variable, the shell or the timeout is not such that it can run.
        SourceError: the source cannot be copied.
        OutputError: ``out`` cannot be written, or has something else in it.
    """
    if not timedelta(seconds=1) <= timeout <= timedelta(hours=36):
        raise SettingsError(f"build: timeout must be 1s to 36h, got {format_duration(timeout)}")
    given = dict(environment or {})
    secrets = _secrets(spec, given, resolve)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CODEBUILD_"))},
        **_NO_AWS,
        "CODEBUILD_BUILD_ID": "local:1",
        "CODEBUILD_BUILD_NUMBER": "1",
        "CODEBUILD_INITIATOR": "archlib",
        **spec.env.variables,
        **secrets,
        **given,
    }
    program = _program(spec, variables)
    redact = Redactor(
        line
        for name, value in {**secrets, **given}.items()
        if name in secrets or is_secret_name(name)
        for line in (value, *value.splitlines())
    )
    if out is not None:
        _prepare(out)
    with tempfile.TemporaryDirectory(prefix="archlib-build-", ignore_cleanup_errors=True) as scratch:
        copied = _copy(source, Path(scratch).resolve() / "src", out)
        run = _Run(spec, copied, out, redact, log or (lambda _phase, _line: None))
        result = run.all(program, {**variables, "CODEBUILD_SRC_DIR": str(copied)}, timeout.total_seconds())
    if out is not None:
        _write(out / MANIFEST, result)
    return result


class _Run:
    """One build.

    Args:
        spec: what runs.
        source: the copy.
        out: where artifacts and reports go.
        redact: masks secrets.
        log: gets each line.
    """

    def __init__(self, spec: Buildspec, source: Path, out: Path | None, redact: Redactor, log: Log) -> None:
        self._spec = spec
        self._source = source
        self._out = out
        self._redact = redact
        self._log = log
        self._notes = list(_differences(spec))
        self._phase = ""
        self._last: deque[str] = deque(maxlen=_LAST_LINES)

    def all(self, program: str, environment: Mapping[str, str], limit: float) -> Build:
        """Run all phases, and collect what they leave."""
        began = monotonic()
        phases: list[PhaseResult] = []
        artifacts: list[Collected] = []
        reports: list[Collected] = []
        with Shell(
            program, scratch=self._source.parent, folder=self._source, environment=environment, seconds=limit,
            tell=self._tell, begin=lambda command: self._log(self._phase, f"$ {self._redact(command)}"),
        ) as shell:  # fmt: skip
            going = True
            for name, phase in self._spec.phases.given.items():
                result = (
                    self._one(shell, name, phase, before=_status(phases)) if going else PhaseResult(name, "SKIPPED")
                )
                phases.append(result)
                going = going and _goes_on(result, phase)
            status = _status(phases)
            if status != "TIMED_OUT":
                reports = list(self._reports(shell))
            if self._spec.artifacts is not None:
                upload = (
                    self._upload(shell, self._spec.artifacts, artifacts) if going else PhaseResult(UPLOAD, "SKIPPED")
                )
                phases.append(upload)
            exported = self._exported(shell.environment)
        return Build(
            _status(phases), round(monotonic() - began, 3), tuple(phases), exported, tuple(artifacts), tuple(reports),
            tuple(self._notes),
        )  # fmt: skip

    def _one(self, shell: Shell, name: str, phase: Phase, *, before: Status) -> PhaseResult:
        began = monotonic()
        self._phase = name
        attempts, retry = 0, phase.retry
        while True:
            attempts += 1
            self._last.clear()
            shell.environment["CODEBUILD_BUILD_SUCCEEDING"] = "1" if before == "SUCCEEDED" else "0"
            outcome = shell.run(phase.commands)
            if outcome.command is not None:
                shell.environment["CODEBUILD_BUILD_SUCCEEDING"] = "0"
            if not outcome.late:
                last = shell.run(phase.finally_)
                outcome = last if outcome.command is None else Outcome(outcome.command, outcome.code, last.late)
            if outcome.command is None or outcome.late or attempts > retry.times or not self._matches(retry.pattern):
                break
            self._tell(f"exit code {outcome.code}; attempt {attempts + 1} of {retry.times + 1}")
        status: Status = "SUCCEEDED" if outcome.command is None else "TIMED_OUT" if outcome.late else "FAILED"
        command = self._redact(outcome.command or "")
        took = round(monotonic() - began, 3)
        return PhaseResult(name, status, took, attempts, command, outcome.code, tuple(self._last))

    def _matches(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search("\n".join(self._last)))

    def _tell(self, line: str) -> None:
        line = self._redact(line)
        self._last.append(line)
        self._log(self._phase, line)

    def _upload(self, shell: Shell, artifacts: Artifacts, found: list[Collected]) -> PhaseResult:
        """Add ``artifacts`` to ``found``."""
        began = monotonic()
        self._phase = UPLOAD
        self._last.clear()
        status: Status = "SUCCEEDED"
        for identifier, artifact in {"": artifacts, **artifacts.secondary_artifacts}.items():
            target = self._target(*(("secondary-artifacts", identifier) if identifier else ("artifacts",)))
            name = self._name(shell, artifact.name) if artifact.name else identifier
            each = collect(
                artifact, identifier=identifier, name=name, source=self._source, target=target,
                expand=_expander(shell.environment),
            )  # fmt: skip
            found.append(each)
            for pattern in each.missing:
                self._tell(f"{identifier or 'artifacts'}: no file matches {pattern!r}")
            if not each.files:
                status = "FAILED"
        return PhaseResult(UPLOAD, status, round(monotonic() - began, 3), 1, log=tuple(self._last))

    def _reports(self, shell: Shell) -> Iterator[Collected]:
        for group, report in self._spec.reports.items():
            expand = _expander(shell.environment)
            name = expand(group)
            # A group may be an ARN.
            target = self._target("reports", re.sub(r"[^\w-]+", "-", name.rpartition("/")[2]))
            each = collect(
                report, identifier=name, name=report.file_format.upper(), source=self._source, target=target,
                expand=expand,
            )  # fmt: skip
            self._notes += [f"reports.{name}: no file matches {pattern!r}" for pattern in each.missing]
            yield each

    def _target(self, *path: str) -> Path | None:
        return None if self._out is None else self._out.joinpath(*path)

    def _name(self, shell: Shell, name: str) -> str:
        """Return the name of an artifact as the shell says it."""
        if "$" not in name and "`" not in name:
            return name
        shell.run([f'export ARCHLIB_ARTIFACT="{name}"'])
        return self._redact(shell.environment.pop("ARCHLIB_ARTIFACT", name))

    def _exported(self, environment: Mapping[str, str]) -> dict[str, str]:
        names = self._spec.env.exported_variables
        self._notes += [f"exported-variables: {name} has no value" for name in names if name not in environment]
        return {name: self._redact(environment[name]) for name in names if name in environment}


def _status(phases: list[PhaseResult]) -> Status:
    statuses = {phase.status for phase in phases}
    return "TIMED_OUT" if "TIMED_OUT" in statuses else "FAILED" if "FAILED" in statuses else "SUCCEEDED"


def _goes_on(result: PhaseResult, phase: Phase) -> bool:
    """Return whether what comes after a phase is run: after a failed build, too, unless it says ABORT."""
    if result.status in {"SUCCEEDED", "TIMED_OUT"}:
        return result.status == "SUCCEEDED"
    return phase.on_failure == "CONTINUE" or (phase.on_failure != "ABORT" and result.name in {"build", "post_build"})


def _secrets(spec: Buildspec, given: Mapping[str, str], resolve: Resolver | None) -> dict[str, str]:
    """Return the values of the variables that are kept elsewhere."""
    wanted = [reference for reference in spec.env.references if reference.variable not in given]
    if wanted and resolve is None:
        raise SettingsError(
            Problem(
                f"build: variable {each.variable!r} must be given, its value is in {each.service} ({each.id}), "
                f"which is not read on this machine; give it with --env {each.variable}=VALUE"
            )
            for each in wanted
        )
    found = {each.variable: resolve(each) for each in wanted} if resolve else {}
    return {
        each.variable: given[each.variable] if each.variable in given else found[each.variable]
        for each in spec.env.references
    }


def _program(spec: Buildspec, variables: Mapping[str, str]) -> str:
    shell = spec.env.shell or "sh"
    if shell.endswith(".exe"):
        raise SettingsError(f"build: env.shell must be bash or /bin/sh on this machine, got {shell!r}")
    found = shutil.which(shell, path=variables.get("PATH"))
    if found is None:
        raise SettingsError(f"build: env.shell must be installed, got {shell!r}, which is not in PATH; install it")
    return found


def _differences(spec: Buildspec) -> Iterator[str]:
    """Yield what this machine does otherwise than CodeBuild."""
    phases = spec.phases.given
    install = phases.get("install")
    if isinstance(install, Install) and install.runtime_versions:
        wanted = ", ".join(f"{name} {version}" for name, version in install.runtime_versions.items())
        yield f"runtime-versions: not installed ({wanted}); commands use what this machine has"
    users = dict.fromkeys(user for user in (spec.run_as, *(phase.run_as for phase in phases.values())) if user)
    if users:
        yield f"run-as: commands run as you, not as {', '.join(users)}"
    if any(_DOCKER.search(command) for phase in phases.values() for command in (*phase.commands, *phase.finally_)):
        yield "docker: commands use the Docker of this machine, if it has one"
    if spec.env.git_credential_helper:
        yield "git-credential-helper: Git uses your own credentials"
    if spec.batch:
        yield "batch: only one build is run, without what the batch changes"
    if spec.proxy:
        yield "proxy: not used"
    if spec.cache:
        yield "cache: neither restored nor saved"


def _expander(environment: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces ``$NAME`` and ``${NAME}`` in paths."""
    return lambda text: _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], found[0]), text)


def _copy(source: Path, target: Path, out: Path | None) -> Path:
    """Copy ``source`` without ``out`` to ``target``, and return that."""
    if not source.is_dir():
        raise SourceError(f"build: source must be a folder, got {str(source)!r}")
    left_out = None if out is None else out.resolve()

    def ignore(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if (Path(folder) / name).resolve() == left_out]

    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignore)
    except (OSError, shutil.Error) as error:
        raise SourceError(f"build: source {str(source)!r} must be such that it can be copied: {error}") from None
    return target


def _prepare(out: Path) -> None:
    """Make ``out`` ready: what an earlier build left there goes."""
    try:
        if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
            message = f"folder {str(out)!r}: must be new, empty or of an earlier build, got another one"
            raise OutputError(f"{message}; choose one with --out")
        out.mkdir(parents=True, exist_ok=True)
        (out / MANIFEST).write_text("{}\n", encoding="utf-8")
        for name in ("artifacts", "secondary-artifacts", "reports"):
            if (out / name).is_dir():
                shutil.rmtree(out / name)
    except OSError as error:
        raise OutputError(f"folder {str(out)!r}: cannot be written: {error.strerror}; choose one with --out") from None


def _write(file: Path, result: Build) -> None:
    try:
        file.write_text(json.dumps(result.to_data(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"file {str(file)!r}: cannot be written: {error.strerror}") from None
