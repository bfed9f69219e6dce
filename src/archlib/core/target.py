"""Where an app goes and under which rules: what a blueprint file says under ``targets``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archlib.core.regions import check_regions
from archlib.errors import ArchlibError, Problem, SettingsError

BOOTSTRAP_STACK = "archlib-bootstrap"
"""The stack that an account needs once in each region."""

ASSETS_OUTPUT = "Assets"
"""Its output that is the name of the bucket for code and large templates."""

_ACCOUNT = re.compile(r"\d{12}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:.+")
_ALARM = re.compile(r"arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.+")
_MOST, _MINUTES_MAX = 5, 180


@dataclass(frozen=True, slots=True)
class Target:
    """One account and region that an environment is deployed to.

    Attributes:
        account: twelve digits; credentials of another account are refused. None: any account.
        region: where the stacks go; None: what the AWS configuration says.
        profile: of the AWS configuration; None: what the environment says.
        assume_role: ARN of a role that the deployer takes on.
        service_role: ARN of the role with which CloudFormation works; it sticks to the stacks.
        protected: deploying and destroying ask for the app's name, and stacks get termination protection.
        notifications: ARNs of topics that CloudFormation tells of every event, at most 5.
        rollback_alarms: ARNs of CloudWatch alarms that roll a change back, at most 5.
        rollback_minutes: how long the alarms are watched after a change, 0-180.
        stack_policy: text of a stack policy, JSON, for every stack; None: none.
        parameters: values of template parameters that no stack gives: name -> value.
    """

    account: str | None = None
    region: str | None = None
    profile: str | None = None
    assume_role: str | None = None
    service_role: str | None = None
    protected: bool = False
    notifications: tuple[str, ...] = ()
    rollback_alarms: tuple[str, ...] = ()
    rollback_minutes: int = 0
    stack_policy: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if problems:
            raise SettingsError(problems)

    def _problems(self) -> Iterator[Problem]:
        if self.region is not None:
            try:
                check_regions([self.region])
            except ArchlibError as error:
                yield from (Problem(f"target: {problem.message}", field="region") for problem in error.problems)
        account = "twelve digits in quotes, such as '123456789012'"
        alarms = f"up to {_MOST} ARNs of CloudWatch alarms"
        minutes = f"0 to {_MINUTES_MAX}, and 0 without rollback_alarms"
        for field_, allowed, value, fits in (
            ("account", account, self.account, _fits(_ACCOUNT, self.account)),
            ("assume_role", "the ARN of a role", self.assume_role, _fits(_ROLE, self.assume_role)),
            ("service_role", "the ARN of a role", self.service_role, _fits(_ROLE, self.service_role)),
            ("notifications", f"up to {_MOST} ARNs of topics", self.notifications, _fits(_TOPIC, *self.notifications)),
            ("rollback_alarms", alarms, self.rollback_alarms, _fits(_ALARM, *self.rollback_alarms)),
            ("rollback_minutes", minutes, self.rollback_minutes, self._minutes_fit()),
            ("stack_policy", "a JSON object", self.stack_policy, _is_object(self.stack_policy)),
        ):
            if not fits:
                given = list(value) if isinstance(value, tuple) else value
                message = f"target: {field_} must be {allowed}, got {given!r}; correct it"
                yield Problem(message, field=field_)

    def _minutes_fit(self) -> bool:
        return 0 <= self.rollback_minutes <= (_MINUTES_MAX if self.rollback_alarms else 0)


def _fits(form: re.Pattern[str], *values: str | None) -> bool:
    return len(values) <= _MOST and all(value is None or form.fullmatch(value) for value in values)


def _is_object(text: str | None) -> bool:
    try:
        return text is None or isinstance(json.loads(text), dict)
    except ValueError:
        return False
