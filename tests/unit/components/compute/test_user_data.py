from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archlib import Stack
from archlib.components.compute.instances import Instances
from archlib.components.compute.user_data import UserData, mark, weave
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.core.values import arn
from archlib.errors import SettingsError
from unit.components.compute.conftest import Rendered, script


def test_a_template_has_typed_variables(stack: Stack, vpc: Vpc, rendered: Rendered, tmp_path: Path) -> None:
    (tmp_path / "start.sh").write_text(
        "{% if debug %}debug{% endif %}{% for n in range(workers) %}w{{ n }}{% endfor %} {{ word }} {{ rate * 2 }}\n"
    )
    variables: dict[str, Any] = {"debug": False, "workers": 2, "word": "hello", "rate": 0.5}
    Instances(stack, "app", network=vpc, user_data=UserData(tmp_path / "start.sh", variables=variables))

    assert script(rendered()).endswith("w0w1 hello 1.0\n")


def test_a_template_knows_where_it_is(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    text = "{{ app }} {{ stage }} {{ folder }} {{ environment_file }} {{ port }}"
    Instances(stack, "app", network=vpc, port=8000, user_data=UserData(text=text))

    assert script(rendered()).endswith("shop test /opt/shop /etc/shop/environment 8000")


def test_cloudformation_fills_in_what_only_it_knows(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    topic = Topic(stack, "alarms")
    text = 'run --topic {{ topic }} --group {{ group }} "${HOME}" "${PORT:-80}"\n'
    variables = {"topic": topic.arn, "group": arn("logs", "log-group:a")}
    Instances(stack, "app", network=vpc, user_data=UserData(text=text, variables=variables))

    value = rendered()["AppInstancesTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    assert value.endswith(
        "run --topic ${AlarmsTopic} --group arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:a "
        '"${!HOME}" "${!PORT:-80}"\n'
    )


def test_a_missing_variable_is_an_error_at_its_line(stack: Stack, vpc: Vpc, tmp_path: Path) -> None:
    file = tmp_path / "start.sh"
    file.write_text("echo one\n\necho {{ nothing }}\n")

    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, user_data=UserData(file))

    assert f"{file}:3: instances 'app': user_data must be" in str(caught.value)
    assert "'nothing' is undefined in line 3; add it to user_data.variables" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n{{ nothing }}", "'nothing' is undefined in line 2; add it"),
        ("one\n{% if %}", "in line 2; correct it"),
        ("{{ 1 / 0 }}", "division by zero in line 1; correct it"),
        ("{{ [1, 2] | random }}", "No filter named 'random'"),
        ("{% include 'other.sh' %}", "in line 1; correct it"),
    ],
)
def test_a_template_that_cannot_be_rendered_says_where(stack: Stack, vpc: Vpc, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, user_data=UserData(text=text))

    assert message in str(caught.value)
    assert caught.value.problems[0].origin is not None
    assert caught.value.problems[0].origin.file == __file__


@pytest.mark.parametrize(
    ("user_data", "message"),
    [
        (UserData(), "user_data must be one of path or text"),
        (UserData(Path("a"), "b"), "user_data must be one of path or text"),
        (UserData(Path("missing.sh")), "user_data.path must be a file, got 'missing.sh'; correct the path"),
        (UserData(text="\0001\000"), "user_data must be text, got the character '\\x00' in line 1; remove it"),
        (UserData(text="", variables={"a": "\0"}), "user_data.variables.a must be text without control characters"),
        (UserData(text="", variables={"a-b": 1}), "user_data.variables.a-b must be named by letters"),
        (UserData(text="", variables={"port": 1}), "user_data.variables.port must be another name"),
        (
            UserData(text="", variables={"login": "{{resolve:secretsmanager:login}}"}),
            "user_data.variables.login must be no secret",
        ),
        (UserData(text="", variables={"db_password": "hunter22"}), "user_data.variables.db_password must be no secret"),
        (
            UserData(text="", variables={"pin_token": 123456, "pass": 4711}),
            "user_data.variables.pass must be no secret",
        ),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, vpc: Vpc, user_data: UserData, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, user_data=user_data)

    assert message in str(caught.value)


def test_a_secret_is_not_repeated(stack: Stack, vpc: Vpc) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, user_data=UserData(text="", variables={"signing_key": "hunter22"}))

    assert "pass the ARN of the secret" in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_what_names_a_secret_is_none(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    variables: dict[str, Any] = {
        "db_secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x",
        "db_password": arn("secretsmanager", "secret:x"),
        "password_file": "/run/password",
        "max_token": 4096,
        "use_password": True,
    }
    Instances(
        stack, "app", network=vpc, user_data=UserData(text="{{ db_secret }} {{ max_token }}", variables=variables)
    )

    assert script(rendered()).endswith("secret:x 4096")


def test_the_file_must_be_text(stack: Stack, vpc: Vpc, tmp_path: Path) -> None:
    (tmp_path / "start.sh").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match="must be UTF-8, got byte 0xff") as caught:
        Instances(stack, "app", network=vpc, port=0, user_data=UserData(tmp_path / "start.sh"))

    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f"])
def test_a_script_has_no_control_characters(stack: Stack, vpc: Vpc, tmp_path: Path, character: str) -> None:
    file = tmp_path / "start.sh"
    file.write_text(f"one\n\ttwo\nthree {character}")

    with pytest.raises(SettingsError, match=r"user_data must be text, got the character .* in line 3") as caught:
        Instances(stack, "app", network=vpc, user_data=UserData(file))

    (problem,) = caught.value.problems
    assert problem.origin == (str(file.resolve()), 3)


def test_16_kb_are_enough(app: Any, stack: Stack, vpc: Vpc) -> None:
    Instances(stack, "app", network=vpc, user_data=UserData(text="#" * 16_000))

    with pytest.raises(SettingsError, match="user_data must be at most 16 KB with all that goes with it, got 16"):
        app.assemble()


def test_marks_are_replaced_by_values() -> None:
    assert weave(f"a{mark(1)}b{mark(0)}", ["x", "y"]) == ["a", "y", "b", "x", ""]
