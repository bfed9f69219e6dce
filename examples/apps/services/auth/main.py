"""Sign up, log in, and tell who somebody is: users in DynamoDB, signed tokens, and no endless guessing."""

import os
import time
from typing import Annotated

import boto3
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from tokens import check_password, hash_password, read_token, sign_token
from users import Attempts, TakenError, Users, cluster

TRACED = {"auto_configure": True, "metrics": False, "logs": False, "exclude": lambda scope: scope["path"] == "/health"}
"""Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if anywhere."""

TOKEN_SECONDS = 3600
ATTEMPTS_MOST = 10


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)
    password: str = Field(min_length=12, max_length=200)

    @property
    def user(self):
        """What the user is called: the same however the address is written."""
        return self.email.casefold()


class Token(BaseModel):
    token: str
    expires: int


class User(BaseModel):
    user: str


def one_of_few():
    """Stand in a line: whoever depends on it waits until there is room."""
    yield


# A password takes 32 MB to hash: only so many at once.
Hashing = Depends(one_of_few, scope="function", max_concurrency=2)


def create(*, users, attempts, secret, now=time.time):
    """Return the app.

    Args:
        users: ``add(user, password)`` and ``password_of(user)``, both with hashed passwords.
        attempts: ``count(user)`` counts and returns the attempts to log in of the last minutes, ``forget(user)`` them.
        secret: what tokens are signed with.
        now: the time in seconds.
    """
    app = FastAPI(title="auth", max_body_size=4 * 2**10, telemetry=TRACED)
    nobody = hash_password("somebody who does not exist")

    def user_of(authorization: Annotated[str, Header()] = "") -> str:
        kind, _, token = authorization.partition(" ")
        user = read_token(token, secret, now()) if kind == "Bearer" else None
        if user is None:
            raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})
        return user

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.post("/auth/signup", status_code=201, dependencies=[Hashing])
    def sign_up(given: Credentials) -> User:
        try:
            users.add(given.user, hash_password(given.password))
        except TakenError:
            raise HTTPException(409, "there is such a user already") from None
        return User(user=given.user)

    @app.post("/auth/login", dependencies=[Hashing])
    def log_in(given: Credentials) -> Token:
        if attempts.count(given.user) > ATTEMPTS_MOST:
            raise HTTPException(429, "too many attempts; try again later")
        # Whether a user exists shows neither in the answer nor in the time it takes.
        if not check_password(given.password, users.password_of(given.user) or nobody):
            raise HTTPException(401, "wrong email or password")
        attempts.forget(given.user)
        expires = int(now()) + TOKEN_SECONDS
        return Token(token=sign_token(given.user, expires, secret), expires=expires)

    @app.get("/auth/me")
    def me(user: Annotated[str, Depends(user_of)]) -> User:
        return User(user=user)

    return app


def production():
    """Return the app with the stores that the environment names."""
    given = os.environ
    vault = boto3.client("secretsmanager")

    def secret(name):
        return vault.get_secret_value(SecretId=given[name])["SecretString"]

    cache = cluster(given["SESSIONS_HOST"], int(given["SESSIONS_PORT"]), secret("SESSIONS_SECRET_ARN"))
    return create(
        users=Users(boto3.resource("dynamodb").meta.client, given["USERS_TABLE"]),
        attempts=Attempts(cache),
        secret=secret("SIGNING_SECRET_ARN").encode(),
    )
