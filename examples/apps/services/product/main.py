"""Products: read from PostgreSQL through a cache, changed from inside the network, each change told to the others."""

import json
import logging
import os
import time
from functools import partial
from typing import Annotated

import boto3
from botocore.config import Config
from fastapi import FastAPI, HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from storage import Cache, Catalogue, cluster, pool

log = logging.getLogger("uvicorn.error")

ID = "^[a-z0-9-]{1,36}$"
Key = Annotated[str, Path(pattern=ID)]
Id = Annotated[str, Field(pattern=ID)]
TRACED = {"auto_configure": True, "metrics": False, "logs": False, "exclude": lambda scope: scope["path"] == "/health"}
"""Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere."""


class NewProduct(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    cents: int = Field(ge=0, lt=2**31)
    image: str | None = Field(default=None, max_length=200, description="key of an upload")


class Product(NewProduct):
    id: str
    version: int
    image_url: str | None = None


class Products(BaseModel):
    items: list[Product]
    next: str | None


def create(*, catalogue, cache, link, publish, record):
    """Return the app.

    Args:
        catalogue: ``get(id)``, ``some(ids)``, ``page(limit, after)`` and ``put(id, product)``.
        cache: ``get(key)``, ``set(key, text)`` and ``delete(key)``.
        link: key of an upload -> URL where it can be seen for a while.
        publish: sends a change to whoever wants to know.
        record: keeps a click.
    """
    app = FastAPI(title="product", max_body_size=64 * 2**10, telemetry=TRACED)

    def shown(product):
        return {**product, "image_url": link(product["image"]) if product["image"] else None}

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.get("/products/")
    def several(
        ids: Annotated[list[Id], Query(max_length=100)] = [],  # noqa: B006  (nobody changes it)
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str, Query(pattern="^[a-z0-9-]{0,36}$")] = "",
    ) -> Products:
        found = catalogue.some(ids) if ids else catalogue.page(limit, after)
        more = not ids and len(found) == limit
        return {"items": [shown(product) for product in found], "next": found[-1]["id"] if more else None}

    @app.get("/products/{key}")
    def one(key: Key) -> Product:
        text = cache.get(key)
        product = json.loads(text) if text else catalogue.get(key)
        if product is None:
            raise HTTPException(404, "there is no such product")
        if not text:
            cache.set(key, json.dumps(product))
        record({"product": key, "at": time.time()})
        return shown(product)

    # The load balancer sends /products/* here and nothing else, so this is for those inside the network who are let in.
    @app.put("/internal/products/{key}")
    def put(key: Key, new: NewProduct) -> Product:
        product = catalogue.put(key, new.model_dump())
        cache.delete(key)
        publish(product)
        return shown(product)

    return app


def production():
    """Return the app with the stores that the environment names."""
    given = os.environ
    stream, topic, vault = (boto3.client(service) for service in ("kinesis", "sns", "secretsmanager"))
    # Objects encrypted with a KMS key are to be had with this version of signatures only.
    files = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))

    def secret(name):
        return vault.get_secret_value(SecretId=given[name])["SecretString"]

    def connect(host):
        return pool(
            given[host],
            given["CATALOGUE_PORT"],
            given["CATALOGUE_DATABASE"],
            lambda: json.loads(secret("CATALOGUE_SECRET_ARN")),
        )

    return create(
        catalogue=Catalogue(connect("CATALOGUE_HOST"), connect("CATALOGUE_READ_HOST")),
        cache=Cache(cluster(given["SESSIONS_HOST"], int(given["SESSIONS_PORT"]), secret("SESSIONS_SECRET_ARN"))),
        link=partial(link_to, files, given["UPLOADS_BUCKET"]),
        publish=lambda product: topic.publish(TopicArn=given["CHANGES_TOPIC_ARN"], Message=json.dumps(product)),
        record=partial(keep_click, stream, given["CLICKS_STREAM_NAME"]),
    )


def link_to(files, bucket, key):
    """Return a URL of an upload that is good for five minutes."""
    return files.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=300)


def keep_click(stream, name, click):
    """Put a click into the stream; a lost one is no reason to fail a request."""
    try:
        stream.put_record(StreamName=name, PartitionKey=click["product"], Data=json.dumps(click).encode())
    except Exception:
        log.exception("a click is lost")
