"""Schedule expressions: ``rate(...)``, ``cron(...)`` and ``at(...)``, checked before AWS sees them."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import available_timezones

from archlib.core.component import Check

_RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((.+)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS = (
    ("minutes", 0, 59, (), ""),
    ("hours", 0, 23, (), ""),
    ("day of month", 1, 31, (), r"\?|L|LW|\d+W"),
    ("month", 1, 12, _MONTHS, ""),
    ("day of week", 1, 7, _DAYS, r"\?|L|[1-7]L|[1-7]#[1-5]"),
    ("year", 1970, 2199, (), ""),
)
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4


def check_schedule(check: Check, field: str, expression: str, *, timezone: str) -> None:
    """Note a schedule expression that no scheduler understands, as setting ``field``, or a time zone that none has."""
    problem = expression_problem(expression)
    check.that(not problem, field, problem, expression)
    # Empty on a machine without a time zone database; then AWS has to say it.
    zones = available_timezones()
    place = f"{field.rpartition('.')[0]}.timezone".removeprefix(".")
    check.that(not zones or timezone in zones, place, "an IANA name such as Europe/Berlin", timezone)


def expression_problem(expression: str) -> str:
    """Return what ``expression`` must be, or nothing if it is fine."""
    if rate := _RATE.fullmatch(expression):
        return "" if (rate[1] == "1") != bool(rate[3]) else "rate(1 minute), or rate(2 minutes) for more than one"
    if at := _AT.fullmatch(expression):
        return _at_problem(at[1])
    if cron := _CRON.fullmatch(expression):
        return _cron_problem(cron[1].split(" "))
    return "rate(5 minutes), cron(0 8 * * ? *) or at(2030-01-31T08:00:00)"


def _at_problem(moment: str) -> str:
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return "at() a moment that exists"
    return ""


def _cron_problem(fields: list[str]) -> str:
    if len(fields) != len(_FIELDS):
        return "cron() with six fields: minutes, hours, day of month, month, day of week, year"
    if (fields[_DAY_OF_MONTH] == "?") == (fields[_DAY_OF_WEEK] == "?"):
        return "cron() with ? as day of month or as day of week, and only in one of them"
    for text, (name, low, high, names, special) in zip(fields, _FIELDS, strict=True):
        if not all(_is_item(item, low, high, names) or re.fullmatch(special, item) for item in text.split(",")):
            return f"cron() with {name} from {low} to {high}"
    return ""


def _is_item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    first, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if first == "*":
        return True
    values = [_number(text, low, names) for text in first.split("-")]
    return len(values) <= (1 if slash else 2) and all(value is not None and low <= value <= high for value in values)


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    if text.upper() in names:
        return names.index(text.upper()) + low
    return int(text) if text.isdecimal() else None
