"""Text that others wrote, made safe to show, and streams that may close."""

from __future__ import annotations

import io
import os
import re
from typing import Any, TextIO

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # links, titles, clipboard
    r"|\x1b[ -/]*[0-~]?"
)
_BREAKS = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"  # turn the direction of what follows
)
_LONE = re.compile("[\ud800-\udfff]")  # half a character; no encoding has it


def clean(text: str) -> str:
    """Return ``text`` in one line, without anything that a terminal would obey."""
    if text.isascii() and text.isprintable():
        return text
    return _LONE.sub("\ufffd", _CONTROLS.sub("", _BREAKS.sub(" ", _ESCAPES.sub("", text))))


class Stream(io.TextIOBase):
    """A stream whose reader may go away, and whose encoding may lack characters; neither stops the work.

    Args:
        stream: what is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._gone = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the name of its encoding."""
        return self._encoding

    def write(self, text: str, /) -> int:
        """Write ``text``, as far as somebody reads it."""
        self._try(self._stream.write, text.encode(self._encoding, "backslashreplace").decode(self._encoding))
        return len(text)

    def flush(self) -> None:
        """Hand over what is buffered."""
        self._try(self._stream.flush)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return not self._gone and self._stream.isatty()

    def fileno(self) -> int:
        """Return its number."""
        return self._stream.fileno()

    def _try(self, call: Any, *args: Any) -> None:
        if self._gone:
            return
        try:
            call(*args)
        except (OSError, ValueError):  # nobody reads any more; closed on our side
            self._gone = True
            self._drain()

    def _drain(self) -> None:
        """Let what is left in the buffer go nowhere: Python writes it when it ends, and would fail."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return
