"""One thing wrong with a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from archlib.core.origin import Origin

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a template, and whose line made it so.

    Attributes:
        severity: ``error`` stops everything, ``warning`` and ``info`` are shown.
        stack: physical name of the stack, or the template's file.
        resource: logical id, or empty when it is about the whole template.
        rule: id of the rule.
        message: what is wrong.
        fix: what the rule wants, in general.
        url: the document the rule comes from.
        path: keys from the template's root to the place.
        origin: the user's own file and line, where it is known.
        waived: the reason of the waiver that accepts it, or empty.
    """

    severity: Severity
    stack: str
    resource: str
    rule: str
    message: str
    fix: str = ""
    url: str = ""
    path: tuple[str | int, ...] = ()
    origin: Origin | None = None
    waived: str = ""

    @property
    def blocking(self) -> bool:
        """Whether nothing may be written because of it."""
        return self.severity == "error" and not self.waived

    def __str__(self) -> str:
        where = f"{self.origin}: " if self.origin else ""
        place = ".".join(map(str, self.path[1:])) or "-"
        return f"{where}{self.severity} {self.rule} {self.stack}/{place}: {self.message}"

    def order(self) -> tuple[object, ...]:
        """Return what findings are sorted by: worst first, then by place."""
        return (SEVERITIES.index(self.severity), self.stack, [str(key) for key in self.path], self.rule, self.message)
