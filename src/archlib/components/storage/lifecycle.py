"""What becomes of objects as they age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, get_args

from troposphere import s3

from archlib.core.component import Check

StorageClass = Literal[
    "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"
]  # an object moves down this list only

_CLASSES = get_args(StorageClass)
_INFREQUENT_MIN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """When objects move to cheaper storage, and when they go.

    Attributes:
        prefix: the objects it is for, by the start of their keys; all of them by default.
        expire_days: days after which an object goes, 1 or more; None: never.
        move_days: storage class -> days after which an object moves there, more for each colder class; 30 or more
            for ``STANDARD_IA`` and ``ONEZONE_IA``.
    """

    prefix: str = ""
    expire_days: int | None = None
    move_days: Mapping[StorageClass, int] = field(default_factory=dict)

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(
            bool(self.move_days) or self.expire_days is not None,
            field, "a rule that does something", self, "set expire_days or move_days",
        )  # fmt: skip
        check.that(
            self.expire_days is None or self.expire_days >= 1, f"{field}.expire_days", "1 or more", self.expire_days
        )
        for target, days in self.move_days.items():
            check.one_of(f"{field}.move_days", target, _CLASSES)
            least = _INFREQUENT_MIN_DAYS if target in ("STANDARD_IA", "ONEZONE_IA") else 0
            check.that(days >= least, f"{field}.move_days[{target}]", f"{least} or more", days)
        ages = [days for _, days in self._moves()]
        ages += [self.expire_days] if self.expire_days is not None else []
        check.that(
            all(earlier < later for earlier, later in pairwise(ages)),
            f"{field}.move_days", "more days for each colder storage class, and fewer than expire_days",
            dict(self.move_days),
        )  # fmt: skip

    def rule(self) -> s3.LifecycleRule:
        """Return it as CloudFormation has it."""
        rule = s3.LifecycleRule(Status="Enabled")
        if self.prefix:
            rule.Prefix = self.prefix
        if self.expire_days is not None:
            rule.ExpirationInDays = self.expire_days
        if self.move_days:
            rule.Transitions = [
                s3.LifecycleRuleTransition(StorageClass=target, TransitionInDays=days) for target, days in self._moves()
            ]
        return rule

    def _moves(self) -> list[tuple[StorageClass, int]]:
        return [(target, self.move_days[target]) for target in _CLASSES if target in self.move_days]
