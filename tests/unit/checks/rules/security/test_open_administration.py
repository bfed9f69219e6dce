import pytest

from archlib.checks.rules.security.open_administration import OpenAdministration


def group(**rule):
    return {"G": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupIngress": [rule]}}}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}, "opens SSH to"),
        ({"IpProtocol": "6", "FromPort": "3000", "ToPort": "4000", "CidrIpv6": "::/0"}, "opens RDP to"),
        ({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "128.0.0.0/1"}, "opens SSH to"),
        ({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "0::/0"}, "opens SSH to"),
        ({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "2000::/3"}, "opens SSH to"),
        ({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}, "opens SSH and RDP to"),
        ({"IpProtocol": "tcp", "FromPort": -1, "ToPort": -1, "CidrIp": "0.0.0.0/0"}, "opens SSH and RDP to"),
    ],
)
def test_an_open_rule_is_found(findings, rule, words):
    [(path, message)] = findings(OpenAdministration, {"Resources": group(**rule)})
    assert path[-1] in ("CidrIp", "CidrIpv6")
    assert words in message


def test_a_rule_of_its_own_is_read(places):
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    resource = {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": rule}
    assert places(OpenAdministration, {"I": resource}) == ["I/Properties/CidrIp"]


@pytest.mark.parametrize(
    "rule",
    [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "192.0.2.1/32"},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": {"Ref": "Office"}},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "fd00::/8"},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv6": "2001:db8::/32"},
        {"IpProtocol": "tcp", "FromPort": {"Ref": "Port"}, "ToPort": 22, "CidrIp": "0.0.0.0/0"},
        {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "CidrIp": "0.0.0.0/0"},
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "SourceSecurityGroupId": "sg-1"},
        {},
    ],
)
def test_others_are_fine(places, rule):
    assert places(OpenAdministration, group(**rule)) == []
