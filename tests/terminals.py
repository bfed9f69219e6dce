"""A terminal of its own for a process, with somebody who types."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping

# Makes the terminal that of the process, so that ^C reaches it.
OWN = "import os\nos.open(os.ttyname(0), os.O_RDWR)\n"


def on_a_terminal(
    program: str, *arguments: str, until: str, send: bytes | int, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run ``program`` (Python); when it tells ``until``, type ``send``, or send it as a signal.

    Returns:
        Its exit code, and what it told.
    """
    ours, theirs = pty.openpty()
    without = {"CI", "GITHUB_ACTIONS", "GITLAB_CI", "NO_COLOR"}
    clean = {name: value for name, value in os.environ.items() if name not in without}
    process = subprocess.Popen(
        [sys.executable, "-c", OWN + program, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm", **(environment or {})},
        start_new_session=True,
    )
    os.close(theirs)
    text, sent = b"", False
    while part := _read(ours):
        text += part
        if until.encode() in text and not sent:
            sent = True
            if isinstance(send, int):
                process.send_signal(send)
            else:
                os.write(ours, send)
    os.close(ours)
    return process.wait(timeout=60), text.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # on Linux, how a terminal ends
        return b""
