from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from archlib.cli.board import Heading
from archlib.cli.jsonlines import JsonReporter
from archlib.cli.lines import LinesReporter
from archlib.cli.reporters import Outlet, choose
from archlib.cli.screen import ScreenReporter
from archlib.cli.text import Stream, clean
from archlib.deploy.reporter import Began, Note
from unit.cli.scenes import AsciiTerminal, Terminal, failed, plan

VARIABLES = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "CODEBUILD_BUILD_ID", "JENKINS_URL", "TF_BUILD", "NO_COLOR",
             "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE")  # fmt: skip


@pytest.fixture(autouse=True)
def _person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_person_gets_the_screen_and_is_asked() -> None:
    outlet = choose(stdin=Terminal("y\n"), stdout=Terminal())
    assert isinstance(outlet, ScreenReporter)
    assert outlet.can_ask
    assert outlet.confirm("Go on?")


def test_a_pipe_gets_lines_and_is_not_asked() -> None:
    outlet = choose(stdin=Terminal("y\n"), stdout=io.StringIO())
    assert isinstance(outlet, LinesReporter)
    assert not outlet.confirm("Go on?")


def test_without_a_keyboard_nobody_is_asked() -> None:
    assert not choose(stdin=io.StringIO("y\n"), stdout=Terminal()).confirm("Go on?")


@pytest.mark.parametrize(
    ("name", "value"), [("TERM", "dumb"), ("CI", "true"), ("GITHUB_ACTIONS", "true"), ("CODEBUILD_BUILD_ID", "x")]
)
def test_lines_where_nothing_can_be_drawn(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert isinstance(choose(stdin=Terminal(), stdout=Terminal()), LinesReporter)


def test_quiet_draws_nothing() -> None:
    outlet = choose(quiet=True, stdin=Terminal(), stdout=Terminal())
    assert isinstance(outlet, LinesReporter)
    assert outlet.quiet


def test_json_has_its_stream_for_itself() -> None:
    out, err = Terminal(), Terminal()
    outlet = choose(as_json=True, stdin=Terminal("y\n"), stdout=out, stderr=err)
    assert isinstance(outlet, JsonReporter)
    assert not outlet.can_ask
    outlet.notify(Note("web", "look"))
    assert out.getvalue().startswith('{"schema_version": 1, "type": "note"')
    assert err.getvalue() == "web  look\n"


@pytest.mark.parametrize("way", ["option", "variable"])
def test_no_color(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "variable":
        monkeypatch.setenv("NO_COLOR", "1")
    err = Terminal()
    outlet = choose(no_color=way == "option", stdin=Terminal(), stdout=Terminal(), stderr=err)
    outlet.notify(Note("web", "look", "warning"))
    assert err.getvalue() == "! web  look\n"


def test_only_plans_and_results_go_to_standard_output() -> None:
    out, err = io.StringIO(), io.StringIO()
    outlet = choose(stdin=Terminal(), stdout=out, stderr=err)
    outlet.about(Heading("shop", "prod"))
    outlet.notify(Began("web", "update", 3))
    outlet.notify(Note("web", "look", "warning"))
    outlet.plan(plan())
    outlet.error(failed())
    assert "shop prod" in out.getvalue()
    assert "data  created" in out.getvalue()
    for told in ("== shop prod", "web  update, 3 changes", "web  warning: look", "Root cause"):
        assert told in err.getvalue()
        assert told not in out.getvalue()


def test_without_a_heading_there_is_no_header() -> None:
    err = io.StringIO()
    outlet = choose(stdin=Terminal(), stdout=io.StringIO(), stderr=err)
    for heading in (None, Heading()):
        if heading:
            outlet.about(heading)
        outlet.notify(Began("web", "attach"))
    assert err.getvalue() == "web  attach\n" * 2


def test_silent_outlet() -> None:
    out = io.StringIO()
    with Outlet(choose(stdout=out).console) as outlet:
        outlet.notify(Note("web", "look", "warning"))
    assert out.getvalue() == ""


def test_stream_that_nobody_reads_any_more() -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    stream = Stream(Gone())
    assert stream.write("x") == 1
    assert not stream.isatty()
    stream.flush()


def test_stream_that_lacks_characters() -> None:
    file = AsciiTerminal()
    Stream(file).write("✓ \ud800")
    assert file.getvalue() == "\\u2713 \\ud800"


def test_closed_pipe_changes_neither_work_nor_exit_code() -> None:
    program = (
        "import sys\nfrom archlib.cli.reporters import choose\nfrom archlib.deploy.reporter import Note\n"
        "with choose(stderr=sys.stdout) as outlet:\n"
        "    for number in range(5000):\n        outlet.notify(Note('web', f'note {number}'))\n"
        "print('watched to the end', file=sys.stderr)\nsys.exit(20)\n"
    )
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.close(read)
    _, told = process.communicate(timeout=60)
    assert told == "watched to the end\n"
    assert process.returncode == 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain  text", "plain  text"),
        ("  kept", "  kept"),
        ("é ✓", "é ✓"),
        ("a\r\nb\tc", "a b c"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;eA==\x1b\\x", "x"),
        ("\x1b]never closed", "never closed"),
        ("\x1bcx\x1b", "x"),
        ("a\x00\x08\x7fb", "ab"),
        ("a\u202eb\ud800", "ab\ufffd"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown
