import pytest

from archlib.checks.rules.security.public_database import PublicDatabase


@pytest.mark.parametrize("kind", ["AWS::RDS::DBInstance", "AWS::Redshift::Cluster", "AWS::AmazonMQ::Broker"])
@pytest.mark.parametrize("value", [True, "true", "True"])
def test_a_public_one_is_found(places, kind, value):
    database = {"Type": kind, "Properties": {"PubliclyAccessible": value}}
    assert places(PublicDatabase, {"D": database}) == ["D/Properties/PubliclyAccessible"]


@pytest.mark.parametrize("properties", [{}, {"PubliclyAccessible": False}, {"PubliclyAccessible": {"Ref": "P"}}, None])
def test_others_are_fine(places, properties):
    assert places(PublicDatabase, {"D": {"Type": "AWS::RDS::DBInstance", "Properties": properties}}) == []
