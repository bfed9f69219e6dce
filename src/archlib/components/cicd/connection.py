"""Connections to the repositories of GitHub, GitLab, Bitbucket and Azure DevOps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from troposphere import Select, Split, codeconnections

from archlib.core.component import Component, checking
from archlib.core.naming import check_name, fixed_name
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, PARTITION, REGION, Value, join
from archlib.wiring.binding import Binding, Grant

Provider = Literal["GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "Bitbucket", "AzureDevOps"]

# The service was renamed: requests, ARNs and condition keys may have either name.
_SERVICES = ("codeconnections", "codestar-connections")
_ARN = re.compile(rf"arn:[\w-]+:(?:{'|'.join(_SERVICES)}):[a-z0-9-]+:\d{{12}}:(connection/[\w-]+)")
_HOST_ARN = re.compile(rf"arn:[\w-]+:(?:{'|'.join(_SERVICES)}):[a-z0-9-]+:\d{{12}}:host/[\w/-]+")
_REPOSITORY = re.compile(r"[\w.-]+(?:/[\w .-]+)+")
_SELF_MANAGED = ("GitHubEnterpriseServer", "GitLabSelfManaged")
_NAME_MAX = 32


class Connection(Component):
    """A connection to the provider of Git repositories, without a token in any template.

    Creates ``<Name>Connection``. It is PENDING until somebody opens it in the console (Developer Tools, Connections)
    and agrees there; a pipeline that uses it before fails. Take one that exists already by :meth:`lookup` where there
    is one: each new one has to be agreed to.

    See https://docs.aws.amazon.com/dtconsole/latest/userguide/connections.html

    Args:
        stack: where the resource goes.
        name: kebab-case; the connection is called ``<app>-<environment>-<name>-<provider>``, cut to 32 characters.
        provider: ``GitHub``, ``GitLab``, ``Bitbucket``, ``AzureDevOps``, or a server of your own:
            ``GitHubEnterpriseServer`` or ``GitLabSelfManaged``.
        host_arn: ARN of the host resource that stands for a server of your own; left out for the others.

    Attributes:
        resource: the ``AWS::CodeConnections::Connection``.

    Raises:
        SettingsError: the provider does not exist, or the host does not fit it.
    """

    kind = "Connection"

    def __init__(
        self, stack: Stack, name: str, *, provider: Provider = "GitHub", host_arn: Value | None = None
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.one_of("provider", provider, get_args(Provider))
            if provider in _SELF_MANAGED:
                check.that(
                    host_arn is not None and (not isinstance(host_arn, str) or _HOST_ARN.fullmatch(host_arn)),
                    "host_arn", f"the ARN of a host of CodeConnections for {provider}", host_arn,
                )  # fmt: skip
            else:
                check.that(host_arn is None, "host_arn", "left out unless the server is your own", host_arn)
        app = stack.app
        # The provider is in the name because a change of it makes a new connection before the old one goes.
        whole = f"{name}-{provider.lower()}"
        self.resource = codeconnections.Connection(
            self.id(), ConnectionName=fixed_name(app.name, app.environment, whole, most=_NAME_MAX)
        )
        if host_arn is None:
            self.resource.ProviderType = provider
        else:
            self.resource.HostArn = host_arn
        self.add(self.resource)

    @classmethod
    def lookup(cls, name: str, *, arn: Value) -> ExistingConnection:
        """Return a connection that exists already, as users see it.

        Args:
            name: kebab-case; what people call it.
            arn: its ARN, with either name of the service; a reference only to one of this account and region.

        Raises:
            SettingsError: the name or the ARN is malformed.
        """
        with checking(f"connection {check_name(name, 'connection')!r}") as check:
            check.that(
                not isinstance(arn, str) or _ARN.fullmatch(arn),
                "arn", "an ARN such as arn:aws:codeconnections:eu-west-1:123456789012:connection/<id>", arn,
            )  # fmt: skip
        return ExistingConnection(name, arn)

    @property
    def arn(self) -> Value:
        """ARN of the connection."""
        return self.attribute("ConnectionArn")

    def for_using(self, repository: str) -> Binding:
        """Return what a role needs to fetch ``repository``, and no other one.

        Args:
            repository: as the provider names it in full: ``owner/name``, ``group/sub-group/name``.

        Raises:
            SettingsError: the repository is malformed.
        """
        return _using(self.name, self.arn, repository)


@dataclass(frozen=True, slots=True)
class ExistingConnection:
    """A connection that exists already; see :meth:`Connection.lookup`.

    Attributes:
        name: what people call it.
        arn: its ARN.
    """

    name: str
    arn: Value

    def for_using(self, repository: str) -> Binding:
        """Return what a role needs to fetch ``repository``, and no other one; see :meth:`Connection.for_using`."""
        return _using(self.name, self.arn, repository)


def _using(name: str, connection: Value, repository: str) -> Binding:
    with checking(f"connection {name!r}") as check:
        check.that(
            _REPOSITORY.fullmatch(repository), "repository", "the full name, such as owner/name, without '*'",
            repository,
        )  # fmt: skip
    resources = _arns(connection)
    return Binding(
        name,
        f"fetching {repository} through connection {name!r}",
        [
            Grant(
                (f"{service}:UseConnection",),
                resources,
                {"StringEquals": {f"{service}:FullRepositoryId": repository}},
            )
            for service in _SERVICES
        ],
    )


def _arns(connection: Value) -> list[Value]:
    """Return the ARN of ``connection`` with both names of the service."""
    if isinstance(connection, str):
        return [re.sub(f":({'|'.join(_SERVICES)}):", f":{service}:", connection, count=1) for service in _SERVICES]
    id_ = Select(1, Split("/", connection))
    return [join("arn:", PARTITION, f":{service}:", REGION, ":", ACCOUNT, ":connection/", id_) for service in _SERVICES]
