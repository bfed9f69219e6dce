from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from archlib import load as load_blueprint
from functional.apps.fakes import APPS, Client, Dynamo, load

SERVICES = APPS / "services"
NAMES = ("product", "auth", "search", "analytics")
TEA = {"id": "tea", "name": "Tea", "description": "Green", "cents": 450, "image": "tea.jpg", "version": 1}


# product


class Shelf:
    """Products in memory, and what happens to them."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, Any]] = {"tea": dict(TEA)}
        self.reads: list[str] = []
        self.kept: dict[str, str] = {}
        self.published: list[Any] = []
        self.clicks: list[str] = []

    def get(self, key: str) -> dict[str, Any] | None:
        self.reads.append(key)
        return self.products.get(key)

    def some(self, keys: list[str]) -> list[dict[str, Any]]:
        return [self.products[key] for key in keys if key in self.products]

    def page(self, limit: int, after: str) -> list[dict[str, Any]]:
        return [product for key, product in sorted(self.products.items()) if key > after][:limit]

    def put(self, key: str, product: dict[str, Any]) -> dict[str, Any]:
        version = self.products.get(key, {"version": 0})["version"] + 1
        self.products[key] = {**product, "id": key, "version": version}
        return self.products[key]

    def app(self, main: Any) -> Client:
        cache = SimpleNamespace(
            get=self.kept.get, set=self.kept.__setitem__, delete=lambda key: self.kept.pop(key, None)
        )
        return Client(
            main.create(
                catalogue=self,
                cache=cache,
                link=lambda key: f"https://uploads/{key}",
                publish=self.published.append,
                record=lambda click: self.clicks.append(click["product"]),
            )
        )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> Client:
    return shelf.app(load(monkeypatch, SERVICES / "product", "main")[0])


def test_a_product_is_read_once_and_each_look_counts(product: Client, shelf: Shelf) -> None:
    expected = {**TEA, "image_url": "https://uploads/tea.jpg"}

    assert product("GET", "/products/tea") == (200, expected)
    assert product("GET", "/products/tea") == (200, expected)
    assert shelf.reads == ["tea"]
    assert shelf.clicks == ["tea", "tea"]


def test_an_unknown_product_is_not_found_and_no_click(product: Client, shelf: Shelf) -> None:
    assert product("GET", "/products/salt") == (404, {"detail": "there is no such product"})
    assert shelf.clicks == []
    assert shelf.kept == {}


def test_a_changed_product_leaves_the_cache_and_is_published(product: Client, shelf: Shelf) -> None:
    product("GET", "/products/tea")

    status, changed = product("PUT", "/internal/products/tea", body={"name": "Black tea", "cents": 500})

    assert status == 200
    assert (changed["version"], changed["image_url"]) == (2, None)
    assert product("GET", "/products/tea")[1]["name"] == "Black tea"
    (published,) = shelf.published
    assert (published["id"], published["name"], published["version"]) == ("tea", "Black tea", 2)


def test_nobody_changes_a_product_under_the_public_path(product: Client, shelf: Shelf) -> None:
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        assert product(method, "/products/tea", body={"name": "x", "cents": 1})[0] == 405
    assert shelf.products == {"tea": TEA}


@pytest.mark.parametrize(
    "body", [{"name": "", "cents": 1}, {"name": "x", "cents": -1}, {"name": "x", "cents": 1, "id": "y"}, {}]
)
def test_a_malformed_product_is_refused(product: Client, shelf: Shelf, body: Any) -> None:
    assert product("PUT", "/internal/products/tea", body=body)[0] == 422
    assert shelf.published == []


def test_products_come_by_name_or_in_pages(product: Client, shelf: Shelf) -> None:
    for number in range(3):
        shelf.put(f"p{number}", {**TEA, "image": None})

    page = product("GET", "/products/?limit=2")[1]
    assert [each["id"] for each in page["items"]] == ["p0", "p1"]
    rest = product("GET", f"/products/?limit=3&after={page['next']}")[1]
    assert [each["id"] for each in rest["items"]] == ["p2", "tea"]
    assert rest["next"] is None
    named = product("GET", "/products/?ids=tea&ids=p1&ids=none")[1]
    assert [each["id"] for each in named["items"]] == ["tea", "p1"]
    assert shelf.clicks == []


def test_a_lost_click_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    (main,) = load(monkeypatch, SERVICES / "product", "main")
    sent: list[dict[str, Any]] = []
    main.keep_click(SimpleNamespace(put_record=lambda **record: sent.append(record)), "clicks", {"product": "tea"})
    main.keep_click(SimpleNamespace(), "clicks", {"product": "tea"})

    assert sent == [{"StreamName": "clicks", "PartitionKey": "tea", "Data": b'{"product": "tea"}'}]


class Pool:
    """Connections to a database that notes the statements and answers with rows."""

    def __init__(self, *rows: Any) -> None:
        self.rows, self.statements = list(rows), []  # type: tuple[list[Any], list[Any]]

    @contextmanager
    def connection(self) -> Iterator[Pool]:
        yield self

    def execute(self, statement: str, values: Any = None) -> Pool:
        self.statements.append((statement, values))
        return self

    def fetchall(self) -> list[Any]:
        return self.rows


def test_the_catalogue_writes_at_one_end_and_reads_at_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    (storage,) = load(monkeypatch, SERVICES / "product", "storage")
    row = tuple(TEA.values())
    writer, reader = Pool(row), Pool(row)
    catalogue = storage.Catalogue(writer, reader)
    assert "CREATE TABLE IF NOT EXISTS products" in writer.statements[1][0]

    assert catalogue.get("tea") == TEA
    assert catalogue.some(["tea"]) == [TEA]
    assert catalogue.page(5, "a") == [TEA]
    assert [values for _, values in reader.statements] == [("tea",), (["tea"],), ("a", 5)]
    assert len(writer.statements) == 2

    assert catalogue.put("tea", {"name": "Tea", "description": "Green", "cents": 450, "image": None}) == TEA
    statement, values = writer.statements[-1]
    assert set(re.findall(r"%\((\w+)\)s", statement)) == set(values)
    assert values["id"] == "tea"
    reader.rows = []
    assert catalogue.get("salt") is None


def test_without_its_cache_the_product_service_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    (storage,) = load(monkeypatch, SERVICES / "product", "storage")
    calls: list[Any] = []
    working = SimpleNamespace(
        get=lambda key: f"text of {key}", set=lambda *values, **options: calls.append((values, options))
    )

    storage.Cache(working).set("tea", "text")

    assert storage.Cache(working).get("tea") == "text of product:tea"
    assert calls == [(("product:tea", "text"), {"ex": 60})]
    assert storage.Cache(SimpleNamespace()).get("tea") is None
    storage.Cache(SimpleNamespace()).delete("tea")


# auth

PASSWORD = "correct horse battery"  # noqa: S105  (of nobody)
ADA = {"email": "Ada@example.com", "password": PASSWORD}


class Counter:
    """What the service needs of a cache."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.expires: dict[str, int] = {}

    def incr(self, key: str) -> int:
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]

    def expire(self, key: str, seconds: int) -> None:
        self.expires[key] = seconds

    def delete(self, key: str) -> None:
        self.counts.pop(key, None)


