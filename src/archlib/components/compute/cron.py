"""Times as EventBridge writes them, for Auto Scaling groups, which write them as crontab does."""

from __future__ import annotations

import re

_EVENTBRIDGE = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_FIELD = re.compile(r"\*(/[0-9]+)?|[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")
_ONCE = re.compile(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def once(when: str) -> str | None:
    """Return the start time that ``at(...)`` stands for, in UTC; None if it is none."""
    found = _ONCE.fullmatch(when)
    return f"{found[1]}Z" if found else None


def crontab(when: str) -> str | None:
    """Return ``cron(minutes hours day month weekday year)`` as crontab has it; None if it has no such form."""
    found = _EVENTBRIDGE.fullmatch(when)
    if found is None or found[6] != "*":
        return None
    minutes, hours, day, month, weekday = ("*" if field == "?" else field.upper() for field in found.groups()[:5])
    month = re.sub("|".join(_MONTHS), lambda name: str(_MONTHS.index(name[0]) + 1), month)
    # EventBridge counts the days of the week from 1, crontab from 0.
    if not weekday.startswith("*"):
        weekday = re.sub(r"[0-9]+", lambda number: str(int(number[0]) - 1), weekday)
    weekday = re.sub("|".join(_DAYS), lambda name: str(_DAYS.index(name[0])), weekday)
    fields = (minutes, hours, day, month, weekday)
    return " ".join(fields) if all(_FIELD.fullmatch(field) for field in fields) else None
