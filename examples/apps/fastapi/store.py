"""Items in DynamoDB tables whose key is ``id``."""

from functools import cache

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BY_USER = "user-id"
"""The index of posts by the attribute ``user_id``."""


class NotFoundError(Exception):
    """There is no such item."""


class TakenError(Exception):
    """There is such an item already, or one that depends on it."""


class Table:
    """One table; ``connect`` returns the client when it is needed first, and the same one ever after."""

    def __init__(self, name, connect):
        self.name, self.connect = name, connect

    def add(self, item):
        try:
            self._call("put_item", Item=item, ConditionExpression="attribute_not_exists(id)")
        except ClientError as error:
            raise _meaning(error, TakenError) from error
        return item

    def get(self, key):
        item = self._call("get_item", Key={"id": key}).get("Item")
        if item is None:
            raise NotFoundError
        return item

    def change(self, key, fields):
        """Set ``fields`` of an item, and return all of it."""
        try:
            changed = self._call(
                "update_item",
                Key={"id": key},
                UpdateExpression="SET " + ", ".join(f"#{field} = :{field}" for field in fields),
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeNames={f"#{field}": field for field in fields},
                ExpressionAttributeValues={f":{field}": value for field, value in fields.items()},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            raise _meaning(error, NotFoundError) from error
        return changed["Attributes"]

    def remove(self, key):
        try:
            self._call("delete_item", Key={"id": key}, ConditionExpression="attribute_exists(id)")
        except ClientError as error:
            raise _meaning(error, NotFoundError) from error

    def page(self, limit, after=None, *, user=None):
        """Return up to ``limit`` items that come after the id ``after``, of ``user`` if given, as a page."""
        request, owner = {"Limit": limit}, {}
        if user is not None:
            owner = {"user_id": user}
            request |= {
                "IndexName": BY_USER,
                "KeyConditionExpression": "user_id = :user",
                "ExpressionAttributeValues": {":user": user},
            }
        if after is not None:
            request["ExclusiveStartKey"] = {"id": after, **owner}
        found = self._call("scan" if user is None else "query", **request)
        return {"items": found["Items"], "next": found.get("LastEvaluatedKey", {}).get("id")}

    def _call(self, operation, **request):
        return getattr(self.connect(), operation)(TableName=self.name, **request)


@cache
def dynamodb():
    """Return a client that takes and returns plain values, and that threads may share."""
    patience = Config(connect_timeout=2, read_timeout=5, max_pool_connections=40, retries={"mode": "standard"})
    return boto3.resource("dynamodb", config=patience).meta.client


def _meaning(error, of_condition):
    failed = error.response["Error"]["Code"] == "ConditionalCheckFailedException"
    return of_condition() if failed else error
