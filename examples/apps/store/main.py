"""An online shop behind ``/api``: products, orders, sessions, and pictures of products.

Anybody may start a session and order with it. Staff are sessions that an operator has marked in the table::

    aws dynamodb update-item --table-name TABLE --key '{"session": {"S": "TOKEN"}}' \
      --update-expression 'SET staff = :yes' --expression-attribute-values '{":yes": {"BOOL": true}}'
"""

import json
import logging
import os
from datetime import datetime
from typing import Annotated, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from stores import Cache, Images, Sessions, Shop, UnknownError, cache_client, pool, prepare

log = logging.getLogger("uvicorn.error")
router = APIRouter(prefix="/api")

ID = "^[a-z0-9-]{1,36}$"
Key = Annotated[str, Path(pattern=ID)]
Id = Annotated[str, Field(pattern=ID)]


class Strict(BaseModel):
    """A request with an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid")


class NewProduct(Strict):
    name: str = Field(min_length=1, max_length=200)
    cents: int = Field(ge=0, lt=2**31)


class Product(NewProduct):
    id: str


class Products(BaseModel):
    items: list[Product]
    next: str | None


class NewOrder(Strict):
    items: dict[Id, Annotated[int, Field(ge=1, le=100)]] = Field(min_length=1, max_length=50)


class Order(NewOrder):
    id: str
    cents: int
    placed: datetime


class Picture(Strict):
    type: str = Field(pattern="^image/(jpeg|png|webp)$")


def stores_of(request: Request):
    return request.app.state


Stores = Annotated[Any, Depends(stores_of)]


def session_of(stores: Stores, authorization: Annotated[str, Header()] = ""):
    kind, _, token = authorization.partition(" ")
    session = stores.sessions.get(token) if kind == "Bearer" and token else None
    if session is None:
        raise HTTPException(401, "start a session first", {"WWW-Authenticate": "Bearer"})
    return session


Session = Annotated[dict, Depends(session_of)]


def staff_only(session: Session):
    if not session["staff"]:
        raise HTTPException(403, "only staff may do this")


def create(*, shop, cache, sessions, images, fulfil):
    """Return the app.

    Args:
        shop: ``page(limit, after)``, ``put(product)``, ``order(customer, items, tell)`` and ``orders(customer)``.
        cache: ``get(key)`` and ``set(key, text)``.
        sessions: ``start()`` and ``get(token)``.
        images: ``upload(key, type)`` and ``get(key)``.
        fulfil: tells whoever sends the goods of an order.
    """
    app = FastAPI(title="store", max_body_size=64 * 2**10)
    app.state.shop, app.state.cache, app.state.sessions, app.state.images = shop, cache, sessions, images
    app.state.fulfil = fulfil
    app.include_router(router)
    for failure in (BotoCoreError, ClientError):
        app.add_exception_handler(failure, unavailable)
    return app


@router.get("/health")
async def health():
    """Answer as long as the process does: a store that fails must not take all instances with it."""
    return {"status": "ok"}


@router.get("/ready")
def ready(stores: Stores):
    """Answer if the database does, past the cache: a new instance that cannot read it must not be used."""
    stores.shop.page(1, "")
    return {"status": "ok"}


@router.get("/products")
def list_products(
    stores: Stores,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str, Query(pattern="^[a-z0-9-]{0,36}$")] = "",
) -> Products:
    key = f"products:{limit}:{after}"
    text = stores.cache.get(key)
    found = json.loads(text) if text else stores.shop.page(limit, after)
    if not text:
        stores.cache.set(key, json.dumps(found))
    return {"items": found, "next": found[-1]["id"] if len(found) == limit else None}


@router.put("/products/{key}", dependencies=[Depends(staff_only)])
def put_product(key: Key, product: NewProduct, stores: Stores) -> Product:
    return stores.shop.put({**product.model_dump(), "id": key})


@router.post("/products/{key}/image", dependencies=[Depends(staff_only)])
def upload_image(key: Key, picture: Picture, stores: Stores):
    return stores.images.upload(key, picture.type)


# It comes from here, so that the content security policy of pages need allow no other source.
@router.get("/products/{key}/image")
def get_image(key: Key, stores: Stores):
    image = stores.images.get(key)
    if image is None:
        raise HTTPException(404, "there is no such image")
    return StreamingResponse(image["Body"].iter_chunks(2**16), media_type=image["ContentType"])


@router.post("/sessions", status_code=201)
def start_session(stores: Stores):
    return stores.sessions.start()


@router.post("/orders", status_code=201)
def place_order(new: NewOrder, session: Session, stores: Stores) -> Order:
    try:
        return stores.shop.order(session["customer"], new.items, stores.fulfil)
    except UnknownError as error:
        raise HTTPException(404, f"there is no product {error}") from None


@router.get("/orders")
def list_orders(session: Session, stores: Stores) -> list[Order]:
    return stores.shop.orders(session["customer"])


def unavailable(request, error):
    log.error("%s %s failed: %s", request.method, request.url.path, error)
    return JSONResponse({"detail": "try again"}, 503)


def production():
    """Return the app with the stores that the environment names."""
    from psycopg import Error  # noqa: PLC0415  (tests do without)

    given = os.environ
    queue, vault = boto3.client("sqs"), boto3.client("secretsmanager")
    # Objects encrypted with a KMS key are to be had with this version of signatures only.
    files = boto3.client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))

    def secret(name):
        return vault.get_secret_value(SecretId=given[name])["SecretString"]

    def connect(host, configure=None):
        return pool(
            given[host],
            given["ORDERS_PORT"],
            given["ORDERS_DATABASE"],
            lambda: json.loads(secret("ORDERS_SECRET_ARN")),
            configure,
        )

    app = create(
        shop=Shop(connect("ORDERS_HOST", prepare), connect("ORDERS_READ_HOST")),
        cache=Cache(
            cache_client(given["CATALOGUE_HOST"], int(given["CATALOGUE_PORT"]), secret("CATALOGUE_SECRET_ARN"))
        ),
        sessions=Sessions(boto3.resource("dynamodb").meta.client, given["SESSIONS_TABLE"]),
        images=Images(files, given["IMAGES_BUCKET"]),
        fulfil=lambda order: queue.send_message(QueueUrl=given["FULFILMENT_QUEUE_URL"], MessageBody=json.dumps(order)),
    )
    app.add_exception_handler(Error, unavailable)
    return app
