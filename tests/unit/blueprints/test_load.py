from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import Field

from archlib import App, load
from archlib.blueprints.base import Duration, Settings
from archlib.blueprints.load import schema, validate
from archlib.blueprints.registry import names
from archlib.blueprints.serverless import Serverless, ServerlessSettings
from archlib.core.origin import Origin
from archlib.core.source import Lines, Source
from archlib.errors import ArchlibError, SettingsError, SourceError, UsageError

FILE = """\
blueprint: serverless
app: shop
environment: dev
tags: {team: shop}
settings:
  monitoring: {alarms: false, dashboard: false}
  queues:
    jobs:
      visibility: 1m
      delay: 5s
    more: {}
  functions:
    work:
      code: src
      handler: main.handler
      sends_to: [jobs, more]
      environment: {LEVEL: high}
environments:
  dev: {}
  prod:
    queues:
      jobs:
        visibility: 2m
    functions:
      work:
        sends_to: [more]
        environment: {ZONE: eu}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("def handler(event, context): ...\n")
    path = tmp_path / "archlib.yaml"
    path.write_text(FILE)
    return path


def resources(app: App) -> dict[str, Any]:
    return {name: node for stack in app.assemble() for name, node in stack.template["Resources"].items()}


def properties(app: App, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources(app)[name]["Properties"]
    return found


# YAML


def test_yaml_and_python_make_the_same_app(file: Path) -> None:
    app = App("shop", "dev", tags={"team": "shop"})
    settings = ServerlessSettings.model_validate(
        {
            "monitoring": {"alarms": False, "dashboard": False},
            "queues": {"jobs": {"visibility": "1m", "delay": "5s"}, "more": {}},
            "functions": {
                "work": {
                    "code": str(file.parent / "src"),
                    "handler": "main.handler",
                    "sends_to": ["jobs", "more"],
                    "environment": {"LEVEL": "high"},
                }
            },
        }
    )
    Serverless(app, settings)

    from_yaml = load(file).assemble()

    for ours, theirs in zip(app.assemble(), from_yaml, strict=True):
        assert (ours.name, ours.template, ours.tags) == (theirs.name, theirs.template, theirs.tags)
        assert (ours.parameters, ours.depends_on, ours.assets) == (theirs.parameters, theirs.depends_on, theirs.assets)


def test_an_environment_is_merged_mapping_by_mapping_and_replaces_lists(file: Path) -> None:
    app = load(file, environment="prod")

    jobs = properties(app, "JobsQueue")
    variables = properties(app, "WorkFunction")["Environment"]["Variables"]
    assert (jobs["VisibilityTimeout"], jobs["DelaySeconds"]) == (120, 5)
    assert variables.keys() == {"LEVEL", "ZONE", "MORE_QUEUE_URL"}
    assert app.environment == "prod"


def test_one_environment_leaves_the_others_alone(file: Path) -> None:
    load(file, environment="prod", sets=["queues.jobs.delay=9s"])

    assert properties(load(file), "JobsQueue")["VisibilityTimeout"] == 60
    assert properties(load(file), "JobsQueue")["DelaySeconds"] == 5


@pytest.mark.parametrize(
    ("sets", "resource", "name", "expected"),
    [
        (["queues.jobs.delay=9s"], "JobsQueue", "DelaySeconds", 9),
        (["queues.jobs={delay: 8s}"], "JobsQueue", "DelaySeconds", 8),
        (["queues.jobs={delay: 8s}", "queues.jobs.visibility=3m"], "JobsQueue", "VisibilityTimeout", 180),
        (["queues.new.delay=7s"], "NewQueue", "DelaySeconds", 7),
        (["queues.new={}"], "NewQueue", "VisibilityTimeout", 180),
        (["functions.work.memory_mib=512"], "WorkFunction", "MemorySize", 512),
        (["functions.work.layers=[a, b]"], "WorkFunction", "Layers", ["a", "b"]),
        (["functions.work.layers=[a, b]", "functions.work.layers.1=c"], "WorkFunction", "Layers", ["a", "c"]),
    ],
)
def test_set_changes_one_setting(sets: list[str], resource: str, name: str, expected: Any, file: Path) -> None:
    assert properties(load(file, sets=sets), resource)[name] == expected


@pytest.mark.parametrize("text", ["a=b=c", "yes", "012", "[", "{", "12:30", " padded ", "é"])
def test_set_takes_any_text_as_it_is(text: str, file: Path) -> None:
    app = load(file, sets=[f"functions.work.environment.LEVEL={text}"])

    assert properties(app, "WorkFunction")["Environment"]["Variables"]["LEVEL"].strip() == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("queues", "--set must be path=value, got 'queues'"),
        ("=x", "--set must be path=value, got '=x'"),
        ("app.name=x", "unknown key 'app'"),
        (
            "functions.work.sends_to.9=x",
            "what follows 'functions.work.sends_to' must be a place in the list, 0 to 1, got '9'; or set",
        ),
        ("functions.work.sends_to.first=x", "must be a place in the list, 0 to 1, got 'first'"),
        ("functions.work.sends_to.0.deeper=x", "'deeper' is inside a value"),
        ("functions.work.handler.deeper.still=x", "'deeper' is inside a value"),
    ],
)
def test_set_refuses(text: str, message: str, file: Path) -> None:
    with pytest.raises(ArchlibError) as caught:
        load(file, sets=[text])

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("queues.jobs={delay: 16m}", "--set queues.jobs={delay: 16m}: queue 'jobs': delay"),
        ("queues.new.delay=16m", "--set queues.new.delay=16m: queue 'new': delay"),
        ("functions.work.sends_to=[mote]", "--set functions.work.sends_to=[mote]: 'mote' is not among"),
    ],
)
def test_what_set_got_wrong_is_not_blamed_on_the_file(text: str, place: str, file: Path) -> None:
    with pytest.raises(ArchlibError) as caught:
        load(file, sets=["queues.more.delay=1s", text])

    assert [str(problem)[: len(place)] for problem in caught.value.problems] == [place]


def test_paths_are_relative_to_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    (asset,) = [asset for stack in load(file).assemble() for asset in stack.assets]

    assert asset.path == str(file.parent / "src")


def test_every_resource_has_the_line_that_asked_for_it(file: Path) -> None:
    origins = {name: origin for stack in load(file).assemble() for name, origin in stack.origins.items()}

    lines = FILE.splitlines()
    assert {origin.file for origin in origins.values()} == {str(file)}
    for resource, text in (
        ("JobsQueue", "    jobs:"),
        ("JobsDeadLetterQueue", "    jobs:"),
        ("WorkFunction", "    work:"),
    ):
        assert origins[resource].line == lines.index(text) + 1


def test_the_line_is_that_of_the_environment_where_it_says_more(file: Path) -> None:
    stacks = load(file, environment="prod").assemble()

    origins = {name: origin for stack in stacks for name, origin in stack.origins.items()}
    reasons = {reason.why: reason.origin for stack in stacks for rows in stack.permissions.values() for reason in rows}
    lines = FILE.splitlines()
    assert origins["JobsQueue"].line == lines.index("      jobs:") + 1
    assert reasons["sending to queue 'more'"] == Origin(str(file), lines.index("        sends_to: [more]") + 1)


def test_the_document_decides_about_the_app(file: Path) -> None:
    file.write_text(FILE + "removal: Delete\nlayout: single\nlinks: exports\n")
    app = load(file)

    assert (app.name, app.environment, app.removal, app.layout, app.links) == (
        *("shop", "dev", "Delete", "single", "exports"),
    )
    assert app.tags == {"app": "shop", "environment": "dev", "team": "shop"}
    assert load(file, layout="layered").layout == "layered"


def test_without_a_list_every_environment_can_be_built(file: Path) -> None:
    file.write_text(FILE.partition("environments:")[0])

    assert load(file).environment == "dev"
    assert load(file, environment="test").environment == "test"


def test_with_a_list_only_those_can_be_built(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(file, environment="prodd")

    assert "environment must be one of dev, prod, got 'prodd'; did you mean 'prod'?" in str(caught.value)
    assert caught.value.problems[0].origin == Origin(str(file), FILE.splitlines().index("environments:") + 1)


def test_waivers_and_overrides_reach_the_templates(file: Path) -> None:
    file.write_text(
        FILE
        + dedent("""\
            waivers:
              - {resource: JobsQueue, rule: CKV_AWS_27, reason: the messages are public, expires: 2030-01-31}
            overrides:
              JobsQueue:
                Properties.DelaySeconds: 7
                Properties.VisibilityTimeout: null
            """)
    )
    app = load(file)

    queue = resources(app)["JobsQueue"]
    (waiver,) = app.waivers
    assert queue["Properties"]["DelaySeconds"] == 7
    assert "VisibilityTimeout" not in queue["Properties"]
    assert queue["Metadata"]["checkov"]["skip"][-1] == {"id": "CKV_AWS_27", "comment": "the messages are public"}
    assert (waiver.expires, waiver.origin) == (date(2030, 1, 31), Origin(str(file), FILE.count("\n") + 2))


# Python


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return tmp_path / "app.py"


def test_a_python_file_defines_an_app(python: Path) -> None:
    python.write_text("from archlib import App\napp = App('shop', 'test')\n")

    assert (load(python).name, load(str(python), environment="test").environment) == ("shop", "test")
    assert load(python, layout="single").layout == "single"


def test_a_python_file_defines_a_function_of_the_environment(python: Path) -> None:
    python.write_text("from archlib import App\ndef app(environment):\n    return App('shop', environment)\n")

    assert [load(python).environment, load(python, environment="prod").environment] == ["dev", "prod"]


def test_a_python_file_imports_its_neighbours_and_leaves_the_path_alone(python: Path) -> None:
    (python.parent / "shop_neighbour.py").write_text("NAME = 'shop'\n")
    python.write_text("from archlib import App\nfrom shop_neighbour import NAME\napp = App(NAME)\n")
    before = list(sys.path)

    assert load(python).name == "shop"
    assert sys.path == before
    del sys.modules["shop_neighbour"]


def test_a_python_file_is_not_run_as_a_script(python: Path) -> None:
    python.write_text("from archlib import App\napp = App('shop')\nif __name__ == '__main__':\n    raise ValueError\n")

    assert load(python).name == "shop"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("app = (\n", 1, "must be Python: '(' was never closed"),
        ("app = 3\n", 1, "must define app = App(...), or a function app(environment) that returns one, got int"),
        ("\n\n1 / 0\n", 3, "failed: ZeroDivisionError: division by zero"),
        ("def app(environment):\n    return 1 / 0\n", 2, "failed: ZeroDivisionError"),
        ("def app():\n    return None\n", 1, "failed: TypeError: app() takes 0 positional arguments but 1 was given"),
        ("\nraise SystemExit('done')\n", 2, "must define app and return, got an exit with 'done'; remove it"),
    ],
)
def test_a_python_file_that_fails_is_explained(text: str, line: int, message: str, python: Path) -> None:
    python.write_text(text)
    before = list(sys.path)

    with pytest.raises(SourceError) as caught:
        load(python)

    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.origin == Origin(str(python), line)
    assert sys.path == before


def test_a_mistake_in_a_neighbour_has_the_neighbour_s_line(python: Path) -> None:
    (python.parent / "shop_broken.py").write_text("fine = 1\nbroken = (\n")
    python.write_text("import shop_broken\n")

    with pytest.raises(SourceError) as caught:
        load(python)

    assert caught.value.problems[0].origin == Origin(str(python.parent / "shop_broken.py"), 2)


def test_what_archlib_refuses_in_a_python_file_stays_as_it_is(python: Path) -> None:
    python.write_text("from archlib import App\n\napp = App('My Shop')\n")

    with pytest.raises(SettingsError) as caught:
        load(python)

    assert caught.value.problems[0].origin == Origin(str(python), 3)


def test_flags_that_a_python_file_cannot_follow_are_refused(python: Path) -> None:
    python.write_text("from archlib import App\napp = App('shop')\n")

    with pytest.raises(UsageError, match="environment must be 'dev', the only one this file makes, got 'prod'"):
        load(python, environment="prod")
    with pytest.raises(UsageError, match="--set works on YAML files only"):
        load(python, sets=["a=b"])


# validate


class Inner(Settings):
    size: int = 1
    wait: Duration | None = None


class Outer(Settings):
    first: Inner = Inner()
    others: tuple[Inner, ...] = ()
    named: dict[str, Inner | str] = Field(default_factory=dict)
    words: tuple[str, ...] = ()
    on: bool = False
    rate: float = 0.5
    until: date | None = None
    title: str = ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"firts": {}}, "firts: unknown key 'firts'; did you mean 'first'?"),
        ({"first": {"sise": 1}}, "first.sise: unknown key 'sise'; did you mean 'size'?"),
        ({"others": [{}, {"zzz": 1}]}, "others.1.zzz: unknown key 'zzz'; known are size, wait"),
        ({"named": {"a": {"zzz": 1}}}, "named.a.zzz: unknown key 'zzz'; known are size, wait"),
        ({"first": 3}, "first: must be a mapping, got 3"),
        ({"first": None}, "first: must be a mapping, got nothing; write {} for the defaults"),
        ({"first": ["a"]}, "first: must be a mapping, got a list"),
        ({"others": {}}, "others: must be a list, got a mapping"),
        ({"others": None}, "others: must be a list, got nothing"),
        ({"words": "a"}, "words: must be a list, got 'a'"),
        ({"words": [["a"]]}, "words.0: must be text, got a list"),
        ({"named": {"a": [1]}}, "named.a: must be a mapping or text, got a list"),
        ({"first": {"size": "x"}}, "first.size: must be a whole number, got 'x'"),
        ({"first": {"size": 1.5}}, "first.size: must be a whole number, got 1.5"),
        ({"first": {"wait": 5}}, "first.wait: must be a duration such as 30s, 5m, 12h or 4d, got '5'"),
        ({"first": {"wait": "-5s"}}, "got '-5s'"),
        ({"on": "perhaps"}, "on: must be true or false, got 'perhaps'"),
        ({"rate": "fast"}, "rate: must be a number, got 'fast'"),
        ({"until": "soon"}, "until: must be a date such as 2030-01-31, got 'soon'"),
        ({"title": True}, "title: must be text, got true"),
        ([], "must be a mapping, got a list"),
    ],
)
def test_says_what_is_wrong_in_plain_words(content: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validate(Outer, content, Source())

    (problem,) = caught.value.problems
    assert message in problem.message
    for jargon in ("Input", "valid dict", "instance of", "None", "unable to"):
        assert jargon not in problem.message


def test_says_all_that_is_wrong_in_the_order_of_the_lines() -> None:
    lines: Lines = {(): 1, ("title",): 2, ("first",): 3, ("first", "size"): 4, ("on",): 5}
    content = {"title": [], "first": {"size": "x", "zzz": 1}, "on": "perhaps"}

    with pytest.raises(SettingsError) as caught:
        validate(Outer, content, Source("/shop.yaml", lines))

    assert [problem.origin and problem.origin.line for problem in caught.value.problems] == [2, 3, 4, 5]


def test_names_that_pydantic_uses_too_are_names_like_others() -> None:
    for name in ("str", "int", "Inner", "function-after[x]", "OtherSettings"):
        with pytest.raises(SettingsError) as caught:
            validate(Outer, {"named": {name: {"size": "x"}}}, Source())

        assert caught.value.problems[0].message == f"named.{name}.size: must be a whole number, got 'x'"


def test_numbers_become_text_where_text_is_wanted() -> None:
    found = validate(Outer, {"title": 12, "words": [1, 2.5]}, Source())

    assert (found.title, found.words) == ("12", ("1", "2.5"))


# schema


def test_the_schema_of_the_settings_depends_on_the_blueprint() -> None:
    whole = schema()

    assert whole["required"] == ["blueprint", "app"]
    assert whole["additionalProperties"] is False
    cases = {case["if"]["properties"]["blueprint"]["const"]: case["then"] for case in whole["allOf"]}
    assert list(cases) == sorted(names())
    title = cases["serverless"]["properties"]["settings"]["$ref"].removeprefix("#/$defs/")
    assert whole["$defs"][title]["properties"]["queues"]["additionalProperties"] == {"$ref": "#/$defs/QueueSettings"}
    assert list(whole["$defs"]) == sorted(whole["$defs"])


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    whole = schema()

    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(value) for value in node.values()))
        return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()

    assert {f"#/$defs/{name}" for name in whole["$defs"]} >= references(whole)


@pytest.mark.parametrize(("environment", "expected"), [("dev", "Delete"), ("prod", "Retain")])
def test_removal_may_differ_by_environment(tmp_path: Path, environment: str, expected: str) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(
        "blueprint: serverless\napp: shop\nremoval: {dev: Delete}\nenvironments: {dev: {}, prod: {}}\n"
        "settings: {queues: {jobs: {}}}\n",
        encoding="utf-8",
    )

    assert load(file, environment=environment).removal == expected
