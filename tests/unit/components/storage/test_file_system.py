from __future__ import annotations

from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.components.storage.file_system import AccessPoint, FileSystem
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

INLINE = Code(inline="def handler(event, context):\n    return event\n")


@pytest.fixture
def vpc(app: App) -> Vpc:
    return Vpc(Stack(app, "network"), "main")


def rendered(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def of_type(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in found.items() if resource["Type"] == kind}


def test_is_encrypted_backed_up_and_kept(app: App, stack: Stack, vpc: Vpc) -> None:
    FileSystem(stack, "uploads", network=vpc)

    found = rendered(app)["UploadsFileSystem"]
    assert found["Properties"]["Encrypted"] is True
    assert found["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert found["Properties"]["BackupPolicy"] == {"Status": "ENABLED"}
    assert found["Properties"]["ThroughputMode"] == "elastic"
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_refuses_callers_without_tls_mount_target_or_access_point(app: App, stack: Stack, vpc: Vpc) -> None:
    FileSystem(stack, "uploads", network=vpc)

    policy = rendered(app)["UploadsFileSystem"]["Properties"]["FileSystemPolicy"]
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Deny"}
    assert [statement["Condition"] for statement in policy["Statement"]] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}},
        {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
    ]
    for statement in policy["Statement"]:
        assert statement["Action"] == [f"elasticfilesystem:Client{what}" for what in ("Mount", "RootAccess", "Write")]


def test_is_mounted_from_the_isolated_subnets(app: App, stack: Stack, vpc: Vpc) -> None:
    FileSystem(stack, "uploads", network=vpc)

    found = of_type(rendered(app), "AWS::EFS::MountTarget")
    assert [target["Properties"]["SubnetId"] for target in found.values()] == [
        {"Ref": "MainIsolatedSubnet1"},
        {"Ref": "MainIsolatedSubnet2"},
    ]
    assert found["UploadsMountTarget1"]["Properties"]["SecurityGroups"] == [
        {"Fn::GetAtt": ["UploadsFileSystemSecurityGroup", "GroupId"]}
    ]


def test_takes_the_private_subnets_of_a_network_without_others(app: App, stack: Stack) -> None:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=["subnet-0123456789abcdef0"])
    FileSystem(stack, "uploads", network=network)

    found = of_type(rendered(app), "AWS::EFS::MountTarget")
    assert [target["Properties"]["SubnetId"] for target in found.values()] == ["subnet-0123456789abcdef0"]


def test_an_access_point_is_a_folder_with_one_user(app: App, stack: Stack, vpc: Vpc) -> None:
    points = {"images": AccessPoint("/shop/images", 1001, 1002, "770"), "models": AccessPoint()}
    FileSystem(stack, "uploads", network=vpc, access_points=points)

    found = of_type(rendered(app), "AWS::EFS::AccessPoint")
    images, models = found["UploadsImagesAccessPoint"], found["UploadsModelsAccessPoint"]
    assert images["Properties"]["PosixUser"] == {"Uid": "1001", "Gid": "1002"}
    assert images["Properties"]["RootDirectory"] == {
        "CreationInfo": {"OwnerUid": "1001", "OwnerGid": "1002", "Permissions": "770"},
        "Path": "/shop/images",
    }
    assert models["Properties"]["RootDirectory"]["Path"] == "/models"
    assert images["DependsOn"] == ["UploadsMountTarget1", "UploadsMountTarget2"]


