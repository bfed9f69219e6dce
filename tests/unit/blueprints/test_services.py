from __future__ import annotations

from typing import Any

import pytest

from archlib import App, StackArtifact
from archlib.blueprints.microservices import Microservices
from archlib.blueprints.microservices_settings import MicroservicesSettings
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
