"""Where products are: PostgreSQL, and a Valkey cluster before it."""

import logging

log = logging.getLogger("uvicorn.error")

FIELDS = ("id", "name", "description", "cents", "image", "version")
# Of all tasks that start at the same time, one makes the table.
SCHEMA = (
    "SELECT pg_advisory_xact_lock(1)",
    """CREATE TABLE IF NOT EXISTS products (
      id text PRIMARY KEY, name text NOT NULL, description text NOT NULL, cents integer NOT NULL, image text,
      version bigint NOT NULL)""",
)
SELECT = "SELECT id, name, description, cents, image, version FROM products "
PUT = """INSERT INTO products (id, name, description, cents, image, version)
    VALUES (%(id)s, %(name)s, %(description)s, %(cents)s, %(image)s, 1)
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, description = EXCLUDED.description, cents = EXCLUDED.cents,
      image = EXCLUDED.image, version = products.version + 1
    RETURNING id, name, description, cents, image, version"""
# A reader may lag behind and bring an old product back into the cache: not for long.
KEPT_SECONDS = 60


class Catalogue:
    """Products in PostgreSQL: written at one end, read at the other."""

    def __init__(self, writer, reader):
        self.writer, self.reader = writer, reader
        with writer.connection() as connection:
            for statement in SCHEMA:
                connection.execute(statement)

    def get(self, key):
        return next(iter(self._fetch(self.reader, SELECT + "WHERE id = %s", (key,))), None)

    def some(self, keys):
        return self._fetch(self.reader, SELECT + "WHERE id = ANY(%s)", (keys,))

    def page(self, limit, after):
        return self._fetch(self.reader, SELECT + "WHERE id > %s ORDER BY id LIMIT %s", (after, limit))

    def put(self, key, product):
        return self._fetch(self.writer, PUT, {**product, "id": key})[0]

    def _fetch(self, pool, statement, values):
        with pool.connection() as connection:
            return [dict(zip(FIELDS, row, strict=True)) for row in connection.execute(statement, values).fetchall()]


class Cache:
    """Text by key, for a minute; without it everything goes on, slower."""

    def __init__(self, client):
        self.client = client

    def get(self, key):
        return self._try("get", _name(key))

    def set(self, key, text):
        self._try("set", _name(key), text, ex=KEPT_SECONDS)

    def delete(self, key):
        self._try("delete", _name(key))

    def _try(self, operation, *values, **options):
        try:
            return getattr(self.client, operation)(*values, **options)
        except Exception:
            log.exception("the cache failed")
            return None


def pool(host, port, database, credentials):
    """Return connections to PostgreSQL; each new one has the password of the day."""
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
            "sslrootcert": "/app/rds.pem",
            "connect_timeout": 5,
        }

    return ConnectionPool(
        kwargs=arguments, min_size=1, max_size=5, timeout=5, check=ConnectionPool.check_connection, open=True
    )


def cluster(host, port, password):
    """Return a client of a Valkey cluster."""
    from valkey import ValkeyCluster  # noqa: PLC0415  (tests do without)

    return ValkeyCluster(
        host=host, port=port, password=password, ssl=True, socket_timeout=1, socket_connect_timeout=1,
        decode_responses=True,
    )  # fmt: skip


def _name(key):
    return f"product:{key}"
