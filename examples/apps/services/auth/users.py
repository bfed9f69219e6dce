"""Users in DynamoDB, and attempts to log in, counted in a Valkey cluster."""

import logging

from botocore.exceptions import ClientError

log = logging.getLogger("uvicorn.error")

COUNTED_SECONDS = 900


class TakenError(Exception):
    """There is such a user already."""


class Users:
    """Users with their hashed passwords in a DynamoDB table with the key ``user``."""

    def __init__(self, client, table):
        self.client, self.table = client, table

    def add(self, user, password):
        try:
            self.client.put_item(
                TableName=self.table,
                Item={"user": user, "password": password},
                ConditionExpression="attribute_not_exists(#user)",
                ExpressionAttributeNames={"#user": "user"},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise TakenError from error
            raise

    def password_of(self, user):
        """Return the hashed password; None if there is no such user."""
        item = self.client.get_item(TableName=self.table, Key={"user": user}, ConsistentRead=True).get("Item")
        return bytes(item["password"]) if item else None


class Attempts:
    """How often somebody tried to log in; without the cache nobody is kept out."""

    def __init__(self, client):
        self.client = client

    def count(self, user):
        """Count one more attempt, and return how many there were without a pause of some minutes."""
        count = self._try("incr", f"attempts:{user}")
        self._try("expire", f"attempts:{user}", COUNTED_SECONDS)
        return count or 0

    def forget(self, user):
        self._try("delete", f"attempts:{user}")

    def _try(self, operation, *values):
        try:
            return getattr(self.client, operation)(*values)
        except Exception:
            log.exception("the cache failed")
            return None


def cluster(host, port, password):
    """Return a client of a Valkey cluster."""
    from valkey import ValkeyCluster  # noqa: PLC0415  (tests do without)

    return ValkeyCluster(host=host, port=port, password=password, ssl=True, socket_timeout=1, socket_connect_timeout=1)
