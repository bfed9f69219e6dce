from __future__ import annotations

from typing import Any

import pytest

from archlib import App
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.core.artifact import ParameterSource, StackArtifact
from archlib.errors import SettingsError

CODE = {"inline": "def handler(event, context):\n    return event\n"}


def build(**settings: Any) -> dict[str, StackArtifact]:
    app = App("bank", "test")
    Serverless(
        app, ServerlessSettings.model_validate({"monitoring": {"alarms": False, "dashboard": False}, **settings})
    )
    return {stack.name.removeprefix("bank-test-"): stack for stack in app.assemble()}


def test_a_function_reaches_a_database_in_another_stack_by_naming_it() -> None:
    stacks = build(
        databases={"ledger": {}},
        functions={"book": {"code": CODE, "connects_to": ["ledger"]}},
    )
    resources = stacks["app"].template["Resources"]

    assert {"network", "data", "foundation"} == {name.removeprefix("bank-test-") for name in stacks["app"].depends_on}
    for direction, port in (("Ingress", 5433), ("Egress", 5433)):
        rule = resources[f"BookToLedger5433{direction}"]["Properties"]
        assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (port, port, "tcp")
    environment = resources["BookFunction"]["Properties"]["Environment"]["Variables"]
    assert set(environment) >= {"LEDGER_HOST", "LEDGER_PORT", "LEDGER_DATABASE", "LEDGER_SECRET_ARN"}
    statements = resources["BookFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (secret,) = [statement for statement in statements if "secretsmanager:GetSecretValue" in statement["Action"]]
    assert secret["Resource"] == [environment["LEDGER_SECRET_ARN"]]
    assert any("kms:Decrypt" in statement["Action"] for statement in statements)
    assert "BankSecretsmanagerEndpoint" in stacks["network"].template["Resources"]


def test_the_network_has_an_endpoint_for_everything_its_functions_call() -> None:
    stacks = build(
        functions={
            "inside": {"code": CODE, "in_network": True, "sends_to": ["jobs", "news"], "reads": ["limit"]},
            "outside": {"code": CODE, "sends_to": ["shop"]},
        },
        queues={"jobs": {}},
        topics={"news": {}},
        buses={"shop": {}},
        parameters={"limit": {"value": "1"}},
    )
    resources = stacks["network"].template["Resources"]
    interfaces = {
        name
        for name, resource in resources.items()
        if resource.get("Properties", {}).get("VpcEndpointType") == "Interface"
    }

    assert interfaces == {"BankSqsEndpoint", "BankSnsEndpoint", "BankSsmEndpoint"}


def test_what_only_a_gateway_leads_to_is_reached_by_its_prefix_list() -> None:
    settings: dict[str, Any] = {
        "functions": {"book": {"code": CODE, "in_network": True, "reads": ["accounts"]}},
        "tables": {"accounts": {"partition_key": "id"}},
    }

    def ways(stack: StackArtifact) -> list[Any]:
        return [
            resource["Properties"]["DestinationPrefixListId"]
            for resource in stack.template["Resources"].values()
            if resource["Type"] == "AWS::EC2::SecurityGroupEgress"
        ]

    found = build(**settings)["app"]
    assert ways(found) == [{"Ref": "DynamodbPrefixList"}]
    assert found.parameters["DynamodbPrefixList"] == ParameterSource("prefix-list", output="dynamodb")
    known = build(**settings, network={"prefix_lists": {"dynamodb": "pl-02cd2c6b"}})["app"]
    assert ways(known) == ["pl-02cd2c6b"]


def test_without_a_reason_there_is_no_network() -> None:
    assert "network" not in build(functions={"alone": {"code": CODE}})


def test_the_internet_is_reached_through_nat_by_those_who_ask() -> None:
    settings: dict[str, Any] = {"functions": {"call": {"code": CODE, "internet": True}}}
    with pytest.raises(SettingsError, match="nat"):
        build(**settings)

    stacks = build(**settings, network={"nat": "one"})

    rules = [
        resource["Properties"]
        for resource in stacks["app"].template["Resources"].values()
        if resource["Type"] == "AWS::EC2::SecurityGroupEgress"
    ]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in rules] == [("0.0.0.0/0", 443, 443)]


def test_an_express_state_machine_has_its_own_endpoint() -> None:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    stacks = build(
        functions={"call": {"code": CODE, "in_network": True, "starts": ["flow"]}},
        state_machines={"flow": {"definition": definition, "express": True}},
    )

    assert {"BankStatesEndpoint", "BankSyncStatesEndpoint"} <= stacks["network"].template["Resources"].keys()
