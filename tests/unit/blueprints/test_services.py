from __future__ import annotations

from typing import Any

import pytest

from archlib import App, StackArtifact
from archlib.blueprints.microservices import Microservices
from archlib.blueprints.microservices_settings import MicroservicesSettings
from archlib.blueprints.multi_tier import MultiTier, MultiTierSettings
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.errors import SettingsError


def build(**settings: Any) -> dict[str, StackArtifact]:
    app = App("shop", "test")
    Microservices(app, MicroservicesSettings.model_validate(settings))
    return {stack.name.removeprefix("shop-test-"): stack for stack in app.assemble()}


def test_the_values_of_secrets_are_put_there_by_ecs() -> None:
    found = build(
        services={"orders": {"image": "orders:v1", "injects": {"TOKEN": "signing", "LOGIN": "ledger:password"}}},
        repositories={"orders": {}},
        databases={"ledger": {}},
        secrets={"signing": {}},
    )

    template = found["orders-service"].template["Resources"]
    (container,) = template["OrdersServiceTask"]["Properties"]["ContainerDefinitions"]
    assert [secret["Name"] for secret in container["Secrets"]] == ["LOGIN", "TOKEN"]
    assert container["Secrets"][0]["ValueFrom"]["Fn::Sub"].endswith(":password::")
    allowed = str(template["OrdersServiceExecutionPolicy"]["Properties"]["PolicyDocument"])
    assert "secretsmanager:GetSecretValue" in allowed
    assert "MainSecretsmanagerEndpoint" not in found["network"].template["Resources"]
    assert "ShopSecretsmanagerEndpoint" in found["network"].template["Resources"]


def test_what_is_injected_must_exist() -> None:
    with pytest.raises(SettingsError, match="'signin' is not among the secrets, databases, caches; did you mean"):
        build(
            services={"orders": {"image": "orders:v1", "injects": {"TOKEN": "signin"}}},
            repositories={"orders": {}},
            secrets={"signing": {}},
        )


