"""What a build does, step by step."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from archlib.core.component import Check
from archlib.core.formats import VARIABLE

Runtime = Literal["dotnet", "golang", "java", "nodejs", "php", "python", "ruby"]
Format = Literal[
    "CUCUMBERJSON",
    "JUNITXML",
    "NUNIT3XML",
    "NUNITXML",
    "TESTNGXML",
    "VISUALSTUDIOTRX",
    "CLOVERXML",
    "COBERTURAXML",
    "JACOCOXML",
    "SIMPLECOV",
]

_COVERAGE = ("CLOVERXML", "COBERTURAXML", "JACOCOXML", "SIMPLECOV")
_REPORTS_MAX = 5
_PHASES = ("install", "pre_build", "build", "post_build")
_STEPS = (*_PHASES, "runtimes", "artifacts", "cached_files", "exported")
_PATH = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))[\w./ -]+\.ya?ml")


@dataclass(frozen=True, slots=True)
class Report:
    """Results of tests, or how much of the code they reach, kept for 30 days and shown in the console.

    Attributes:
        format: of tests ``JUNITXML``, ``CUCUMBERJSON``, ``NUNITXML``, ``NUNIT3XML``, ``TESTNGXML`` or
            ``VISUALSTUDIOTRX``; of coverage ``COBERTURAXML``, ``CLOVERXML``, ``JACOCOXML`` or ``SIMPLECOV``.
        files: where the build writes them, such as ``reports/*.xml``; left out if a file in the source says it.
    """

    format: Format = "JUNITXML"
    files: Sequence[str] = ()

    @property
    def type(self) -> str:
        """What kind of report group it needs."""
        return "CODE_COVERAGE" if self.format in _COVERAGE else "TEST"

    def check(self, check: Check, field: str, *, in_file: bool) -> None:
        """Note what is wrong with it, as setting ``field``, where a file in the source or typed steps write it."""
        check.one_of(f"{field}.format", self.format, get_args(Format))
        allowed = "left out, since the buildspec file names them" if in_file else "at least one pattern"
        check.that(bool(self.files) != in_file, f"{field}.files", allowed, list(self.files))


@dataclass(frozen=True, slots=True)
class Buildspec:
    """What a build does: a file in the source, or steps written here.

    Attributes:
        path: the file, relative to the root of the source: ``ci/buildspec.yml``.
        runtimes: language -> version, such as ``python: "3.13"``; of ``dotnet``, ``golang``, ``java``, ``nodejs``,
            ``php``, ``python`` and ``ruby``. Not on Lambda, whose images have one.
        install: commands that install what the build needs.
        pre_build: commands before it, such as logging in to a registry.
        build: commands that build and test; at least one, unless there is a ``path``.
        post_build: commands after it. They also run when ``build`` failed: ``$CODEBUILD_BUILD_SUCCEEDING`` is 0 then.
        artifacts: patterns of files that are handed on, such as ``dist/**/*``.
        cached_files: patterns of folders that the next build gets again, such as ``/root/.cache/pip/**/*``; for a
            project with a cache.
        exported: environment variables that later actions of the pipeline can read.
    """

    path: str | None = None
    runtimes: Mapping[Runtime, str] = field(default_factory=dict)
    install: Sequence[str] = ()
    pre_build: Sequence[str] = ()
    build: Sequence[str] = ()
    post_build: Sequence[str] = ()
    artifacts: Sequence[str] = ()
    cached_files: Sequence[str] = ()
    exported: Sequence[str] = ()

    SHORT: ClassVar[str] = "path"
    """The attribute that text alone stands for in settings."""

    def check(self, check: Check, reports: Mapping[str, Report]) -> None:
        """Note what is wrong with it, and with the ``reports`` it writes."""
        given = [name for name in _STEPS if getattr(self, name)]
        if self.path is not None:
            check.that(
                not given, "buildspec", "a path or steps, not both", ", ".join(["path", *given]), "move them into it"
            )
            check.that(
                _PATH.fullmatch(self.path),
                "buildspec.path", "a .yml or .yaml file relative to the root of the source", self.path,
            )  # fmt: skip
        else:
            check.that(self.build, "buildspec.build", "at least one command, without a path", list(self.build))
        for language in self.runtimes:
            check.one_of("buildspec.runtimes", language, get_args(Runtime))
        for phase in _PHASES:
            commands = getattr(self, phase)
            check.that(
                not isinstance(commands, str) and all(command.strip() for command in commands),
                f"buildspec.{phase}", "a list of commands that are not empty", commands,
            )  # fmt: skip
        for variable in self.exported:
            check.that(VARIABLE.fullmatch(variable), "buildspec.exported", "names of letters, digits and _", variable)
        check.that(len(reports) <= _REPORTS_MAX, "reports", f"at most {_REPORTS_MAX}", len(reports))
        for name, report in reports.items():
            check.name(f"reports.{name}", name, "report")
            report.check(check, f"reports.{name}", in_file=self.path is not None)

    def text(self, reports: Mapping[str, Report]) -> str:
        """Return what CodeBuild calls the build specification: the path, or the steps as JSON, which is YAML."""
        if self.path is not None:
            return self.path
        phases: dict[str, dict[str, Any]] = {
            phase: {"commands": list(getattr(self, phase))} for phase in _PHASES if getattr(self, phase)
        }
        if self.runtimes:
            phases.setdefault("install", {})["runtime-versions"] = dict(self.runtimes)
        spec: dict[str, Any] = {"version": 0.2, "phases": phases}
        if self.exported:
            spec["env"] = {"exported-variables": list(self.exported)}
        if reports:
            spec["reports"] = {
                name: {"files": list(report.files), "file-format": report.format} for name, report in reports.items()
            }
        if self.artifacts:
            spec["artifacts"] = {"files": list(self.artifacts)}
        if self.cached_files:
            spec["cache"] = {"paths": list(self.cached_files)}
        return json.dumps(spec, indent=2)
