from __future__ import annotations

from typing import Any

import pytest

from archlib.core.target import Target
from archlib.errors import SettingsError

ROLE = "arn:aws:iam::123456789012:role/deploy"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:deployments"
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders"


def test_nothing_has_to_be_said() -> None:
    target = Target()

    assert (target.account, target.region, target.protected, target.parameters) == (None, None, False, {})


@pytest.mark.parametrize(
    "given",
    [
        {"account": "012345678901"},
        {"region": "eu-central-1"},
        {"region": "us-gov-west-1"},
        {"assume_role": ROLE, "service_role": "arn:aws-cn:iam::123456789012:role/path/to/deploy"},
        {"notifications": (TOPIC,) * 5},
        {"rollback_alarms": (ALARM,), "rollback_minutes": 180},
        {"rollback_alarms": (ALARM,) * 5},
    ],
)
def test_what_can_be(given: dict[str, Any]) -> None:
    target = Target(**given)

    assert {name: getattr(target, name) for name in given} == given


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        ({"account": "1234"}, "account", "must be twelve digits in quotes, such as '123456789012', got '1234'"),
        ({"account": "12345678901a"}, "account", "must be twelve digits"),
        ({"account": "123456789012\n"}, "account", "must be twelve digits"),
        ({"account": ""}, "account", "must be twelve digits"),
        ({"region": "eu-wset-1"}, "region", "eu-wset-1"),
        ({"assume_role": "deploy"}, "assume_role", "must be the ARN of a role, got 'deploy'"),
        ({"service_role": ROLE.replace("role", "user")}, "service_role", "must be the ARN of a role"),
        ({"notifications": (TOPIC,) * 6}, "notifications", "must be up to 5 ARNs of topics"),
        ({"notifications": (TOPIC, ALARM)}, "notifications", "must be up to 5 ARNs of topics"),
        ({"rollback_alarms": (TOPIC,)}, "rollback_alarms", "must be up to 5 ARNs of CloudWatch alarms"),
        (
            {"rollback_alarms": (ALARM,), "rollback_minutes": 181},
            "rollback_minutes",
            "must be 0 to 180, and 0 without rollback_alarms, got 181",
        ),
        (
            {"rollback_alarms": (ALARM,), "rollback_minutes": -1},
            "rollback_minutes",
            "must be 0 to 180, and 0 without rollback_alarms, got -1",
        ),
        ({"rollback_minutes": 5}, "rollback_minutes", "must be 0 to 180, and 0 without rollback_alarms, got 5"),
    ],
)
def test_what_cannot_be(given: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Target(**given)

    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.message.startswith("target: ")
    assert message in problem.message


def test_all_problems_come_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Target(account="x", region="y", service_role="z", rollback_minutes=5)

    assert [problem.field for problem in caught.value.problems] == [
        "region", "account", "service_role", "rollback_minutes",
    ]  # fmt: skip
