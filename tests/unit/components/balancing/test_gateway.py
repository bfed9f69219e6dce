from __future__ import annotations

import pytest

from archlib import App, Stack
from archlib.components.balancing.gateway import GatewayLoadBalancer
from archlib.components.balancing.target_groups import HealthCheck
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError, WiringError
from archlib.units import parse_duration
from contract.factories.balancing import backend


def test_traffic_takes_the_detour_through_the_appliances(stack: Stack) -> None:
    network = Vpc(stack, "main")
    balancer = GatewayLoadBalancer(stack, "inspection", network=network, allowed=["arn:aws:iam::123456789012:root"])

    balancer.inspect(backend(stack, "appliances", network), blocks=[network.cidr], health=HealthCheck("/"))
    balancer.endpoint(stack, "guarded", vpc_id=network.vpc_id, subnet=network.private_subnets[0])

    (found,) = (each.template["Resources"] for each in stack.app.assemble() if each.name.endswith(stack.name))
    group = found["AppliancesInspectionTargetGroup"]["Properties"]
    assert (group["Protocol"], group["Port"], group["HealthCheckPort"]) == ("GENEVE", 6081, "8080")
    assert found["GuardedInspectionEndpoint"]["Properties"]["VpcEndpointType"] == "GatewayLoadBalancer"
    opened = {(found[name]["Properties"]["IpProtocol"], found[name]["Properties"]["FromPort"])
              for name in found if name.startswith("AppliancesInspection") and "Ingress" in name}  # fmt: skip
    assert opened == {("udp", 6081), ("tcp", 8080)}
    assert found["InspectionEndpointService"]["Properties"]["AcceptanceRequired"] is True
    assert found["InspectionEndpointPermissions"]["Properties"]["AllowedPrincipals"]
    assert [watch.name for watch in balancer.watches()] == ["unhealthy"]


def test_there_is_one_group_of_appliances(stack: Stack) -> None:
    network = Vpc(stack, "main")
    balancer = GatewayLoadBalancer(stack, "inspection", network=network)
    assert balancer.watches() == ()
    balancer.inspect(backend(stack, "appliances", network), blocks=[])

    with pytest.raises(WiringError, match="there must be one group of appliances, got 'others' too"):
        balancer.inspect(backend(stack, "others", network), blocks=[])


def test_bad_settings_are_refused(app: App) -> None:
    network = Vpc(Stack(app, "network"), "main")

    with pytest.raises(SettingsError, match="allowed must be named accounts, users or roles"):
        GatewayLoadBalancer(Stack(app, "one"), "inspection", network=network, allowed=["*"])
    balancer = GatewayLoadBalancer(Stack(app, "two"), "inspection", network=network)
    with pytest.raises(SettingsError, match="drain must be 0s to 1h"):
        balancer.inspect(backend(Stack(app, "three"), "appliances", network), blocks=[], drain=parse_duration("2h"),
                         health=HealthCheck("/"))  # fmt: skip
