"""Puts a fake behind a URL, for code that runs in another process."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fakes.errors import NetworkFault
from fakes.exchange import Anyone, QueryService, exchange
from fakes.simulation import Clock


@contextmanager
def serve(fake: QueryService, clock: Clock) -> Iterator[str]:
    """Answer on a free port of this machine as long as the block lasts, and give its URL.

    Args:
        fake: what answers.
        clock: the time that slow answers take; a child process needs a clock that moves by itself, as `ScaledClock`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            try:
                answer = exchange(fake, body, Anyone(clock))
            except NetworkFault:
                self.close_connection = True
                reset(self.connection)
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def reset(connection: socket.socket) -> None:
    """End a connection the rude way, so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