class Auth(Client):
    def __init__(self, main: Any, users: Any, tokens: Any) -> None:
        # What is tested is not how long it takes.
        tokens.COST.update(n=2, p=1)
        self.dynamo, self.cache, self.time, self.tokens = Dynamo("user"), Counter(), 1_000_000.0, tokens
        super().__init__(
            main.create(
                users=users.Users(self.dynamo, "users"),
                attempts=users.Attempts(self.cache),
                secret=b"secret",
                now=lambda: self.time,
            )
        )

    def me(self, token: str) -> Any:
        return self("GET", "/auth/me", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def auth(monkeypatch: pytest.MonkeyPatch) -> Auth:
    return Auth(*load(monkeypatch, SERVICES / "auth", "main", "users", "tokens"))


def test_whoever_signed_up_logs_in_and_is_known(auth: Auth) -> None:
    assert auth("POST", "/auth/signup", body=ADA) == (201, {"user": "ada@example.com"})

    status, given = auth("POST", "/auth/login", body={**ADA, "email": "ADA@example.com"})

    assert status == 200
    assert given["expires"] == 1_003_600
    assert auth.me(given["token"]) == (200, {"user": "ada@example.com"})
    auth.time = given["expires"]
    assert auth.me(given["token"])[0] == 401


def test_passwords_are_kept_hashed_and_salted(auth: Auth) -> None:
    auth("POST", "/auth/signup", body=ADA)
    auth("POST", "/auth/signup", body={**ADA, "email": "bob@example.com"})

    kept = [item["password"] for item in auth.dynamo.tables["users"].values()]

    assert len(set(kept)) == 2
    assert not any(PASSWORD.encode() in each for each in kept)


def test_a_user_signs_up_once(auth: Auth) -> None:
    auth("POST", "/auth/signup", body=ADA)

    assert auth("POST", "/auth/signup", body={**ADA, "password": "another password"})[0] == 409
    assert auth("POST", "/auth/login", body=ADA)[0] == 200


def test_wrong_passwords_and_unknown_users_look_the_same(auth: Auth) -> None:
    auth("POST", "/auth/signup", body=ADA)

    wrong = auth("POST", "/auth/login", body={**ADA, "password": "something else"})
    unknown = auth("POST", "/auth/login", body={**ADA, "email": "bob@example.com"})

    assert wrong == unknown == (401, {"detail": "wrong email or password"})


def test_guessing_ends_and_a_login_starts_anew(auth: Auth) -> None:
    auth("POST", "/auth/signup", body=ADA)
    guess = {**ADA, "password": "something else"}

    for _ in range(10):
        assert auth("POST", "/auth/login", body=guess)[0] == 401
    assert auth("POST", "/auth/login", body=ADA)[0] == 429
    assert auth.cache.expires == {"attempts:ada@example.com": 900}

    auth.cache.counts.clear()
    auth("POST", "/auth/login", body=guess)
    assert auth("POST", "/auth/login", body=ADA)[0] == 200
    assert auth.cache.counts == {}


def test_without_its_cache_the_auth_service_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    (users,) = load(monkeypatch, SERVICES / "auth", "users")

    assert users.Attempts(SimpleNamespace()).count("ada") == 0
    users.Attempts(SimpleNamespace()).forget("ada")


@pytest.mark.parametrize(
    "body", [{**ADA, "password": "short"}, {**ADA, "email": "nowhere"}, {**ADA, "role": "admin"}, {}]
)
def test_malformed_credentials_are_refused(auth: Auth, body: Any) -> None:
    assert auth("POST", "/auth/signup", body=body)[0] == 422


def test_only_own_tokens_are_good(auth: Auth) -> None:
    good = auth.tokens.sign_token("ada", 2_000_000, b"secret")
    header, claims, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    bob = base64.urlsafe_b64encode(b'{"sub":"bob","exp":2000000}').rstrip(b"=").decode()
    assert auth.me(good) == (200, {"user": "ada"})

    for bad in (
        "",
        "x",
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        f"{header}.{bob}.{signature}",
        f"{header}.{claims}.{signature}x",
        auth.tokens.sign_token("ada", 2_000_000, b"another"),
    ):
        assert auth.me(bad)[0] == 401, bad
    for header_line in ({}, {"Authorization": f"Basic {good}"}, {"Authorization": good}):
        assert auth("GET", "/auth/me", headers=header_line)[0] == 401
    assert auth.tokens.read_token(f"{header}.{claims}.\xe9", b"secret", 0) is None


def test_hashing_costs_what_is_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    (tokens,) = load(monkeypatch, SERVICES / "auth", "tokens")

    hashed = tokens.hash_password(PASSWORD)

    assert tokens.check_password(PASSWORD, hashed)
    assert not tokens.check_password(PASSWORD + "x", hashed)
    assert tokens.COST["n"] * tokens.COST["r"] * 128 == 32 * 2**20


# search


class Domain:
    """An OpenSearch domain that notes what it is asked and answers as told."""

    def __init__(self, status: int = 200, answer: Any = None) -> None:
        self.status, self.answer = status, answer or {}
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, str]:
        self.asked.append((method, path, body))
        return self.status, json.dumps(self.answer)


