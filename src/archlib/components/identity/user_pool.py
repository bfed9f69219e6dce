"""Cognito user pools: the people who may use an application."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from troposphere import cognito

from archlib.components.identity.identity_provider import IdentityProvider
from archlib.core.component import Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import REGION, Value, join
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.watch import Watch

SCOPES = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")

_PASSWORD = (14, 99)
_TOKEN = (timedelta(minutes=5), timedelta(days=1))
_REFRESH = (timedelta(hours=1), timedelta(days=3650))
_PRECEDENCE_MAX = 2**31 - 1
_PREFIX = re.compile(r"(?!.*(aws|amazon|cognito))[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}")
_CALLBACK = re.compile(r"https://\S+|http://(localhost|127\.0\.0\.1)(:\d+)?(/\S*)?|(?!https?:)[a-z][a-z0-9.+-]*://\S*")
_MANAGE = (
    "cognito-idp:AdminAddUserToGroup",
    "cognito-idp:AdminCreateUser",
    "cognito-idp:AdminDeleteUser",
    "cognito-idp:AdminDisableUser",
    "cognito-idp:AdminEnableUser",
    "cognito-idp:AdminGetUser",
    "cognito-idp:AdminListGroupsForUser",
    "cognito-idp:AdminRemoveUserFromGroup",
    "cognito-idp:AdminResetUserPassword",
    "cognito-idp:AdminUpdateUserAttributes",
    "cognito-idp:AdminUserGlobalSignOut",
    "cognito-idp:ListUsers",
    "cognito-idp:ListUsersInGroup",
)


@dataclass(frozen=True, slots=True)
class MailSender:
    """A verified address of Amazon SES that mails are sent from.

    Attributes:
        address: the address, such as ``Shop <no-reply@shop.example.com>``.
        identity_arn: ARN of the SES identity it belongs to.
    """

    address: str
    identity_arn: Value


@dataclass(frozen=True, slots=True)
class AppClient:
    """An application that signs users in.

    Attributes:
        resource: the ``AWS::Cognito::UserPoolClient``.
        client_id: its id, which is the audience of its tokens.
    """

    resource: cognito.UserPoolClient
    client_id: Value


class UserPool(Component):
    """A Cognito user pool: sign-in by e-mail address, long passwords, and a code of an authenticator app.

    Creates ``<Name>UserPool``; ``<Name><Client>Client``, ``<Name><Group>Group``, ``<Name><Provider>Provider`` and
    ``<Name>UserPoolDomain`` as asked for.

    See https://docs.aws.amazon.com/cognito/latest/developerguide/managing-security.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        password_length: shortest password, 14 to 99; upper and lower case, digits and symbols are always asked for.
        self_sign_up: anybody may make an account; by default only administrators do.
        threat_protection: detect stolen passwords and odd sign-ins; needs the PLUS plan, about 0.02 USD for each user
            active in a month.
        sender: the SES address of mails; Cognito's own, for 50 mails a day, by default.

    Attributes:
        resource: the ``AWS::Cognito::UserPool``.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "UserPool"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        password_length: int = 14,
        self_sign_up: bool = False,
        threat_protection: bool = False,
        sender: MailSender | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("password_length", password_length, *_PASSWORD)
        self._clients: dict[str, AppClient] = {}
        self._providers: dict[str, str] = {}
        self._domain: Value | None = None
        self.resource = cognito.UserPool(
            self.id(),
            AccountRecoverySetting=cognito.AccountRecoverySetting(
                RecoveryMechanisms=[cognito.RecoveryOption(Name="verified_email", Priority=1)]
            ),
            AdminCreateUserConfig=cognito.AdminCreateUserConfig(AllowAdminCreateUserOnly=not self_sign_up),
            AutoVerifiedAttributes=["email"],
            DeletionProtection="ACTIVE" if stack.app.removal == "Retain" else "INACTIVE",
            EnabledMfas=["SOFTWARE_TOKEN_MFA"],
            MfaConfiguration="ON",
            Policies=cognito.Policies(
                PasswordPolicy=cognito.PasswordPolicy(
                    MinimumLength=password_length,
                    PasswordHistorySize=5,
                    RequireLowercase=True,
                    RequireNumbers=True,
                    RequireSymbols=True,
                    RequireUppercase=True,
                    TemporaryPasswordValidityDays=3,
                )
            ),
            # A new address counts only after its owner has confirmed it.
            UserAttributeUpdateSettings=cognito.UserAttributeUpdateSettings(
                AttributesRequireVerificationBeforeUpdate=["email"]
            ),
            UserPoolTags=dict(stack.app.tags),
            UserPoolTier="PLUS" if threat_protection else "ESSENTIALS",
            UsernameAttributes=["email"],
            UsernameConfiguration=cognito.UsernameConfiguration(CaseSensitive=False),
        )
        if threat_protection:
            self.resource.UserPoolAddOns = cognito.UserPoolAddOns(AdvancedSecurityMode="ENFORCED")
        else:
            suppress(self.resource, "user-pool-tier")
        if sender is not None:
            self.resource.EmailConfiguration = cognito.EmailConfiguration(
                EmailSendingAccount="DEVELOPER", From=sender.address, SourceArn=sender.identity_arn
            )
        self.add(self.resource, stateful=True)

    @property
    def pool_id(self) -> Value:
        """Id of the user pool."""
        return self.ref()

    @property
    def arn(self) -> Value:
        """ARN of the user pool."""
        return self.attribute("Arn")

    @property
    def protected_arn(self) -> Value:
        """ARN of the user pool, as a web firewall wants it."""
        return self.arn

    @property
    def issuer(self) -> Value:
        """Who signs the tokens, as an authorizer of an HTTP API wants it."""
        return self.attribute("ProviderURL")

    @property
    def jwks_url(self) -> Value:
        """Address of the public keys that prove the tokens."""
        return join(self.issuer, "/.well-known/jwks.json")

    @property
    def sign_in_url(self) -> Value:
        """Address of the sign-in pages, without a slash at the end.

        Raises:
            WiringError: the pool has no domain yet.
        """
        if self._domain is None:
            raise WiringError(f"{self}: domain must be set before its address is used; call domain()")
        return self._domain

    def client(
        self,
        name: str,
        *,
        callback_urls: Sequence[Value] = (),
        logout_urls: Sequence[Value] = (),
        scopes: Sequence[str] = ("openid", "email", "profile"),
        providers: Sequence[str] | None = None,
        secret: bool = False,
        token_validity: timedelta = timedelta(hours=1),
        refresh_validity: timedelta = timedelta(days=30),
    ) -> AppClient:
        """Add an application and return it.

        Creates ``<Name><Client>Client``.

        Args:
            name: kebab-case.
            callback_urls: where the sign-in pages may send users back to, by the code flow: https:// addresses, http://
                on this machine, or an app's own scheme. Without any, the application signs users in by itself (SRP).
            logout_urls: the same for signing out.
            scopes: what tokens may be used for: ``openid``, ``email``, ``phone``, ``profile`` and
                ``aws.cognito.signin.user.admin``.
            providers: names of identity providers of this pool; all of them and the pool itself by default. Those
                added later are not meant.
            secret: the application runs on a server and proves itself by a secret; never for browsers and phones.
            token_validity: how long identity and access tokens hold, 5 minutes to a day.
            refresh_validity: how long a user stays signed in, 1 hour to 3650 days.

        Raises:
            SettingsError: a setting is outside its range.
        """
        wanted = [*self._providers] if providers is None else list(providers)
        with self.checking() as check:
            for url in (*callback_urls, *logout_urls):
                check.that(
                    not isinstance(url, str) or _CALLBACK.fullmatch(url),
                    "callback_urls", "https:// addresses, http://localhost, or an app's own scheme", url,
                )  # fmt: skip
            for scope in scopes:
                check.one_of("scopes", scope, SCOPES)
            for provider in wanted:
                check.one_of("providers", provider, self._providers, "add it first")
            check.between("token_validity", token_validity, *_TOKEN)
            check.between("refresh_validity", refresh_validity, *_REFRESH)
        role = f"{pascal(check_name(name, 'app client'))}Client"
        client = cognito.UserPoolClient(
            self.id(role),
            AccessTokenValidity=token_validity // timedelta(minutes=1),
            AuthSessionValidity=3,
            ClientName=name,
            EnableTokenRevocation=True,
            ExplicitAuthFlows=["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
            GenerateSecret=secret,
            IdTokenValidity=token_validity // timedelta(minutes=1),
            PreventUserExistenceErrors="ENABLED",
            RefreshTokenValidity=refresh_validity // timedelta(minutes=1),
            SupportedIdentityProviders=["COGNITO", *wanted],
            TokenValidityUnits=cognito.TokenValidityUnits(
                AccessToken="minutes", IdToken="minutes", RefreshToken="minutes"
            ),
            UserPoolId=self.ref(),
        )
        if callback_urls:
            client.AllowedOAuthFlows = ["code"]
            client.AllowedOAuthFlowsUserPoolClient = True
            client.AllowedOAuthScopes = list(scopes)
            client.CallbackURLs = list(callback_urls)
        if logout_urls:
            client.LogoutURLs = list(logout_urls)
        if wanted:
            client.DependsOn = [self._providers[provider] for provider in wanted]
        self.add(client)
        made = self._clients[name] = AppClient(client, self.ref(role))
        return made

    def group(
        self, name: str, *, precedence: int | None = None, role_arn: Value | None = None
    ) -> cognito.UserPoolGroup:
        """Add a group, whose members have its name in their tokens, and return it.

        Creates ``<Name><Group>Group``.

        Args:
            name: kebab-case.
            precedence: which group's role wins for members of several; the lowest, 0 or more.
            role_arn: role that members get through an identity pool.

        Raises:
            SettingsError: ``precedence`` is out of range.
        """
        with self.checking() as check:
            check.between("precedence", precedence, 0, _PRECEDENCE_MAX)
        group = cognito.UserPoolGroup(
            self.id(f"{pascal(check_name(name, 'group'))}Group"), GroupName=name, UserPoolId=self.ref()
        )
        if precedence is not None:
            group.Precedence = precedence
        if role_arn is not None:
            group.RoleArn = role_arn
        return self.add(group)

    def provider(self, provider: IdentityProvider) -> str:
        """Let users sign in elsewhere, and return the name that app clients know the provider by.

        Creates ``<Name><Provider>Provider``.

        Raises:
            SettingsError: a setting of the provider is outside its range.
        """
        with self.checking() as check:
            provider.check(check)
        title = self.id(f"{pascal(check_name(provider.name, 'identity provider'))}Provider")
        self.add(
            cognito.UserPoolIdentityProvider(
                title,
                AttributeMapping=dict(provider.attributes),
                ProviderDetails=provider.details(),
                ProviderName=provider.provider_name,
                ProviderType=provider.type,
                UserPoolId=self.ref(),
            )
        )
        self._providers[provider.provider_name] = title
        return provider.provider_name

    def domain(self, name: str, *, certificate_arn: Value | None = None) -> cognito.UserPoolDomain:
        """Put the sign-in pages at an address, and return the domain.

        Creates ``<Name>UserPoolDomain``.

        Args:
            name: without a certificate, a prefix that nobody else in the region has; with one, a domain of your own
                such as ``auth.shop.example.com``.
            certificate_arn: ARN of a certificate in us-east-1.

        Raises:
            SettingsError: the name is malformed.
        """
        with self.checking() as check:
            if certificate_arn is None:
                check.that(
                    _PREFIX.fullmatch(name),
                    "domain", "1 to 63 of a-z, 0-9 and -, without aws, amazon and cognito", name,
                )  # fmt: skip
            else:
                check.that(_DOMAIN.fullmatch(name), "domain", "a domain name such as auth.shop.example.com", name)
        domain = cognito.UserPoolDomain(self.id("UserPoolDomain"), Domain=name, UserPoolId=self.ref())
        if certificate_arn is None:
            self._domain = join(f"https://{name}.auth.", REGION, ".amazoncognito.com")
        else:
            domain.CustomDomainConfig = cognito.CustomDomainConfigType(CertificateArn=certificate_arn)
            self._domain = f"https://{name}"
        return self.add(domain)

    def for_managing_users(self) -> Binding:
        """Return what a caller needs to administer users: rights and ``<NAME>_USER_POOL``."""
        return Binding(
            self.name, f"managing users of {self}", (Grant(_MANAGE, (self.arn,)),), {"USER_POOL": self.ref()}
        )

    def for_verifying(self) -> Binding:
        """Return what a caller needs to verify tokens by itself: ``<NAME>_ISSUER`` and ``<NAME>_JWKS_URL``."""
        return Binding(
            self.name, f"verifying tokens of {self}", environment={"ISSUER": self.issuer, "JWKS_URL": self.jwks_url}
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that people are kept from signing in, for each application."""
        return tuple(
            Watch(
                f"{name}-throttles", f"Sign-ins at {self} by {name} that were throttled", "AWS/Cognito",
                "SignInThrottles", {"UserPool": self.ref(), "UserPoolClient": client.client_id}, "Sum", 1,
            )
            for name, client in self._clients.items()
        )  # fmt: skip
