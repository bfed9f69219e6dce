"""Starting, stopping and asking the local engine: a child process that outlives the command that starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from archlib.deploy.journal import state_folder
from archlib.errors import EngineError
from archlib.local.locks import is_locked, locked

HOST = "127.0.0.1"
_PORTS = range(4566, 4666)
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ANSWER_SECONDS = 5.0
_LOG_LINES = 10
# What this process has started: Python complains about children that nobody remembers.
_STARTED: dict[Path, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How the engine is.

    Attributes:
        running: it answers.
        pid: its process.
        endpoint: its URL.
        stacks: how many stacks it has.
        since: when it was started, in UTC.
    """

    running: bool
    pid: int | None = None
    endpoint: str | None = None
    stacks: int | None = None
    since: datetime | None = None


class LocalEngine:
    """AWS on this machine: MiniStack with what it lacks, bound to 127.0.0.1.

    The process runs until it is stopped, and keeps its state between runs. Lambda functions run as processes of this
    machine, with the rights of its user.

    Args:
        folder: where state and log are kept; None: ``archlib/local`` in the user's folder for state
            (``XDG_STATE_HOME``, or ``~/.local/state``).
        stock: only MiniStack itself, which refuses the types it lacks.
    """

    def __init__(self, folder: Path | None = None, *, stock: bool = False) -> None:
        self._stock = stock
        self.folder = (folder or state_folder() / "local").absolute()
        self._record = self.folder / "engine.json"
        self._log = self.folder / "engine.log"
        self._state = self.folder / "state"

    @property
    def endpoint(self) -> str:
        """Return the URL of the running engine.

        Raises:
            EngineError: it is not running.
        """
        status = self.status()
        if status.endpoint is None:
            raise EngineError("the local engine is not running; start it: archlib local start")
        return status.endpoint

    def start(self) -> str:
        """Start the engine unless it runs, wait until it answers, and return its URL.

        Raises:
            EngineError: MiniStack is not installed, the folder cannot be written, the port on which its state depends
                belongs to another program, or the process ends or does not answer.
        """
        if sys.platform == "win32":
            raise EngineError("the local engine needs Linux or macOS; on Windows run it in WSL")
        if find_spec("ministack") is None:
            raise EngineError('the local engine needs MiniStack; run: pip install "archlib[local]"')
        with self._exclusive():
            deadline = monotonic() + _ANSWER_SECONDS
            while is_locked(self._state):
                if endpoint := self.status().endpoint:
                    return endpoint
                # One that is being killed is there for a moment.
                if monotonic() > deadline:
                    pid = self._read().get("pid", "PID")
                    raise EngineError(
                        f"the local engine runs but does not answer; end it: kill -9 {pid}; see {self._log}"
                    )
                sleep(0.05)
            for port in self._ports():
                if self._spawn(port):
                    return _url(port)
            raise EngineError(f"no port from {_PORTS[0]} to {_PORTS[-1]} is free for the local engine; free one")

    def stop(self) -> bool:
        """Stop the engine, keep its state, and return whether it ran.

        Raises:
            EngineError: it does not end, or the folder cannot be written.
        """
        if not self._record.exists():
            return False
        with self._exclusive():
            return self._stop()

    def status(self) -> EngineStatus:
        """Return how the engine is."""
        record = self._read()
        if not record or not is_locked(self._state):
            return EngineStatus(running=False)
        health = _ask(record["port"], "health")
        if not isinstance(health, dict) or health.get("pid") != record["pid"]:
            return EngineStatus(running=False)
        since = datetime.fromtimestamp(self._record.stat().st_mtime, UTC).replace(microsecond=0)
        return EngineStatus(
            running=True, pid=record["pid"], endpoint=_url(record["port"]), stacks=health["stacks"], since=since
        )

    def recorded(self) -> list[dict[str, str]]:
        """Return the resources that the engine only records: region, stack, logical_id, type, physical_id.

        Raises:
            EngineError: it is not running.
        """
        port = int(self.endpoint.rpartition(":")[2])
        found: list[dict[str, str]] = _ask(port, "recorded") or []
        return found

    def reset(self) -> None:
        """Stop the engine and delete everything in it.

        Raises:
            EngineError: it does not end, or the folder cannot be written.
        """
        if not self.folder.exists():
            return
        with self._exclusive():
            self._stop()
            try:
                if self._state.exists():
                    shutil.rmtree(self._state)
                for file in (self._record, self._log):
                    file.unlink(missing_ok=True)
            except OSError as error:
                raise EngineError(f"the state in {self.folder} cannot be deleted: {error.strerror}") from None

    def _spawn(self, port: int) -> bool:
        """Start the engine on ``port`` and wait until it answers, or return False if another program was faster."""
        _reap(self.folder)
        command = [sys.executable, "-P", "-m", "archlib.local.server", "--port", str(port), "--state", str(self._state)]
        command += ["--stock"] if self._stock else []
        with self._log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  (our own module, by this interpreter)
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        _STARTED[self.folder] = process
        self._record.write_text(json.dumps({"pid": process.pid, "port": port}), encoding="utf-8")
        deadline = monotonic() + _START_SECONDS
        while not self.status().running:
            if monotonic() > deadline:
                process.kill()
            if process.poll() is not None:
                del _STARTED[self.folder]
                if not _is_free(port):
                    return False
                raise EngineError(f"the local engine ended at its start:\n{self._last_lines()}")
            sleep(0.05)
        return True

    def _stop(self) -> bool:
        running = is_locked(self._state)
        if running:
            pid = self._read()["pid"]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = monotonic() + _STOP_SECONDS
            while is_locked(self._state):
                if monotonic() > deadline:
                    message = f"the local engine did not end within {_STOP_SECONDS:.0f} s; end it: kill -9 {pid}"
                    raise EngineError(f"{message} (what changed since its last request is then lost)")
                sleep(0.05)
        _reap(self.folder)
        return running

    def _ports(self) -> Iterator[int]:
        """Yield the ports to try: that of the last run if it kept anything, because URLs of queues contain it."""
        kept = self._read().get("port") if self._state.exists() else None
        if kept is None:
            yield from filter(_is_free, _PORTS)
        elif _is_free(kept):
            yield kept
        else:
            message = f"port {kept} of the local engine belongs to another program; stop that"
            raise EngineError(f"{message}, or delete what the engine kept: archlib local reset")

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        valid = isinstance(record, dict) and {type(record.get("pid")), type(record.get("port"))} == {int}
        return record if valid else {}

    def _last_lines(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:]) or f"(nothing in {self._log})"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep others from starting and stopping the engine meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self.folder, wait=True):
                yield
        except OSError as error:
            message = f"the folder {self.folder} of the local engine cannot be written: {error.strerror}"
            raise EngineError(f"{message}; correct its rights, or choose another by XDG_STATE_HOME") from None


def _reap(folder: Path) -> None:
    """Take note that the engine of ``folder`` has ended, if this process started it."""
    if process := _STARTED.pop(folder, None):
        process.wait()


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _ask(port: int, what: str) -> Any:
    """Return what the engine on ``port`` answers, or None where nothing of ours does."""
    connection = HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", f"/_archlib/{what}")
        return json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
