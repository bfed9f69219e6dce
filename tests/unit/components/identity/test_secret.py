from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.secret import Rotation, Secret
from archlib.errors import SettingsError

INLINE = Code(inline="def handler(event, context): pass")
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate"
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:partner-AbCdEf"  # noqa: S105  (an ARN is no secret)


def rendered(app: App) -> dict[str, Any]:
    return {name: resource for artifact in app.assemble() for name, resource in artifact.template["Resources"].items()}


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_generates_a_value_encrypted_with_the_key_of_the_app(app: App, stack: Stack) -> None:
    Secret(stack, "token")

    secret = rendered(app)["TokenSecret"]

    assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"
    assert secret["Properties"]["GenerateSecretString"] == {"ExcludeCharacters": "\"'/@\\", "PasswordLength": 32}
    assert secret["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert "SecretString" not in secret["Properties"]


def test_puts_the_password_beside_a_user_name(app: App, stack: Stack) -> None:
    Secret(stack, "partner", username='a "b"', length=64, exclude_characters="xyz")

    generated = rendered(app)["PartnerSecret"]["Properties"]["GenerateSecretString"]

    assert json.loads(generated["SecretStringTemplate"]) == {"username": 'a "b"'}
    assert generated["GenerateStringKey"] == "password"
    assert (generated["PasswordLength"], generated["ExcludeCharacters"]) == (64, "xyz")


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_a_function_of_another_stack_reads_it_by_its_arn(layout: Any) -> None:
    app = App("shop", layout=layout)
    secret = Secret(Stack(app, "data"), "token")
    function = Function(Stack(app, "code"), "api", code=INLINE)
    function.connect(secret.for_reading())

    found = rendered(app)
    read = [s for s in statements(found["ApiFunctionPolicy"]) if "secretsmanager:GetSecretValue" in s["Action"]]

    assert read[0]["Action"] == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    assert list(found["ApiFunction"]["Properties"]["Environment"]["Variables"]) == ["TOKEN_SECRET_ARN"]
    assert any("kms:Decrypt" in s["Action"] for s in statements(found["ApiFunctionPolicy"]))


def test_rotates_by_a_function_that_exists(app: App, stack: Stack) -> None:
    Secret(stack, "token", rotation=Rotation(FUNCTION_ARN, timedelta(days=7)))

    assert rendered(app)["TokenSecretRotation"]["Properties"] == {
        "RotationLambdaARN": FUNCTION_ARN,
        "RotationRules": {"AutomaticallyAfterDays": 7},
        "SecretId": {"Ref": "TokenSecret"},
    }


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_rotates_by_a_function_of_the_app_when_that_has_its_rights(layout: Any) -> None:
    app = App("shop", layout=layout)
    secret = Secret(Stack(app, "data"), "token")
    function = Function(Stack(app, "code"), "worker", code=INLINE)
    secret.rotate_by(function, every=timedelta(days=90))

    found = rendered(app)
    schedule = found["WorkerRotatesToken"]
    actions = {action for s in statements(found["WorkerFunctionPolicy"]) for action in s["Action"]}

    assert schedule["Properties"]["RotationRules"] == {"AutomaticallyAfterDays": 90}
    assert schedule["DependsOn"] == ["WorkerFunctionPolicy", "WorkerRotatesTokenPermission"]
    permission = found["WorkerRotatesTokenPermission"]["Properties"]
    assert permission["Principal"] == "secretsmanager.amazonaws.com"
    assert permission["SourceArn"] == schedule["Properties"]["SecretId"]
    assert {"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage", "kms:GenerateDataKey"} < actions


def test_an_existing_secret_is_read_the_same_way(app: App, stack: Stack) -> None:
    key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
    function = Function(stack, "api", code=INLINE)
    function.connect(Secret.lookup("partner", arn=SECRET_ARN, key_arn=key_arn).for_reading())

    found = rendered(app)
    by_resource = {json.dumps(s["Resource"]): s["Action"] for s in statements(found["ApiFunctionPolicy"])}

    assert found["ApiFunction"]["Properties"]["Environment"]["Variables"] == {"PARTNER_SECRET_ARN": SECRET_ARN}
    assert "secretsmanager:GetSecretValue" in by_resource[json.dumps([SECRET_ARN])]
    assert any(key_arn in resource and "kms:Decrypt" in actions for resource, actions in by_resource.items())


def test_an_existing_secret_with_the_key_of_secrets_manager_needs_no_key_right() -> None:
    (grant,) = Secret.lookup("partner", arn=SECRET_ARN).for_reading().grants

    assert grant.resources == (SECRET_ARN,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 8}, "length must be 16 to 4096, got 8"),
        ({"username": ""}, "username must be a name, or left out"),
        ({"rotation": Rotation(FUNCTION_ARN, timedelta(hours=4))}, "every must be 1d to 1000d, got 4h"),
        ({"rotation": Rotation(FUNCTION_ARN, timedelta(days=1, hours=4))}, "every must be whole days, got 1d4h"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Secret(stack, "token", **settings)
    assert stack.template.resources == {}


def test_refuses_to_rotate_too_rarely(stack: Stack) -> None:
    function = Function(stack, "worker", code=INLINE)

    with pytest.raises(SettingsError, match="secret 'token': every must be 1d to 1000d, got 2000d"):
        Secret(stack, "token").rotate_by(function, every=timedelta(days=2000))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arn": "partner"}, "arn must be an ARN of secretsmanager"),
        ({"arn": SECRET_ARN, "key_arn": "alias/app"}, "key_arn must be an ARN of kms"),
    ],
)
def test_lookup_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Secret.lookup("partner", **settings)
