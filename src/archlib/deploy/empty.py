"""Empty what can only be deleted when it is empty: buckets and image repositories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archlib.deploy.run import Run
from archlib.errors import AwsError, InterruptError

BUCKET = "AWS::S3::Bucket"
REPOSITORY = "AWS::ECR::Repository"
_GONE = frozenset({"NoSuchBucket", "RepositoryNotFoundException"})
_IMAGES_AT_ONCE = 100


def empty(run: Run, client: Callable[[str], Any], kind: str, name: str) -> int:
    """Delete all that is in a bucket or a repository, and return how many things that were.

    Args:
        run: the run.
        client: gives the client of a service in the region of the bucket.
        kind: its resource type, one of :data:`CONTAINERS`.
        name: its name.

    Raises:
        AwsError: something in it cannot be deleted.
        InterruptError: the user stopped; what was deleted until then is gone.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (slow to import)

    try:
        return CONTAINERS[kind](run, client, name)
    except ClientError as error:
        details: Any = error.response.get("Error", {})
        if details.get("Code") in _GONE:
            return 0
        message = f"{details.get('Message') or details.get('Code')}"
    except BotoCoreError as error:
        message = str(error)
    raise AwsError(f"{name!r}: cannot be emptied: {message}; empty it by hand, or keep it: archlib destroy --retain")


def is_empty(client: Callable[[str], Any], bucket: str) -> bool:
    """Return whether nothing is in a bucket, as far as one may look."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        page = client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    except (BotoCoreError, ClientError):
        return True
    return not page.get("Versions") and not page.get("DeleteMarkers")


def _bucket(run: Run, client: Callable[[str], Any], bucket: str) -> int:
    s3, count = client("s3"), 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [
            {"Key": item["Key"], "VersionId": item["VersionId"]}
            for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
        _go_on(run, bucket)
        if found:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise AwsError(
                    f"bucket {bucket!r}: {error['Key']} cannot be deleted: {error.get('Message') or error.get('Code')}"
                    "; release its lock or legal hold, or keep the bucket: archlib destroy --retain"
                )
            count += len(found)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            count += 1
    return count


def _repository(run: Run, client: Callable[[str], Any], repository: str) -> int:
    ecr, count = client("ecr"), 0
    for page in ecr.get_paginator("list_images").paginate(
        repositoryName=repository, PaginationConfig={"PageSize": _IMAGES_AT_ONCE}
    ):
        _go_on(run, repository)
        if images := page.get("imageIds"):
            ecr.batch_delete_image(repositoryName=repository, imageIds=images)
            count += len(images)
    return count


def _go_on(run: Run, name: str) -> None:
    if run.stop.requested:
        raise InterruptError(f"{name!r}: stopped while it was emptied; its stack is still there")


CONTAINERS: Mapping[str, Callable[[Run, Callable[[str], Any], str], int]] = {BUCKET: _bucket, REPOSITORY: _repository}
"""Types of what can be emptied."""