FOUND = {"hits": {"total": {"value": 7}, "hits": [{"_source": {"id": "tea", "name": "Tea", "cents": 450}}]}}


def test_a_search_finds_products(monkeypatch: pytest.MonkeyPatch) -> None:
    main, products = load(monkeypatch, SERVICES / "search", "main", "products")
    domain = Domain(answer=FOUND)
    search = Client(main.create(products=products.Products(domain)))

    assert search("GET", "/search/products?q=green%20tea&limit=5&offset=10") == (
        200,
        {"items": [{"id": "tea", "name": "Tea", "cents": 450}], "total": 7},
    )
    ((method, path, query),) = domain.asked
    assert (method, path) == ("POST", "/products/_search?ignore_unavailable=true")
    assert query["query"]["multi_match"]["query"] == "green tea"
    assert (query["from"], query["size"]) == (10, 5)
    for bad in ("", "?q=", f"?q={'x' * 201}", "?q=x&limit=51", "?q=x&offset=5001"):
        assert search("GET", f"/search/products{bad}")[0] == 422


def test_a_search_that_fails_is_no_fault_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    main, products = load(monkeypatch, SERVICES / "search", "main", "products")
    search = Client(main.create(products=products.Products(Domain(500))))

    assert search("GET", "/search/products?q=tea") == (503, {"detail": "try again"})
    assert search("GET", "/health")[0] == 200


