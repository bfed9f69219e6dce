"""The command line: what each command prints, writes and returns."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from cfnlint.jsonschema import StandardValidator
from pydantic import BaseModel

from archlib import load
from archlib.blueprints.load import Document
from archlib.blueprints.serverless import Serverless
from archlib.blueprints.serverless_settings import FunctionSettings
from archlib.cli.commands import COMMANDS
from archlib.cli.main import main
from archlib.core.source import read_yaml
from archlib.workflow import synthesize

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
MAIN = "from archlib.cli.main import main; main()"
SHOP = """\
blueprint: serverless
app: shop
environment: dev
tags: {team: shop}
settings:
  functions:
    orders:
      code: src
      memory_mib: 512
      writes: [orders]
      consumes: {jobs: {}}
  tables:
    orders: {partition_key: id}
  queues:
    jobs: {}
  monitoring: {alarms: false, dashboard: false}
environments:
  dev: {}
  prod:
    functions:
      orders: {memory_mib: 1024}
"""
HANDLER = "def handler(event, context):\n    return event\n"
TEMPLATE = """\
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Unused: {Type: String}
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: soon
  Door:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: Everyone may knock
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
"""
# What is known to be wrong with it: severity, rule, line.
FINDINGS = [
    ("error", "E9209", 14),
    ("error", "E3012", 8),
    ("warning", "W2001", 3),
    ("warning", "W9201", 5),
    ("warning", "W9203", 5),
]
BARE_QUEUE = "from archlib import App, Stack\nfrom troposphere import sqs\n\napp = App('shop')\n"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Archlib = Callable[..., Result]


@pytest.fixture
def archlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Archlib]:
    """Run the command line in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["archlib", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return Result(int(caught.value.code or 0), out, err)

    yield run
    gc.enable()  # which a command switches off, as it is over soon


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A blueprint with a function, a table and a queue."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "index.py").write_text(HANDLER)
    file = tmp_path / "archlib.yaml"
    file.write_text(SHOP)
    return file


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template made elsewhere, with known findings."""
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    return file


def run_alone(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", MAIN, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def memory(folder: Path) -> int:
    content, _ = read_yaml(next(folder.glob("*-app.yaml")))
    size: int = content["Resources"]["OrdersFunction"]["Properties"]["MemorySize"]
    return size


# help


@pytest.mark.parametrize("command", [*COMMANDS, None], ids=str)
def test_the_help_of_every_command_shows_an_example(command: str | None, archlib: Archlib) -> None:
    result = archlib(*([command] if command else []), "--help")

    assert result.code == 0
    assert result.err == ""
    assert f"archlib {command or 'init'}" in result.out.partition("Example:")[2].partition("Options:")[0]


def test_the_group_lists_every_command_with_one_line(archlib: Archlib) -> None:
    listed = archlib("-h").out.partition("Commands:")[2].strip().splitlines()

    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line.split()) > 3 for line in listed)


def test_the_version_is_the_package_s(archlib: Archlib) -> None:
    assert re.fullmatch(r"archlib, version \d+\.\d+\.\d+\n", archlib("--version").out)


def test_an_unknown_command_is_wrong_usage(archlib: Archlib) -> None:
    result = archlib("sinth")

    assert (result.code, result.out) == (2, "")
    assert "No such command 'sinth'" in result.err


# synth


@pytest.mark.usefixtures("shop")
def test_synth_writes_a_template_for_each_stack_and_a_manifest(archlib: Archlib, tmp_path: Path) -> None:
    result = archlib("synth", "--no-lint")

    out = tmp_path / "out"
    manifest = json.loads((out / "manifest.json").read_text())
    names = [stack["name"] for stack in manifest["stacks"]]
    assert result.code == 0
    assert (manifest["app"], manifest["environment"]) == ("shop", "dev")
    assert set(names) == {"shop-dev-foundation", "shop-dev-data", "shop-dev-app"}
    assert set(files(out)) == {"manifest.json", *(f"{name}.yaml" for name in names)}
    resources = 0
    for index, stack in enumerate(manifest["stacks"]):
        content, _ = read_yaml(out / stack["file"])
        assert stack["sha256"] == hashlib.sha256((out / stack["file"]).read_bytes()).hexdigest()
        assert stack["resources"] == len(content["Resources"])
        assert set(stack["depends_on"]) <= set(names[:index])
        assert stack["tags"] == {"app": "shop", "environment": "dev", "team": "shop"}
        assert stack["parameters"].keys() == content.get("Parameters", {}).keys()
        assert f"{Path('out') / stack['file']}  {stack['resources']} resources" in result.out
        resources += stack["resources"]
    assert result.out.splitlines()[-1] == f"3 stacks, {resources} resources, not checked"


@pytest.mark.usefixtures("shop")
def test_the_manifest_says_where_the_value_of_each_parameter_comes_from(archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint")

    stacks = {stack["name"]: stack for stack in json.loads((tmp_path / "out" / "manifest.json").read_text())["stacks"]}
    parameters = stacks["shop-dev-app"]["parameters"]
    assert parameters["OrdersTable"] == {"kind": "output", "stack": "shop-dev-data", "output": "OrdersTable"}
    assert parameters["AssetBucket"] == {"kind": "asset-bucket"}
    for source in parameters.values():
        if source["kind"] == "output":
            producer, _ = read_yaml(tmp_path / "out" / stacks[source["stack"]]["file"])
            assert source["output"] in producer["Outputs"]
    (asset,) = stacks["shop-dev-app"]["assets"]
    assert asset["key"] == f"assets/{asset['sha256']}.zip"
    assert asset["key"] in (tmp_path / "out" / "shop-dev-app.yaml").read_text()


@pytest.mark.usefixtures("shop")
def test_synth_prints_json_on_demand(archlib: Archlib, tmp_path: Path) -> None:
    result = archlib("synth", "--no-lint", "--json", "--out", "templates")

    assert result.json["stacks"][0]["name"] == "shop-dev-foundation"
    assert {Path(stack["file"]).name for stack in result.json["stacks"]} < set(files(tmp_path / "templates"))
    assert {Path(file).name for file in result.json["files"]} == set(files(tmp_path / "templates"))
    assert all(stack.keys() == {"name", "file", "resources", "depends_on"} for stack in result.json["stacks"])


@pytest.mark.usefixtures("shop")
def test_yaml_and_json_are_the_same_templates(archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint", "--out", "a")
    archlib("synth", "--no-lint", "--out", "b", "--format", "json")

    for file in (tmp_path / "a").glob("*.yaml"):
        content, _ = read_yaml(file)
        assert json.loads((tmp_path / "b" / f"{file.stem}.json").read_text()) == content


@pytest.mark.usefixtures("shop")
def test_files_of_an_earlier_synthesis_go_and_foreign_files_stay(archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint")
    out = tmp_path / "out"
    (out / "notes.txt").write_text("mine")
    (out / "shop-dev-mine.yaml").write_text("mine")
    (out / "deeper").mkdir()

    archlib("synth", "--no-lint", "--layout", "single")

    assert {path.name for path in out.iterdir()} == {
        *("manifest.json", "shop-dev.yaml", "notes.txt", "shop-dev-mine.yaml", "deeper"),
    }
    assert (out / "shop-dev-mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("manifest", ["", "[]", '{"stacks": [{"file": "../kept"}, {"file": 3}, {}]}', "\x00"])
@pytest.mark.usefixtures("shop")
def test_a_manifest_of_somebody_else_is_refused(manifest: str, archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(manifest)

    result = archlib("synth", "--no-lint")

    assert (result.code, result.out) == (1, "")
    assert "file 'out/manifest.json': must be from archlib, got another one; move it" in result.err
    assert files(tmp_path / "out") == {"manifest.json": manifest.encode()}


@pytest.mark.usefixtures("shop")
def test_only_files_of_the_folder_are_removed(archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    manifest = {"app": "shop", "environment": "dev", "stacks": [{"file": "../kept"}, {"file": 3}]}
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "kept").write_text("kept")

    assert archlib("synth", "--no-lint").code == 0
    assert (tmp_path / "kept").read_text() == "kept"


@pytest.mark.usefixtures("shop")
def test_the_single_layout_is_one_template_that_needs_nothing_but_the_asset_bucket(
    archlib: Archlib, tmp_path: Path
) -> None:
    archlib("synth", "--no-lint", "--layout", "single")

    (stack,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["stacks"]
    assert (stack["name"], stack["depends_on"]) == ("shop-dev", [])
    assert stack["parameters"] == {"AssetBucket": {"kind": "asset-bucket"}}


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], 512),
        (["--env", "prod"], 1024),
        (["--set", "functions.orders.memory_mib=2048"], 2048),
        (["--env", "prod", "--set", "functions.orders.memory_mib=2048"], 2048),
        (["--set", "functions.orders.memory_mib=1", "--set", "functions.orders.memory_mib=128"], 128),
    ],
)
def test_what_is_set_last_wins(flags: list[str], expected: int, archlib: Archlib, tmp_path: Path) -> None:
    assert archlib("synth", "--no-lint", *flags).code == 0

    assert memory(tmp_path / "out") == expected


@pytest.mark.usefixtures("shop")
def test_set_reaches_into_lists_and_makes_what_is_missing(archlib: Archlib, tmp_path: Path) -> None:
    archlib(
        "synth", "--no-lint", "--set", "functions.orders.writes.0=tables/orders", "--set", "queues.more={delay: 7s}"
    )

    text = (tmp_path / "out" / "shop-dev-data.yaml").read_text()
    assert "MoreQueue:" in text
    assert "DelaySeconds: 7" in text


@pytest.mark.usefixtures("shop")
def test_the_environment_is_part_of_every_name(archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint", "--env", "prod")

    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {stack["name"].split("-")[1] for stack in manifest["stacks"]} == {"prod"}
    assert {stack["tags"]["environment"] for stack in manifest["stacks"]} == {"prod"}


def test_an_interrupt_while_a_python_file_runs_ends_the_command(archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os, signal\n\nos.kill(os.getpid(), signal.SIGINT)\n")

    result = archlib("synth", "app.py", "--no-lint")

    assert (result.code, result.out) == (130, "")
    assert "Traceback" not in result.err


def test_a_python_file_makes_the_environment_that_is_asked_for(archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        f"{BARE_QUEUE}def app(environment):\n    made = App('shop', environment)\n"
        "    Stack(made, 'main').add(sqs.Queue('Jobs'))\n    return made\n"
    )

    assert archlib("synth", "app.py", "--no-lint", "--env", "prod").code == 0
    assert archlib("synth", "app.py", "--no-lint", "--out", "other").code == 0
    assert (tmp_path / "out" / "shop-prod-main.yaml").exists()
    assert (tmp_path / "other" / "shop-dev-main.yaml").exists()


def test_warnings_are_shown_and_errors_stop_everything(archlib: Archlib, tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(f"{BARE_QUEUE}Stack(app, 'main').add(sqs.Queue('Jobs'))\n")
    fine = archlib("synth", "app.py")
    before = files(tmp_path / "out")

    assert fine.code == 0
    assert "app.py:5: warning W9203 shop-dev-main/Jobs: queue Jobs loses messages" in fine.err
    assert fine.out.endswith("1 stack, 1 resource, 2 warnings\n")

    file.write_text(f"{BARE_QUEUE}Stack(app, 'main').add(sqs.Queue('Jobs', QueueName='no.fifo', DelaySeconds=901))\n")
    refused = archlib("synth", "app.py")

    assert (refused.code, refused.out) == (1, "")
    assert "error: app.py:5: E3034 shop-dev-main/Jobs: 901" in refused.err
    assert files(tmp_path / "out") == before

    forced = archlib("synth", "app.py", "--no-lint")

    assert forced.out.endswith("1 stack, 1 resource, not checked\n")
    assert files(tmp_path / "out") != before


@pytest.mark.usefixtures("shop")
def test_the_second_run_writes_the_same_bytes(
    archlib: Archlib, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = archlib("synth", "--no-lint"), archlib("synth", "--no-lint", "--out", "again")
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path / "empty"))
    archlib("synth", "--no-lint", "--out", "anew")

    assert first.out == second.out.replace("again", "out")
    assert files(tmp_path / "out") == files(tmp_path / "again") == files(tmp_path / "anew")


@pytest.mark.parametrize("name", ["serverless", "event-driven"])
def test_neither_hash_seed_nor_folder_nor_time_zone_change_a_byte(name: str, tmp_path: Path) -> None:
    runs = (
        (BLUEPRINTS.parent, f"blueprints/{name}.yaml", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}),
        (tmp_path, str(BLUEPRINTS / f"{name}.yaml"), {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}),
    )
    for number, (cwd, file, environment) in enumerate(runs):
        cache = str(tmp_path / f"cache{number}")
        run_alone(
            *("synth", file, "--no-lint", "--out", str(tmp_path / f"out{number}")),
            cwd=cwd, ARCHLIB_CACHE_DIR=cache, **environment,
        )  # fmt: skip

    assert files(tmp_path / "out0") == files(tmp_path / "out1")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("src/index.py", HANDLER.replace("return event", "return None")),
        ("src/more.py", "ADDED = True\n"),
        ("archlib.yaml", SHOP.replace("512", "256")),
    ],
)
@pytest.mark.usefixtures("shop")
def test_every_change_since_the_last_run_is_seen(file: str, text: str, archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint")
    before = files(tmp_path / "out")

    (tmp_path / file).write_text(text)
    archlib("synth", "--no-lint")

    assert files(tmp_path / "out") != before


@pytest.mark.usefixtures("shop")
def test_what_went_wrong_is_told_again_and_what_was_put_right_is_written(archlib: Archlib, tmp_path: Path) -> None:
    archlib("synth", "--no-lint")
    (tmp_path / "src" / "index.py").rename(tmp_path / "src" / "other.py")
    wrong = [archlib("synth", "--no-lint") for _ in range(2)]
    (tmp_path / "src" / "other.py").rename(tmp_path / "src" / "index.py")

    assert [result.code for result in wrong] == [1, 1]
    assert wrong[0].err == wrong[1].err
    assert archlib("synth", "--no-lint").code == 0


# check


@pytest.mark.usefixtures("shop")
def test_check_finds_nothing_in_a_blueprint_and_looks_at_every_stack(archlib: Archlib) -> None:
    result = archlib("check", "--strict")

    assert (result.code, result.out) == (0, "")
    assert re.fullmatch(r"3 stacks, \d+ resources, 0 findings, 0 to fix\n", result.err)


def test_check_reports_any_template_as_text_with_lines(archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name)

    rows = re.findall(r"^template\.yaml:(\d+): (\w+) ([EWI]\d{4}) template\.yaml/", result.out, re.MULTILINE)
    assert result.code == 1
    assert [(severity, rule, int(line)) for line, severity, rule in rows] == FINDINGS
    assert result.out.count("\n    https://") == len(FINDINGS)
    assert result.err == "1 stack, 2 resources, 5 findings, 2 to fix\n"


def test_check_takes_one_format(archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name, "--json", "--format", "sarif")

    assert (result.code, result.out) == (2, "")
    assert "--json is --format json, got --format sarif too; leave one out" in result.err


@pytest.mark.parametrize("flags", [["--format", "json"], ["--json"], ["--json", "--format", "json"]])
def test_check_reports_as_json(flags: list[str], archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name, *flags)

    assert (result.code, result.err) == (1, "")
    assert [(row["severity"], row["rule"], row["origin"]["line"]) for row in result.json] == FINDINGS
    assert result.json[0]["resource"] == "Door"
    assert result.json[0]["path"] == ["Resources", "Door", "Properties", "SecurityGroupIngress", 0, "CidrIp"]
    assert {row["origin"]["file"] for row in result.json} == {str(template)}


def test_check_reports_as_sarif(archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name, "--format", "sarif")

    (run,) = result.json["runs"]
    assert (result.code, result.json["version"]) == (1, "2.1.0")
    found = []
    for row in run["results"]:
        place = row["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "template.yaml"
        found.append((row["level"], row["ruleId"], place["region"]["startLine"]))
    assert found == FINDINGS
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted({rule for _, rule, _ in FINDINGS})


def test_check_reports_as_annotations_of_github(archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name, "--format", "github")

    assert (result.code, result.err) == (1, "")
    assert [line.partition("::template.yaml/")[0] for line in result.out.splitlines()] == [
        f"::{severity} file=template.yaml,line={line},title={rule}" for severity, rule, line in FINDINGS
    ]


def test_check_fails_on_warnings_only_when_strict(archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "queue.json").write_text(json.dumps({"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}, indent=1))

    relaxed, strict = archlib("check", "queue.json"), archlib("check", "queue.json", "--strict")

    assert (relaxed.code, strict.code) == (0, 1)
    assert relaxed.out == strict.out
    assert "queue.json:3: warning W9203" in relaxed.out
    assert relaxed.err.endswith(" 0 to fix\n")
    assert strict.err.endswith(" 2 to fix\n")


@pytest.mark.parametrize("option", [("--env", "prod"), ("--set", "queues.jobs.max_receives=3"), ("--layout", "single")])
@pytest.mark.usefixtures("shop")
def test_check_refuses_options_of_blueprints_for_a_template(
    option: tuple[str, str], archlib: Archlib, template: Path
) -> None:
    for files in ([template.name], ["archlib.yaml", template.name]):
        result = archlib("check", *files, *option)

        assert (result.code, result.out) == (2, "")
        assert (
            "--env, --set and --layout work on blueprints only, got the template 'template.yaml'; "
            "check it by itself, without them"
        ) in " ".join(result.err.split())


@pytest.mark.usefixtures("shop")
def test_check_takes_several_files_of_any_kind(archlib: Archlib, template: Path) -> None:
    result = archlib("check", template.name, "archlib.yaml", "--json")

    assert {row["stack"] for row in result.json} == {"template.yaml"}
    assert len(result.json) == len(FINDINGS)


@pytest.mark.parametrize("text", ["", "- a\n", "Resources: []\n", "name: x\n"])
def test_check_refuses_what_is_neither_blueprint_nor_template(text: str, archlib: Archlib, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(text)

    result = archlib("check", "file.yaml")

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: file.yaml:1: ")


def test_check_respects_waivers_until_their_last_day(archlib: Archlib, tmp_path: Path) -> None:
    made = f"{BARE_QUEUE}from datetime import date\nStack(app, 'main').add(sqs.Queue('Jobs', DelaySeconds=901))\n"
    waiver = "app.waive('Jobs', 'E3034', reason='AWS raised the limit for us', expires=date({}, 1, 31))\n"
    (tmp_path / "app.py").write_text(made + waiver.format(2999))
    (tmp_path / "late.py").write_text(made + waiver.format(2020))

    holds, late = archlib("check", "app.py"), archlib("check", "late.py")

    assert holds.code == 0
    assert "E3034" not in holds.out or "(waived: AWS raised the limit for us)" in holds.out
    assert late.code == 1
    assert "late.py:7: error E9002" in late.out
    assert "late.py:6: error E3034" in late.out


# explain, list, schema, completion


@pytest.mark.usefixtures("shop")
def test_explain_shows_a_resource_its_line_and_the_reasons_of_its_rights(archlib: Archlib) -> None:
    text = archlib("explain", "archlib.yaml", "OrdersFunctionPolicy").out
    result = archlib("explain", "archlib.yaml", "OrdersFunctionPolicy", "--json").json

    assert text.startswith("OrdersFunctionPolicy  AWS::IAM::ManagedPolicy  in shop-dev-app\nmade by  archlib.yaml:7\n")
    assert "writing table 'orders'  (archlib.yaml:10)\n    dynamodb:" in text
    assert "consuming queue 'jobs'  (archlib.yaml:11)\n    sqs:" in text
    assert (result["id"], result["type"]) == ("OrdersFunctionPolicy", "AWS::IAM::ManagedPolicy")
    allowed = {action for permission in result["permissions"] for action in permission["actions"]}
    statements = result["template"]["Properties"]["PolicyDocument"]["Statement"]
    assert allowed == {action for statement in statements for action in statement["Action"]}
    assert all(permission["origin"] for permission in result["permissions"])


@pytest.mark.usefixtures("shop")
def test_explain_follows_a_role_to_its_policies(archlib: Archlib) -> None:
    result = archlib("explain", "archlib.yaml", "OrdersFunctionRole", "--json").json

    assert {"OrdersFunction", "OrdersFunctionPolicy"} <= set(result["used_by"])
    assert any("sqs:ReceiveMessage" in permission["actions"] for permission in result["permissions"])


def test_explain_works_on_any_template(archlib: Archlib, template: Path) -> None:
    text = archlib("explain", template.name, "Door").out

    assert text.startswith("Door  AWS::EC2::SecurityGroup  in template.yaml\nmade by  template.yaml:9\n")
    assert "GroupDescription: Everyone may knock" in text


@pytest.mark.usefixtures("shop")
def test_explain_suggests_the_nearest_resource(archlib: Archlib) -> None:
    result = archlib("explain", "archlib.yaml", "OrderTable")

    assert (result.code, result.out) == (2, "")
    assert "resource 'OrderTable': no stack of 'archlib.yaml' has it; did you mean 'OrdersTable'?" in result.err


def test_list_shows_blueprints_and_components_with_names_to_copy(archlib: Archlib) -> None:
    text, result = archlib("list").out, archlib("list", "--json").json

    assert {row["name"] for row in result["blueprints"]} == {"microservices", "multi-tier", "serverless", "static-site"}
    assert {"Function", "Queue", "Table", "Bucket", "RestApi", "Vpc"} <= {row["name"] for row in result["components"]}
    for row in [*result["blueprints"], *result["components"]]:
        assert f"{row['name']} " in text
        assert row["purpose"]
        assert ":class:" not in row["purpose"]
        assert ":func:" not in row["purpose"]
    for row in result["components"]:
        assert row["module"] in text


def test_list_has_whole_names_in_a_pipe(archlib: Archlib, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = archlib("list").out.splitlines()
    (queue,) = (line for line in lines if line.startswith("Queue "))
    assert queue.startswith("Queue : archlib.components.messaging.queue : ")
    assert all(" : " in line for line in lines if line)


def test_the_schema_accepts_the_shipped_blueprints(archlib: Archlib) -> None:
    schema = archlib("schema").json

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for file in sorted(BLUEPRINTS.glob("*.yaml")):
        content, _ = read_yaml(file)
        assert [(list(error.path), error.message) for error in StandardValidator(schema).iter_errors(content)] == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"setings": {}}, ["setings"]),
        ({"blueprint": "severless"}, ["blueprint"]),
        ({"settings": {"queue": {}}}, ["settings", "queue"]),
        ({"settings": {"queues": {"jobs": {"visibility": 30}}}}, ["settings", "queues", "jobs", "visibility"]),
        ({"settings": {"tables": {"orders": {}}}}, ["settings", "tables", "orders"]),
        ({"settings": {"functions": {"work": {"code": 3}}}}, ["settings", "functions", "work", "code"]),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(change: Any, path: list[str], archlib: Archlib) -> None:
    content = {"blueprint": "serverless", "app": "shop", **change}
    Path("archlib.yaml").write_text(yaml.safe_dump(content))

    errors = list(StandardValidator(archlib("schema").json).iter_errors(content))

    assert path in [list(error.path) for error in errors]
    assert archlib("synth", "--no-lint").code == 1


def test_every_setting_in_the_schema_has_a_description(archlib: Archlib) -> None:
    schema = archlib("schema").json

    bare = [
        f"{name}.{key}"
        for name, definition in {"": schema, **schema["$defs"]}.items()
        for key, value in definition.get("properties", {}).items()
        if not value.get("description")
    ]
    assert bare == []


def test_the_schema_goes_into_a_file(archlib: Archlib, tmp_path: Path) -> None:
    printed, written = archlib("schema").json, archlib("schema", "--out", "deep/schema.json")
    refused = archlib("schema", "--out", "/dev/null/schema.json")

    assert (written.code, written.out) == (0, "")
    assert json.loads((tmp_path / "deep" / "schema.json").read_text()) == printed
    assert refused.code == 1
    assert "cannot be written" in refused.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str, archlib: Archlib) -> None:
    result = archlib("completion", shell)

    assert result.code == 0
    assert f"_ARCHLIB_COMPLETE={shell}_complete" in result.out


def test_the_completion_script_gets_the_commands(archlib: Archlib, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ARCHLIB_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "archlib sc")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert archlib().out.splitlines() == ["plain,schema"]


def test_completion_of_another_shell_is_wrong_usage(archlib: Archlib) -> None:
    assert archlib("completion", "tcsh").code == 2


# init


def settings_named(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield (*path, name)
        for inner in models_in(field.annotation):
            yield from settings_named(inner, (*path, name))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@pytest.fixture
def started(archlib: Archlib, tmp_path: Path) -> Path:
    """The file that ``archlib init`` writes."""
    assert archlib("init").code == 0
    return tmp_path / "archlib.yaml"


def uncommented(text: str, name: str) -> str:
    """Return ``text`` with the commented setting ``name``, and all inside it, set."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(rf" *# {name}:", line)]
    assert starts, f"{name} is not in the file"
    start = starts[0]
    indent = lines[start].partition("#")[0]
    end = start + 1
    while end < len(lines) and lines[end].startswith(f"{indent}#   "):
        end += 1
    lines[start:end] = [f"{indent}{line[len(indent) + 2 :]}" for line in lines[start:end]]
    return "\n".join(lines) + "\n"


def test_init_writes_a_file_that_says_what_is_next(archlib: Archlib, tmp_path: Path) -> None:
    result = archlib("init", "serverless", "shop", "--app", "my-shop")

    file = tmp_path / "shop" / "archlib.yaml"
    assert result.out == f"{Path('shop', 'archlib.yaml')}\n"
    assert "next: archlib synth" in result.err
    assert load(file).name == "my-shop"


def test_init_replaces_a_file_only_by_force(archlib: Archlib, tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text("mine")
    refused = archlib("init")
    kept = file.read_text()
    forced = archlib("init", "--force")

    assert (refused.code, refused.out, kept) == (1, "", "mine")
    assert "file 'archlib.yaml': exists already; choose another folder, or replace it with --force" in refused.err
    assert forced.code == 0
    assert load(file).name == "my-app"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["severless"], "did you mean 'serverless'?"),
        (["--app", "My App"], "error: --app: app 'My App': name must be kebab-case"),
        (["serverless", "/dev/null/deep"], "cannot be written"),
    ],
)
def test_init_refuses(arguments: list[str], words: str, archlib: Archlib, tmp_path: Path) -> None:
    result = archlib("init", *arguments)

    assert (result.code, result.out) == (1, "")
    assert words in result.err
    assert list(tmp_path.iterdir()) == []


