"""What a blueprint file says under ``targets``."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from archlib import load
from archlib.core.target import Target
from archlib.errors import SettingsError

HEAD = """\
blueprint: serverless
app: shop
settings:
  queues:
    jobs: {}
"""
POLICY = '{"Statement": []}'
ROLE = "arn:aws:iam::123456789012:role/deploy"


def targets(folder: Path, text: str, *, head: str = HEAD, environment: str | None = None) -> tuple[Target, ...]:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "stack.json").write_text(POLICY)
    file = folder / "archlib.yaml"
    file.write_text(head + dedent(text))
    return load(file, environment=environment).targets


def problems(folder: Path, text: str, *, head: str = HEAD, environment: str | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        targets(folder, text, head=head, environment=environment)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_without_targets_an_environment_goes_wherever_the_credentials_lead(tmp_path: Path) -> None:
    assert targets(tmp_path, "") == ()


def test_each_environment_has_its_own(tmp_path: Path) -> None:
    text = """\
        environments: {dev: {}, test: {}, prod: {}}
        targets:
          dev: {profile: shop-dev, region: eu-west-1}
          prod: {account: "123456789012", protected: true}
        """

    assert targets(tmp_path, text, environment="dev") == (Target(profile="shop-dev", region="eu-west-1"),)
    assert targets(tmp_path, text, environment="prod") == (Target(account="123456789012", protected=True),)
    assert targets(tmp_path, text, environment="test") == ()


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    text = f"""\
        targets:
          dev:
            account: "012345678901"
            region: eu-west-1
            profile: shop
            assume_role: {ROLE}
            service_role: {ROLE}
            protected: true
            notifications: [arn:aws:sns:eu-west-1:123456789012:deployments]
            rollback_alarms: [arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders]
            rollback_minutes: 10
            stack_policy: policies/stack.json
            parameters: {{Stage: green, shop-dev-app.Count: 3}}
        """

    assert targets(tmp_path, text) == (
        Target(
            account="012345678901",
            region="eu-west-1",
            profile="shop",
            assume_role=ROLE,
            service_role=ROLE,
            protected=True,
            notifications=("arn:aws:sns:eu-west-1:123456789012:deployments",),
            rollback_alarms=("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders",),
            rollback_minutes=10,
            stack_policy=POLICY,
            parameters={"Stage": "green", "shop-dev-app.Count": "3"},
        ),
    )


def test_a_list_is_several_places(tmp_path: Path) -> None:
    found = targets(tmp_path, "targets:\n  dev:\n    - region: eu-west-1\n    - {region: us-east-1, profile: us}\n")

    assert found == (Target(region="eu-west-1"), Target(region="us-east-1", profile="us"))


@pytest.mark.parametrize("account", ["123456789012", "012345678901", '"123456789012"'])
def test_an_account_is_text_with_or_without_quotes(account: str, tmp_path: Path) -> None:
    (target,) = targets(tmp_path, f"targets: {{dev: {{account: {account}}}}}\n")

    assert target.account == account.strip('"')


def test_the_stack_policy_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    (target,) = targets(tmp_path, "targets: {dev: {stack_policy: policies/stack.json}}\n")

    assert target.stack_policy == POLICY


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("account: 1234", 8, "account must be twelve digits"),
        ("region: mars", 8, "region"),
        ("region: mars\n    account: 1234", 9, "account must be twelve digits"),
        ("assume_role: deploy", 8, "assume_role must be the ARN of a role"),
        ("service_role: deploy", 8, "service_role must be the ARN of a role"),
        ("notifications: [topic]", 8, "notifications must be up to 5 ARNs of topics"),
        ("rollback_alarms: [alarm]", 8, "rollback_alarms must be up to 5 ARNs of CloudWatch alarms"),
        ("rollback_minutes: 10", 8, "rollback_minutes must be 0 to 180, and 0 without rollback_alarms"),
        ("protected: perhaps", 8, "targets.dev.protected: must be true or false, got 'perhaps'"),
        ("acount: 1234", 8, "unknown key 'acount'"),
        ("parameters: [a]", 8, "targets.dev.parameters: must be a mapping"),
    ],
)
def test_each_problem_has_its_line(text: str, line: int, message: str, tmp_path: Path) -> None:
    found = problems(tmp_path, f"targets:\n  dev:\n    {text}\n")

    assert [problem for problem in found if problem.startswith(f"archlib.yaml:{line}: ") and message in problem]


def test_the_problems_of_all_places_come_at_once(tmp_path: Path) -> None:
    text = """\
        targets:
          dev:
            - {account: 1234, region: eu-west-1}
            - region: eu-west-1
              service_role: deploy
            - rollback_minutes: 500
        """

    found = problems(tmp_path, text)

    assert [problem.split(": ")[0] for problem in found] == [
        "archlib.yaml:8", "archlib.yaml:10", "archlib.yaml:11",
    ]  # fmt: skip


def test_targets_of_environments_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    text = "environments: {dev: {}, prod: {}}\ntargets:\n  dev: {}\n  pord: {}\n  other: {}\n"

    assert problems(tmp_path, text) == [
        "archlib.yaml:9: targets.pord: must be an environment, one of dev, prod; did you mean 'prod'?",
        "archlib.yaml:10: targets.other: must be an environment, one of dev, prod",
    ]


def test_targets_change_nothing_in_the_templates(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(HEAD)
    without = load(file).assemble()
    file.write_text(f"{HEAD}targets: {{dev: {{protected: true, service_role: '{ROLE}'}}}}\n")

    assert [stack.template for stack in load(file).assemble()] == [stack.template for stack in without]
