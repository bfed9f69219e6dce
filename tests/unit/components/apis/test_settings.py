from datetime import timedelta
from typing import Any

import pytest

from archlib.components.apis.settings import Cache, Canary, Throttle, UsagePlan
from archlib.core.component import Check


def problems(setting: Any, *args: str) -> list[str]:
    check = Check("rest api 'shop'")
    setting.check(check, *args)
    return [problem.message for problem in check.problems]


@pytest.mark.parametrize("setting", [Cache(), Cache(237, timedelta(hours=1)), Canary(10, "abc123"), UsagePlan()])
def test_accepts_what_works(setting: Any) -> None:
    assert problems(setting) == []


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Throttle(rate=0), "throttle.rate must be more than 0"),
        (Throttle(burst=0), "throttle.burst must be 1 to"),
    ],
)
def test_refuses_a_limit_that_lets_nothing_through(setting: Throttle, expected: str) -> None:
    assert expected in problems(setting, "throttle")[0]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Cache(size_gb=1), "cache.size_gb must be one of 0.5, 1.6"),
        (Cache(ttl=timedelta(hours=2)), "cache.ttl must be 1s to 1h, got 2h"),
        (Cache(ttl=timedelta(0)), "cache.ttl must be 1s to 1h, got 0s"),
        (Canary(0, "abc123"), "canary.percent must be 1 to 99, got 0"),
        (Canary(10, ""), "canary.stable must be the id of a deployment"),
        (UsagePlan(quota=0), "usage_plan.quota must be 1 or more"),
        (UsagePlan(period="YEAR"), "usage_plan.period must be one of DAY, WEEK, MONTH"),  # type: ignore[arg-type]
        (UsagePlan(throttle=Throttle(rate=-1)), "usage_plan.throttle.rate must be more than 0"),
    ],
)
def test_refuses_what_cannot_work(setting: Any, expected: str) -> None:
    assert expected in problems(setting)[0]
