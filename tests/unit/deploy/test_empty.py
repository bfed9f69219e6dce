"""Buckets and repositories are emptied to the last version, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from archlib.deploy.empty import BUCKET, REPOSITORY, empty
from archlib.errors import AwsError, InterruptError
from deploying import Bench


class Pages:
    def __init__(self, *pages: Any) -> None:
        self._pages = pages

    def paginate(self, **_: Any) -> Iterator[Any]:
        yield from self._pages


class S3:
    def __init__(self, errors: list[Any] | None = None) -> None:
        self.deleted: list[tuple[str, str]] = []
        self.aborted: list[str] = []
        self._errors = errors or []

    def get_paginator(self, operation: str) -> Pages:
        if operation == "list_multipart_uploads":
            return Pages({"Uploads": [{"Key": "half", "UploadId": "u"}]})
        first = {"Versions": [{"Key": "a", "VersionId": "1"}], "DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}
        return Pages(first, {"Versions": [{"Key": "b", "VersionId": "3"}]}, {})

    def delete_objects(self, **asked: Any) -> Any:
        self.deleted += [(each["Key"], each["VersionId"]) for each in asked["Delete"]["Objects"]]
        return {"Errors": self._errors}

    def abort_multipart_upload(self, **asked: Any) -> None:
        self.aborted.append(asked["UploadId"])


class Ecr:
    def __init__(self) -> None:
        self.deleted: list[Any] = []

    def get_paginator(self, _: str) -> Pages:
        return Pages({"imageIds": [{"imageDigest": "1"}]}, {"imageIds": [{"imageDigest": "2"}]})

    def batch_delete_image(self, **asked: Any) -> None:
        self.deleted += asked["imageIds"]


def test_versions_markers_and_uploads_go_from_all_pages(bench: Bench) -> None:
    s3 = S3()

    assert empty(bench.run(), lambda _: s3, BUCKET, "files") == 4
    assert (s3.deleted, s3.aborted) == ([("a", "1"), ("a", "2"), ("b", "3")], ["u"])


def test_images_go_from_all_pages(bench: Bench) -> None:
    ecr = Ecr()

    assert empty(bench.run(), lambda _: ecr, REPOSITORY, "web") == 2
    assert len(ecr.deleted) == 2


def test_what_is_locked_is_told(bench: Bench) -> None:
    s3 = S3([{"Key": "a", "Message": "Access Denied because object protected by object lock."}])

    with pytest.raises(AwsError, match=r"bucket 'files': a cannot be deleted: .*object lock"):
        empty(bench.run(), lambda _: s3, BUCKET, "files")


@pytest.mark.parametrize(("code", "gone"), [("NoSuchBucket", True), ("AccessDenied", False)])
def test_a_bucket_that_is_gone_is_empty_one_that_is_closed_is_not(bench: Bench, code: str, *, gone: bool) -> None:
    class Closed(S3):
        def get_paginator(self, operation: str) -> Pages:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    if gone:
        assert empty(bench.run(), lambda _: Closed(), BUCKET, "files") == 0
    else:
        with pytest.raises(AwsError, match="'files': cannot be emptied: no"):
            empty(bench.run(), lambda _: Closed(), BUCKET, "files")


def test_who_stops_stops(bench: Bench) -> None:
    run = bench.run()
    run.stop.request()

    with pytest.raises(InterruptError):
        empty(run, lambda _: S3(), BUCKET, "files")
