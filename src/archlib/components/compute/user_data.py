"""What instances run when they start: a script, rendered from a Jinja2 template with typed variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from archlib.core.component import Check
from archlib.core.origin import Origin, here
from archlib.core.source import read_text
from archlib.core.values import Value
from archlib.errors import Problem, SettingsError

Variable = str | int | float | bool

SECRET = re.compile(r"\{\{resolve:(secretsmanager|ssm-secure):")

_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
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
        for name, value in self.variables.items():
            where = f"user_data.variables.{name}"
            check.that(_VARIABLE.fullmatch(name), where, "named by letters, digits and _", name, "rename it")
            check.that(name not in given, where, "another name than one that is always there", name, "rename it")
            check.that(
                not (isinstance(value, str) and SECRET.search(value)),
                where, "no secret: every process on the instance can read it", value,
                "pass the ARN of the secret, and read it with the instance's role",
            )  # fmt: skip

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