def test_what_init_writes_has_no_finding(started: Path, archlib: Archlib) -> None:
    assert archlib("check", started.name, "--strict").code == 0


def test_what_init_writes_has_every_setting(started: Path) -> None:
    text = started.read_text()

    for path in (*settings_named(Serverless.Settings), *settings_named(Document)):
        # As a setting, or as what each entry of a list takes.
        found = re.search(rf"^[ #]*(- {path[-1]} \(|{path[-1]}: ?)", text, re.MULTILINE)
        assert found or path[0] in {"targets", "waivers"}, path


def test_each_setting_of_the_function_that_init_writes_can_be_set(started: Path) -> None:
    text = started.read_text()
    function = text[text.index("    hello:") : text.index("  # REST APIs")]
    names = set(re.findall(r"^      # (\w+): ?\S*.*$", function, re.MULTILINE)) & set(FunctionSettings.model_fields)

    assert len(names) > 15
    for name in names - {"file_system"}:  # inside the network, the table needs an id that only the account knows
        started.write_text(text.replace(function, uncommented(function, name)))
        assert load(started).assemble(), name


SECTIONS = {
    "rest_apis": "MyRestApiRestApi",
    "user_pools": "MyUserPoolUserPool",
    "firewalls": "MyFirewallFirewall",
    "databases": "MyDatabaseDatabase",
    "caches": "MyCacheCache",
    "search_domains": "MySearchDomainSearchDomain",
    "file_systems": "MyFileSystemFileSystem",
    "queues": "MyQueueQueue",
    "topics": "MyTopicTopic",
    "buses": "MyBusBus",
    "rules": "MyRuleRule",
    "streams": "MyStreamStream",
    "deliveries": "MyDeliveryDelivery",
    "state_machines": "MyStateMachineStateMachine",
    "schedules": "MyScheduleSchedule",
    "secrets": "MySecretSecret",
    "parameters": "MyParameterParameter",
    "network": "MyAppVpc",
    "tracing": "MyAppRequestsSamplingRule",
    "monitoring": "MyAppDashboard",
}


