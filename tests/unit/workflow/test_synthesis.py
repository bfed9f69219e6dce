from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from troposphere import sqs, ssm

from archlib import App, Stack
from archlib.checks import Finding
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.errors import CheckError, OutputError, SettingsError, SourceError
from archlib.workflow import Synthesis, explain, read_stacks, read_template, render, synthesize, write

HELLO = Code(inline="def handler(event, context):\n    return event\n")


def shop(*, queue: str = "jobs") -> App:
    app = App("shop", "test", tags={"team": "orders"})
    data, code = Stack(app, "data"), Stack(app, "code")
    jobs = Queue(data, queue)
    worker = Function(code, "worker", code=HELLO)
    worker.consume(jobs)
    return app


def synthesis(**given: Any) -> Synthesis:
    return synthesize(shop(**given), lint=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_synthesis_has_the_stacks_in_order_and_counts_their_resources() -> None:
    made = synthesis()

    assert (made.app, made.environment) == ("shop", "test")
    assert [stack.name for stack in made.stacks] == ["shop-test-foundation", "shop-test-data", "shop-test-code"]
    assert made.resources == sum(len(stack.template["Resources"]) for stack in made.stacks)
    assert made.findings == ()


def test_findings_are_those_of_the_given_regions() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs", KmsMasterKeyId="alias/aws/sqs"))
    app.override("Jobs", "Properties.DelaySeconds", "soon")

    assert "E3012" in {finding.rule for finding in synthesize(app, regions=["us-east-1"]).findings}
    assert synthesize(app, lint=False).findings == ()


def test_templates_and_a_manifest_are_written(tmp_path: Path) -> None:
    made = synthesis()
    files = write(made, tmp_path / "out" / "deep")

    assert [file.name for file in files] == [
        "shop-test-foundation.yaml",
        "shop-test-data.yaml",
        "shop-test-code.yaml",
        "manifest.json",
    ]
    assert set(contents(tmp_path / "out" / "deep")) == {file.name for file in files}
    assert all(file.read_bytes().endswith(b"\n") and b"\r" not in file.read_bytes() for file in files)


def test_json_is_the_template_itself(tmp_path: Path) -> None:
    made = synthesis()
    *files, _ = write(made, tmp_path, form="json")

    assert [json.loads(file.read_text(encoding="utf-8")) for file in files] == [stack.template for stack in made.stacks]


@pytest.mark.parametrize(("size", "lines"), [(40_000, 12), (60_000, 1)])
def test_json_that_would_not_fit_inline_is_made_small(tmp_path: Path, size: int, lines: int) -> None:
    app = App("shop", "test")
    Stack(app, "main").add(ssm.Parameter("Text", Type="String", Value="é" * (size // 2), validation=False))

    file, _ = write(synthesize(app, lint=False), tmp_path, form="json")

    text = file.read_text(encoding="utf-8")
    assert (len(text.splitlines()) > lines) == (lines != 1)
    assert ("\n" in text.strip()) == (size < 51_200)


def test_the_manifest_says_what_another_tool_needs(tmp_path: Path) -> None:
    *files, manifest = write(synthesis(), tmp_path)

    content = json.loads(manifest.read_text(encoding="utf-8"))
    assert (content["app"], content["environment"]) == ("shop", "test")
    foundation, data, code = content["stacks"]
    assert [foundation["file"], data["file"], code["file"]] == [file.name for file in files]
    for stack, file in zip(content["stacks"], files, strict=True):
        assert stack["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert stack["resources"] == len(yaml_resources(file))
        assert stack["tags"] == {"app": "shop", "environment": "test", "team": "orders"}
    assert code["depends_on"] == ["shop-test-data", "shop-test-foundation"]
    assert code["parameters"]["JobsQueueArn"] == {"kind": "output", "stack": "shop-test-data", "output": "JobsQueueArn"}
    assert foundation["depends_on"] == []


def yaml_resources(file: Path) -> Any:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, tag, node: tag)
    return yaml.load(file.read_text(encoding="utf-8"), Loader)["Resources"]  # noqa: S506  (a safe loader)


def test_assets_are_in_the_manifest_without_a_path_of_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "index.py").write_text("def handler(event, context):\n    return event\n", encoding="utf-8")
    app = App("shop", "test")
    Function(Stack(app, "main"), "worker", code=Code(path=folder))

    *_, manifest = write(synthesize(app, lint=False), tmp_path / "out")

    text = manifest.read_text(encoding="utf-8")
    (asset,) = [asset for stack in json.loads(text)["stacks"] for asset in stack["assets"]]
    assert asset["key"] == f"assets/{asset['sha256']}.zip"
    assert str(tmp_path) not in text


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write(synthesis(), tmp_path / "one")
    write(synthesis(), tmp_path / "two")
    write(synthesis(), tmp_path / "two")

    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def blocking(severity: Any = "error", waived: str = "") -> Synthesis:
    finding = Finding(
        severity, "shop-test-data", "JobsQueue", "E3012", "wrong", waived=waived, origin=Origin("/a.py", 7)
    )
    made = synthesis()
    return Synthesis(made.app, made.environment, made.stacks, (finding,))


def test_nothing_is_written_while_an_error_is_open(tmp_path: Path) -> None:
    write(synthesis(), tmp_path)
    before = contents(tmp_path)

    with pytest.raises(CheckError) as caught:
        write(blocking(), tmp_path, form="json")

    assert [str(each) for each in caught.value.problems] == ["/a.py:7: E3012 shop-test-data/JobsQueue: wrong"]
    assert contents(tmp_path) == before


def test_no_folder_is_made_while_an_error_is_open(tmp_path: Path) -> None:
    with pytest.raises(CheckError):
        write(blocking(), tmp_path / "out")

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("findings", [blocking("warning"), blocking("info"), blocking(waived="it is right here")])
def test_everything_else_is_no_reason_not_to_write(tmp_path: Path, findings: Synthesis) -> None:
    assert len(write(findings, tmp_path)) == 4


def test_files_of_stacks_that_are_gone_are_removed_and_strangers_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("kept", encoding="utf-8")
    write(synthesis(), tmp_path)
    app = App("shop", "test", layout="single")
    Queue(Stack(app, "data"), "jobs")

    write(synthesize(app, lint=False), tmp_path)

    assert set(contents(tmp_path)) == {"mine.yaml", "shop-test.yaml", "manifest.json"}


def test_another_form_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    write(synthesis(), tmp_path)
    files = write(synthesis(), tmp_path, form="json")

    assert set(contents(tmp_path)) == {file.name for file in files}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{",
        '{"stacks": 1}',
        '{"stacks": [1]}',
        '{"stacks": [{"file": "../outside.yaml"}, {"file": "/outside.yaml"}, {"file": ".."}, {"file": 7}]}',
    ],
)
def test_a_manifest_that_is_not_ours_is_refused_and_nothing_removed(tmp_path: Path, manifest: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "outside.yaml").write_text("kept", encoding="utf-8")
    (out / "mine.yaml").write_text("kept", encoding="utf-8")
    (out / "manifest.json").write_text(manifest, encoding="utf-8")
    before = contents(out)

    with pytest.raises(OutputError, match=r"manifest\.json': must be from archlib, got another one; move it"):
        write(synthesis(), out)

    assert (tmp_path / "outside.yaml").exists()
    assert contents(out) == before


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    folder = tmp_path / "file" / inside

    with pytest.raises(OutputError) as caught:
        write(synthesis(), folder)

    assert str(caught.value).startswith(f"folder {str(folder)!r}: cannot be written: ")
    assert str(caught.value).endswith("; choose another one with --out")


def test_a_folder_in_the_place_of_a_template_leaves_the_others_alone(tmp_path: Path) -> None:
    write(synthesis(), tmp_path)
    (tmp_path / "shop-test-code.yaml").unlink()
    (tmp_path / "shop-test-code.yaml").mkdir()
    before = (tmp_path / "shop-test-data.yaml").read_bytes()

    with pytest.raises(OutputError):
        write(synthesis(queue="mails"), tmp_path)

    assert (tmp_path / "shop-test-data.yaml").read_bytes() == before


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_half_of_a_surrogate_pair_is_refused_with_its_place(form: Literal["yaml", "json"]) -> None:
    app = App("shop", "test")
    Stack(app, "main").add(ssm.Parameter("Text", Type="String", Value="é"))
    app.override("Text", "Properties.AllowedPattern", {"a": ["x\ud800"]})

    with pytest.raises(SettingsError) as caught:
        render(synthesize(app, lint=False), form=form)

    (problem,) = caught.value.problems
    assert problem.message == (
        "stack 'shop-test-main': Resources.Text.Properties.AllowedPattern.a.0 must be characters only, "
        "got '\\ud800', half of a surrogate pair; remove it"
    )
    assert problem.origin is not None
    assert problem.origin.file == __file__


def test_reads_any_template_with_the_line_of_each_key(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "Parameters:\n"
        "  Size: {Type: String}\n"
        "Resources:\n"
        "  Jobs:\n"
        "    Type: AWS::SQS::Queue\n"
        "  Size2: {Type: AWS::SNS::Topic}\n"
        "Outputs:\n"
        "  Jobs: {Value: !Ref Jobs}\n",
        encoding="utf-8",
    )

    stack = read_template(file)

    assert stack.name == "template.yaml"
    assert stack.template["Outputs"] == {"Jobs": {"Value": {"Ref": "Jobs"}}}
    assert {name: origin.line for name, origin in stack.origins.items()} == {"Jobs": 4, "Size2": 6}
    assert stack.places["Resources", "Jobs", "Type"].line == 5
    assert stack.places["Parameters", "Size"].line == 2
    assert {origin.file for origin in (*stack.origins.values(), *stack.places.values())} == {str(file)}


def test_reads_json_templates_too(tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text(json.dumps({"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}, indent=2), encoding="utf-8")

    (stack,) = read_stacks(file)

    assert stack.template == {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}
    assert stack.origins["Jobs"].line == 3


@pytest.mark.parametrize(
    "text", ["", "[]", "text", "{}", "Resources:", "Resources: []", "Resources: text", "Other: {}"]
)
def test_what_is_no_template_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SourceError) as caught:
        read_template(file)

    (problem,) = caught.value.problems
    assert problem.message == "must be a CloudFormation template with Resources, or a blueprint; check the file"
    assert problem.origin == Origin(str(file), 1)


def test_reads_blueprints_and_python_files(tmp_path: Path) -> None:
    blueprint = tmp_path / "archlib.yaml"
    blueprint.write_text(
        "blueprint: serverless\napp: shop\nsettings: {queues: {jobs: {}}}\nenvironments: {dev: {}, prod: {}}\n",
        encoding="utf-8",
    )
    script = tmp_path / "shop.py"
    script.write_text(
        "from archlib import App, Stack\n"
        "from archlib.components.messaging.queue import Queue\n"
        "def app(environment):\n"
        "    made = App('shop', environment)\n"
        "    Queue(Stack(made, 'data'), 'jobs')\n"
        "    return made\n",
        encoding="utf-8",
    )

    assert "shop-prod-data" in [stack.name for stack in read_stacks(blueprint, environment="prod")]
    assert [stack.name for stack in read_stacks(blueprint, layout="single")] == ["shop-dev"]
    (changed,) = read_stacks(blueprint, layout="single", sets=["queues.jobs.retention=1h"])
    assert changed.template["Resources"]["JobsQueue"]["Properties"]["MessageRetentionPeriod"] == 3600
    assert [stack.name for stack in read_stacks(script, environment="prod", layout="single")] == ["shop-prod"]


def test_a_file_that_is_neither_is_refused_as_a_blueprint(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text("app: shop\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="blueprint: must be set"):
        read_stacks(file)


def explained(resource: str) -> dict[str, Any]:
    found = explain(shop().assemble(), resource)
    assert found is not None
    return found


def test_explains_what_a_resource_is_and_whom_it_knows() -> None:
    function = explained("WorkerFunction")

    assert function["type"] == "AWS::Lambda::Function"
    assert function["stack"] == "shop-test-code"
    assert "test_synthesis.py:" in function["origin"]
    assert function["uses"] == ["WorkerFunctionLogGroup", "WorkerFunctionRole"]
    assert function["used_by"] == ["WorkerFromJobs"]
    assert function["template"]["Properties"]["Handler"] == "index.handler"
    assert function["permissions"] == []


@pytest.mark.parametrize("resource", ["WorkerFunctionPolicy", "WorkerFunctionRole"])
def test_explains_why_a_permission_exists(resource: str) -> None:
    permissions = explained(resource)["permissions"]

    (consuming,) = [each for each in permissions if "sqs:ReceiveMessage" in each["actions"]]
    assert "queue 'jobs'" in consuming["why"]
    assert "test_synthesis.py:" in consuming["origin"]


def test_an_unknown_resource_is_not_explained() -> None:
    assert explain(shop().assemble(), "Nothing") is None


@pytest.mark.parametrize(
    ("value", "uses"),
    [
        ({"Ref": "Jobs"}, ["Jobs"]),
        ({"Fn::GetAtt": ["Jobs", "Arn"]}, ["Jobs"]),
        ({"Fn::GetAtt": "Jobs.Arn"}, ["Jobs"]),
        ({"Fn::Sub": "${Jobs}-${More.Arn}-${!Kept}-${AWS::Region}"}, ["Jobs", "More"]),
        ({"Fn::Sub": ["${Jobs}-${x}", {"x": {"Ref": "More"}}]}, ["Jobs", "More"]),
        ({"Fn::Join": ["", [{"Ref": "Jobs"}, {"Ref": "AWS::Region"}]]}, ["Jobs"]),
        ({"Ref": "Jobs", "Other": 1}, []),
        (7, []),
    ],
)
def test_follows_references_of_every_form(value: Any, uses: list[str]) -> None:
    stack = StackArtifact(
        "shop", {"Resources": {"One": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}}}}
    )

    found = explain([stack], "One")

    assert found is not None
    assert found["uses"] == uses


@pytest.mark.parametrize("body", [[], "text", 7, {}])
def test_a_resource_that_is_wrong_in_any_way_can_be_explained(body: Any) -> None:
    found = explain([StackArtifact("shop", {"Resources": {"One": body}})], "One")

    assert found is not None
    assert found["type"] is None
    assert found["template"] == body


def test_a_synthesis_is_frozen() -> None:
    made = synthesis()

    with pytest.raises(AttributeError):
        made.app = "other"  # type: ignore[misc]


def test_waivers_reach_the_findings_of_a_synthesis() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs", KmsMasterKeyId="alias/aws/sqs"))
    app.override("Jobs", "Properties.DelaySeconds", "soon")
    app.waive("Jobs", "E3012", reason="it is set by hand", expires=date(9999, 1, 1))

    assert [finding.waived for finding in synthesize(app).findings if finding.rule == "E3012"] == ["it is set by hand"]