def test_files_nobody_reads_move_and_come_back(app: App, stack: Stack, vpc: Vpc) -> None:
    FileSystem(stack, "uploads", network=vpc, infrequent_days=1, archive_days=90)
    FileSystem(stack, "models", network=vpc, infrequent_days=None)

    found = rendered(app)
    assert found["UploadsFileSystem"]["Properties"]["LifecyclePolicies"] == [
        {"TransitionToIA": "AFTER_1_DAY"},
        {"TransitionToArchive": "AFTER_90_DAYS"},
        {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
    ]
    assert "LifecyclePolicies" not in found["ModelsFileSystem"]["Properties"]


def test_a_function_mounts_it(app: App, stack: Stack, vpc: Vpc) -> None:
    files = FileSystem(Stack(app, "data"), "uploads", network=vpc)
    Function(stack, "worker", code=INLINE, network=vpc, file_system=files.mount(path="/mnt/uploads"))

    found = rendered(app)
    configs = found["WorkerFunction"]["Properties"]["FileSystemConfigs"]
    assert configs == [{"Arn": {"Ref": "UploadsDataAccessPointArn"}, "LocalMountPath": "/mnt/uploads"}]
    into = found["WorkerToUploads2049Ingress"]["Properties"]
    assert into["GroupId"] == {"Ref": "UploadsFileSystemSecurityGroupGroupId"}
    assert {
        "Effect": "Allow",
        "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        "Resource": [{"Ref": "UploadsFileSystemArn"}],
        "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": {"Ref": "UploadsDataAccessPointArn"}}},
    } in found["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]


def test_a_mount_knows_the_ids_behind_its_arns(stack: Stack, vpc: Vpc) -> None:
    files = FileSystem(stack, "uploads", network=vpc)

    mount = files.mount(read_only=True)
    assert mount.read_only
    assert encode(mount.access_point_id) == {
        "Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": ["UploadsDataAccessPoint", "Arn"]}]}]
    }
    assert encode(mount.file_system_id)["Fn::Select"][0] == 1
    assert encode(files.file_system_id) == {"Ref": "UploadsFileSystem"}


def test_a_mount_names_one_access_point(stack: Stack, vpc: Vpc) -> None:
    files = FileSystem(stack, "uploads", network=vpc, access_points={"a": AccessPoint(), "b": AccessPoint()})

    assert encode(files.mount("b").access_point_arn) == {"Fn::GetAtt": ["UploadsBAccessPoint", "Arn"]}
    with pytest.raises(WiringError, match="must be one of a, b, got none; name it"):
        files.mount()
    with pytest.raises(WiringError, match="must be one of a, b, got 'c'"):
        files.mount("c")


@pytest.mark.parametrize(("throughput", "names"), [("elastic", ["io"]), ("bursting", ["io", "credits"])])
def test_watches_what_holds_callers_up(stack: Stack, vpc: Vpc, throughput: Any, names: list[str]) -> None:
    files = FileSystem(stack, "uploads", network=vpc, throughput=throughput)

    assert [watch.name for watch in files.watches()] == names
    assert encode(files.watches()[0].dimensions) == {"FileSystemId": {"Ref": "UploadsFileSystem"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"access_points": {}}, "access_points must be 1 to 120, got 0"),
        ({"access_points": {"a": AccessPoint("/")}}, "access_points.a.path must be 1 to 4 levels"),
        ({"access_points": {"a": AccessPoint("/a/b/c/d/e")}}, "access_points.a.path must be 1 to 4 levels"),
        ({"access_points": {"a": AccessPoint("images")}}, "access_points.a.path must be 1 to 4 levels"),
        ({"access_points": {"a": AccessPoint(user_id=0)}}, "access_points.a.user_id must be 1 to"),
        ({"access_points": {"a": AccessPoint(group_id=0)}}, "access_points.a.group_id must be 1 to"),
        ({"access_points": {"a": AccessPoint(permissions="999")}}, "access_points.a.permissions must be octal"),
        ({"access_points": {"A B": AccessPoint()}}, "access point 'A B': name must be kebab-case"),
        ({"throughput": "provisioned"}, "throughput must be one of elastic, bursting"),
        ({"infrequent_days": 2}, "infrequent_days must be one of"),
        ({"archive_days": 2}, "archive_days must be one of"),
        ({"archive_days": 30}, "more than infrequent_days, got 30"),
        ({"archive_days": 90, "throughput": "bursting"}, "archive_days must be left out unless throughput is elastic"),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, vpc: Vpc, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        FileSystem(stack, "uploads", network=vpc, **settings)

    assert message in str(caught.value)