def test_the_sections_are_all_that_init_writes(started: Path) -> None:
    assert re.findall(r"^  # (\w+):", started.read_text(), re.MULTILINE) == list(SECTIONS)


@pytest.mark.parametrize(("section", "resource"), SECTIONS.items())
def test_each_section_that_init_writes_can_be_set_by_itself(section: str, resource: str, started: Path) -> None:
    started.write_text(uncommented(started.read_text(), section))

    stacks = synthesize(load(started), lint=False).stacks

    assert resource in {name for stack in stacks for name in stack.template["Resources"]}


def test_what_init_writes_has_no_words_of_python(started: Path) -> None:
    comments = re.findall(r"# (.*)", started.read_text())

    assert [line for line in comments if re.search(r"\b(None|True|False|RUNTIMES|SCOPES|for_\w+)\b", line)] == []
    for text in ("# Such as python3.14, nodejs24.x", "null: no reservation, 0: off."):
        assert any(text.removeprefix("# ") in line for line in comments), text


@pytest.mark.parametrize("key", ["environments", "tags", "removal", "layout", "links"])
def test_the_keys_of_the_file_that_init_writes_can_be_set(key: str, started: Path) -> None:
    started.write_text(uncommented(started.read_text(), key))

    assert load(started).assemble()


# what is imported, which is most of the time that a command takes


