from __future__ import annotations

import pytest

from archlib.components.compute.cron import crontab, once


@pytest.mark.parametrize(
    ("eventbridge", "expected"),
    [
        ("cron(0 8 ? * MON-FRI *)", "0 8 * * 1-5"),
        ("cron(0 8 ? * 2-6 *)", "0 8 * * 1-5"),
        ("cron(0 8 ? * 1,7 *)", "0 8 * * 0,6"),
        ("cron(30 20 1 JAN,jul ? *)", "30 20 1 1,7 *"),
        ("cron(*/5 * * * ? *)", "*/5 * * * *"),
        ("cron(0/5 * * * ? *)", None),
        ("cron(0 8 L * ? *)", None),
        ("cron(0 8 ? * 2#1 *)", None),
        ("cron(0 8 * * ? 2030)", None),
        ("rate(5 minutes)", None),
        ("0 8 * * 1", None),
    ],
)
def test_writes_times_as_crontab_does(eventbridge: str, expected: str | None) -> None:
    assert crontab(eventbridge) == expected


def test_knows_single_times() -> None:
    assert once("at(2030-01-31T08:00:00)") == "2030-01-31T08:00:00Z"
    assert once("at(tomorrow)") is None
