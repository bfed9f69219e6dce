"""Index each uploaded document in a table, and tell everyone who wants to know."""

import json
import os
from functools import cache

import boto3


def handler(event, context):
    """Index the object that an EventBridge event of S3 names."""
    return handle(event, table=_table(), topic=_topic())


def handle(event, *, table, topic):
    """Index the object with the given clients."""
    found = event["detail"]["object"]
    item = {
        "document": found["key"],
        "version": found.get("version-id", "null"),
        "bytes": found["size"],
        "uploaded": event["time"],
    }
    table.put_item(Item=item)
    topic.publish(Message=json.dumps(item))
    return item


@cache
def _table():
    return boto3.resource("dynamodb").Table(os.environ["DOCUMENTS_TABLE"])


@cache
def _topic():
    return boto3.resource("sns").Topic(os.environ["INDEXED_TOPIC_ARN"])
