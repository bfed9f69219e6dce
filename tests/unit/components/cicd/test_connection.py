from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troposphere import Ref

from archlib import Stack
from archlib.components.cicd.connection import Connection
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding

Rendered = Callable[[], dict[str, Any]]
NEW = "arn:aws:codeconnections:eu-west-1:123456789012:connection/0123-abcd"
OLD = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/0123-abcd"
HOST = "arn:aws:codeconnections:eu-west-1:123456789012:host/forge-0123"


def grants(binding: Binding) -> list[Any]:
    return [(list(grant.actions), encode(grant.resources), encode(dict(grant.conditions))) for grant in binding.grants]


def test_has_a_provider_and_a_name_of_its_own(stack: Stack, rendered: Rendered) -> None:
    Connection(stack, "code", provider="GitLab")

    properties = rendered()["CodeConnection"]["Properties"]

    assert properties["ProviderType"] == "GitLab"
    assert properties["ConnectionName"] == "shop-test-code-gitlab"
    assert "HostArn" not in properties


def test_a_long_name_is_cut_to_what_aws_takes(stack: Stack, rendered: Rendered) -> None:
    Connection(stack, "the-repositories-of-all-teams", provider="Bitbucket")

    assert len(rendered()["TheRepositoriesOfAllTeamsConnection"]["Properties"]["ConnectionName"]) <= 32


def test_another_provider_gives_another_name(stack: Stack, rendered: Rendered) -> None:
    Connection(stack, "code-of-everybody-here")
    Connection(stack, "code-of-everybody-there", provider="GitLab")

    found = rendered()
    names = {node["Properties"]["ConnectionName"] for node in found.values() if "Connection" in node["Type"]}

    assert len(names) == 2


@pytest.mark.parametrize("provider", ["GitHubEnterpriseServer", "GitLabSelfManaged"])
def test_an_own_server_is_named_by_its_host_only(stack: Stack, rendered: Rendered, provider: Any) -> None:
    Connection(stack, "code", provider=provider, host_arn=HOST)

    properties = rendered()["CodeConnection"]["Properties"]

    assert properties["HostArn"] == HOST
    assert "ProviderType" not in properties


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"provider": "SourceForge"}, "provider must be one of GitHub, "),
        ({"provider": "GitLabSelfManaged"}, "host_arn must be the ARN of a host of CodeConnections"),
        ({"provider": "GitHubEnterpriseServer", "host_arn": NEW}, "host_arn must be the ARN of a host"),
        ({"host_arn": HOST}, "host_arn must be left out unless the server is your own"),
    ],
)
def test_refuses_what_does_not_fit(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"connection 'code': {message}"):
        Connection(stack, "code", **settings)


@pytest.mark.parametrize("arn", [NEW, OLD])
def test_a_known_arn_is_granted_with_both_names_of_the_service(arn: str) -> None:
    assert grants(Connection.lookup("code", arn=arn).for_using("shop/web")) == [
        (
            ["codeconnections:UseConnection"],
            [NEW, OLD],
            {"StringEquals": {"codeconnections:FullRepositoryId": "shop/web"}},
        ),
        (
            ["codestar-connections:UseConnection"],
            [NEW, OLD],
            {"StringEquals": {"codestar-connections:FullRepositoryId": "shop/web"}},
        ),
    ]


def test_a_new_connection_is_granted_with_both_names_of_the_service(stack: Stack) -> None:
    resources = [grant[1] for grant in grants(Connection(stack, "code").for_using("shop/web"))]

    assert resources[0] == resources[1]
    assert [":codeconnections:" in str(resources[0][0]), ":codestar-connections:" in str(resources[0][1])] == [True] * 2
    assert all("CodeConnection" in str(resource) for resource in resources[0])


def test_an_arn_may_be_a_parameter() -> None:
    assert grants(Connection.lookup("code", arn=Ref("ConnectionArn")).for_using("shop/web"))


@pytest.mark.parametrize("repository", ["web", "", "shop/*", "shop/", "/web", "*", "shop/web?"])
def test_refuses_anything_but_one_repository(stack: Stack, repository: str) -> None:
    with pytest.raises(SettingsError, match="connection 'code': repository must be the full name"):
        Connection(stack, "code").for_using(repository)


@pytest.mark.parametrize("repository", ["shop/web", "group/sub-group/web.app", "Organisation/My project/web"])
def test_takes_the_full_names_of_all_providers(stack: Stack, repository: str) -> None:
    assert Connection(stack, "code").for_using(repository).grants


@pytest.mark.parametrize("arn", ["", "connection/1", HOST, NEW.replace("codeconnections", "codebuild"), f"{NEW}/*"])
def test_refuses_an_arn_of_something_else(arn: str) -> None:
    with pytest.raises(SettingsError, match="connection 'code': arn must be an ARN such as"):
        Connection.lookup("code", arn=arn)


def test_refuses_a_name_that_is_not_kebab_case() -> None:
    with pytest.raises(SettingsError, match="name must be kebab-case"):
        Connection.lookup("Code", arn=NEW)
