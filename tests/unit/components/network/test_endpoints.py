from __future__ import annotations

import re

import pytest

from archlib import App, Stack
from archlib.blueprints.serverless import SERVICES
from archlib.components.compute.instances import Instances
from archlib.components.containers.container import NEEDS_ENDPOINTS
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS as KUBERNETES
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.endpoints import GATEWAY_SERVICES, Endpoints
from archlib.components.network.services import SERVICES as KNOWN
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError

NETWORK = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"])


def test_puts_private_endpoints_behind_their_own_group(app: App, stack: Stack) -> None:
    Endpoints(stack, "apis", network=NETWORK, services=("secretsmanager", "ecr.api"))

    (artifact,) = app.assemble()
    found = {name: resource["Properties"] for name, resource in artifact.template["Resources"].items()}

    assert sorted(found) == ["ApisEcrApiEndpoint", "ApisEndpointsSecurityGroup", "ApisSecretsmanagerEndpoint"]
    endpoint = found["ApisEcrApiEndpoint"]
    assert endpoint["ServiceName"] == {"Fn::Sub": "com.amazonaws.${AWS::Region}.ecr.api"}
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["SubnetIds"] == ["subnet-01234567"]
    assert endpoint["SecurityGroupIds"] == [{"Fn::GetAtt": ["ApisEndpointsSecurityGroup", "GroupId"]}]
    assert "PolicyDocument" not in endpoint


def test_takes_more_services_and_keeps_those_it_has(app: App, stack: Stack) -> None:
    endpoints = Endpoints(stack, "apis", network=NETWORK)
    endpoints.include("sqs", "secretsmanager", "sqs")

    (artifact,) = app.assemble()

    assert {"ApisSecretsmanagerEndpoint", "ApisSqsEndpoint"} < set(artifact.template["Resources"])


def test_takes_the_whole_name_of_a_service_it_does_not_know(app: App, stack: Stack) -> None:
    Endpoints(stack, "apis", network=NETWORK, services=("aws.sagemaker.eu-west-1.studio",))

    (artifact,) = app.assemble()

    endpoint = artifact.template["Resources"]["ApisAwsSagemakerEuWest1StudioEndpoint"]["Properties"]
    assert endpoint["ServiceName"] == "aws.sagemaker.eu-west-1.studio"


def test_knows_what_blueprints_and_components_ask_for() -> None:
    asked = {*SERVICES.values(), *NEEDS_ENDPOINTS, *KUBERNETES, *Instances.needs_endpoints, "ssmmessages", "xray"}

    assert asked - KNOWN == set(GATEWAY_SERVICES)


def test_a_caller_reaches_them_on_443_and_gets_no_rights(app: App, stack: Stack) -> None:
    binding = Endpoints(stack, "apis", network=NETWORK).for_calling()
    function = Function(
        Stack(app, "code"), "worker", code=Code(inline="def handler(event, context): pass"), network=NETWORK
    )
    function.connect(binding)

    code = {artifact.name: artifact for artifact in app.assemble()}["shop-test-code"]

    assert binding.grants == ()
    assert code.template["Resources"]["WorkerToApisEndpoints443Ingress"]["Properties"]["GroupId"] == {
        "Ref": "ApisEndpointsSecurityGroupGroupId"
    }


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("sqss", "services must be endpoint services such as 'sqs' or 'ecr.api', got 'sqss'; did you mean 'sqs'?"),
        ("secretmanager", "did you mean 'secretsmanager'?"),
        ("zzz", "got 'zzz'; see aws ec2 describe-vpc-endpoint-services"),
        ("com.amazonaws.sqs", "services must be endpoint services"),
        ("dynamodb", "services must be services without a gateway endpoint, got 'dynamodb'; leave it out"),
    ],
)
def test_refuses(stack: Stack, service: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        Endpoints(stack, "apis", network=NETWORK, services=(service,))
