"""What instances run when they start: a script, rendered from a Jinja2 template with typed variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from archlib.core.component import Check
from archlib.core.credentials import RESOLVED_SECRET, is_plain_secret
from archlib.core.formats import check_variables
from archlib.core.origin import Origin, here
from archlib.core.source import read_text
from archlib.core.values import Value
from archlib.errors import Problem, SettingsError, SourceError

Variable = str | int | float | bool

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARK = re.compile("\0([0-9]+)\0")


@dataclass(frozen=True, slots=True)
class UserData:
    """A bash script, as a Jinja2 template: exactly one of a file or a text.

    Beside ``variables`` the template has ``app`` and ``stage``, the names of the app and its environment, ``folder``,
    where the code is, ``environment_file`` and ``port``. What it names must exist: a missing variable is an error.

    Attributes:
        path: local file with the template.
        text: the template itself.
        variables: name -> text, number, truth value, or what CloudFormation fills in; a secret only as its ARN.
    """

    SHORT: ClassVar[str] = "path"
    """The attribute that text alone stands for in settings."""

    path: Path | None = None
    text: str | None = None
    variables: Mapping[str, Value | int | float | bool] = field(default_factory=dict)

    def check(self, check: Check, given: Mapping[str, Variable]) -> None:
        """Note what is wrong with it."""
        check.that(
            (self.path is None) != (self.text is None),
            "user_data", "one of path or text", {"path": self.path, "text": self.text},
        )  # fmt: skip
        check.that(
            self.path is None or self.path.is_file(), "user_data.path", "a file", str(self.path), "correct the path"
        )
        self._check_text(check)
        check_variables(check, self.variables, "user_data.variables")
        for name, value in self.variables.items():
            where = f"user_data.variables.{name}"
            check.that(
                not (isinstance(value, str) and _CONTROL.search(value)), where, "text without control characters", value
            )
            check.that(name not in given, where, "another name than one that is always there", name, "rename it")
            written = str(value) if isinstance(value, Variable) and not isinstance(value, bool) else ""
            check.that(
                not (RESOLVED_SECRET.search(written) or is_plain_secret(name, written)),
                where, "no secret: every process on the instance can read it", "one",
                "pass the ARN of the secret, and read it with the instance's role",
            )  # fmt: skip

    def _check_text(self, check: Check) -> None:
        """Note a file that is no text, and characters that no script can hold."""
        try:
            text = read_text(self.path) if self.path is not None and self.path.is_file() else self.text or ""
        except SourceError as error:
            check.problems.extend(error.problems)
            return
        if (found := _CONTROL.search(text)) is not None:
            line = text.count("\n", 0, found.start()) + 1
            origin = here() if self.path is None else Origin(str(self.path.resolve()), line)
            message = (
                f"{check.subject}: user_data must be text, got the character {found[0]!r} in line {line}; remove it"
            )
            check.problems.append(Problem(message, origin, "user_data"))

    def render(self, subject: str, given: Mapping[str, Variable]) -> list[Value]:
        """Return the script in pieces: text, and what CloudFormation fills in.

        Raises:
            SettingsError: the template is malformed, or uses a variable that does not exist.
            SourceError: the file cannot be read.
        """
        text = self.text if self.path is None else read_text(self.path)
        file = "user_data.text" if self.path is None else str(self.path.resolve())
        values: list[Value] = []
        known: dict[str, Any] = dict(given)
        for name, value in self.variables.items():
            if isinstance(value, Variable):
                known[name] = value
            else:
                known[name] = mark(len(values))
                values.append(value)
        try:
            return weave(_render(text or "", file, known), values)
        except Exception as error:  # noqa: BLE001  (expressions of a template may raise anything)
            line = _line(error, file)
            message = f"{subject}: user_data must be a template that can be rendered, got {error} in line {line}"
            origin = here() if self.path is None else Origin(file, line)
            advice = "add it to user_data.variables" if "is undefined" in str(error) else "correct it"
            raise SettingsError(Problem(f"{message}; {advice}", origin, "user_data")) from None


def mark(number: int) -> str:
    """Return what stands for a value while a text is made that cannot hold it."""
    return f"\0{number}\0"


def weave(text: str, values: Sequence[Value]) -> list[Value]:
    """Return ``text`` in pieces, each :func:`mark` replaced by its value."""
    parts = _MARK.split(text)
    return [values[int(part)] if number % 2 else part for number, part in enumerate(parts)]


def _render(text: str, file: str, variables: Mapping[str, Any]) -> str:
    # Only whoever has user data waits for it.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701  (a script, no HTML)
    del environment.filters["random"]
    code = environment.compile(text, filename=file)
    template = environment.template_class.from_code(environment, code, environment.make_globals(None))
    return template.render(variables)


def _line(error: BaseException, file: str) -> int:
    """Return the line of the template that raised ``error``."""
    line: int = getattr(error, "lineno", 0) or 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
