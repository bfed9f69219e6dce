"""The one base class: a named group of resources in a stack."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from troposphere import AWSObject, GetAtt, Ref

from archlib.core.naming import check_name, logical_id
from archlib.core.origin import here
from archlib.core.stack import R, Stack
from archlib.errors import Problem, SettingsError
from archlib.units import format_duration, show

N = TypeVar("N", int, float, timedelta)


class Component:
    """A named group of CloudFormation resources inside one stack.

    Subclasses set :attr:`kind`, create their resources in ``__init__`` from typed keyword arguments, and keep the
    troposphere objects as attributes, so that anything archlib does not offer can still be set on them.

    Args:
        stack: where the resources go.
        name: kebab-case; with :attr:`kind` it makes the logical ids.

    Attributes:
        resource: the main troposphere object.
    """

    kind: ClassVar[str]
    resource: AWSObject

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.name = check_name(name, self.label)
        self.origin = here()

    @property
    def label(self) -> str:
        """What messages call this kind of component: ``StateMachine`` becomes ``state machine``."""
        return "".join(f" {char.lower()}" if char.isupper() else char for char in self.kind).strip()

    def __str__(self) -> str:
        return f"{self.label} {self.name!r}"

    def id(self, role: str = "") -> str:
        """Return the logical id of the main resource, or of its helper ``role``."""
        return logical_id(self.name, role or self.kind)

    def add(self, resource: R, *, stateful: bool = False) -> R:
        """Add ``resource`` to this component's stack and return it; see :meth:`Stack.add`."""
        return self.stack.add(resource, stateful=stateful)

    def ref(self, role: str = "") -> Ref:
        """Return ``Ref`` to the main resource, or to its helper ``role``."""
        return Ref(self.id(role))

    def attribute(self, name: str, role: str = "") -> GetAtt:
        """Return ``Fn::GetAtt`` of the main resource, or of its helper ``role``."""
        return GetAtt(self.id(role), name)

    @contextmanager
    def checking(self) -> Iterator[Check]:
        """Collect the problems of several settings and raise them all at once."""
        with checking(str(self)) as check:
            yield check


@contextmanager
def checking(subject: str) -> Iterator[Check]:
    """Collect the problems of several settings of ``subject`` and raise them all at once."""
    check = Check(subject)
    yield check
    if check.problems:
        raise SettingsError(check.problems)


class Check:
    """Collects what is wrong with the settings of ``subject``, a component as messages call it."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.problems: list[Problem] = []

    def that(self, ok: object, field: str, allowed: str, got: Any, advice: str = "") -> None:
        """Note ``<subject>: field must be allowed, got value; advice`` unless ``ok``."""
        if not ok:
            advice = f"; {advice}" if advice else ""
            message = f"{self.subject}: {field} must be {allowed}, got {show(got)}{advice}"
            self.problems.append(Problem(message, here(), field))

    def between(self, field: str, got: N | None, low: N, high: N, advice: str = "") -> None:
        """Note a number or duration outside ``low`` to ``high``; None means not set and is fine.

        Durations are whole seconds, unless ``low`` is not.
        """
        if got is not None:
            low_text, high_text = (format_duration(x) if isinstance(x, timedelta) else str(x) for x in (low, high))
            try:
                ok = low <= got <= high and not isinstance(got, bool)
            except TypeError:  # a number for a duration, or text for a number
                ok = False
            whole = ""
            if isinstance(got, timedelta) and isinstance(low, timedelta) and got.microseconds and not low.microseconds:
                ok, whole = False, " in whole seconds"
            self.that(ok, field, f"{low_text} to {high_text}{whole}", got, advice)

    def name(self, field: str, name: str, kind: str) -> None:
        """Note the name of a ``kind`` of part that is not kebab-case; see :func:`~archlib.core.naming.check_name`."""
        try:
            check_name(name, kind)
        except SettingsError as error:
            self.problems.extend(problem._replace(field=field) for problem in error.problems)

    def one_of(self, field: str, got: Any, allowed: Collection[Any], advice: str = "") -> None:
        """Note a value that is not among ``allowed``."""
        self.that(got in allowed, field, "one of " + ", ".join(map(str, allowed)), got, advice)
