"""Archive what happens in the shop: one object for each batch of stream records."""

import base64
import os
from functools import cache

import boto3


def handler(event, context):
    """Write the batch as one object of JSON lines."""
    return handle(event, bucket=_bucket())


def handle(event, *, bucket):
    """Write the batch into ``bucket`` as one object of JSON lines, named after its first record."""
    records = [record["kinesis"] for record in event["Records"]]
    lines = b"\n".join(base64.b64decode(record["data"]) for record in records)
    bucket.put_object(Key=f"activity/{records[0]['sequenceNumber']}.jsonl", Body=lines + b"\n")
    return {"batchItemFailures": []}


@cache
def _bucket():
    return boto3.resource("s3").Bucket(os.environ["ARCHIVE_BUCKET"])
