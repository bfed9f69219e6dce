"""What is asked before something changes, and how a command ends that is interrupted or not agreed to."""

from __future__ import annotations

import signal
from pathlib import Path

import click
import pytest

from archlib.cli.aws import agree, check_named, check_writable
from archlib.cli.reporters import choose
from archlib.deploy.clock import Stop
from archlib.errors import InterruptError, UsageError
from terminals import on_a_terminal
from unit.cli.scenes import Terminal

# A command that asks, in a process of its own: what it has to tidy up is told at the end.
ASKS = """
import sys
from archlib.cli import commands
from archlib.cli.aws import Asked, agree, session
import click

@click.command("asks")
def asks():
    with session(Asked(None, None, None, None, (), False, None, False, False, True), "asks") as here:
        try:
            agree(here.outlet, app="shop", yes=False, named=None, protected=sys.argv[-1] == "protected", local=False,
                  what="Deploy shop dev?")
            print("AGREED")
        finally:
            print("TIDY")

commands.cli.add_command(asks)
sys.argv = ["archlib", "asks"]
commands.cli.get_command = lambda context, name: asks
sys.exit(commands.run())
"""
BUILDS = """
import sys, time
from archlib.cli.aws import Asked, session
from archlib.cli import commands
import click

@click.command("builds")
def builds():
    with session(Asked(None, None, None, None, (), False, None, False, False, True), "builds") as here:
        with here.building():
            print("BUILDING", flush=True)
            time.sleep(60)

commands.cli.get_command = lambda context, name: builds
sys.argv = ["archlib", "builds"]
sys.exit(commands.run())
"""


def asked(answer: str, *, protected: bool = False, what: str = "Deploy shop dev?") -> str:
    """Return what is told when somebody answers ``answer``."""
    out, err = Terminal(), Terminal()
    outlet = choose(no_color=True, stdin=Terminal(answer), stdout=out, stderr=err)
    try:
        agree(outlet, app="shop", yes=False, named=None, protected=protected, local=False, what=what)
    except click.exceptions.Exit as end:
        return f"{end.exit_code} {err.getvalue()}"
    return "agreed"


@pytest.fixture(autouse=True)
def _person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(("answer", "protected"), [("y\n", False), ("yes\n", False), ("shop\n", True)])
def test_who_agrees_goes_on(*, answer: str, protected: bool) -> None:
    assert asked(answer, protected=protected) == "agreed"


@pytest.mark.parametrize(("answer", "protected"), [("n\n", False), ("", False), ("y\n", True), ("shopp\n", True)])
def test_who_does_not_agree_is_told_and_it_is_no_success(*, answer: str, protected: bool) -> None:
    assert asked(answer, protected=protected) == "1 not deployed\n"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("Destroy shop dev?", "not destroyed\n"),
        ("Rename?", "not renamed\n"),
        ("Import into a?", "not imported\n"),
        ("Delete a?", "not deleted\n"),
    ],
)
def test_what_was_not_done_is_named(what: str, told: str) -> None:
    assert asked("n\n", what=what) == f"1 {told}"


def test_who_has_stopped_is_asked_nothing() -> None:
    stop, out = Stop(), Terminal()
    stop.request()
    outlet = choose(stdin=Terminal("y\n"), stdout=out, stop=stop)
    with pytest.raises(InterruptError):
        outlet.confirm("Go on?")
    assert "Go on?" not in out.getvalue()


@pytest.mark.parametrize("local", [True, False])
def test_another_name_is_refused_everywhere(*, local: bool) -> None:
    outlet = choose(stdin=Terminal(), stdout=Terminal())
    with pytest.raises(UsageError, match="--confirm must be the name of the app, 'shop', got 'shp'"):
        agree(outlet, app="shop", yes=True, named="shp", protected=True, local=local, what="Deploy shop dev?")
    check_named(None, "shop")


@pytest.mark.parametrize("kind", ["plain", "protected"])
@pytest.mark.parametrize("send", [b"\x03", signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_an_interrupt_ends_an_open_question(kind: str, send: bytes | int) -> None:
    code, text = on_a_terminal(ASKS, kind, until="Deploy shop dev?", send=send)
    assert code == 130, text
    assert "AGREED" not in text
    assert "TIDY" in text
    assert "interrupted" in text


def test_an_answer_on_a_terminal() -> None:
    assert "AGREED" in on_a_terminal(ASKS, "plain", until="[y/N]", send=b"y\n")[1]
    code, text = on_a_terminal(ASKS, "plain", until="[y/N]", send=b"\n")
    assert code == 1
    assert "not deployed" in text


def test_an_interrupt_ends_building_at_once() -> None:
    code, text = on_a_terminal(BUILDS, until="BUILDING", send=b"\x03")
    assert code == 130
    assert "nothing was changed" in text


def test_a_plan_is_refused_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for wrong in (tmp_path, tmp_path / "file" / "plan.json"):
        with pytest.raises(UsageError, match="cannot be written"):
            check_writable(wrong)
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new" / "plan.json")
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "new" / "plan.json").exists()
