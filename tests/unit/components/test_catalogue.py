from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import archlib.components
from archlib import Component
from archlib.components.catalogue import Entry, catalogue

FOLDER = Path(archlib.components.__file__).parent


def test_describes_a_component_by_the_first_sentence_of_its_manual() -> None:
    assert (
        Entry(
            "messaging",
            "Queue",
            "archlib.components.messaging.queue",
            "An encrypted SQS queue whose failed messages go to a dead-letter queue.",
        )
        in catalogue()
    )


def test_lists_every_component_there_is() -> None:
    """The classes are read from the text of the files, so that nothing depends on what was imported."""
    written: set[tuple[str, str]] = set()
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.py")}
    classes = [(path, node) for path, tree in trees.items() for node in tree.body if isinstance(node, ast.ClassDef)]
    for _ in range(3):  # a component may stand on another one of its group
        for path, node in classes:
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if "Component" in bases or written & {(path.parent.name, base) for base in bases}:
                written.add((path.parent.name, node.name))

    assert {(entry.group, entry.name) for entry in catalogue()} == written
    assert len(written) > 25


def test_every_entry_leads_to_its_class() -> None:
    for entry in catalogue():
        kind = getattr(import_module(entry.module), entry.name)
        assert issubclass(kind, Component)
        assert kind.__module__ == entry.module
        assert entry.module.split(".")[2] == entry.group


def test_is_sorted_and_names_each_once() -> None:
    entries = catalogue()

    assert list(entries) == sorted(entries, key=lambda entry: (entry.group, entry.name))
    assert len({entry.name for entry in entries}) == len(entries)


def test_purposes_are_one_sentence_on_one_line() -> None:
    for entry in catalogue():
        assert "\n" not in entry.purpose
        assert "  " not in entry.purpose
        assert entry.purpose.endswith(".")
        assert entry.purpose[0].isupper()