def test_the_index_keeps_the_newest_version(monkeypatch: pytest.MonkeyPatch) -> None:
    (products,) = load(monkeypatch, SERVICES / "search", "products")
    domain = Domain()
    products.Products(domain).keep(TEA)
    products.Products(Domain(409)).keep(TEA)

    assert domain.asked == [("PUT", "/products/_doc/tea?version=1&version_type=external", TEA)]
    with pytest.raises(products.UnavailableError, match="403"):
        products.Products(Domain(403)).keep(TEA)
    with pytest.raises(ValueError, match="id must match"):
        products.Products(domain).keep({**TEA, "id": "../_all"})


class Queue:
    """A queue that hands out its batches one by one, and sets ``stop`` with the last."""

    def __init__(self, stop: Event, *batches: Any) -> None:
        self.stop, self.batches, self.deleted = stop, list(batches), []  # type: tuple[Event, list[Any], list[str]]

    def receive_message(self, **request: Any) -> dict[str, Any]:
        batch = self.batches.pop(0)
        if not self.batches:
            self.stop.set()
        if isinstance(batch, Exception):
            raise batch
        return {"Messages": batch} if batch else {}

    def delete_message(self, **request: Any) -> None:
        self.deleted.append(request["ReceiptHandle"])


def message(number: int, body: str) -> dict[str, str]:
    return {"MessageId": str(number), "ReceiptHandle": f"handle-{number}", "Body": body}


def test_the_index_follows_the_queue_and_leaves_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    main, products = load(monkeypatch, SERVICES / "search", "main", "products")
    monkeypatch.setattr(main, "PAUSE_SECONDS", 0)
    stop, domain = Event(), Domain()
    queue = Queue(
        stop,
        [message(1, json.dumps(TEA)), message(2, "no json"), message(3, "{}")],
        OSError("gone"),
        [],
        [message(4, json.dumps({**TEA, "version": 2}))],
    )

    main.follow(products.Products(domain), queue, "https://queue", stop)

    assert queue.deleted == ["handle-1", "handle-4"]
    assert [body["version"] for _, _, body in domain.asked] == [1, 2]


def test_requests_to_the_domain_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    (products,) = load(monkeypatch, SERVICES / "search", "products")
    frozen = SimpleNamespace(access_key="KEY", secret_key="secret", token="token")  # noqa: S106  (of nobody)
    session = SimpleNamespace(
        get_credentials=lambda: SimpleNamespace(get_frozen_credentials=lambda: frozen),
        get_config_variable=lambda name: {"region": "eu-west-1"}[name],
    )
    sent: list[Any] = []

    def http(request: Any) -> Any:
        sent.append(request)
        return SimpleNamespace(status_code=201, text="{}")

    assert products.signed("https://domain", session, http)("PUT", "/products/_doc/a?version=1", {"a": 1}) == (
        201,
        "{}",
    )

    (request,) = sent
    assert (request.method, request.url) == ("PUT", "https://domain/products/_doc/a?version=1")
    assert request.body == b'{"a": 1}'
    assert re.match(r"AWS4-HMAC-SHA256 Credential=KEY/\d{8}/eu-west-1/es/", request.headers["Authorization"])
    assert request.headers["X-Amz-Security-Token"] == "token"


