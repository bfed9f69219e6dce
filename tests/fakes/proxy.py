"""A TCP proxy that breaks connections on demand."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from fakes.server import reset

ProxyFault = Literal["reset", "reset_answer", "truncate", "delay", "refuse"]


@dataclass
class FaultProxy:
    """Passes connections on to a port of this machine; the next ones meet the planned faults, one each.

    ``reset`` ends the connection before the request goes on, ``reset_answer`` after it was answered, ``truncate``
    passes half of the answer, ``delay`` waits before passing anything on, ``refuse`` closes at once.

    Args:
        port: where connections go on to.
        delay: real seconds that ``delay`` waits.
    """

    port: int
    delay: float = 0.2
    planned: list[ProxyFault] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._thread.join()
        self._listener.close()

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def plan(self, *faults: ProxyFault) -> None:
        """Let the next connections meet these faults."""
        self.planned += faults

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            fault = self.planned.pop(0) if self.planned else None
            threading.Thread(target=self._carry, args=(client, fault), daemon=True).start()

    def _carry(self, client: socket.socket, fault: ProxyFault | None) -> None:
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            if fault == "refuse":
                return
            if fault == "delay":
                time.sleep(self.delay)
            request = client.recv(65_536)
            if fault == "reset":
                reset(client)
                return
            server.sendall(request)
            back = threading.Thread(target=self._back, args=(server, client, fault), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()

    def _back(self, server: socket.socket, client: socket.socket, fault: ProxyFault | None) -> None:
        try:
            first = server.recv(65_536)
            if fault == "reset_answer":
                reset(client)
            elif fault == "truncate":
                client.sendall(first[: len(first) // 2])
                client.shutdown(socket.SHUT_RDWR)
            else:
                client.sendall(first)
                _pass_on(server, client)
        except OSError:
            pass


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass everything on until one side is closed."""
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
