"""What a run was doing, kept on disk, so that one that died can be taken up again.

Only a help: the truth about an operation is its token in the events of the stack.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """What was about to happen to a stack.

    Attributes:
        phase: the write that follows.
        stack_id: ARN of the stack, if it is known.
        change_set: ARN or name of the change set.
        token: of the operation.
        shell: the stack was made only to hold the change set.
        pid: of the process.
        policy: the stack policy to put back, if it was changed for this operation.
    """

    phase: Literal["change-set", "execute", "delete"]
    stack_id: str
    change_set: str
    token: str
    shell: bool = False
    pid: int = 0
    policy: str = ""


class Journal:
    """The entries of one account and region, one file for each stack.

    Args:
        folder: where the files are; None: nothing is kept.
        note: is told once if the folder cannot be written.
    """

    def __init__(self, folder: Path | None, note: Callable[[str], None]) -> None:
        self._folder = folder
        self._note = note

    def get(self, stack: str) -> Entry | None:
        """Return what was about to happen to ``stack`` when a run died, if one did."""
        if self._folder is None:
            return None
        try:
            return Entry(**json.loads(self._file(stack).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def put(self, stack: str, entry: Entry) -> None:
        """Keep ``entry``; on the disk when this returns."""
        if self._folder is None:
            return
        file = self._file(stack)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = file.with_suffix(f".{os.getpid()}.new")
            with new.open("w", encoding="utf-8") as stream:
                json.dump({**asdict(entry), "pid": os.getpid()}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(file)
        except OSError as error:
            self._folder = None
            self._note(f"the journal cannot be written ({error}); a run that dies can still be attached to")

    def drop(self, stack: str) -> None:
        """Forget ``stack``: the operation is over."""
        if self._folder is not None:
            try:
                self._file(stack).unlink(missing_ok=True)
            except OSError:
                return

    def _file(self, stack: str) -> Path:
        assert self._folder is not None  # noqa: S101  (callers looked)
        tail = hashlib.sha256(stack.encode()).hexdigest()[:8]
        return self._folder / f"{stack}-{tail}.json"


def is_alive(pid: int) -> bool:
    """Return whether the process ``pid`` runs on this machine."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def state_folder() -> Path:
    """Return the folder in which this system's programs keep what they were doing."""
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "archlib"
    except RuntimeError:  # containers may run as a user that nobody knows
        return Path(tempfile.gettempdir()) / f"archlib-{os.getuid()}"
