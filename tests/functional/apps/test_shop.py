from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).parents[3] / "examples" / "apps"


class Recorder:
    """Stands in for a client: remembers every call and answers what it was told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return self.answer

        return call


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(APPS / "shop"))
    monkeypatch.syspath_prepend(str(APPS / "documents"))
    monkeypatch.setenv("SHOP_BUS_NAME", "shop")
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://shop.example.com")
    monkeypatch.setenv("ACTIVITY_STREAM_NAME", "activity")
    for name in ("orders", "shipping", "notifications", "activity", "index", "fanout"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def request(method: str, body: Any = None) -> dict[str, Any]:
    claims = {"authorizer": {"claims": {"sub": "ada"}}}
    return {"httpMethod": method, "body": json.dumps(body), "requestContext": claims}


def test_a_new_order_is_kept_announced_and_streamed() -> None:
    orders = import_module("orders")

    table, events, stream = Recorder(), Recorder({"FailedEntryCount": 0}), Recorder()
    answer = orders.handle(
        request("POST", {"items": ["tea"]}),
        table=table,
        events=events,
        stream=stream,
        now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        new_id=lambda: "42",
    )

    expected = {"customer": "ada", "order": "42", "placed": "2026-01-02T00:00:00+00:00", "items": ["tea"]}
    assert answer["statusCode"] == 201
    assert json.loads(answer["body"]) == expected
    assert table.calls[0][1]["Item"] == expected
    entry = events.calls[0][1]["Entries"][0]
    assert (entry["EventBusName"], entry["DetailType"], json.loads(entry["Detail"])) == (
        "shop",
        "order-placed",
        expected,
    )
    assert stream.calls[0][1]["PartitionKey"] == "ada"


def test_an_order_that_cannot_be_announced_is_not_kept() -> None:
    orders = import_module("orders")

    table, stream = Recorder(), Recorder()
    failing = Recorder({"FailedEntryCount": 1})
    answer = orders.handle(
        request("POST", {"items": ["tea"]}), table=table, events=failing, stream=stream, new_id=lambda: "42"
    )

    assert answer["statusCode"] == 503
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert table.calls[-1] == ("delete_item", {"Key": {"customer": "ada", "order": "42"}})
    assert stream.calls == []


def test_customers_see_their_own_orders() -> None:
    orders = import_module("orders")

    table = Recorder({"Items": [{"order": "42"}]})
    answer = orders.handle(request("GET"), table=table, events=Recorder(), stream=Recorder())

    assert json.loads(answer["body"]) == {"orders": [{"order": "42"}]}
    assert table.calls[0][1]["ExpressionAttributeValues"] == {":customer": "ada"}


def test_the_same_order_gets_the_same_tracking_number() -> None:
    shipping = import_module("shipping")

    order = {"order": "42", "items": ["tea"]}

    assert shipping.handler(order, None) == shipping.handler(order, None)
    assert shipping.handler(order, None)["status"] == "shipped"
    with pytest.raises(ValueError, match="order 43 has no items"):
        shipping.handler({"order": "43", "items": []}, None)


def test_only_messages_that_failed_come_back() -> None:
    notifications = import_module("notifications")

    sent: list[tuple[str, str]] = []
    good = {"messageId": "1", "body": json.dumps({"customer": "ada", "order": "42", "status": "shipped"})}
    bad = {"messageId": "2", "body": "not json"}

    answer = notifications.handle({"Records": [good, bad]}, send=lambda *call: sent.append(call))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert sent == [("ada", "Order 42 is shipped")]


def test_a_batch_becomes_one_object() -> None:
    activity = import_module("activity")

    bucket = Recorder()
    records = [
        {"kinesis": {"sequenceNumber": str(number), "data": base64.b64encode(f"line {number}".encode()).decode()}}
        for number in (7, 8)
    ]

    activity.handle({"Records": records}, bucket=bucket)

    assert bucket.calls == [("put_object", {"Key": "activity/7.jsonl", "Body": b"line 7\nline 8\n"})]


def test_an_upload_is_indexed_and_announced() -> None:
    index = import_module("index")

    table, topic = Recorder(), Recorder()
    event = {"time": "2026-01-02T03:04:05Z", "detail": {"object": {"key": "a.pdf", "size": 9, "version-id": "v1"}}}

    item = index.handle(event, table=table, topic=topic)

    assert item == {"document": "a.pdf", "version": "v1", "bytes": 9, "uploaded": "2026-01-02T03:04:05Z"}
    assert table.calls == [("put_item", {"Item": item})]
    assert json.loads(topic.calls[0][1]["Message"]) == item


def test_the_fanout_reports_what_it_could_not_read() -> None:
    fanout = import_module("fanout")

    good = {"messageId": "1", "body": json.dumps({"document": "a.pdf", "uploaded": "now"})}
    bad = {"messageId": "2", "body": "{}"}

    for work in (fanout.preview, fanout.audit):
        assert work({"Records": [good, bad]}, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
