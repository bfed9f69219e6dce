from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError

from archlib import load as load_blueprint
from functional.apps.fakes import APPS, Client, Dynamo, load

FOLDER = APPS / "store"
BLUEPRINT = APPS.parents[1] / "blueprints" / "multi-tier.yaml"
NOW = 1_800_000_000


class Database:
    """A pool of connections to PostgreSQL, as far as the statements of the app go; what fails is undone."""

    def __init__(self, stores: Any) -> None:
        self.products: dict[str, tuple[str, int]] = {}
        self.orders: list[dict[str, Any]] = []
        self.made: list[str] = []
        self.known = {
            stores.PAGE: self._page, stores.PUT: self._put, stores.PRICES: self._prices, stores.ORDER: self._order,
            stores.ORDERS: self._orders,
        }  # fmt: skip

    @contextmanager
    def connection(self) -> Iterator[Database]:
        products, orders = dict(self.products), list(self.orders)
        try:
            yield self
        except BaseException:
            self.products, self.orders = products, orders
            raise

    transaction = connection

    def execute(self, statement: str, values: Any = None) -> Any:
        if values is None:
            self.made.append(statement)
            return None
        if isinstance(values, dict):
            assert set(re.findall(r"%\((\w+)\)s", statement)) <= set(values)
        else:
            assert statement.count("%s") == len(values)
        rows = self.known[statement](values)
        return SimpleNamespace(fetchall=lambda: rows)

    def _page(self, values: Any) -> list[Any]:
        after, limit = values
        return [(key, *fields) for key, fields in sorted(self.products.items()) if key > after][:limit]

    def _put(self, values: Any) -> None:
        self.products[values["id"]] = (values["name"], values["cents"])

    def _prices(self, values: Any) -> list[Any]:
        return [(key, self.products[key][1]) for key in values[0] if key in self.products]

    def _order(self, values: Any) -> None:
        self.orders.append(values)

    def _orders(self, values: Any) -> list[Any]:
        return [
            (each["id"], json.loads(each["items"]), each["cents"], datetime.fromisoformat(each["placed"]))
            for each in reversed(self.orders)
            if each["customer"] == values[0]
        ]


