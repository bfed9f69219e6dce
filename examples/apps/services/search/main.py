"""Search products in OpenSearch, whose index follows a queue of changes."""

import json
import logging
import os
from contextlib import asynccontextmanager
from functools import partial
from threading import Event, Thread
from typing import Annotated

import boto3
import botocore.session
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from fastapi import FastAPI, HTTPException, Query
from products import Products, UnavailableError, signed
from pydantic import BaseModel

log = logging.getLogger("uvicorn.error")

TRACED = {"auto_configure": True, "metrics": False, "logs": False, "exclude": lambda scope: scope["path"] == "/health"}
"""Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere."""

PAUSE_SECONDS = 5


class Found(BaseModel):
    id: str
    name: str
    cents: int


class Answer(BaseModel):
    items: list[Found]
    total: int


def create(*, products, work=None):
    """Return the app.

    Args:
        products: the index, ``search(text, limit, offset)``.
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

    app = FastAPI(title="search", max_body_size=0, lifespan=beside, telemetry=TRACED)

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.get("/search/products")
    def search(
        q: Annotated[str, Query(min_length=1, max_length=200)],
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
        offset: Annotated[int, Query(ge=0, le=5000)] = 0,
    ) -> Answer:
        try:
            items, total = products.search(q, limit, offset)
        except (UnavailableError, HTTPClientError) as error:
            log.error("the search failed: %s", error)  # noqa: TRY400  (the trace says no more)
            raise HTTPException(503, "try again") from None
        return Answer(items=items, total=total)

    return app


def follow(products, queue, url, stop):
    """Keep the index up to date with the queue's messages until ``stop`` is set.

    Args:
        products: the index, ``keep(product)``.
        queue: a client of SQS.
        url: URL of the queue.
        stop: an event.
    """
    while not stop.is_set():
        try:
            answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10)
        except Exception:
            log.exception("the queue failed")
            stop.wait(PAUSE_SECONDS)
            continue
        for message in answer.get("Messages", []):
            try:
                products.keep(json.loads(message["Body"]))
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            except Exception:
                # It comes back after its visibility timeout, and goes to the dead letters in the end.
                log.exception("message %s failed", message["MessageId"])


def production():
    """Return the app with the index and the queue that the environment names."""
    session, http = botocore.session.get_session(), URLLib3Session(timeout=10)
    products = Products(signed(os.environ["PRODUCTS_ENDPOINT"], session, http.send))
    return create(
        products=products, work=partial(follow, products, boto3.client("sqs"), os.environ["INDEXING_QUEUE_URL"])
    )
