"""Users and their posts. Whoever reaches it may change everything: put an authorizer before what is not public."""

import logging
import os
import uuid
from datetime import UTC, datetime
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse
from models import ID, NewPost, NewUser, Page, Post, PostChange, User, UserChange
from store import NotFoundError, Table, TakenError, dynamodb

log = logging.getLogger("uvicorn.error")
router = APIRouter()

BODY_MOST = 64 * 2**10


def users_of(request: Request) -> Table:
    return request.app.state.users


def posts_of(request: Request) -> Table:
    return request.app.state.posts


Users = Annotated[Table, Depends(users_of)]
Posts = Annotated[Table, Depends(posts_of)]
Key = Annotated[str, Path(pattern=ID)]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(pattern=ID, description="the `next` of the page before")]


def create(users, posts):
    """Return the app with the given tables."""
    app = FastAPI(title="Users and posts", max_body_size=BODY_MOST)
    app.state.users, app.state.posts = users, posts
    app.include_router(router)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(TakenError, _taken)
    app.add_exception_handler(ClientError, _unavailable)
    app.add_exception_handler(BotoCoreError, _unavailable)
    return app


def production():
    """Return the app with the tables that the environment names."""
    return create(Table(os.environ["USERS_TABLE"], dynamodb), Table(os.environ["POSTS_TABLE"], dynamodb))


@router.get("/health")
async def health():
    """Answer as long as the process does: a table that fails must not take all instances with it."""
    return {"status": "ok"}


@router.post("/users", status_code=201)
def add_user(user: NewUser, users: Users) -> User:
    return users.add({**user.model_dump(), "created": _now()})


@router.get("/users")
def list_users(users: Users, limit: Limit = 20, after: After = None) -> Page[User]:
    return users.page(limit, after)


@router.get("/users/{key}")
def get_user(key: Key, users: Users) -> User:
    return users.get(key)


@router.put("/users/{key}")
def change_user(key: Key, change: UserChange, users: Users) -> User:
    return users.change(key, change.model_dump())


@router.delete("/users/{key}", status_code=204)
def remove_user(key: Key, users: Users, posts: Posts) -> None:
    if posts.page(1, user=key)["items"]:
        raise TakenError("the user has posts; delete them first")
    users.remove(key)


@router.get("/users/{key}/posts")
def list_posts_of_user(key: Key, users: Users, posts: Posts, limit: Limit = 20, after: After = None) -> Page[Post]:
    users.get(key)
    return posts.page(limit, after, user=key)


@router.post("/posts", status_code=201)
def add_post(post: NewPost, users: Users, posts: Posts) -> Post:
    users.get(post.user_id)
    return posts.add({**post.model_dump(), "id": str(uuid.uuid4()), "created": _now()})


@router.get("/posts")
def list_posts(posts: Posts, limit: Limit = 20, after: After = None) -> Page[Post]:
    return posts.page(limit, after)


@router.get("/posts/{key}")
def get_post(key: Key, posts: Posts) -> Post:
    return posts.get(key)


@router.put("/posts/{key}")
def change_post(key: Key, change: PostChange, posts: Posts) -> Post:
    return posts.change(key, change.model_dump())


@router.delete("/posts/{key}", status_code=204)
def remove_post(key: Key, posts: Posts) -> None:
    posts.remove(key)


def _now():
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _answer(status, detail):
    return JSONResponse({"detail": detail}, status)


def _not_found(request, error):
    return _answer(404, "there is no such item")


def _taken(request, error):
    return _answer(409, str(error) or "the id is taken")


def _unavailable(request, error):
    log.error("DynamoDB failed: %s", error)
    return _answer(503, "try again")
