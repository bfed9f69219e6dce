"""Draws a deployment on a terminal while it goes on: what works, what is slow, what failed; the rest in numbers."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.style import StyleType
from rich.text import Text

from archlib.cli.board import Board, Heading, Resource, Stack
from archlib.cli.options import counted
from archlib.cli.reporters import Outlet, Prompt
from archlib.cli.text import clean
from archlib.deploy.clock import Clock, SystemClock
from archlib.deploy.reporter import Began, Note, Report, duration

_TICK = 0.25
_MOST_NOTES = 3
_NOTES_FROM = 10  # lines of a terminal that has room for notes
_WIDE, _MIDDLE = 96, 64  # columns
_NOISE = ("Resource creation Initiated",)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What marks are drawn with."""

    done: str
    active: str
    waiting: str
    failed: str
    unknown: str
    skipped: str
    note: str
    dot: str
    more: str
    full: str
    empty: str
    branch: str
    last: str
    down: str


UNICODE = Glyphs("✓", "◐", "○", "✗", "?", "-", "!", "·", "…", "━", "─", "├── ", "└── ", "│   ")
ASCII = Glyphs("v", "*", "o", "x", "?", "-", "!", "-", "~", "#", ".", "|-- ", "`-- ", "|   ")


@dataclass(slots=True)
class Row:
    """A line of the tree, and those below it.

    Attributes:
        mark: its mark.
        style: of mark and time.
        name: what it is.
        kind: its type or status.
        time: how long it takes.
        text: what else there is to say.
        rank: lines of a higher rank give way first where there is no room.
        rows: below it.
    """

    mark: str
    style: str
    name: str
    kind: str = ""
    time: str = ""
    text: str = ""
    rank: int = 3
    rows: list[Row] = field(default_factory=list)


