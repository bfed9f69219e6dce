import pytest

from archlib.checks.rules.security.deletion_protection import DeletionProtection

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
ON = {"Key": "deletion_protection.enabled", "Value": "true"}
OFF = {"Key": "deletion_protection.enabled", "Value": "false"}
OTHER = {"Key": "idle_timeout.timeout_seconds", "Value": "60"}


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::DynamoDB::Table", {}, "R"),
        ("AWS::DynamoDB::Table", {"DeletionProtectionEnabled": False}, "R/Properties/DeletionProtectionEnabled"),
        ("AWS::Cognito::UserPool", {"DeletionProtection": "INACTIVE"}, "R/Properties/DeletionProtection"),
        ("AWS::Cognito::UserPool", {}, "R"),
        ("AWS::RDS::DBInstance", {"DeletionProtection": "false"}, "R/Properties/DeletionProtection"),
        ("AWS::RDS::DBCluster", {}, "R"),
        ("AWS::DocDB::DBCluster", {}, "R"),
        ("AWS::Neptune::DBCluster", {}, "R"),
        ("AWS::DynamoDB::GlobalTable", {"Replicas": [{"DeletionProtectionEnabled": True}, {"Region": "x"}]},
         "R/Properties/Replicas/1"),
        (BALANCER, {}, "R"),
        (BALANCER, {"LoadBalancerAttributes": [OTHER]}, "R/Properties/LoadBalancerAttributes"),
        (BALANCER, {"LoadBalancerAttributes": [OTHER, OFF]}, "R/Properties/LoadBalancerAttributes"),
    ],
)  # fmt: skip
def test_missing_protection_is_found(places, kind, properties, place):
    kept = {"Type": kind, "Properties": properties, "DeletionPolicy": "Retain"}
    assert places(DeletionProtection, {"R": kept}) == [place]
    assert places(DeletionProtection, {"R": {"Type": kind, "Properties": properties}}) == [place]


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::RDS::DBInstance", BALANCER])
def test_what_is_thrown_away_needs_none(places, kind):
    assert places(DeletionProtection, {"R": {"Type": kind, "DeletionPolicy": "Delete"}}) == []


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::DynamoDB::Table", {"DeletionProtectionEnabled": True}),
        ("AWS::DynamoDB::Table", {"DeletionProtectionEnabled": {"Ref": "P"}}),
        ("AWS::Cognito::UserPool", {"DeletionProtection": "ACTIVE"}),
        ("AWS::RDS::DBInstance", {"DBClusterIdentifier": {"Ref": "C"}}),
        ("AWS::RDS::DBInstance", {"SourceDBInstanceIdentifier": {"Ref": "D"}}),
        ("AWS::DynamoDB::GlobalTable", {"Replicas": {"Ref": "P"}}),
        (BALANCER, {"LoadBalancerAttributes": [ON]}),
        (BALANCER, {"LoadBalancerAttributes": [{"Fn::If": ["C", ON, OFF]}]}),
        (BALANCER, {"LoadBalancerAttributes": {"Fn::If": ["C", [ON], [OFF]]}}),
        (BALANCER, {"LoadBalancerAttributes": [{"Key": {"Ref": "P"}}]}),
        (BALANCER, {"Type": "gateway"}),
    ],
)
def test_protection_and_what_is_unknown_are_fine(places, kind, properties):
    assert places(DeletionProtection, {"R": {"Type": kind, "Properties": properties}}) == []
