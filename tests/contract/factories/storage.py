from datetime import timedelta

from troposphere import Ref

from archlib import Component, Stack
from archlib.components.network.vpc import Vpc
from archlib.components.storage.bucket import Bucket, Cors, ObjectLock
from archlib.components.storage.file_system import AccessPoint, FileSystem
from archlib.components.storage.lifecycle import Lifecycle
from archlib.components.storage.replication import Replication
from archlib.core.values import join


def bucket(stack: Stack) -> Component:
    return Bucket(stack, "photos")


def bucket_with_everything(stack: Stack) -> Component:
    partition = Ref("AWS::Partition")
    return Bucket(
        stack,
        "photos",
        lifecycle=[
            Lifecycle("temporary/", expire_days=7),
            Lifecycle(move_days={"GLACIER_IR": 90, "DEEP_ARCHIVE": 365}, expire_days=3650),
        ],
        tiering=True,
        events=True,
        cors=[Cors(["https://shop.example.com"], ("GET", "PUT"), ("Content-Type",), ("ETag",), timedelta(hours=2))],
        replication=Replication(
            join("arn:", partition, ":s3:::photos-copy"),
            join("arn:", partition, ":kms:eu-west-1:", Ref("AWS::AccountId"), ":key/mrk-1"),
        ),
        lock=ObjectLock(30, "COMPLIANCE"),
    )


def file_system(stack: Stack) -> Component:
    return FileSystem(stack, "uploads", network=Vpc(stack, "main"))


def file_system_with_everything(stack: Stack) -> Component:
    points = {"images": AccessPoint("/shop/images", 1001, 1001, "770"), "models": AccessPoint()}
    vpc = Vpc(stack, "main", zones=3)
    return FileSystem(stack, "uploads", network=vpc, access_points=points, infrequent_days=1, archive_days=90)


FACTORIES = (bucket, bucket_with_everything, file_system, file_system_with_everything)
