from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.identity_provider import SamlProvider, SecretText, SocialProvider
from archlib.components.identity.user_pool import MailSender, UserPool
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]
SAML = SamlProvider("corp", "https://idp.example.com/metadata")


def test_people_sign_in_by_mail_a_long_password_and_a_code(stack: Stack, rendered: Rendered) -> None:
    UserPool(stack, "people")

    pool = rendered()["PeopleUserPool"]
    made = pool["Properties"]

    assert made["UsernameAttributes"] == made["AutoVerifiedAttributes"] == ["email"]
    assert made["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 14,
        "PasswordHistorySize": 5,
        "RequireLowercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "RequireUppercase": True,
        "TemporaryPasswordValidityDays": 3,
    }
    assert (made["MfaConfiguration"], made["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    assert made["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert made["UserPoolTags"] == {"app": "shop", "environment": "test"}
    assert pool["Metadata"]["cdk_nag"]["rules_to_suppress"][0]["id"] == "AwsSolutions-COG8"
    assert (made["UserPoolTier"], "UserPoolAddOns" in made) == ("ESSENTIALS", False)
    assert "EmailConfiguration" not in made


@pytest.mark.parametrize(("removal", "protection"), [("Retain", "ACTIVE"), ("Delete", "INACTIVE")])
def test_is_kept_unless_the_environment_is_thrown_away(removal: Any, protection: str) -> None:
    app = App("shop", "test", removal=removal)
    UserPool(Stack(app, "main"), "people")

    pool = app.assemble()[0].template["Resources"]["PeopleUserPool"]

    assert pool["DeletionPolicy"] == pool["UpdateReplacePolicy"] == removal
    assert pool["Properties"]["DeletionProtection"] == protection


def test_more_is_there_when_asked_for(stack: Stack, rendered: Rendered) -> None:
    sender = MailSender("no-reply@example.com", "arn:aws:ses:eu-west-1:111122223333:identity/example.com")
    UserPool(stack, "people", password_length=20, self_sign_up=True, threat_protection=True, sender=sender)

    pool = rendered()["PeopleUserPool"]
    made = pool["Properties"]

    assert made["Policies"]["PasswordPolicy"]["MinimumLength"] == 20
    assert made["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False}
    assert (made["UserPoolTier"], made["UserPoolAddOns"]) == ("PLUS", {"AdvancedSecurityMode": "ENFORCED"})
    assert "Metadata" not in pool
    assert made["EmailConfiguration"] == {
        "EmailSendingAccount": "DEVELOPER",
        "From": "no-reply@example.com",
        "SourceArn": "arn:aws:ses:eu-west-1:111122223333:identity/example.com",
    }


def test_a_browser_gets_a_code_and_no_secret(stack: Stack, rendered: Rendered) -> None:
    pool = UserPool(stack, "people")
    client = pool.client(
        "web", callback_urls=["https://shop.example.com/done", "http://localhost:3000"], logout_urls=["shop://bye"]
    )

    made = rendered()["PeopleWebClient"]["Properties"]

    assert encode(client.client_id) == {"Ref": "PeopleWebClient"}
    assert (made["AllowedOAuthFlows"], made["AllowedOAuthFlowsUserPoolClient"]) == (["code"], True)
    assert made["AllowedOAuthScopes"] == ["openid", "email", "profile"]
    assert made["CallbackURLs"] == ["https://shop.example.com/done", "http://localhost:3000"]
    assert made["LogoutURLs"] == ["shop://bye"]
    assert (made["GenerateSecret"], made["PreventUserExistenceErrors"]) == (False, "ENABLED")
    assert made["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
    assert made["SupportedIdentityProviders"] == ["COGNITO"]


def test_an_application_of_its_own_uses_no_pages(stack: Stack, rendered: Rendered) -> None:
    UserPool(stack, "people").client(
        "server", secret=True, token_validity=timedelta(minutes=5), refresh_validity=timedelta(days=1)
    )

    made = rendered()["PeopleServerClient"]["Properties"]

    assert "AllowedOAuthFlows" not in made
    assert made["GenerateSecret"] is True
    assert (made["AccessTokenValidity"], made["IdTokenValidity"], made["RefreshTokenValidity"]) == (5, 5, 1440)


def test_users_sign_in_elsewhere(stack: Stack, rendered: Rendered) -> None:
    pool = UserPool(stack, "people")
    assert pool.provider(SAML) == "corp"
    assert (
        pool.provider(SocialProvider("google", "shop", SecretText("arn:aws:secretsmanager:a:1:secret:b"))) == "Google"
    )
    pool.client("web")
    pool.client("intranet", providers=["corp"])
    pool.client("kiosk", providers=())

    made = rendered()

    assert made["PeopleCorpProvider"]["Properties"] == {
        "AttributeMapping": {"email": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"},
        "ProviderDetails": {"MetadataURL": "https://idp.example.com/metadata"},
        "ProviderName": "corp",
        "ProviderType": "SAML",
        "UserPoolId": {"Ref": "PeopleUserPool"},
    }
    assert made["PeopleWebClient"]["Properties"]["SupportedIdentityProviders"] == ["COGNITO", "corp", "Google"]
    assert made["PeopleWebClient"]["DependsOn"] == ["PeopleCorpProvider", "PeopleGoogleProvider"]
    assert made["PeopleIntranetClient"]["Properties"]["SupportedIdentityProviders"] == ["COGNITO", "corp"]
    assert "DependsOn" not in made["PeopleKioskClient"]


def test_people_are_in_groups(stack: Stack, rendered: Rendered) -> None:
    pool = UserPool(stack, "people")
    pool.group("admins", precedence=0, role_arn="arn:aws:iam::111122223333:role/admins")
    pool.group("readers")

    made = rendered()

    assert made["PeopleAdminsGroup"]["Properties"] == {
        "GroupName": "admins",
        "Precedence": 0,
        "RoleArn": "arn:aws:iam::111122223333:role/admins",
        "UserPoolId": {"Ref": "PeopleUserPool"},
    }
    assert made["PeopleReadersGroup"]["Properties"].keys() == {"GroupName", "UserPoolId"}


def test_the_pages_have_an_address(stack: Stack, rendered: Rendered) -> None:
    pool = UserPool(stack, "people")
    with pytest.raises(WiringError, match="user pool 'people': domain must be set"):
        _ = pool.sign_in_url

    pool.domain("shop-people")

    assert rendered()["PeopleUserPoolDomain"]["Properties"]["Domain"] == "shop-people"
    assert encode(pool.sign_in_url) == {"Fn::Sub": "https://shop-people.auth.${AWS::Region}.amazoncognito.com"}


def test_the_pages_can_have_an_address_of_your_own(stack: Stack, rendered: Rendered) -> None:
    pool = UserPool(stack, "people")
    pool.domain("auth.example.com", certificate_arn="arn:aws:acm:us-east-1:111122223333:certificate/0a")

    assert rendered()["PeopleUserPoolDomain"]["Properties"]["CustomDomainConfig"] == {
        "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/0a"
    }
    assert pool.sign_in_url == "https://auth.example.com"


def test_callers_get_what_they_need(stack: Stack) -> None:
    pool = UserPool(stack, "people")
    managing, verifying = pool.for_managing_users(), pool.for_verifying()

    assert "cognito-idp:AdminCreateUser" in managing.grants[0].actions
    assert encode(managing.grants[0].resources) == [{"Fn::GetAtt": ["PeopleUserPool", "Arn"]}]
    assert encode(managing.environment) == {"USER_POOL": {"Ref": "PeopleUserPool"}}
    assert verifying.grants == ()
    assert encode(verifying.environment) == {
        "ISSUER": {"Fn::GetAtt": ["PeopleUserPool", "ProviderURL"]},
        "JWKS_URL": {"Fn::Sub": "${PeopleUserPool.ProviderURL}/.well-known/jwks.json"},
    }
    assert encode(pool.protected_arn) == {"Fn::GetAtt": ["PeopleUserPool", "Arn"]}
    assert encode(pool.pool_id) == {"Ref": "PeopleUserPool"}


def test_throttled_sign_ins_are_watched_for_each_application(stack: Stack) -> None:
    pool = UserPool(stack, "people")
    assert pool.watches() == ()
    pool.client("web")

    (watch,) = pool.watches()

    assert (watch.name, watch.metric) == ("web-throttles", "SignInThrottles")
    assert encode(watch.dimensions) == {
        "UserPool": {"Ref": "PeopleUserPool"},
        "UserPoolClient": {"Ref": "PeopleWebClient"},
    }


@pytest.mark.parametrize("length", [13, 100])
def test_refuses_short_passwords(stack: Stack, length: int) -> None:
    with pytest.raises(SettingsError, match=f"password_length must be 14 to 99, got {length}"):
        UserPool(stack, "people", password_length=length)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"callback_urls": ["http://shop.example.com"]}, "callback_urls must be https:// addresses"),
        ({"logout_urls": ["shop.example.com"]}, "callback_urls must be https:// addresses"),
        ({"scopes": ["everything"]}, "scopes must be one of openid, email"),
        ({"providers": ["corp"]}, "providers must be one of .*; add it first"),
        ({"token_validity": timedelta(days=2)}, "token_validity must be 5m to 1d, got 2d"),
        ({"refresh_validity": timedelta(minutes=1)}, "refresh_validity must be 1h to 3650d, got 1m"),
    ],
)
def test_refuses_applications_that_cannot_work(stack: Stack, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        UserPool(stack, "people").client("web", **settings)


@pytest.mark.parametrize(
    ("name", "certificate", "expected"),
    [
        *((name, None, "domain must be 1 to 63 of a-z") for name in ("Shop", "-shop", "my-cognito", "a" * 64, "")),
        ("auth", "arn:aws:acm:us-east-1:1:certificate/0a", "domain must be a domain name"),
    ],
)
def test_refuses_addresses_that_cannot_work(stack: Stack, name: str, certificate: str | None, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        UserPool(stack, "people").domain(name, certificate_arn=certificate)


def test_refuses_groups_and_providers_that_cannot_work(stack: Stack) -> None:
    pool = UserPool(stack, "people")

    with pytest.raises(SettingsError, match="precedence must be 0 to"):
        pool.group("admins", precedence=-1)
    with pytest.raises(SettingsError, match="user pool 'people': metadata_url must be an https:// address"):
        pool.provider(SamlProvider("corp", "http://idp.example.com"))
