"""Which products people look at: reports by the hour in S3, and the top of this hour."""

import json
import logging
import os
from contextlib import asynccontextmanager
from functools import partial
from threading import Event, Thread
from typing import Annotated
from urllib.parse import urlencode
from urllib.request import urlopen

import boto3
from clicks import Clicks
from fastapi import FastAPI, Query
from pydantic import BaseModel

log = logging.getLogger("uvicorn.error")

TRACED = {"auto_configure": True, "metrics": False, "logs": False, "exclude": lambda scope: scope["path"] == "/health"}
"""Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere."""


class Row(BaseModel):
    product: str
    name: str | None
    clicks: int


class Top(BaseModel):
    items: list[Row]


def create(*, clicks, names, work=None):
    """Return the app.

    Args:
        clicks: the counts, ``top(limit)``.
        names: ids of products -> their names.
        work: what to do beside answering, until the event it gets is set.
    """

    @asynccontextmanager
    async def beside(app):
        stop = Event()
        worker = Thread(target=work or Event.wait, args=(stop,))
        worker.start()
        yield
        stop.set()
        worker.join()

    app = FastAPI(title="analytics", max_body_size=0, lifespan=beside, telemetry=TRACED)

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.get("/analytics/top")
    def top(limit: Annotated[int, Query(ge=1, le=50)] = 10) -> Top:
        found = clicks.top(limit)
        known = names([product for product, _ in found]) if found else {}
        return Top(items=[Row(product=product, name=known.get(product), clicks=count) for product, count in found])

    return app


def names_from(url, products, fetch=urlopen):
    """Return the names of products as the service at ``url`` knows them; none if it does not answer."""
    query = urlencode({"ids": products}, doseq=True)
    try:
        with fetch(f"{url}/products/?{query}", timeout=2) as answer:
            return {product["id"]: product["name"] for product in json.load(answer)["items"]}
    except (OSError, ValueError, KeyError):
        log.exception("products have no names")
        return {}


def keep_report(files, bucket, hour, shard, counts):
    """Write the counts of an hour into the bucket; again is the same."""
    key = f"clicks/{hour:%Y/%m/%d/%H}/{shard}.json"
    files.put_object(Bucket=bucket, Key=key, Body=json.dumps(counts, sort_keys=True), ContentType="application/json")


def production():
    """Return the app with the stream, the bucket and the service that the environment names."""
    report = partial(keep_report, boto3.client("s3"), os.environ["REPORTS_BUCKET"])
    clicks = Clicks(boto3.client("kinesis"), os.environ["CLICKS_STREAM_NAME"], report)
    return create(clicks=clicks, names=partial(names_from, os.environ["PRODUCT_URL"]), work=clicks.follow)
