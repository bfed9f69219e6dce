"""Uploads: code of functions, and templates that are too large to be sent."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from archlib.core.artifact import Asset, Template
from archlib.core.package import pack, write_zip
from archlib.core.target import ASSETS_OUTPUT, BOOTSTRAP_STACK
from archlib.deploy.aws import Aws
from archlib.deploy.cloudformation import INLINE_BYTES, CloudFormation, Source
from archlib.errors import AwsError, SettingsError

_ABSENT, _THERE, _BUSY = 404, 412, 409
_BY_URL_BYTES = 1_000_000


class Uploads:
    """The bucket for assets of one account and region; nothing is uploaded twice.

    Args:
        aws: whose account.
        region: which region.
        cloudformation: of the same region; it knows the bucket.
    """

    def __init__(self, aws: Aws, *, region: str, cloudformation: CloudFormation) -> None:
        self._aws = aws
        self._region = region
        self._cloudformation = cloudformation
        self._lock = threading.RLock()
        self._bucket = ""
        self._done: set[str] = set()

    def bucket(self) -> str:
        """Return the name of the bucket.

        Raises:
            AwsError: there is none yet.
        """
        with self._lock:
            if not self.exists():
                message = f"there is no bucket for code and large templates in {self._region}"
                raise AwsError(f"{message}; make it once with: archlib bootstrap --region {self._region}")
            return self._bucket

    def exists(self) -> bool:
        """Return whether there is one."""
        with self._lock:
            if not self._bucket:
                state = self._cloudformation.stack(BOOTSTRAP_STACK)
                self._bucket = state.outputs.get(ASSETS_OUTPUT, "") if state else ""
            return bool(self._bucket)

    def template(self, template: Template) -> Source:
        """Return ``template`` ready to be sent: as text, or by its place in the bucket if it is too large for that."""
        pretty = json.dumps(template, indent=1, ensure_ascii=False)
        small = json.dumps(template, separators=(",", ":"), ensure_ascii=False)
        for text in (pretty, small):
            if len(text.encode()) <= INLINE_BYTES:
                return Source(body=text)
        data = (pretty if len(pretty.encode()) <= _BY_URL_BYTES else small).encode()
        key = f"templates/{hashlib.sha256(data).hexdigest()}.json"
        self.put(key, data)
        bucket = self.bucket()
        if self._aws.endpoint:
            return Source(url=f"{self._aws.endpoint}/{bucket}/{key}")
        suffix = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        return Source(url=f"https://{bucket}.s3.{self._region}.{suffix}/{key}")

    def asset(self, asset: Asset) -> None:
        """Upload ``asset``, unless it is there.

        Raises:
            SettingsError: its content has changed since the stacks were made.
        """
        if asset.key in self._done:
            return
        path = Path(asset.path)
        if self._is_there(asset.key):
            self._done.add(asset.key)
            return
        if not path.exists() or pack(path).sha256 != asset.sha256:
            raise SettingsError(
                f"asset {asset.path!r}: must be as it was when the stacks were made; run the command again"
            )
        self.put(asset.key, write_zip(path))

    def put(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key``, a name that stands for the content, unless it is there.

        Raises:
            AwsError: the bucket is somebody else's, in another region, or does not take it.
        """
        if key in self._done:
            return
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        for attempt in range(5):
            try:
                self._aws.client("s3", self._region).put_object(
                    Bucket=self.bucket(),
                    Key=key,
                    Body=data,
                    IfNoneMatch="*",
                    ChecksumSHA256=digest,
                    ExpectedBucketOwner=self._aws.identity().account,
                )
            except ClientError as error:
                status = _status(error)
                if status == _THERE:
                    break
                if status != _BUSY or attempt == 4:  # noqa: PLR2004  (two who upload the same: one is told to come again)
                    raise self._refused(key, error) from None
            except BotoCoreError as error:
                raise AwsError(f"bucket {self.bucket()!r}: {key} cannot be uploaded: {error}") from None
            else:
                break
        self._done.add(key)

    def _is_there(self, key: str) -> bool:
        try:
            self._aws.client("s3", self._region).head_object(
                Bucket=self.bucket(), Key=key, ExpectedBucketOwner=self._aws.identity().account
            )
        except ClientError as error:
            if _status(error) == _ABSENT:
                return False
            raise self._refused(key, error) from None
        except BotoCoreError as error:
            raise AwsError(f"bucket {self.bucket()!r}: cannot be read: {error}") from None
        return True

    def _refused(self, key: str, error: ClientError) -> AwsError:
        details: Any = error.response.get("Error", {})
        code = details.get("Code", "")
        make = f"run: archlib bootstrap --region {self._region}"
        rights = "it is another account's, or you may not write to it (archlib policy prints what is needed)"
        advice = {
            "NoSuchBucket": f"it was deleted; {make}",
            "PermanentRedirect": f"it is not in {self._region}; {make}",
            "AccessDenied": rights,
            "403": rights,
        }.get(code, "try again")
        return AwsError(f"bucket {self.bucket()!r}: {key}: {details.get('Message') or code}; {advice}")


def _status(error: ClientError) -> int:
    details: Any = error.response.get("ResponseMetadata", {})
    return int(details.get("HTTPStatusCode", 0))