def test_kubernetes_takes_the_place_of_ecs() -> None:
    found = build(
        kubernetes={"admins": {"ops": "ops"}},
        workloads={"orders": {"reads": ["orders"], "connects_to": ["ledger"], "consumes": ["jobs"]}},
        tables={"orders": {"partition_key": "id"}},
        databases={"ledger": {}},
        queues={"jobs": {}},
    )

    assert "cluster" not in found
    assert "ShopKubernetesCluster" in found["kubernetes"].template["Resources"]
    rights = str(found["orders-workload"].template["Resources"]["OrdersWorkloadPolicy"])
    for action in ("dynamodb:GetItem", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage"):
        assert action in rights
    assert {"ShopEksEndpoint", "ShopSqsEndpoint"} <= found["network"].template["Resources"].keys()


def test_workloads_need_a_cluster() -> None:
    with pytest.raises(SettingsError, match="workload 'orders': kubernetes must be given, got none; add the cluster"):
        build(workloads={"orders": {}})


def test_blueprints_share_the_network_the_topic_and_the_stacks_of_one_app() -> None:
    app = App("shop", "test")
    people = {"emails": ["oncall@example.com"]}
    tier = MultiTier(
        app,
        MultiTierSettings.model_validate(
            {
                "domain": {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"},
                "application": {"instances": {"connects_to": ["ledger"]}},
                "databases": {"ledger": {}},
                "monitoring": people,
            }
        ),
    )
    parts = Serverless(
        app,
        ServerlessSettings.model_validate(
            {
                "functions": {"report": {"code": {"inline": "def handler(e, c): pass"}, "sends_to": ["jobs"],
                                         "in_network": True}},
                "queues": {"jobs": {}},
                "monitoring": people,
            }
        ),
    )  # fmt: skip
    parts.functions["report"].connect(tier.databases["ledger"].for_connecting())

    found = {name: node for stack in app.assemble() for name, node in stack.template["Resources"].items()}
    assert parts.network is tier.network
    assert {"ShopSqsEndpoint", "ShopSecretsmanagerEndpoint", "ShopDashboard", "ShopServerlessDashboard"} <= found.keys()
    assert len([name for name in found if found[name]["Type"] == "AWS::EC2::VPC"]) == 1
    assert len([name for name in found if found[name].get("Properties", {}).get("Protocol") == "email"]) == 1


def test_the_network_is_chosen_once() -> None:
    app = App("shop", "test")
    Serverless(app, ServerlessSettings.model_validate({"network": {"zones": 3}, "databases": {"ledger": {}}}))

    with pytest.raises(SettingsError, match="network: must be left out where another blueprint of the app has one"):
        Serverless(app, ServerlessSettings.model_validate({"network": {"zones": 2}, "databases": {"other": {}}}))


def test_a_cluster_alone_gets_its_network() -> None:
    assert "network" in build(kubernetes={"admins": {"ops": "ops"}})


def test_cloudfront_finds_an_internet_gateway_that_leads_nowhere() -> None:
    found = build(
        entry="cloudfront",
        services={"orders": {"image": "orders:v1", "routes": ["/*"]}},
        repositories={"orders": {}},
    )

    network = found["network"].template["Resources"]
    assert "ShopInternetGatewayAttachment" in network
    assert not [name for name in network if "PublicRoute" in name]
    assert "shop-test-network" in found["edge"].depends_on


def test_an_app_has_one_public_entry() -> None:
    app = App("shop", "test")
    MultiTier(app, MultiTierSettings.model_validate({"entry": "cloudfront", "application": {"instances": {}}}))
    own = {"entry": "cloudfront", "services": {"orders": {"image": "orders:v1", "routes": ["/*"]}}}

    with pytest.raises(SettingsError) as caught:
        Microservices(app, MicroservicesSettings.model_validate({**own, "repositories": {"orders": {}}}))

    (problem,) = caught.value.problems
    assert problem.message == (
        "entry: must be one in an app, and its blueprint 'multi-tier' has one already; put both into one blueprint, or "
        "this one into an app of its own"
    )


def test_an_app_has_one_cluster_of_services() -> None:
    app = App("shop", "test")
    orders, prices = ({name: {"image": "shop:v1"}} for name in ("orders", "prices"))
    Microservices(app, MicroservicesSettings.model_validate({"services": orders, "repositories": {"shop": {}}}))

    with pytest.raises(
        SettingsError, match="cluster: must be one in an app, and its blueprint 'microservices' has one"
    ):
        Microservices(app, MicroservicesSettings.model_validate({"services": prices}))


def test_services_inside_the_network_go_beside_a_public_entry() -> None:
    app = App("shop", "test")
    MultiTier(app, MultiTierSettings.model_validate({"entry": "cloudfront", "application": {"instances": {}}}))
    orders = {"orders": {"image": "orders:v1"}}
    Microservices(app, MicroservicesSettings.model_validate({"services": orders, "repositories": {"orders": {}}}))

    assert {"OrdersService", "ApplicationInstances"} <= app.homes.keys()


def test_one_template_has_no_room_for_over_100_services() -> None:
    services = {f"s{number:03}".replace("0", "o"): {"image": "shop:v1"} for number in range(101)}
    app = App("shop", "test", layout="single")

    with pytest.raises(SettingsError, match="services: must be at most 100 with layout 'single', got 101, as one temp"):
        Microservices(app, MicroservicesSettings.model_validate({"services": services, "repositories": {"shop": {}}}))


def test_an_entry_is_refused_while_nothing_is_behind_it() -> None:
    given = {"certificate": "arn:aws:acm:eu-west-1:111122223333:certificate/x", "redirect_http": True}

    with pytest.raises(SettingsError) as caught:
        build(services={"orders": {"image": "orders:v1"}}, repositories={"orders": {}}, **given)

    assert [problem.message.partition(":")[0] for problem in caught.value.problems] == ["certificate", "redirect_http"]
