import pytest

from archlib.checks.rules.security.open_port import OpenPort

REDIRECT = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS"}}


def group(first, last, protocol="tcp", cidr="0.0.0.0/0"):
    rule = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, "CidrIp": cidr}
    return {"G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupIngress": [rule]}}}


def listener(*actions):
    properties = {"Port": 80, "DefaultActions": list(actions)}
    return {"L": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": properties}}


@pytest.mark.parametrize(("first", "last"), [(5432, 5432), (80, 80), (80, 443), (443, 444), (8000, 9000)])
def test_other_ports_are_found(places, first, last):
    assert places(OpenPort, group(first, last)) == ["G/Properties/SecurityGroupIngress/0/CidrIp"]


@pytest.mark.parametrize(
    ("ports", "cidr"), [((443, 443), "0.0.0.0/0"), ((5432, 5432), "10.0.0.0/8"), ((5432, {"Ref": "P"}), "0.0.0.0/0")]
)
def test_https_and_known_addresses_are_fine(places, ports, cidr):
    assert places(OpenPort, group(ports[0], ports[1], cidr=cidr)) == []


@pytest.mark.parametrize("cidr", ["0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/00", "64.0.0.0/2", "12.0.0.0/8", "1.2.3.4/0"])
def test_most_of_the_world_is_the_world(places, cidr):
    assert places(OpenPort, group(5432, 5432, cidr=cidr)) == ["G/Properties/SecurityGroupIngress/0/CidrIp"]


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "172.16.0.0/12", "203.0.0.0/9", "10.1.2.3/8", "no address", 7, None])
def test_a_network_of_ones_own_is_not_the_world(places, cidr):
    assert places(OpenPort, group(5432, 5432, cidr=cidr)) == []


def test_ssh_is_left_to_its_own_rule(places):
    assert places(OpenPort, group(22, 22)) == []


def test_port_80_is_fine_if_it_only_redirects(places):
    assert places(OpenPort, group(80, 80) | listener(REDIRECT)) == []
    assert places(OpenPort, group(80, 80) | listener(REDIRECT, {"Type": "forward"})) != []
    assert places(OpenPort, group(80, 80) | listener()) != []
