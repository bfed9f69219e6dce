"""Where users of a user pool may sign in instead: companies by SAML or OpenID Connect, and social networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from archlib.core.component import Check
from archlib.core.values import Value, join

# Provider -> ProviderType of Cognito, the key of its secret, what separates scopes, and the scopes that give the email.
_SOCIAL = {
    "google": ("Google", "client_secret", " ", ("openid", "email")),
    "facebook": ("Facebook", "client_secret", ",", ("public_profile", "email")),
    "amazon": ("LoginWithAmazon", "client_secret", " ", ("profile",)),
    "apple": ("SignInWithApple", "private_key", " ", ("email",)),
}
_AMAZON_SCOPES = frozenset({"profile", "profile:user_id", "postal_code"})
_NAME_MAX = 32
_EMAIL = {"email": "email"}
_SAML_EMAIL = {"email": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"}


@dataclass(frozen=True, slots=True)
class SecretText:
    """A text inside a secret of AWS Secrets Manager, which CloudFormation reads at deployment.

    Attributes:
        arn: ARN of the secret, which holds a JSON object.
        key: key of the text in it.
    """

    arn: Value
    key: str = "client_secret"

    @property
    def reference(self) -> Value:
        """The dynamic reference; the text itself is never in the template."""
        return join("{{resolve:secretsmanager:", self.arn, f":SecretString:{self.key}}}}}")


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """A company's sign-in by SAML 2.0.

    Attributes:
        name: kebab-case; users and app clients know the provider by it.
        metadata_url: https:// address of the provider's metadata.
        attributes: attribute of the user pool -> attribute of the provider.
    """

    name: str
    metadata_url: str
    attributes: Mapping[str, str] = field(default_factory=lambda: _SAML_EMAIL)

    type = "SAML"

    @property
    def provider_name(self) -> str:
        """Name of the provider in the user pool."""
        return self.name

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        _check_name(check, self.name)
        check.that(self.metadata_url.startswith("https://"), "metadata_url", "an https:// address", self.metadata_url)

    def details(self) -> dict[str, Value]:
        """Return the provider's details as Cognito wants them."""
        return {"MetadataURL": self.metadata_url}


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """A company's sign-in by OpenID Connect.

    Attributes:
        name: kebab-case; users and app clients know the provider by it.
        issuer: https:// address of the issuer.
        client_id: the user pool's id at the provider.
        client_secret: where the user pool's secret at the provider is.
        scopes: what the user pool asks for.
        attributes: attribute of the user pool -> claim of the provider.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: SecretText
    scopes: Sequence[str] = ("openid", "email")
    attributes: Mapping[str, str] = field(default_factory=lambda: _EMAIL)

    type = "OIDC"

    @property
    def provider_name(self) -> str:
        """Name of the provider in the user pool."""
        return self.name

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        _check_name(check, self.name)
        check.that(self.issuer.startswith("https://"), "issuer", "an https:// address", self.issuer)
        check.that("openid" in self.scopes, "scopes", "openid and others", list(self.scopes))

    def details(self) -> dict[str, Value]:
        """Return the provider's details as Cognito wants them."""
        return {
            "attributes_request_method": "GET",
            "authorize_scopes": " ".join(self.scopes),
            "client_id": self.client_id,
            "client_secret": self.client_secret.reference,
            "oidc_issuer": self.issuer,
        }


@dataclass(frozen=True, slots=True)
class SocialProvider:
    """Sign-in with an account of a social network.

    Attributes:
        name: ``google``, ``facebook``, ``amazon`` or ``apple``.
        client_id: the user pool's id there.
        client_secret: where the secret is; for Apple, the private key.
        scopes: what the user pool asks for; by default what gives the email address. Amazon has ``profile``,
            ``profile:user_id`` and ``postal_code`` only.
        attributes: attribute of the user pool -> attribute there.
        more: further details: for Apple ``team_id`` and ``key_id``, for Facebook ``api_version``.
    """

    name: Literal["google", "facebook", "amazon", "apple"]
    client_id: str
    client_secret: SecretText
    scopes: Sequence[str] | None = None
    attributes: Mapping[str, str] = field(default_factory=lambda: _EMAIL)
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Cognito's name of the kind of provider."""
        return _SOCIAL[self.name][0]

    @property
    def provider_name(self) -> str:
        """Name of the provider in the user pool, which Cognito demands."""
        return self.type

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.one_of("name", self.name, _SOCIAL)
        missing = {"team_id", "key_id"} - self.more.keys()
        check.that(self.name != "apple" or not missing, "more", "team_id and key_id for Apple", sorted(self.more))
        foreign = set(self.scopes or ()) - _AMAZON_SCOPES
        check.that(
            self.name != "amazon" or not foreign, "scopes", "profile, profile:user_id or postal_code for Amazon",
            sorted(foreign),
        )  # fmt: skip

    def details(self) -> dict[str, Value]:
        """Return the provider's details as Cognito wants them."""
        _, secret, separator, scopes = _SOCIAL[self.name]
        return {
            "authorize_scopes": separator.join(scopes if self.scopes is None else self.scopes),
            "client_id": self.client_id,
            secret: self.client_secret.reference,
            **self.more,
        }


IdentityProvider = SamlProvider | OidcProvider | SocialProvider


def _check_name(check: Check, name: str) -> None:
    check.that(len(name) <= _NAME_MAX, "name", f"at most {_NAME_MAX} characters", name)
