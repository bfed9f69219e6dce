from __future__ import annotations

import io
import re
import threading

import pytest

from archlib.cli.board import Heading, short_name
from archlib.cli.reporters import Prompt
from archlib.cli.screen import ScreenReporter
from archlib.deploy.models import StackResult
from archlib.deploy.reporter import Began, Ended, Note
from unit.cli.scenes import (
    EVIL,
    SHOWN,
    AsciiTerminal,
    SetClock,
    Terminal,
    arn,
    console,
    failure,
    of_stack,
    progress,
)

HEADING = Heading("shop", "prod", "123456789012", "eu-west-1", "deployer", {"web": 38, "edge": 3}, 600.0, 8)


def scene(width: int = 120, height: int = 30, file: io.StringIO | None = None) -> tuple[ScreenReporter, SetClock]:
    clock = SetClock()
    screen = ScreenReporter(console(width, height, file=file), clock=clock, tick=None)
    screen.about(HEADING)
    screen.notify(Began("web", "update", 38, "eu-west-1"))
    return screen, clock


def shown(screen: ScreenReporter, width: int = 120, height: int = 30) -> str:
    return "\n".join(line.plain for line in screen.picture(width, height))


def test_heading_tells_where_who_how_long_and_how_much_is_left() -> None:
    screen, clock = scene()
    clock.time += 252
    top = screen.picture(120, 30)[0].plain
    assert top.startswith("shop/prod ")
    assert top.endswith(
        "123456789012 · eu-west-1 · role deployer · 4:12 · about 6 min left (median of the last 8 runs)"
    )
    clock.time += 600
    assert "usually 10:00" in screen.picture(120, 30)[0].plain


def test_bar_counts_all_stacks() -> None:
    screen, _ = scene()
    for number in range(20):
        screen.notify(progress("web", f"R{number}", "CREATE_COMPLETE"))
    screen.notify(progress("web", "Bad", "CREATE_FAILED", reason="no"))
    screen.notify(progress("web", "Other", "CREATE_FAILED", reason="Resource creation cancelled"))
    assert "20/41 changes · 1 failed" in shown(screen)
    assert "1 resource " in shown(screen)
    assert "cancelled" in shown(screen)


def test_what_is_done_and_pending_is_one_line_each() -> None:
    screen, clock = scene()
    for number in range(21):
        screen.notify(progress("web", f"Done{number}", "CREATE_IN_PROGRESS"))
        screen.notify(progress("web", f"Done{number}", "CREATE_COMPLETE", at=100))
    screen.notify(progress("web", "Jobs", "CREATE_IN_PROGRESS", at=10, usually=80))
    clock.time += 70
    text = shown(screen)
    assert re.search(r"├── ✓ 21 resources +done +1:40", text)
    assert re.search(r"├── ◐ Jobs +AWS::SQS::Queue +1:00  usually 1:20", text)
    assert re.search(r"└── ○ 16 more +pending", text)
    assert re.search(r"○ 1 stack +waiting", text)
    assert "Done3" not in text


def test_slow_is_told_in_yellow_with_its_hint() -> None:
    screen, clock = scene()
    screen.notify(progress("web", "Service", "UPDATE_IN_PROGRESS", usually=80))
    screen.notify(Note("web", "Service: 0/2 tasks running"))
    clock.time += 230
    line = next(line for line in screen.picture(120, 30) if "Service" in line.plain)
    assert "3:50  slow: usually 1:20 · 0/2 tasks running" in line.plain
    assert any(str(span.style) == "yellow" for span in line.spans)


def test_nested_stacks_stand_below_their_resource() -> None:
    screen, _ = scene()
    nested = {"type_": "AWS::CloudFormation::Stack", "physical": arn("web-Net")}
    screen.notify(progress("web", "Net", "UPDATE_IN_PROGRESS", **nested))  # type: ignore[arg-type]
    screen.notify(of_stack("web-Net", "UPDATE_IN_PROGRESS"))
    screen.notify(progress("web", "Nat", "CREATE_IN_PROGRESS", inside="web-Net"))
    screen.notify(progress("web", "Subnet", "CREATE_COMPLETE", inside="web-Net"))
    text = shown(screen)
    assert re.search(r"├── ◐ Net .*nested 1/2\n│   ├── ✓ 1 resource .*\n│   └── ◐ Nat ", text)


def test_failed_resource_keeps_its_reason_while_it_rolls_back() -> None:
    screen, _ = scene()
    screen.notify(progress("web", "Jobs", "CREATE_FAILED", reason="Access denied"))
    screen.notify(of_stack("web", "UPDATE_ROLLBACK_IN_PROGRESS"))
    screen.notify(progress("web", "Jobs", "DELETE_IN_PROGRESS", at=5))
    assert re.search(r"✗ Jobs .*Access denied", shown(screen))
    screen.notify(Ended("web", failure=failure()))
    assert re.search(r"✗ web +update failed .*UPDATE_ROLLBACK_IN_PROGRESS", shown(screen))


def test_unknown_status_is_shown_as_it_is() -> None:
    screen, _ = scene()
    screen.notify(progress("web", "Jobs", "UPDATE_PONDERING"))
    screen.notify(of_stack("web", "SOMETHING_NEW"))
    assert re.search(r"\? Jobs .*UPDATE_PONDERING", shown(screen))
    assert "SOMETHING_NEW" in shown(screen)


