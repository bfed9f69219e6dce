"""A shell that runs commands one after the other, keeps its state, and can be stopped with all it has started."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

_TICK, _DRAIN, _GRACE = 0.02, 1.0, 2.0
_CHUNK, _LONGEST = 65_536, 1_048_576
_SIGNALLED = 128
_KEEP = "import json, os, sys; json.dump([os.getcwd(), dict(os.environ)], open(sys.argv[1], 'w'))"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How commands ended.

    Attributes:
        command: the one that failed; None: none did.
        code: its exit code; None: it was stopped.
        late: the time was over.
    """

    command: str | None = None
    code: int | None = None
    late: bool = False


class Shell:
    """Runs commands; folder and exported variables stay from call to call, and what runs in the background goes on.

    Args:
        program: the shell.
        scratch: a folder of its own.
        folder: where it begins.
        environment: all variables.
        seconds: how long all commands may take together.
        tell: gets each line that they write.
        begin: gets each command before it runs.

    Attributes:
        folder: where it is.
        environment: its exported variables.
    """

    def __init__(
        self,
        program: str,
        *,
        scratch: Path,
        folder: Path,
        environment: Mapping[str, str],
        seconds: float,
        tell: Callable[[str], None],
        begin: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self._program = program
        self._script = scratch / "commands.sh"
        self._state = scratch / "state.json"
        # The name of the folder cannot be guessed, so that no command writes such a line.
        self._mark = f"\x1e{scratch.name} ".encode()
        self._deadline = monotonic() + seconds
        self._tell = tell
        self._begin = begin
        self._groups: list[int] = []
        self._rest = b""
        self._commands: Sequence[str] = ()
        self._reached = 0
        self._begun = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._read()
        self._line(self._rest)
        os.close(self._reader)
        os.close(self._writer)

    def run(self, commands: Sequence[str]) -> Outcome:
        """Run ``commands`` until one fails."""
        self._commands = commands
        self._begun = -1
        first = 0
        while first < len(commands):
            self._reached = first
            code = self._run(first)
            if code is None:
                return Outcome(commands[self._reached], late=True)
            if code:
                return Outcome(commands[self._reached], code)
            # A command that ends the shell well ends only itself.
            first = self._reached + 1
        return Outcome()

    def _run(self, first: int) -> int | None:
        """Run the commands from ``first`` on in one process, and return its exit code; None: the time was over."""
        self._script.write_text(self._text(first), encoding="utf-8", errors="surrogateescape")
        self._state.unlink(missing_ok=True)
        folder = self.folder if self.folder.is_dir() else self._script.parent
        process = subprocess.Popen(  # noqa: S603  (running the user's commands is what this is for)
            [self._program, str(self._script)],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._writer,
            stderr=self._writer,
            start_new_session=True,
        )
        self._groups.append(process.pid)
        try:
            while process.poll() is None:
                if monotonic() > self._deadline:
                    return None
                select.select([self._reader], [], [], _TICK)
                self._read()
        finally:
            if process.poll() is None:
                self._stop()
            process.wait()
            # The number of a group that is empty may become that of a stranger.
            self._groups = [group for group in self._groups if _alive(group)]
        self._read()
        self._remember()
        # A signal ends it with the code that a shell would give.
        return process.returncode if process.returncode >= 0 else _SIGNALLED - process.returncode

    def _text(self, first: int) -> str:
        lines = [
            "exec 9>&1",
            f"__archlib_keep() {{ {shlex.join([sys.executable, '-I', '-c', _KEEP, str(self._state)])}; }}",
            "trap '__archlib_code=$?; __archlib_keep; exit \"$__archlib_code\"' EXIT",
        ]
        for index in range(first, len(self._commands)):
            lines += [
                f"printf '%s\\n' '{self._mark.decode()}{index}' >&9",
                f"eval {shlex.quote(self._commands[index])}",
                '__archlib_code=$?; [ "$__archlib_code" = 0 ] || exit "$__archlib_code"',
            ]
        return "\n".join(lines) + "\n"

    def _remember(self) -> None:
        """Take over what the shell has left, unless it was killed."""
        with suppress(OSError, ValueError):
            folder, environment = json.loads(self._state.read_text(encoding="utf-8"))
            self.folder, self.environment = Path(folder), environment

    def _read(self) -> None:
        """Tell what was written until now."""
        until = monotonic() + _DRAIN
        while monotonic() < until:
            try:
                chunk = os.read(self._reader, _CHUNK)
            except BlockingIOError:
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                before, mark, index = line.partition(self._mark)
                if not (mark and index.isdigit()):
                    self._line(line)
                    continue
                self._line(before)
                self._reached = int(index)
                if self._reached != self._begun:  # a shell that traces itself writes the mark twice
                    self._begun = self._reached
                    self._begin(self._commands[self._reached])
            if len(self._rest) > _LONGEST:
                self._line(self._rest)
                self._rest = b""

    def _line(self, line: bytes) -> None:
        if line:
            self._tell(line.decode(errors="replace").rstrip("\r"))

    def _stop(self) -> None:
        """End all that the commands have started, the hard way if they do not go."""
        until = monotonic() + _GRACE
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups:
                with suppress(OSError):
                    os.killpg(group, number)
            while number == signal.SIGTERM and monotonic() < until and any(map(_alive, self._groups)):
                sleep(_TICK)
        self._groups.clear()


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
