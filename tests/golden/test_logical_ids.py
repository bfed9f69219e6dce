"""Logical ids are public: CloudFormation replaces what is called differently, and people refer to them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from archlib import load

ROOT = Path(__file__).parents[2]
LEDGER = Path(__file__).with_name("logical_ids.json")
ADVICE = """
The logical ids of a blueprint file are not those of tests/golden/logical_ids.json.

A line that is gone, or stands there with another name or type, means: whoever deployed the file loses that resource at
the next deployment and gets a new, empty one. For a table, a bucket, a queue, a key, a user pool or a database that is
lost data. Take it back, unless it is meant; then it belongs under "Breaking" in CHANGELOG.md.
A line that is only new is harmless.

When it is right: UPDATE_LEDGER=1 python -m pytest tests/golden/test_logical_ids.py, and review the difference.
"""
Ledger = dict[str, dict[str, list[str]]]


def current() -> Ledger:
    found: Ledger = {}
    for file in sorted((ROOT / "blueprints").glob("*.yaml")):
        for environment in ("dev", "prod"):
            app = load(file, environment=environment)
            resources = {
                title: node for stack in app.stacks.values() for title, node in stack.template.resources.items()
            }
            assert len(resources) == sum(len(stack.template["Resources"]) for stack in app.assemble())
            # Those of the app, not of the templates: there, what is made anew with each change has a tail.
            lines = sorted(f"{title}: {node.resource_type}" for title, node in resources.items())
            found.setdefault(file.name, {})[environment] = lines
    return found


def differences(ledger: Ledger, found: Ledger) -> list[str]:
    rows = []
    for file in sorted({*ledger, *found}):
        for environment in sorted({*ledger.get(file, {}), *found.get(file, {})}):
            known = set(ledger.get(file, {}).get(environment, ()))
            now = set(found.get(file, {}).get(environment, ()))
            rows += [f"- {file} {environment}  {line}" for line in sorted(known - now)]
            rows += [f"+ {file} {environment}  {line}" for line in sorted(now - known)]
    return rows


def test_logical_ids_stay_what_they_are() -> None:
    found = current()
    if os.environ.get("UPDATE_LEDGER"):
        LEDGER.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    rows = differences(json.loads(LEDGER.read_text(encoding="utf-8")), found)

    assert not rows, "\n".join([ADVICE, *rows])


def test_a_renamed_resource_is_two_differences() -> None:
    before = {"shop.yaml": {"dev": ["JobsQueue: AWS::SQS::Queue", "News: AWS::SNS::Topic"]}}
    after = {"shop.yaml": {"dev": ["Jobs: AWS::SQS::Queue", "News: AWS::SNS::Topic"], "prod": ["A: B"]}}

    assert differences(before, after) == [
        "- shop.yaml dev  JobsQueue: AWS::SQS::Queue",
        "+ shop.yaml dev  Jobs: AWS::SQS::Queue",
        "+ shop.yaml prod  A: B",
    ]