@pytest.mark.parametrize(("width", "height"), [(200, 50), (120, 30), (60, 16), (40, 10), (20, 4), (5, 2), (1, 1)])
def test_fits_any_terminal_with_100_stacks_of_300_resources(width: int, height: int) -> None:
    clock = SetClock()
    screen = ScreenReporter(console(width, height), clock=clock, tick=None)
    screen.about(Heading("shop", "prod", stacks={f"stack-{number}": 300 for number in range(100)}))
    for stack in range(100):
        name = f"stack-{stack}"
        screen.notify(Began(name, "create", 300))
        for number in range(300):
            status = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_FAILED")[number % 3]
            screen.notify(progress(name, f"Resource{number}", status, reason="x" * 5000 if number % 3 == 2 else ""))
        screen.notify(Note(name, "a " * 500, "warning"))
    lines = screen.picture(width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    if width >= 60:
        assert "10000/30000 changes · 10000 failed" in lines[1].plain + lines[2].plain
        assert "more lines" in "".join(line.plain for line in lines)


def test_finished_stacks_are_one_line_when_there_are_many() -> None:
    screen, _ = scene()
    for number in range(5):
        screen.notify(Began(f"s{number}", "create", 1))
        screen.notify(Ended(f"s{number}", StackResult(f"s{number}", "created")))
    screen.notify(Ended("edge", text="skipped: web failed"))
    assert re.search(r"✓ 5 stacks +done", shown(screen))
    assert re.search(r"- 1 stack +skipped", shown(screen))


def test_the_most_important_lines_stay() -> None:
    screen, _ = scene()
    for number in range(30):
        screen.notify(progress("web", f"Busy{number}", "CREATE_IN_PROGRESS"))
    screen.notify(progress("web", "Broken", "CREATE_FAILED", reason="Access denied"))
    text = shown(screen, 120, 7)
    assert "Broken" in text
    assert text.count("\n") < 7


def test_foreign_text_is_shown_and_not_obeyed() -> None:
    screen, _ = scene()
    screen.notify(progress("web", "Jobs", "CREATE_FAILED", reason=EVIL))
    screen.notify(Note("web", EVIL, "warning"))
    assert shown(screen).count(SHOWN) == 2
    screen.draw()
    told = screen.console.file.getvalue()  # type: ignore[attr-defined]
    assert "evil" not in told


def test_ascii_where_the_encoding_has_no_more() -> None:
    file = AsciiTerminal()
    screen, _ = scene(file=file)
    screen.notify(progress("web", "Jobs", "CREATE_IN_PROGRESS"))
    screen.draw()
    assert file.getvalue().isascii()
    assert "|-- * Jobs" in shown(screen)


def test_a_picture_replaces_the_last_one() -> None:
    file = Terminal()
    screen, _ = scene(file=file)
    screen.draw()
    rows = len(screen.picture(119, 29))
    file.truncate(0)
    screen.draw()
    assert file.getvalue().count("\x1b[1A") == rows - 1


def test_lines_that_a_narrower_terminal_has_folded_are_removed_too() -> None:
    file = Terminal()
    screen, _ = scene(file=file)
    screen.draw()
    cells = [line.cell_len for line in screen.picture(119, 29)]
    screen.console.width = 60
    file.truncate(0)
    screen.draw()
    assert file.getvalue().count("\x1b[1A") == sum(max(1, -(-each // 60)) for each in cells) - 1


def test_close_leaves_the_last_picture_and_tells_all_notes() -> None:
    file = Terminal()
    screen, _ = scene(file=file)
    for number in range(6):
        screen.notify(Note("web", f"note {number}", "warning"))
    screen.notify(Ended("web", StackResult("web", "updated")))
    file.truncate(0)
    screen.close()
    text = file.getvalue()
    assert all(text.count(f"note {number}") == 1 for number in range(6))
    assert "38/41 changes" in text
    assert "\x1b[?25h" in text
    screen.close()
    assert file.getvalue() == text


def test_notes_before_work_begins_are_printed() -> None:
    file = Terminal()
    screen = ScreenReporter(console(file=file), clock=SetClock(), tick=None)
    screen.notify(Note("", "the network is slow", "warning"))
    assert "! the network is slow" in file.getvalue()


def test_question_removes_the_picture() -> None:
    file = Terminal()
    there = console(file=file)
    screen = ScreenReporter(there, prompt=Prompt(there, io.StringIO("yes\n\nshop\n")), clock=SetClock(), tick=None)
    screen.notify(Began("web", "update", 3))
    screen.draw()
    file.truncate(0)
    assert screen.can_ask
    assert screen.confirm(f"Go on with {EVIL}?")
    assert "\x1b[1A" in file.getvalue()
    assert f"Go on with {SHOWN}? [y/N]" in file.getvalue()
    assert not screen.confirm("Really?")
    assert screen.confirm_name("Destroy it?", "shop")
    assert not screen.confirm_name("Destroy it?", "shop")


def test_draws_by_itself_until_it_is_closed() -> None:
    drawn = threading.Event()

    class Watched(Terminal):
        def write(self, text: str, /) -> int:
            if "changes" in text:
                drawn.set()
            return super().write(text)

    with ScreenReporter(console(file=Watched()), tick=0.001) as screen:
        screen.notify(Began("web", "update", 3))
        assert drawn.wait(10)
    assert not any(thread.name == "archlib-screen" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("arn_", "name"),
    [
        ("arn:aws:sts::123456789012:assumed-role/deployer/session", "deployer"),
        ("arn:aws:iam::123456789012:role/ci/deployer", "deployer"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("", ""),
    ],
)
def test_short_name(arn_: str, name: str) -> None:
    assert short_name(arn_) == name
