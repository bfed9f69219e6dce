"""All the security rules together: known, told apart, and calm whatever they are given."""

import copy
import random
import re
from pathlib import Path
from typing import Any

import pytest

from archlib import App, Stack
from archlib.checks.rules import security
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.rule import Rule
from archlib.components.messaging.topic import Topic
from archlib.components.observability.alarm import Alarm

STRANGE: tuple[Any, ...] = (
    None, "", "x", "*", 0, -1, 1.5, True, [], {}, [None], [[]], [{}], {"Ref": "Nowhere"}, {"Ref": ["x"]}, {"Ref": None},
    {"Fn::GetAtt": "x"}, {"Fn::GetAtt": []}, {"Fn::GetAtt": [1, {}]}, {"Fn::Sub": 1}, {"Fn::Sub": ["${A}", None]},
    {"Fn::If": "C"}, {"Fn::If": []}, {"Fn::If": ["C", None]}, {"Fn::Join": [None, "x"]}, {"Fn::Transform": {}},
    {"Effect": "Allow"}, {"Effect": {}, "Action": 1, "Principal": [1]}, {"Statement": "x"}, {1: 2}, "${", "${}", "\x00",
)  # fmt: skip
CASES = 40


def shop(layout):
    """Return the templates of a small application in which everything is wired to something."""
    app = App("shop", layout=layout)
    data, code = Stack(app, "data"), Stack(app, "code")
    jobs, news, local = Queue(data, "jobs"), Topic(data, "news"), Queue(code, "local")
    worker = Function(code, "worker", code=Code(inline="def handler(event, context):\n    return event\n"))
    worker.consume(jobs)
    worker.consume(local)
    worker.connect(news.for_publishing())
    news.subscribe(worker)
    news.subscribe(jobs)
    Rule(code, "placed", pattern={"source": ["orders"]}, targets=[worker, local])
    Alarm.each(code, [worker, jobs], notify=news)
    return [artifact.template for artifact in app.assemble()]


def test_each_file_is_one_rule_of_the_set():
    files = {file.stem for file in Path(security.__file__).parent.glob("[a-z]*.py")}
    assert {rule.__module__.rpartition(".")[2] for rule in security.RULES} == files
    assert len(security.RULES) == len(files)


def test_ids_are_unique_and_in_their_block():
    ids = [rule.id for rule in security.RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[EW]92\d\d", rule) for rule in ids)


@pytest.mark.parametrize("rule", security.RULES, ids=lambda rule: rule.id)
def test_each_rule_is_documented(rule):
    assert rule.shortdesc
    assert rule.description.endswith(".")
    assert rule.source_url.startswith("https://docs.aws.amazon.com/")


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_our_own_components_are_clean(findings, layout):
    for template in shop(layout):
        assert [found for rule in security.RULES for found in findings(rule, template)] == []


@pytest.mark.parametrize("seed", range(CASES))
def test_no_rule_stumbles_over_a_strange_template(findings, seed):
    choose = random.Random(seed)  # noqa: S311  (not for secrets)
    [template] = copy.deepcopy(shop("single"))
    template["Parameters"] = {"Hidden": {"NoEcho": True}}
    places = [(node, key) for node in _nodes(template["Resources"]) for key in _keys(node)]
    for node, key in choose.sample(places, 60):
        node[key] = copy.deepcopy(choose.choice(STRANGE))
    for rule in security.RULES:
        findings(rule, template)


@pytest.mark.parametrize("section", ["Resources", "Parameters", "Outputs"])
@pytest.mark.parametrize("value", STRANGE, ids=repr)
def test_no_rule_stumbles_over_a_strange_section(findings, section, value):
    if isinstance(value, (str, int, float, list, type(None))) and section != "Resources":
        value = {"x": value}
    for rule in security.RULES:
        findings(rule, {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}, section: value})


def _nodes(node):
    if isinstance(node, (dict, list)):
        yield node
        for value in node.values() if isinstance(node, dict) else node:
            yield from _nodes(value)


def _keys(node):
    return list(node) if isinstance(node, dict) else range(len(node))
