"""GET and POST /orders: keep an order and tell the others about it."""

import json
import os
import uuid
from datetime import UTC, datetime
from functools import cache

import boto3


def handler(event, context):
    """Answer one API request."""
    return handle(event, table=_table(), events=_client("events"), stream=_client("kinesis"))


def handle(event, *, table, events, stream, now=lambda: datetime.now(UTC), new_id=uuid.uuid4):
    """Answer one API request with the given clients."""
    customer = event["requestContext"]["authorizer"]["claims"]["sub"]
    if event["httpMethod"] == "GET":
        found = table.query(
            KeyConditionExpression="customer = :customer", ExpressionAttributeValues={":customer": customer}
        )
        return _answer(200, {"orders": found["Items"]})
    order = json.loads(event["body"])
    item = {
        "customer": customer,
        "order": str(new_id()),
        "placed": now().isoformat(timespec="seconds"),
        "items": order["items"],
    }
    table.put_item(
        Item=item, ConditionExpression="attribute_not_exists(#order)", ExpressionAttributeNames={"#order": "order"}
    )
    detail = json.dumps(item)
    sent = events.put_events(
        Entries=[
            {
                "EventBusName": os.environ["SHOP_BUS_NAME"],
                "Source": "shop.orders",
                "DetailType": "order-placed",
                "Detail": detail,
            }
        ]
    )
    if sent["FailedEntryCount"]:
        # The caller tries again; an order without its event would never be shipped.
        table.delete_item(Key={"customer": customer, "order": item["order"]})
        return _answer(503, {"message": "try again"})
    stream.put_record(StreamName=os.environ["ACTIVITY_STREAM_NAME"], PartitionKey=customer, Data=detail.encode())
    return _answer(201, item)


def _answer(status, body):
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": "application/json",
            # With a proxy integration the function itself says which page may read the answer.
            "Access-Control-Allow-Origin": os.environ["ALLOWED_ORIGIN"],
        },
        "body": json.dumps(body, default=str),
    }


@cache
def _client(service):
    return boto3.client(service)


@cache
def _table():
    return boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])
