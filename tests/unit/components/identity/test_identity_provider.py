from typing import Any

import pytest
from troposphere import Ref

from archlib.components.identity.identity_provider import (
    IdentityProvider,
    OidcProvider,
    SamlProvider,
    SecretText,
    SocialProvider,
)
from archlib.core.component import Check
from archlib.core.values import encode

TEXT = SecretText("arn:aws:secretsmanager:eu-west-1:111122223333:secret:idp-AbCdEf")
REFERENCE = (
    "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:111122223333:secret:idp-AbCdEf"
    ":SecretString:client_secret}}"
)
APPLE = SocialProvider("apple", "com.example.shop", SecretText(TEXT.arn, "key"), more={"team_id": "T1", "key_id": "K1"})


def test_a_secret_is_read_at_deployment_only() -> None:
    assert encode(SecretText(Ref("PartnerSecret"), "text").reference) == {
        "Fn::Sub": "{{resolve:secretsmanager:${PartnerSecret}:SecretString:text}}"
    }


@pytest.mark.parametrize(
    ("provider", "name", "kind", "details"),
    [
        (
            SamlProvider("corp", "https://idp.example.com/metadata"),
            *("corp", "SAML", {"MetadataURL": "https://idp.example.com/metadata"}),
        ),
        (
            OidcProvider("partner", "https://login.example.com", "shop", TEXT),
            *("partner", "OIDC"),
            {
                "attributes_request_method": "GET",
                "authorize_scopes": "openid email",
                "client_id": "shop",
                "client_secret": REFERENCE,
                "oidc_issuer": "https://login.example.com",
            },
        ),
        (
            SocialProvider("google", "shop", TEXT, scopes=("email", "profile")),
            *("Google", "Google"),
            {"authorize_scopes": "email profile", "client_id": "shop", "client_secret": REFERENCE},
        ),
        (
            SocialProvider("facebook", "shop", TEXT, scopes=("email", "public_profile"), more={"api_version": "v21.0"}),
            *("Facebook", "Facebook"),
            {
                "api_version": "v21.0",
                "authorize_scopes": "email,public_profile",
                "client_id": "shop",
                "client_secret": REFERENCE,
            },
        ),
        (
            SocialProvider("google", "shop", TEXT),
            *("Google", "Google"),
            {"authorize_scopes": "openid email", "client_id": "shop", "client_secret": REFERENCE},
        ),
        (
            SocialProvider("facebook", "shop", TEXT),
            *("Facebook", "Facebook"),
            {"authorize_scopes": "public_profile,email", "client_id": "shop", "client_secret": REFERENCE},
        ),
        (
            SocialProvider("amazon", "shop", TEXT),
            *("LoginWithAmazon", "LoginWithAmazon"),
            {"authorize_scopes": "profile", "client_id": "shop", "client_secret": REFERENCE},
        ),
        (
            SocialProvider("amazon", "shop", TEXT, scopes=("profile", "postal_code")),
            *("LoginWithAmazon", "LoginWithAmazon"),
            {"authorize_scopes": "profile postal_code", "client_id": "shop", "client_secret": REFERENCE},
        ),
        (
            APPLE,
            *("SignInWithApple", "SignInWithApple"),
            {
                "authorize_scopes": "email",
                "client_id": "com.example.shop",
                "key_id": "K1",
                "private_key": REFERENCE.replace("client_secret", "key"),
                "team_id": "T1",
            },
        ),
    ],
)
def test_says_what_cognito_wants_to_know(provider: IdentityProvider, name: str, kind: str, details: Any) -> None:
    check = Check("user pool 'people'")
    provider.check(check)

    assert check.problems == []
    assert (provider.provider_name, provider.type, encode(provider.details())) == (name, kind, details)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (SamlProvider("corp", "http://idp.example.com"), "metadata_url must be an https:// address"),
        (SamlProvider("c" * 33, "https://idp.example.com"), "name must be at most 32 characters"),
        (OidcProvider("partner", "login.example.com", "shop", TEXT), "issuer must be an https:// address"),
        (OidcProvider("partner", "https://x.example.com", "a", TEXT, scopes=["email"]), "scopes must be openid and"),
        (SocialProvider("myspace", "a", TEXT), "name must be one of google, facebook"),  # type: ignore[arg-type]
        (
            SocialProvider("amazon", "a", TEXT, scopes=("profile", "email")),
            "scopes must be profile, profile:user_id or postal_code for Amazon, got ['email']",
        ),
        (SocialProvider("apple", "a", TEXT, more={"team_id": "T1"}), "more must be team_id and key_id for Apple"),
    ],
)
def test_refuses_what_cannot_work(provider: IdentityProvider, expected: str) -> None:
    check = Check("user pool 'people'")
    provider.check(check)

    assert expected in check.problems[0].message
