"""``python -m archlib.local.server``: MiniStack with our overlay, as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import Any

from archlib.local.locks import locked
from archlib.local.types import recorded_types

ACCOUNT = "000000000000"
REGION = "us-east-1"
PREFIX = "/_archlib/"
_QUIET_SECONDS = 1.0

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="archlib.local.server", description="AWS on this machine")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for what is kept between runs")
    parser.add_argument("--stock", action="store_true", help="without the overlay")
    given = parser.parse_args(arguments)
    given.state.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        _claim(given.state, held)
        held.callback(_end_functions)
        clean = environment(dict(os.environ), given.port, given.state.resolve())
        shutil.rmtree(clean["TMPDIR"], ignore_errors=True)
        Path(clean["TMPDIR"]).mkdir()
        os.environ.clear()
        os.environ.update(clean)
        # MiniStack reads its environment when it is imported.
        ministack = import_module("ministack.app")
        if not given.stock:
            import_module("archlib.local.overlay").install()
        asyncio.run(_serve(_Front(ministack, stock=given.stock), given.port))


def _claim(state: Path, held: ExitStack) -> None:
    """Lock the state for as long as this process lives: that is how others know that it does."""
    for _ in range(20):
        try:
            held.enter_context(locked(state, wait=False))
        except BlockingIOError:
            # Somebody may only be looking whether it is locked.
            sleep(0.05)
        else:
            return
    raise SystemExit(f"another engine uses {state}")


def _end_functions() -> None:
    """End the Lambda functions that still run, if this process has a group of its own."""
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


def environment(outer: dict[str, str], port: int, state: Path) -> dict[str, str]:
    """Return the environment of MiniStack, and so of the Lambda functions that it runs.

    Nothing of the user's AWS settings gets in: a function that would reach for AWS must find no credentials.
    """
    kept = {name: value for name, value in outer.items() if not name.startswith(("AWS_", "MINISTACK_"))}
    return kept | {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BIND_HOST": "127.0.0.1",
        # What would run in containers is only kept as data: the same with and without Docker, and fast.
        "DOCKER_HOST": f"unix://{state}/no-docker",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "S3_PERSIST": "1",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(state / "services"),
        # The unpacked code of Lambda functions, which nobody else removes.
        "TMPDIR": str(state / "tmp"),
    }


class _Front:
    """MiniStack as an ASGI app, with our own answers below ``/_archlib/``.

    Args:
        ministack: the module with its app.
        stock: the overlay is not installed.
    """

    def __init__(self, ministack: Any, *, stock: bool) -> None:
        self._ministack = ministack
        self._stock = stock
        self._changed: float | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(PREFIX):
            await self._answer(path.removeprefix(PREFIX), send)
            return
        await self._ministack.app(scope, receive, send)
        self._changed = asyncio.get_running_loop().time()

    async def keep(self) -> None:
        """Save the state whenever requests have come to rest, so that a kill costs the last second only."""
        loop = asyncio.get_running_loop()
        save_all = import_module("ministack.core.persistence").save_all
        while True:
            await asyncio.sleep(_QUIET_SECONDS / 2)
            if self._changed is not None and loop.time() - self._changed > _QUIET_SECONDS:
                self._changed = None
                save_all(self._ministack._build_persistence_save_dict())  # noqa: SLF001  (what it does at its own end)

    async def _answer(self, name: str, send: Send) -> None:
        known = {"health": self._health, "recorded": self._recorded}
        status, body = (200, known[name]()) if name in known else (404, {"known": sorted(known)})
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _health(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "stock": self._stock, "stacks": len(_live_stacks())}

    def _recorded(self) -> list[dict[str, str]]:
        """Return the resources that are only recorded: those whose type MiniStack has no service for."""
        types = frozenset() if self._stock else frozenset(recorded_types())
        return [
            {
                "region": region,
                "stack": stack["StackName"],
                "logical_id": logical_id,
                "type": resource["ResourceType"],
                "physical_id": resource["PhysicalResourceId"],
            }
            for region, stack in _live_stacks()
            for logical_id, resource in sorted(stack.get("_resources", {}).items())
            if resource["ResourceType"] in types
        ]


def _live_stacks() -> list[tuple[str, dict[str, Any]]]:
    """Return the stacks of every account and region, with their region."""
    stores = import_module("ministack.services.cloudformation")
    return [
        (region, stack)
        for (_, region, _), stack in sorted(stores._stacks._data.items())  # noqa: SLF001  (there is no other way)
        if stack["StackStatus"] != "DELETE_COMPLETE"
    ]


async def _serve(front: _Front, port: int) -> None:
    hypercorn = import_module("hypercorn.config")
    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1.0
    config.loglevel = "WARNING"
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    keeping = asyncio.create_task(front.keep())
    try:
        await import_module("hypercorn.asyncio").serve(front, config, shutdown_trigger=stopping.wait)
    finally:
        keeping.cancel()


if __name__ == "__main__":
    main()