class Bucket:
    """A bucket that makes real forms for uploads, without a network."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, bytes]] = {}
        session = Session("key", "secret", region_name="eu-west-1")
        client = session.client("s3", config=Config(signature_version="s3v4"))
        self.generate_presigned_post = client.generate_presigned_post

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803  (the names boto3 wants)
        assert Bucket == "images-bucket"
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject")
        kind, data = self.objects[Key]
        return {"ContentType": kind, "Body": SimpleNamespace(iter_chunks=lambda size: io.BytesIO(data))}


class Store(Client):
    """The app with its stores."""

    def __init__(self, main: Any, stores: Any) -> None:
        self.stores, self.now = stores, float(NOW)
        self.database, self.dynamo, self.bucket = Database(stores), Dynamo("session"), Bucket()
        self.kept: dict[str, str] = {}
        self.fulfilled: list[Any] = []
        cache = SimpleNamespace(get=self.kept.get, set=lambda key, text, ex: self.kept.__setitem__(key, text))
        super().__init__(
            main.create(
                shop=stores.Shop(self.database, self.database),
                cache=stores.Cache(cache),
                sessions=stores.Sessions(self.dynamo, "sessions-table", lambda: self.now),
                images=stores.Images(self.bucket, "images-bucket"),
                fulfil=self.fulfilled.append,
            )
        )

    def session(self, *, staff: bool = False) -> dict[str, str]:
        """Return the headers of a new session."""
        status, session = self("POST", "/api/sessions")
        assert status == 201
        if staff:
            self.dynamo.tables["sessions-table"][session["token"]]["staff"] = True
        return {"Authorization": f"Bearer {session['token']}"}

    def put(self, key: str, cents: int = 450) -> None:
        body = {"name": key.title(), "cents": cents}
        assert self("PUT", f"/api/products/{key}", headers=self.session(staff=True), body=body)[0] == 200


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(*load(monkeypatch, FOLDER, "main", "stores"))


def failing(error: Exception) -> Any:
    def fail(*given: Any, **named: Any) -> Any:
        raise error

    return fail


def test_it_is_well_without_its_stores_and_ready_only_with_its_database(store: Store) -> None:
    assert store("GET", "/api/ready") == (200, {"status": "ok"})
    store("GET", "/api/products?limit=1")
    store.database.connection = failing(OSError("gone"))  # type: ignore[method-assign]

    assert store("GET", "/api/health") == (200, {"status": "ok"})
    assert store("GET", "/api/ready")[0] == 500


def test_products_come_in_pages_which_are_kept_for_a_while(store: Store) -> None:
    for key in ("rice", "salt", "tea"):
        store.put(key)

    page = store("GET", "/api/products?limit=2")[1]
    assert [each["id"] for each in page["items"]] == ["rice", "salt"]
    rest = store("GET", f"/api/products?limit=2&after={page['next']}")[1]
    assert rest == {"items": [{"id": "tea", "name": "Tea", "cents": 450}], "next": None}
    store.put("rice", 1)
    assert store("GET", "/api/products?limit=2")[1] == page
    store.kept.clear()
    assert store("GET", "/api/products?limit=2")[1]["items"][0]["cents"] == 1


def test_without_its_cache_the_store_goes_on(store: Store) -> None:
    store.put("tea")
    store.app.state.cache = store.stores.Cache(SimpleNamespace())

    assert [each["id"] for each in store("GET", "/api/products")[1]["items"]] == ["tea"]


def test_what_is_kept_expires(store: Store) -> None:
    calls: list[Any] = []
    store.stores.Cache(SimpleNamespace(set=lambda *values, **options: calls.append((values, options)))).set("k", "v")

    assert calls == [(("k", "v"), {"ex": 60})]


def test_an_order_is_kept_and_told_of(store: Store) -> None:
    store.put("tea", 450)
    store.put("rice", 200)
    mine = store.session()

    status, order = store("POST", "/api/orders", headers=mine, body={"items": {"tea": 2, "rice": 1}})

    assert (status, order["cents"], order["items"]) == (201, 1100, {"tea": 2, "rice": 1})
    (told,) = store.fulfilled
    assert json.loads(json.dumps(told))["id"] == order["id"]
    assert store("GET", "/api/orders", headers=mine) == (200, [order])
    assert store("GET", "/api/orders", headers=store.session()) == (200, []), "nobody sees those of others"


def test_an_order_that_cannot_be_told_of_is_none(store: Store) -> None:
    store.put("tea")
    error = ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "SendMessage")
    store.app.state.fulfil = failing(error)

    assert store("POST", "/api/orders", headers=store.session(), body={"items": {"tea": 1}}) == (
        503, {"detail": "try again"},
    )  # fmt: skip
    assert store.database.orders == []


def test_what_is_not_sold_cannot_be_ordered(store: Store) -> None:
    store.put("tea")

    answer = store("POST", "/api/orders", headers=store.session(), body={"items": {"tea": 1, "gold": 1}})

    assert answer == (404, {"detail": "there is no product gold"})
    assert (store.database.orders, store.fulfilled) == ([], [])


@pytest.mark.parametrize(
    "body",
    [{}, {"items": {}}, {"items": {"tea": 0}}, {"items": {"tea": 101}}, {"items": {"T!": 1}},
     {"items": {"tea": 1}, "cents": 1}, {"items": {f"p{number}": 1 for number in range(51)}}],
)  # fmt: skip
def test_a_malformed_order_is_refused(store: Store, body: Any) -> None:
    store.put("tea")

    assert store("POST", "/api/orders", headers=store.session(), body=body)[0] == 422
    assert store.database.orders == []


def test_a_session_ends(store: Store) -> None:
    mine = store.session()
    (item,) = store.dynamo.tables["sessions-table"].values()
    assert item["expires-at"] == NOW + 7 * 24 * 3600

    store.now = item["expires-at"] - 1.0
    assert store("GET", "/api/orders", headers=mine)[0] == 200
    store.now += 1
    assert store("GET", "/api/orders", headers=mine) == (401, {"detail": "start a session first"})


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer nobody", "Basic nobody"])
def test_nobody_orders_without_a_session(store: Store, header: str) -> None:
    headers = {"Authorization": header} if header else {}

    assert store("GET", "/api/orders", headers=headers)[0] == 401
    assert store("POST", "/api/orders", headers=headers, body={"items": {"tea": 1}})[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/products/tea", {"name": "Tea", "cents": 1}),
        ("POST", "/api/products/tea/image", {"type": "image/png"}),
    ],
)
def test_only_staff_change_what_is_sold(store: Store, method: str, path: str, body: Any) -> None:
    assert store(method, path, body=body)[0] == 401
    assert store(method, path, headers=store.session(), body=body)[0] == 403
    assert store.database.products == {}
    assert store(method, path, headers=store.session(staff=True), body=body)[0] == 200


def test_an_image_is_uploaded_with_a_form_that_allows_no_more(store: Store) -> None:
    staff = store.session(staff=True)

    form = store("POST", "/api/products/tea/image", headers=staff, body={"type": "image/png"})[1]

    assert form["fields"]["key"] == "products/tea"
    conditions = json.loads(base64.b64decode(form["fields"]["policy"]))["conditions"]
    assert ["content-length-range", 1, 5 * 2**20] in conditions
    assert {"Content-Type": "image/png"} in conditions
    for kind in ("image/svg+xml", "text/html"):
        assert store("POST", "/api/products/tea/image", headers=staff, body={"type": kind})[0] == 422


def test_an_image_is_shown(store: Store) -> None:
    store.bucket.objects["products/tea"] = ("image/png", b"picture")

    assert store("GET", "/api/products/tea/image") == (200, "picture")
    assert store("GET", "/api/products/rice/image") == (404, {"detail": "there is no such image"})
    store.bucket.get_object = failing(  # type: ignore[method-assign]
        ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "GetObject")
    )
    assert store("GET", "/api/products/tea/image") == (503, {"detail": "try again"})


def test_the_tables_are_made_by_one_at_a_time(store: Store) -> None:
    store.stores.prepare(store.database)

    lock, *tables = store.database.made
    assert "pg_advisory_xact_lock" in lock
    assert all("IF NOT EXISTS" in each for each in tables)


def test_the_blueprint_gives_the_store_what_it_needs(store: Store) -> None:
    blueprint = load_blueprint(BLUEPRINT)
    resources = [each for stack in blueprint.assemble() for each in stack.template["Resources"].values()]
    (script,) = [json.dumps(each) for each in resources if each["Type"] == "AWS::EC2::LaunchTemplate"]
    groups = [each for each in resources if each["Type"] == "AWS::ElasticLoadBalancingV2::TargetGroup"]
    source = (FOLDER / "main.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z]+_[A-Z_]*[A-Z])"', source))

    assert len(read) == 11
    assert read <= set(re.findall(r"([A-Z_]+)='", script.replace("\\n", "\n")))
    for group in groups:
        assert store("GET", group["Properties"]["HealthCheckPath"])[0] == 200
    (table,) = [each["Properties"] for each in resources if each["Type"] == "AWS::DynamoDB::Table"]
    assert table["TimeToLiveSpecification"]["AttributeName"] == "expires-at"
    assert [each["AttributeName"] for each in table["KeySchema"]] == ["session"]


def test_the_environment_names_the_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    main, stores = load(monkeypatch, FOLDER, "main", "stores")
    source = (FOLDER / "main.py").read_text(encoding="utf-8")
    for name in re.findall(r'"([A-Z]+_[A-Z_]*[A-Z])"', source):
        monkeypatch.setenv(name, "6380" if name.endswith("PORT") else f"the {name}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    secret = json.dumps({"username": "app", "password": "of the day"})
    vault = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": secret})  # noqa: N803  (of boto3)
    client = main.boto3.client
    monkeypatch.setattr(
        main.boto3, "client", lambda name, **given: vault if name == "secretsmanager" else client(name, **given)
    )

    def pool(**given: Any) -> Any:
        return SimpleNamespace(**given)

    pool.check_connection = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "psycopg", SimpleNamespace(Error=type("Error", (Exception,), {})))
    monkeypatch.setitem(sys.modules, "psycopg_pool", SimpleNamespace(ConnectionPool=pool))
    monkeypatch.setitem(sys.modules, "valkey", SimpleNamespace(Valkey=lambda **given: given))

    state = main.production().state

    writer, reader = (end.kwargs() for end in (state.shop.writer, state.shop.reader))
    assert (writer["host"], reader["host"]) == ("the ORDERS_HOST", "the ORDERS_READ_HOST")
    assert (writer["user"], writer["password"], writer["sslmode"]) == ("app", "of the day", "verify-full")
    assert (state.shop.writer.configure, state.shop.reader.configure) == (stores.prepare, None)
    assert (state.cache.client["host"], state.cache.client["port"]) == ("the CATALOGUE_HOST", 6380)
    assert (state.sessions.table, state.images.bucket) == ("the SESSIONS_TABLE", "the IMAGES_BUCKET")
    assert state.images.client.meta.config.signature_version == "s3v4"


def test_all_dependencies_are_pinned() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]

    assert {"fastapi", "uvicorn", "boto3", "psycopg[binary,pool]", "valkey"} <= {
        line.partition("==")[0] for line in pinned
    }
    assert [line for line in pinned if "==" not in line] == []
