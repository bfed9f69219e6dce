import pytest

from archlib.wiring.expression import expression_problem


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(5 minutes)",
        "rate(12 hours)",
        "at(2030-01-31T08:00:00)",
        "cron(0 8 * * ? *)",
        "cron(0/15 8-17 ? * MON-FRI *)",
        "cron(*/5 * L JAN,JUL ? 2030-2040)",
        "cron(0 0 1,15 * ? *)",
        "cron(0 0 15W * ? *)",
        "cron(0 0 ? * 6#3 *)",
        "cron(0 0 ? * 5L *)",
    ],
)
def test_accepts(expression: str) -> None:
    assert expression_problem(expression) == ""


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("every day", "rate(5 minutes), cron(0 8 * * ? *) or at("),
        ("rate(0 minutes)", "rate(5 minutes), cron("),
        ("rate(5 weeks)", "rate(5 minutes), cron("),
        ("rate(1 minutes)", "rate(1 minute), or rate(2 minutes)"),
        ("rate(5 minute)", "rate(1 minute), or rate(2 minutes)"),
        ("at(2030-02-31T08:00:00)", "at() a moment that exists"),
        ("at(2030-01-31 08:00)", "rate(5 minutes), cron("),
        ("cron(0 8 * * *)", "cron() with six fields"),
        ("cron(0 8 * * * *)", "cron() with ? as day of month or as day of week, and only in one"),
        ("cron(0 8 ? * ? *)", "cron() with ? as day of month or as day of week, and only in one"),
        ("cron(60 8 * * ? *)", "cron() with minutes from 0 to 59"),
        ("cron(0 24 * * ? *)", "cron() with hours from 0 to 23"),
        ("cron(0/0 8 * * ? *)", "cron() with minutes from 0 to 59"),
        ("cron(1-5/2 8 * * ? *)", "cron() with minutes from 0 to 59"),
        ("cron(0 8 0 * ? *)", "cron() with day of month from 1 to 31"),
        ("cron(0 8 * 13 ? *)", "cron() with month from 1 to 12"),
        ("cron(0 8 * ? ? *)", "cron() with month from 1 to 12"),
        ("cron(0 8 ? * 0 *)", "cron() with day of week from 1 to 7"),
        ("cron(0 8 ? * FUN *)", "cron() with day of week from 1 to 7"),
        ("cron(0 8 * * ? 1969)", "cron() with year from 1970 to 2199"),
    ],
)
def test_says_what_it_must_be(expression: str, problem: str) -> None:
    assert expression_problem(expression).startswith(problem)
