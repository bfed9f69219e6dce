import pytest

from archlib.checks.rules.security.unencrypted_storage import UnencryptedStorage

DEVICE = {"BlockDeviceMappings": [{"Ebs": {"Encrypted": False}}]}


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::RDS::DBInstance", {"StorageEncrypted": False}, "R/Properties/StorageEncrypted"),
        ("AWS::RDS::DBInstance", {}, "R"),
        ("AWS::RDS::DBCluster", {"StorageEncrypted": "false"}, "R/Properties/StorageEncrypted"),
        ("AWS::EFS::FileSystem", {}, "R"),
        ("AWS::EFS::FileSystem", {"Encrypted": False}, "R/Properties/Encrypted"),
        ("AWS::EC2::Volume", {"Encrypted": False}, "R/Properties/Encrypted"),
        ("AWS::Redshift::Cluster", {"Encrypted": False}, "R/Properties/Encrypted"),
        ("AWS::EC2::Instance", DEVICE, "R/Properties/BlockDeviceMappings/0/Ebs/Encrypted"),
        ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": DEVICE},
         "R/Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/Encrypted"),
    ],
)  # fmt: skip
def test_plain_storage_is_found(places, kind, properties, place):
    assert places(UnencryptedStorage, {"R": {"Type": kind, "Properties": properties}}) == [place]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::RDS::DBInstance", {"StorageEncrypted": True}),
        ("AWS::RDS::DBInstance", {"StorageEncrypted": {"Ref": "P"}}),
        ("AWS::RDS::DBInstance", {"DBClusterIdentifier": {"Ref": "C"}}),
        ("AWS::RDS::DBInstance", {"DBSnapshotIdentifier": {"Ref": "S"}}),
        ("AWS::EC2::Volume", {}),
        ("AWS::Redshift::Cluster", {}),
        ("AWS::EC2::Instance", {"BlockDeviceMappings": [{"Ebs": {}}, "broken"]}),
    ],
)
def test_encrypted_storage_and_what_the_account_decides_are_fine(places, kind, properties):
    assert places(UnencryptedStorage, {"R": {"Type": kind, "Properties": properties}}) == []