# analytics

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Stream:
    """A stream whose iterators are ``<shard>:<number of the next record>``."""

    def __init__(self, **shards: list[tuple[timedelta, bytes]]) -> None:
        self.shards, self.closed = shards, set[str]()
        self.asked: list[dict[str, Any]] = []
        self.failing = ""
        self.most = 100

    def list_shards(self, **request: Any) -> dict[str, Any]:
        first, *others = self.shards
        if "NextToken" in request:
            return {"Shards": [{"ShardId": shard} for shard in others]}
        return {"Shards": [{"ShardId": first}], **({"NextToken": "more"} if others else {})}

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        start = int(request["StartingSequenceNumber"]) + 1 if "StartingSequenceNumber" in request else 0
        return {"ShardIterator": f"{request['ShardId']}:{start}"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803  (the name boto3 wants)
        shard, _, start = ShardIterator.partition(":")
        if shard == self.failing:
            raise OSError("the iterator has expired")
        records = self.shards[shard]
        end = min(int(start) + self.most, len(records))
        answer = {
            "Records": [
                {"SequenceNumber": str(number), "Data": data, "ApproximateArrivalTimestamp": NOON + at}
                for number, (at, data) in list(enumerate(records))[int(start) : end]
            ],
            "MillisBehindLatest": 0 if end == len(records) else 7_200_000,
        }
        return (
            answer
            if shard in self.closed and end == len(records)
            else {**answer, "NextShardIterator": f"{shard}:{end}"}
        )


def click(minutes: float, product: str) -> tuple[timedelta, bytes]:
    return timedelta(minutes=minutes), json.dumps({"product": product}).encode()


class Reader:
    def __init__(self, clicks: Any, stream: Stream) -> None:
        self.now = NOON + timedelta(minutes=30)
        self.reports: list[tuple[str, str, dict[str, int]]] = []
        self.stream = stream
        self.clicks = clicks.Clicks(stream, "clicks", self.report, lambda: self.now)

    def report(self, hour: datetime, shard: str, counts: dict[str, int]) -> None:
        self.reports.append((f"{hour:%H}", shard, dict(counts)))

    def round(self) -> None:
        stop = Event()
        # It waits on the event once, at the end of a round.
        waits = SimpleNamespace(is_set=stop.is_set, wait=lambda seconds: stop.set())
        self.clicks.follow(waits)


@pytest.fixture
def clicks(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load(monkeypatch, SERVICES / "analytics", "clicks")[0]


def test_clicks_are_counted_by_the_hour_and_reported_when_it_is_over(clicks: Any) -> None:
    stream = Stream(a=[click(-30, "salt"), click(1, "tea"), click(2, "tea")], b=[click(3, "tea"), click(4, "rice")])
    reader = Reader(clicks, stream)
    reader.round()

    assert stream.asked[0]["Timestamp"] == NOON - timedelta(hours=1)
    assert reader.reports == [("11", "a", {"salt": 1})]
    assert reader.clicks.top(1) == [("tea", 3)]

    stream.shards["a"].append(click(40, "rice"))
    reader.now = NOON + timedelta(minutes=61)
    reader.round()

    assert reader.reports[1:] == [("12", "a", {"tea": 2, "rice": 1}), ("12", "b", {"tea": 1, "rice": 1})]
    assert reader.clicks.top(5) == []
    reader.round()
    assert len(reader.reports) == 3, "each is written once"


def test_an_hour_is_not_over_before_all_of_it_was_read(clicks: Any) -> None:
    stream = Stream(a=[click(-30, "salt"), click(-20, "salt")])
    stream.most = 1
    reader = Reader(clicks, stream)

    reader.round()
    assert reader.reports == []
    reader.round()
    assert reader.reports == [("11", "a", {"salt": 2})]


def test_a_shard_that_fails_keeps_no_other_back_and_counts_nothing_twice(clicks: Any) -> None:
    stream = Stream(a=[click(1, "tea")], b=[click(1, "rice")])
    reader = Reader(clicks, stream)
    reader.round()
    stream.failing = "a"
    stream.shards["a"].append(click(2, "tea"))
    stream.shards["b"].append(click(2, "rice"))

    reader.round()
    assert dict(reader.clicks.top(5)) == {"tea": 1, "rice": 2}
    stream.failing = ""
    reader.round()

    assert dict(reader.clicks.top(5)) == {"tea": 2, "rice": 2}
    assert stream.asked[-1]["StartingSequenceNumber"] == "0"


def test_a_closed_shard_is_read_to_its_end(clicks: Any) -> None:
    stream = Stream(a=[click(1, "tea")])
    stream.closed.add("a")
    reader = Reader(clicks, stream)
    reader.round()
    stream.failing = "a"
    reader.now = NOON + timedelta(minutes=62)
    reader.round()

    assert reader.reports == [("12", "a", {"tea": 1})]


def test_what_is_no_click_counts_nothing(clicks: Any) -> None:
    reader = Reader(
        clicks, Stream(a=[(timedelta(0), b"?"), (timedelta(0), b"[]"), (timedelta(0), b"{}"), click(1, "tea")])
    )
    reader.round()

    assert reader.clicks.top(5) == [("tea", 1)]


def test_a_stream_that_fails_is_tried_again(clicks: Any) -> None:
    stream = Stream(a=[click(1, "tea")])
    reader = Reader(clicks, stream)
    shards = stream.list_shards
    stream.list_shards = lambda **request: 1 / 0  # type: ignore[method-assign,assignment]
    reader.round()
    stream.list_shards = shards  # type: ignore[method-assign]
    reader.round()

    assert reader.clicks.top(5) == [("tea", 1)]


def test_the_top_has_the_names_of_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    (main,) = load(monkeypatch, SERVICES / "analytics", "main")
    counts = SimpleNamespace(top=lambda limit: [("tea", 3), ("rice", 1)][:limit])
    client = Client(main.create(clicks=counts, names=lambda products: {"tea": "Green tea"}))

    assert client("GET", "/analytics/top") == (
        200,
        {
            "items": [
                {"product": "tea", "name": "Green tea", "clicks": 3},
                {"product": "rice", "name": None, "clicks": 1},
            ]
        },
    )
    assert len(client("GET", "/analytics/top?limit=1")[1]["items"]) == 1
    assert client("GET", "/analytics/top?limit=51")[0] == 422


def test_names_come_from_the_product_service_if_it_answers(monkeypatch: pytest.MonkeyPatch, product: Client) -> None:
    (main,) = load(monkeypatch, SERVICES / "analytics", "main")

    def fetch(url: str, timeout: float) -> Any:
        return io.StringIO(json.dumps(product("GET", url.removeprefix("http://product:8080"))[1]))

    def fail(url: str, timeout: float) -> Any:
        raise OSError("refused")

    assert main.names_from("http://product:8080", ["tea", "none"], fetch) == {"tea": "Tea"}
    assert main.names_from("http://product:8080", ["tea"], fail) == {}


def test_a_report_has_the_same_name_whoever_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (main,) = load(monkeypatch, SERVICES / "analytics", "main")
    kept: list[dict[str, Any]] = []

    main.keep_report(SimpleNamespace(put_object=lambda **given: kept.append(given)), "reports", NOON, "a", {"tea": 2})

    assert (kept[0]["Bucket"], kept[0]["Key"]) == ("reports", "clicks/2026/01/02/12/a.json")
    assert json.loads(kept[0]["Body"]) == {"tea": 2}


# all of them


@pytest.mark.parametrize("name", ["search", "analytics"])
def test_work_beside_the_answers_starts_and_ends_with_the_service(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (main,) = load(monkeypatch, SERVICES / name, "main")
    began, ended = Event(), Event()

    def work(stop: Event) -> None:
        began.set()
        stop.wait(10)
        time.sleep(0.01)
        ended.set()

    needs: dict[str, Any] = {"products": None} if name == "search" else {"clicks": None, "names": None}
    client = Client(main.create(**needs, work=work))

    with client.running():
        assert began.wait(5)
        assert not ended.is_set()
        assert client("GET", "/health") == (200, {"status": "ok"})
    assert ended.is_set()


def variables(name: str) -> set[str]:
    """Return the environment variables that the blueprint gives a service."""
    for stack in load_blueprint(APPS.parents[1] / "blueprints" / "microservices.yaml").assemble():
        if stack.name.endswith(f"-{name}-service"):
            for resource in stack.template["Resources"].values():
                if resource["Type"] == "AWS::ECS::TaskDefinition":
                    main = resource["Properties"]["ContainerDefinitions"][0]
                    return {each["Name"] for each in main["Environment"]}
    raise AssertionError(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_blueprint_gives_each_service_the_environment_it_reads(name: str) -> None:
    source = (SERVICES / name / "main.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z]+_[A-Z_]*[A-Z])"', source))

    assert read
    assert read <= variables(name)


@pytest.mark.parametrize("name", NAMES)
def test_each_image_runs_as_a_user_without_rights_and_has_what_tracing_needs(name: str) -> None:
    folder: Path = SERVICES / name
    lines = (folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]

    assert "USER 1000:1000" in lines
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM python:3.14-slim AS build",
        "FROM python:3.14-slim",
    ]
    assert any(line.startswith('CMD ["uvicorn", ') for line in lines), "no shell takes the signal to end"
    assert [line for line in pinned if "==" not in line] == []
    # Without it, OTEL_PROPAGATORS=xray of the blueprint lets nothing start.
    assert "opentelemetry-propagator-aws-xray" in {line.partition("==")[0] for line in pinned}
