import pytest

from archlib.checks.rules.security.deletion_policy import DeletionPolicy

BOTH = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


@pytest.mark.parametrize(
    "kind",
    ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::KMS::Key",
     "AWS::RDS::DBCluster", "AWS::Cognito::UserPool", "AWS::StepFunctions::StateMachine"],
)  # fmt: skip
def test_data_without_policies_are_found(findings, kind):
    [(path, message)] = findings(DeletionPolicy, {"Resources": {"R": {"Type": kind}}})
    assert path == ["Resources", "R"]
    assert "does not set DeletionPolicy and UpdateReplacePolicy;" in message


@pytest.mark.parametrize("one", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_one_without_the_other_is_found_where_cfn_lint_does_not(findings, one):
    [other] = BOTH.keys() - {one}
    [(_, message)] = findings(DeletionPolicy, {"Resources": {"R": {"Type": "AWS::SQS::Queue", one: "Delete"}}})
    assert f"does not set {other};" in message
    assert findings(DeletionPolicy, {"Resources": {"R": {"Type": "AWS::SQS::Queue", one: "Retain"}}}) == []


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::S3::Bucket", **BOTH},
        {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"},
        {"Type": "AWS::S3::Bucket", "DeletionPolicy": {"Fn::If": ["C", "Retain", "Delete"]},
         "UpdateReplacePolicy": {"Ref": "P"}},
        {"Type": "AWS::Lambda::Function"},
        {"Type": "AWS::RDS::DBInstance", "Properties": {"DBClusterIdentifier": {"Ref": "C"}}},
        {"Type": "AWS::RDS::DBInstance", "Properties": {"SourceDBInstanceIdentifier": {"Ref": "D"}}},
    ],
)  # fmt: skip
def test_others_are_fine(places, resource):
    assert places(DeletionPolicy, {"R": resource}) == []
