"""What the apps of the examples are tried with: requests without a network, and tables in memory."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

APPS = Path(__file__).parents[3] / "examples" / "apps"


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> list[ModuleType]:
    """Return modules of an app; others have modules of the same names."""
    monkeypatch.syspath_prepend(str(folder))
    for path in folder.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    return [import_module(name) for name in names]


class Client:
    """Sends requests to an app."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Any:
        """Return the status and the content of the answer."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                return await client.request(method, path, headers=headers, json=body)

        answer = asyncio.run(send())
        return answer.status_code, json.loads(answer.text) if answer.text.startswith(("{", "[")) else answer.text

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start what the app does beside answering, and end it again, as a server does."""
        with asyncio.Runner() as runner:
            context = self.app.router.lifespan_context(self.app)
            runner.run(context.__aenter__())
            yield
            runner.run(context.__aexit__(None, None, None))


class Dynamo:
    """Tables of DynamoDB with one key, as far as the apps use them; the client of a resource, with plain values."""

    def __init__(self, key: str = "id") -> None:
        self.key = key
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.queried: list[str] = []

    def put_item(self, **request: Any) -> dict[str, Any]:
        table, item = self._table(request), request["Item"]
        if "ConditionExpression" in request:
            self._require(request, found=item[self.key] in table)
        table[item[self.key]] = dict(item)
        return {}

    def get_item(self, **request: Any) -> dict[str, Any]:
        item = self._table(request).get(request["Key"][self.key])
        return {} if item is None else {"Item": dict(item)}

    def update_item(self, **request: Any) -> dict[str, Any]:
        table, key = self._table(request), request["Key"][self.key]
        self._require(request, found=key in table)
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        for name, value in re.findall(r"(#\w+) = (:\w+)", request["UpdateExpression"]):
            table[key][names[name]] = values[value]
        assert request["ReturnValues"] == "ALL_NEW"
        return {"Attributes": dict(table[key])}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        table, key = self._table(request), request["Key"][self.key]
        self._require(request, found=key in table)
        del table[key]
        return {}

    def scan(self, **request: Any) -> dict[str, Any]:
        return self._page(request, sorted(self._table(request).items()), ())

    def query(self, **request: Any) -> dict[str, Any]:
        self.queried.append(request["IndexName"])
        attribute, variable = request["KeyConditionExpression"].split(" = ")
        wanted = request["ExpressionAttributeValues"][variable]
        found = [(key, item) for key, item in sorted(self._table(request).items()) if item[attribute] == wanted]
        return self._page(request, found, (attribute,))

    def _page(self, request: Any, found: list[tuple[str, Any]], more: tuple[str, ...]) -> dict[str, Any]:
        start = request.get("ExclusiveStartKey")
        if start is not None:
            assert set(start) == {self.key, *more}, "DynamoDB wants the keys of the table and of the index"
            found = [(key, item) for key, item in found if key > start[self.key]]
        items = [item for _, item in found[: request["Limit"]]]
        last = {name: items[-1][name] for name in (self.key, *more)} if len(found) > request["Limit"] else None
        return {"Items": items, **({"LastEvaluatedKey": last} if last else {})}

    def _table(self, request: Any) -> dict[str, dict[str, Any]]:
        return self.tables.setdefault(request["TableName"], {})

    def _require(self, request: Any, *, found: bool) -> None:
        condition = re.sub(
            "#\\w+", lambda name: request["ExpressionAttributeNames"][name[0]], request["ConditionExpression"]
        )
        met = {f"attribute_exists({self.key})": found, f"attribute_not_exists({self.key})": not found}[condition]
        if not met:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}}, "any")