WATCHER = """\
import os
import sys

class Watcher:
    def find_spec(self, name, path=None, target=None):
        # Whoever only looks for a package does not look for its modules.
        if "." in name:
            with open(os.environ["IMPORTED"], "a") as file:
                file.write(name.partition(".")[0] + "\\n")

sys.meta_path.insert(0, Watcher())
"""


@pytest.fixture
def imported(tmp_path: Path) -> Callable[..., set[str]]:
    """Run the command line and return the packages that it and every process it started imported."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCHER)
    log = tmp_path / "watch" / "imported"

    def run(*arguments: str) -> set[str]:
        log.write_text("")
        run_alone(*arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path / "watch"), IMPORTED=str(log))
        return set(log.read_text().split())

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["synth", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_slow(arguments: list[str], imported: Callable[..., set[str]]) -> None:
    found = imported(*arguments)

    assert "click" in found
    assert not {"troposphere", "pydantic", "yaml", "boto3", "cfnlint", "rich"} & found


@pytest.mark.usefixtures("shop")
def test_synth_without_lint_imports_no_linter(imported: Callable[..., set[str]]) -> None:
    found = imported("synth", "--no-lint")

    assert "troposphere" in found
    assert not {"boto3", "cfnlint"} & found


@pytest.mark.usefixtures("shop")
def test_synth_of_what_was_checked_before_imports_no_linter(
    imported: Callable[..., set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path / "cache"))
    first = imported("synth")
    before = files(tmp_path / "out")
    second = imported("synth")

    assert "cfnlint" in first
    assert not {"boto3", "cfnlint"} & second
    assert files(tmp_path / "out") == before