class ScreenReporter(Outlet):
    """Draws the progress on a terminal, from the first stack on which work begins until :meth:`close`.

    A picture never has more lines than the terminal, and is drawn anew a few times a second.

    Args:
        console: the terminal.
        errors: for errors, and for notes where nothing is drawn; None: the same.
        prompt: asks on it; None: nobody can answer.
        clock: tells the time.
        tick: seconds between two pictures; None: only :meth:`draw` draws.
    """

    def __init__(
        self,
        console: Console,
        *,
        errors: Console | None = None,
        prompt: Prompt | None = None,
        clock: Clock | None = None,
        tick: float | None = _TICK,
    ) -> None:
        super().__init__(console, errors=errors, prompt=prompt)
        self._clock = clock or SystemClock()
        self._tick = tick
        self._glyphs = ASCII if console.options.ascii_only else UNICODE
        self._board = Board(Heading(), self._clock.now())
        self._drawn: list[int] = []
        self._live = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def about(self, heading: Heading) -> None:
        """Begin another deployment, of which ``heading`` is known."""
        self.close()
        with self._lock:
            self._board = Board(heading, self._clock.now())

    def notify(self, report: Report) -> None:
        """Take note of ``report``."""
        with self._lock:
            if not self._live and isinstance(report, Note):
                self._print_note(report)
                return
            self._board.take(report, self._clock.now())
            if not self._live and isinstance(report, Began):
                self._begin()

    def confirm(self, question: str) -> bool:
        """Return whether the user agrees; the picture makes room for the question."""
        with self._lock:
            self._erase()
            return super().confirm(question)

    def confirm_name(self, question: str, name: str) -> bool:
        """Return whether the user types ``name``; the picture makes room for the question."""
        with self._lock:
            self._erase()
            return super().confirm_name(question, name)

    def close(self) -> None:
        """Leave the last picture where it is, and go on below it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            if not self._live:
                return
            notes, self._board.notes = self._board.notes, []
            self.draw()
            self._live, self._drawn = False, []
            self.console.control(Control((ControlType.SHOW_CURSOR,)))
            self.console.print()
            for note in notes:
                self._print_note(note)
            self._board = Board(Heading(), self._clock.now())

    def draw(self) -> None:
        """Draw what is known over the last picture."""
        with self._lock, self.console:
            width, height = self.console.size
            lines = self.picture(width - 1, height - 1)
            self._erase()
            self._drawn = [line.cell_len for line in lines]
            self.console.print(Text("\n").join(lines), end="", no_wrap=True, overflow="ignore", crop=False)

    def picture(self, width: int, height: int) -> list[Text]:
        """Return what is known as at most ``height`` lines of at most ``width`` columns."""
        now = self._clock.now()
        top = [*self._heading(now, width), self._bar(width)]
        notes = self._board.notes[-_MOST_NOTES:] if height >= _NOTES_FROM else []
        tree = _fit(list(self._rows(now)), max(0, height - len(top) - len(notes)), self._glyphs)
        lines = [*top, *self._tree(tree, width), *(self._note(note) for note in notes)]
        return [self._cut(line, width) for line in lines[: max(1, height)]]

    # The terminal

    def _begin(self) -> None:
        self._live = True
        self.console.control(Control((ControlType.HIDE_CURSOR,)))
        if self._tick is not None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=(self._tick,), name="archlib-screen", daemon=True)
            self._thread.start()

    def _run(self, tick: float) -> None:
        while not self._stop.wait(tick):
            self.draw()

    def _erase(self) -> None:
        """Remove the last picture."""
        if not self._drawn:
            return
        # A terminal that has become narrower has folded the lines it shows.
        width = max(1, self.console.width)
        rows = sum(max(1, math.ceil(cells / width)) for cells in self._drawn)
        up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * (rows - 1)
        self.console.control(Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2), *up))
        self._drawn = []

    def _print_note(self, note: Note) -> None:
        self.errors.print(self._note(note), soft_wrap=True)

    # The parts of the picture

    def _heading(self, now: float, width: int) -> Iterator[Text]:
        heading, glyphs = self._board.heading, self._glyphs
        title = "/".join(filter(None, (heading.app, heading.environment))) or ", ".join(self._board.stacks)
        elapsed = now - self._board.began
        role = f"role {heading.role}" if heading.role else ""
        facts = [heading.account, heading.region, role, duration(elapsed), self._left(elapsed)]
        told = clean(f" {glyphs.dot} ".join(filter(None, facts)))
        of = f" (median of the last {counted(heading.runs, 'run')})" if facts[-1] and heading.runs else ""
        title = clean(title)
        if cell_len(title) + 3 + cell_len(told + of) <= width:
            told += of
        if cell_len(title) + 3 + cell_len(told) <= width:
            gap = width - cell_len(title) - cell_len(told)
            yield Text.assemble((title, "bold cyan"), " " * gap, (told, "dim"))
        else:
            yield Text(title, style="bold cyan")
            yield Text(told, style="dim")

    def _left(self, elapsed: float) -> str:
        expected = self._board.heading.expected
        if expected is None:
            return ""
        left = expected - elapsed
        if left <= 0:
            return f"usually {duration(expected)}"
        return f"about {math.ceil(left / 60)} min left"

    def _bar(self, width: int) -> Text:
        board, glyphs = self._board, self._glyphs
        failed = f"{board.failed} failed"
        counts = f"{board.finished}/{board.total} changes"
        room = width - len(counts) - len(failed) - 5
        bar = Text()
        if room >= 10:  # noqa: PLR2004  (a shorter bar says nothing)
            full = room * board.finished // board.total if board.total else 0
            bar.append(glyphs.full * full, style="bar.complete")
            bar.append(glyphs.empty * (room - full), style="bar.back").append("  ")
        style = "bold red" if board.failed else "dim"
        return bar.append_text(Text.assemble(counts, f" {glyphs.dot} ", (failed, style)))

    def _rows(self, now: float) -> Iterator[Row]:
        board, glyphs = self._board, self._glyphs
        done = [stack for stack in board.stacks.values() if stack.state == "done"]
        if len(done) <= _MOST_NOTES:
            yield from (self._stack(stack, now) for stack in done)
        else:
            yield Row(glyphs.done, "green", f"{len(done)} stacks", "done", rank=2)
        for state in ("failed", "active"):
            yield from (self._stack(stack, now) for stack in board.stacks.values() if stack.state == state)
        skipped = sum(stack.state == "skipped" for stack in board.stacks.values())
        if skipped:
            yield Row(glyphs.skipped, "dim", counted(skipped, "stack"), "skipped", rank=2)
        waiting = [name for name in board.waiting if name not in board.stacks]
        if waiting:
            yield Row(glyphs.waiting, "dim", counted(len(waiting), "stack"), "waiting", rank=2)

    def _stack(self, stack: Stack, now: float) -> Row:
        glyphs = self._glyphs
        took = duration((stack.ended or now) - stack.began)
        match stack.state:
            case "done":
                action = stack.result.action if stack.result else ""
                return Row(glyphs.done, "green", stack.name, action, took, rank=4)
            case "failed":
                row = Row(glyphs.failed, "red", stack.name, f"{stack.action} failed".strip(), took, rank=0)
                row.text = " ".join(filter(None, (stack.status, "" if stack.failures else _why(stack))))
                row.rows = [self._resource(each, stack, now) for each in stack.failures]
                return row
            case _:
                going_back = "ROLLBACK" in stack.status or stack.status.endswith("_FAILED")
                style = "yellow" if going_back else "blue"
                text = f"{stack.finished}/{stack.total}" if stack.total else ""
                row = Row(glyphs.active, style, stack.name, stack.status or stack.action, took, text, rank=2)
                row.rows = list(self._resources(stack, now))
                return row

    def _resources(self, stack: Stack, now: float) -> Iterator[Row]:
        """Yield the lines of what is in ``stack``."""
        nested = {each.physical_id: each for each in stack.resources.values() if each.nested and each.physical_id}
        inside: dict[str, list[Resource]] = {}
        for each in stack.resources.values():
            # What belongs to a nested stack that was never met stands beside the others.
            inside.setdefault(each.stack_id if each.stack_id in nested else "", []).append(each)
        yield from self._level(stack, "", inside, now)
        more = stack.total - len(stack.resources)
        if more > 0:
            yield Row(self._glyphs.waiting, "dim", f"{more} more", "pending", rank=5)

    def _level(self, stack: Stack, arn: str, inside: dict[str, list[Resource]], now: float) -> Iterator[Row]:
        resources = inside.pop(arn, [])
        shown = [each for each in resources if each.failure or each.phase in {"active", "unknown"}]
        done = [each for each in resources if each.phase == "done" and not each.failure]
        cancelled = sum(each.phase == "cancelled" and not each.failure for each in resources)
        if done:
            last = max(each.ended or each.began for each in done) - min(each.began for each in resources)
            yield Row(self._glyphs.done, "green", counted(len(done), "resource"), "done", duration(last), rank=4)
        for each in shown:
            row = self._resource(each, stack, now)
            if each.nested and each.physical_id in inside:
                members = inside[each.physical_id]
                row.rows = list(self._level(stack, each.physical_id, inside, now))
                row.text = row.text or f"nested {sum(one.phase == 'done' for one in members)}/{len(members)}"
            yield row
        if cancelled:
            yield Row(self._glyphs.skipped, "dim", counted(cancelled, "resource"), "cancelled", rank=4)

    def _resource(self, each: Resource, stack: Stack, now: float) -> Row:
        glyphs, slow = self._glyphs, each.slow(now)
        row = Row(glyphs.active, "blue", each.name, each.type, duration(each.seconds(now)), rank=3)
        usual = f"usually {duration(each.usually)}" if each.usually is not None else ""
        reason = each.reason if each.reason not in _NOISE else ""
        if each.failure:
            row.mark, row.style, row.rank, row.text = glyphs.failed, "red", 0, each.failure
            return row
        if slow:
            row.style, row.rank, usual = "yellow", 1, f"slow: {usual}"
        if each.phase == "unknown":
            row.mark, row.style, usual = glyphs.unknown, "yellow", each.status
        row.text = f" {glyphs.dot} ".join(filter(None, (usual, stack.hints.get(each.name, reason))))
        return row

    def _tree(self, rows: list[tuple[str, Row]], width: int) -> Iterator[Text]:
        """Yield ``rows``, each after its branches, in columns."""
        names = [cell_len(prefix) + cell_len(row.name) + 2 for prefix, row in rows]
        first = min(max(names, default=0), max(20, width * 2 // 5))
        kinds = [cell_len(self._kind(row, width)) for _, row in rows]
        second = 0 if width < _MIDDLE else min(max(kinds, default=0), max(12, width * 3 // 10))
        for prefix, row in rows:
            mark = f"{clean(row.mark)} "
            name = self._fill(clean(row.name), first - cell_len(prefix) - cell_len(mark))
            line = Text.assemble((prefix, "dim"), (mark, row.style), (name, "dim" if row.style == "dim" else "bold"))
            if second:
                line.append("  ").append(self._fill(self._kind(row, width), second), style="dim")
            line.append(f"  {row.time:>5}", style=row.style)
            # Where there is no column for it, a word that says what the number is of stands behind.
            text = row.text or ("" if second or "::" in row.kind else row.kind)
            if text:
                style: StyleType = row.style if row.style in {"yellow", "red"} else "dim"
                line.append("  ").append(clean(text), style=style)
            yield line

    def _kind(self, row: Row, width: int) -> str:
        kind = clean(row.kind)
        return kind if width >= _WIDE else kind.removeprefix("AWS::")

    def _note(self, note: Note) -> Text:
        warning = note.level == "warning"
        mark, style = (self._glyphs.note, "yellow") if warning else (self._glyphs.dot, "dim")
        named = f"{clean(note.stack)}  " if note.stack else ""
        return Text(f"{mark} {named}{clean(note.text)}", style=style)

    def _fill(self, text: str, width: int) -> str:
        """Return ``text`` in exactly ``width`` columns."""
        width = max(1, width)
        if cell_len(text) <= width:
            return set_cell_size(text, width)
        return set_cell_size(text, width - 1) + self._glyphs.more

    def _cut(self, line: Text, width: int) -> Text:
        """Return ``line`` in at most ``width`` columns."""
        if line.cell_len > width:
            line.truncate(max(0, width - 1))
            line.append(self._glyphs.more)
        return line


def _why(stack: Stack) -> str:
    return stack.failure.reason if stack.failure else stack.text


def _fit(rows: list[Row], room: int, glyphs: Glyphs) -> list[tuple[str, Row]]:
    """Return the lines for which there is room, each with its branches; the most important stay."""
    above: dict[int, Row | None] = {}
    flat: list[Row] = []

    def walk(level: list[Row], parent: Row | None) -> None:
        for row in level:
            above[id(row)] = parent
            flat.append(row)
            walk(row.rows, row)

    walk(rows, None)
    kept = {id(row) for row in flat}
    if len(flat) > room:
        kept = set()
        for row in sorted(flat, key=lambda each: each.rank):
            wanted: list[int] = []
            each: Row | None = row
            while each is not None and id(each) not in kept:
                wanted.append(id(each))
                each = above[id(each)]
            if len(kept) + len(wanted) < room:  # one line tells how many there are
                kept.update(wanted)
    lines: list[tuple[str, Row]] = []

    def draw(level: list[Row], prefix: str, depth: int) -> None:
        shown = [row for row in level if id(row) in kept]
        for index, row in enumerate(shown):
            end = index == len(shown) - 1
            lines.append((prefix + (glyphs.last if end else glyphs.branch) if depth else "", row))
            draw(row.rows, prefix + ("    " if end else glyphs.down) if depth else "", depth + 1)

    draw(rows, "", 0)
    hidden = len(flat) - len(lines)
    if hidden and room > 0:
        lines.append(("", Row(glyphs.more, "dim", counted(hidden, "more line"))))
    return lines
