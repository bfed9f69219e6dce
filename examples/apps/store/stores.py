"""Where things are: PostgreSQL, a Valkey cache before it, a DynamoDB table of sessions, and a bucket of images."""

import json
import logging
import secrets
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import ClientError

log = logging.getLogger("uvicorn.error")

# Of all processes that start at the same time, one makes the tables.
SCHEMA = (
    "SELECT pg_advisory_xact_lock(1)",
    "CREATE TABLE IF NOT EXISTS products (id text PRIMARY KEY, name text NOT NULL, cents integer NOT NULL)",
    """CREATE TABLE IF NOT EXISTS orders (
      customer text, id text, items jsonb NOT NULL, cents bigint NOT NULL, placed timestamptz NOT NULL,
      PRIMARY KEY (customer, id))""",
)
PAGE = "SELECT id, name, cents FROM products WHERE id > %s ORDER BY id LIMIT %s"
PUT = """INSERT INTO products (id, name, cents) VALUES (%(id)s, %(name)s, %(cents)s)
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, cents = EXCLUDED.cents"""
PRICES = "SELECT id, cents FROM products WHERE id = ANY(%s)"
ORDER = """INSERT INTO orders (id, customer, items, cents, placed)
    VALUES (%(id)s, %(customer)s, %(items)s::jsonb, %(cents)s, %(placed)s)"""
ORDERS = "SELECT id, items, cents, placed FROM orders WHERE customer = %s ORDER BY placed DESC LIMIT 100"
KEPT_SECONDS = 60
SESSION_SECONDS = 7 * 24 * 3600
UPLOAD_SECONDS = 300
IMAGE_BYTES_MOST = 5 * 2**20


class UnknownError(Exception):
    """There is no such product."""


class Shop:
    """Products and orders in PostgreSQL: written at one end, read at the other, which may lag behind a little."""

    def __init__(self, writer, reader):
        self.writer, self.reader = writer, reader

    def page(self, limit, after):
        return self._read(PAGE, (after, limit), ("id", "name", "cents"))

    def put(self, product):
        with self.writer.connection() as connection:
            connection.execute(PUT, product)
        return product

    def order(self, customer, items, tell):
        """Keep an order and tell of it, both or none; the message may arrive just before the order can be read."""
        with self.writer.connection() as connection:
            prices = dict(connection.execute(PRICES, (list(items),)).fetchall())
            for product in items:
                if product not in prices:
                    raise UnknownError(product)
            order = {
                "id": str(uuid.uuid4()),
                "items": items,
                "cents": sum(prices[product] * count for product, count in items.items()),
                "placed": datetime.now(UTC).isoformat(),
            }
            connection.execute(ORDER, {**order, "customer": customer, "items": json.dumps(items)})
            tell(order)
        return order

    def orders(self, customer):
        return self._read(ORDERS, (customer,), ("id", "items", "cents", "placed"))

    def _read(self, statement, values, fields):
        with self.reader.connection() as connection:
            return [dict(zip(fields, row, strict=True)) for row in connection.execute(statement, values).fetchall()]


class Cache:
    """Text by key, for a minute; without it everything goes on, slower."""

    def __init__(self, client):
        self.client = client

    def get(self, key):
        return self._try("get", key)

    def set(self, key, text):
        self._try("set", key, text, ex=KEPT_SECONDS)

    def _try(self, operation, *values, **options):
        try:
            return getattr(self.client, operation)(*values, **options)
        except Exception:
            log.exception("the cache failed")
            return None


class Sessions:
    """Sessions in a DynamoDB table with the key ``session``, which removes them some time after ``expires-at``."""

    def __init__(self, client, table, now=time.time):
        self.client, self.table, self.now = client, table, now

    def start(self):
        token, expires = secrets.token_urlsafe(32), int(self.now()) + SESSION_SECONDS
        item = {"session": token, "customer": str(uuid.uuid4()), "expires-at": expires}
        self.client.put_item(TableName=self.table, Item=item)
        return {"token": token, "expires": expires}

    def get(self, token):
        """Return who has the session, and whether they are staff; None if it is over or never was."""
        item = self.client.get_item(TableName=self.table, Key={"session": token}).get("Item")
        if item is None or item["expires-at"] <= self.now():
            return None
        return {"customer": item["customer"], "staff": item.get("staff") is True}


class Images:
    """One image of each product, in a bucket."""

    def __init__(self, client, bucket):
        self.client, self.bucket = client, bucket

    def upload(self, key, kind):
        """Return where to send an image of a type and limited size, with which fields, as a form."""
        fields = {"Content-Type": kind}
        limits = [fields, ["content-length-range", 1, IMAGE_BYTES_MOST]]
        return self.client.generate_presigned_post(
            self.bucket, f"products/{key}", Fields=fields, Conditions=limits, ExpiresIn=UPLOAD_SECONDS
        )

    def get(self, key):
        try:
            return self.client.get_object(Bucket=self.bucket, Key=f"products/{key}")
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise


def prepare(connection):
    """Make the tables that do not exist yet."""
    with connection.transaction():
        for statement in SCHEMA:
            connection.execute(statement)


def pool(host, port, database, credentials, configure=None):
    """Return connections to PostgreSQL; each new one has the password of the day, and passes ``configure``."""
    from psycopg_pool import ConnectionPool  # noqa: PLC0415  (tests do without)

    def arguments():
        secret = credentials()
        return {
            "host": host,
            "port": port,
            "dbname": database,
            "user": secret["username"],
            "password": secret["password"],
            "sslmode": "verify-full",
            "sslrootcert": str(Path(__file__).with_name("rds.pem")),
            "connect_timeout": 5,
        }

    return ConnectionPool(
        kwargs=arguments, configure=configure, check=ConnectionPool.check_connection, min_size=1, max_size=5, timeout=5,
        open=True,
    )  # fmt: skip


def cache_client(host, port, password):
    """Return a client of Valkey."""
    from valkey import Valkey  # noqa: PLC0415  (tests do without)

    return Valkey(
        host=host, port=port, password=password, ssl=True, socket_timeout=1, socket_connect_timeout=1,
        decode_responses=True,
    )  # fmt: skip
