"""What ``archlib synth`` keeps between runs is never stale."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archlib.cli.main import main

BLUEPRINT = """
blueprint: serverless
app: shop
settings:
  functions:
    work: {code: src, handler: work.handler}
  state_machines:
    steps: {definition: steps.yaml}
"""
STEPS = "StartAt: Done\nStates:\n  Done: {Type: Succeed}\n"
Synth = Callable[..., str]


@pytest.fixture
def synth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Synth:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "work.py").write_text("def handler(event, context):\n    return 1\n", encoding="utf-8")
    (tmp_path / "steps.yaml").write_text(STEPS, encoding="utf-8")
    (tmp_path / "archlib.yaml").write_text(BLUEPRINT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path / "cache"))

    def run(*arguments: str) -> str:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        monkeypatch.setattr(sys, "argv", ["archlib", "synth", "--no-lint", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0, capsys.readouterr().err
        capsys.readouterr()
        return "".join(path.read_text(encoding="utf-8") for path in sorted((tmp_path / "out").glob("*.yaml")))

    return run


def is_loaded(monkeypatch: pytest.MonkeyPatch, synth: Synth, *arguments: str) -> bool:
    """Whether a run builds anew: it then imports the workflow, which is taken away first."""
    monkeypatch.delitem(sys.modules, "archlib.workflow", raising=False)
    synth(*arguments)
    return "archlib.workflow" in sys.modules


def test_an_unchanged_file_is_not_built_again(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    first = synth()

    assert not is_loaded(monkeypatch, synth)
    assert synth() == first


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("archlib.yaml", BLUEPRINT.replace("handler: work.handler", "handler: work.handler, memory_mib: 512")),
        ("src/work.py", "def handler(event, context):\n    return 2\n"),
        ("src/more.py", "MORE = 1\n"),
        ("steps.yaml", STEPS.replace("Done", "Finished")),
    ],
)
def test_a_change_in_anything_it_was_made_from_is_seen(synth: Synth, tmp_path: Path, file: str, text: str) -> None:
    first = synth()
    (tmp_path / file).write_text(text, encoding="utf-8")

    assert synth() != first


@pytest.mark.parametrize(
    "arguments",
    [
        ("--env", "prod"),
        ("--set", "functions.work.memory_mib=1024"),
        ("--layout", "single"),
    ],
)
def test_another_request_is_another_result(synth: Synth, arguments: tuple[str, ...]) -> None:
    first = synth()

    assert synth(*arguments) != first
    assert synth() == first


def test_a_python_file_is_always_run(synth: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "from archlib import App, Stack\nfrom troposphere import sqs\napp = App('shop')\n"
    (tmp_path / "shop.py").write_text(program + "Stack(app, 'main').add(sqs.Queue('Jobs'))\n", encoding="utf-8")
    synth("shop.py")

    assert is_loaded(monkeypatch, synth, "shop.py")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"inputs": {}}', '{"inputs":{},"texts":{},"report":"","warnings":0}']
)
def test_a_broken_memory_is_forgotten(synth: Synth, tmp_path: Path, content: str) -> None:
    first = synth()
    for kept in (tmp_path / "cache" / "synth").rglob("*.json"):
        kept.write_text(content, encoding="utf-8")

    assert synth() == first
