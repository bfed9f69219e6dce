from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from troposphere import GetAtt, Join, Output, Parameter, Ref, Sub, Tags, apigateway, sns, sqs, ssm

from archlib import App, Stack
from archlib.core.app import Layout, Links
from archlib.core.artifact import ParameterSource, StackArtifact, Template
from archlib.core.origin import Origin, at
from archlib.core.values import join
from archlib.errors import LinkError, SettingsError


def two_stacks(*, links: Links = "parameters", layout: Layout = "layered") -> App:
    app = App("shop", "test", links=links, layout=layout)
    data, code = Stack(app, "data"), Stack(app, "code")
    data.add(sqs.Queue("JobsQueue"))
    code.add(
        ssm.Parameter(
            "Address",
            Type="String",
            Value=Join(
                ",", [Ref("JobsQueue"), GetAtt("JobsQueue", "Arn"), Sub("${JobsQueue.QueueName}-${AWS::Region}")]
            ),
        )
    )
    return app


def value_of(template: dict[str, Any]) -> Any:
    return template["Resources"]["Address"]["Properties"]["Value"]["Fn::Join"][1]


def test_a_reference_to_another_stack_becomes_a_parameter_fed_by_an_output() -> None:
    data, code = two_stacks().assemble()

    assert (data.name, code.name) == ("shop-test-data", "shop-test-code")
    assert code.depends_on == {"shop-test-data"}
    assert value_of(code.template) == [
        {"Ref": "JobsQueue"},
        {"Ref": "JobsQueueArn"},
        {"Fn::Sub": "${JobsQueueQueueName}-${AWS::Region}"},
    ]
    assert set(code.template["Parameters"]) == {"JobsQueue", "JobsQueueArn", "JobsQueueQueueName"}
    assert code.parameters["JobsQueueArn"] == ParameterSource("output", "shop-test-data", "JobsQueueArn")
    assert data.template["Outputs"]["JobsQueueArn"]["Value"] == {"Fn::GetAtt": ["JobsQueue", "Arn"]}


def test_links_may_be_exports() -> None:
    data, code = two_stacks(links="exports").assemble()

    assert data.template["Outputs"]["JobsQueue"]["Export"] == {"Name": "shop-test-data:JobsQueue"}
    assert value_of(code.template)[0] == {"Fn::ImportValue": "shop-test-data:JobsQueue"}
    assert value_of(code.template)[2] == {
        "Fn::Sub": [
            "${JobsQueueQueueName}-${AWS::Region}",
            {"JobsQueueQueueName": {"Fn::ImportValue": "shop-test-data:JobsQueueQueueName"}},
        ]
    }
    assert "Parameters" not in code.template


def test_links_may_read_the_output_at_deployment() -> None:
    _, code = two_stacks(links="stack-output").assemble()

    assert value_of(code.template)[1] == {
        "Fn::GetStackOutput": {"StackName": "shop-test-data", "OutputName": "JobsQueueArn"}
    }
    assert code.depends_on == {"shop-test-data"}


def test_the_single_layout_needs_no_links() -> None:
    (only,) = two_stacks(layout="single").assemble()

    assert only.name == "shop-test"
    assert value_of(only.template)[0] == {"Ref": "JobsQueue"}
    assert "Parameters" not in only.template
    assert "Outputs" not in only.template


def test_a_cycle_names_both_references_and_their_lines() -> None:
    app = App("shop", "test")
    one, two = Stack(app, "one"), Stack(app, "two")
    one.add(ssm.Parameter("First", Type="String", Value=Ref("Second")))
    two.add(ssm.Parameter("Second", Type="String", Value=Ref("First")))

    with pytest.raises(LinkError) as caught:
        app.assemble()

    message = str(caught.value)
    assert "shop-test-one needs shop-test-two: First uses Second" in message
    assert "shop-test-two needs shop-test-one: Second uses First" in message
    assert message.count("test_assembly.py:") == 2


CYCLE = "resources need each other in a cycle; take one of these references out:"


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_a_cycle_inside_a_stack_names_both_resources_and_their_lines(layout: Layout) -> None:
    app = App("shop", "test", layout=layout)
    stack = Stack(app, "main")
    stack.add(ssm.Parameter("First", Type="String", Value=Sub("x-${Second.Value}")))
    stack.add(ssm.Parameter("Second", Type="String", Value="y", DependsOn="First"))
    stack.add(ssm.Parameter("User", Type="String", Value=Ref("First")))

    with pytest.raises(LinkError) as caught:
        app.assemble()

    (problem,) = caught.value.problems
    first, *steps = problem.message.splitlines()
    assert first == CYCLE
    assert [re.sub(r"[^ (]*test_assembly\.py:\d+", "line", step) for step in sorted(steps)] == [
        "  First needs Second (line)",
        "  Second needs First (line)",
    ]
    assert problem.origin is not None


@pytest.mark.parametrize("value", [Ref("Alone"), GetAtt("Alone", "Value"), Sub("${Alone}")])
def test_a_resource_that_refers_to_itself_is_a_cycle(value: Any) -> None:
    app = App("shop", "test")
    Stack(app, "main").add(ssm.Parameter("Alone", Type="String", Value=Join("-", ["a", value])))

    with pytest.raises(LinkError, match="Alone needs Alone"):
        app.assemble()


def test_a_cycle_through_what_an_override_brings_is_found() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(ssm.Parameter("First", Type="String", Value="x"))
    stack.add(ssm.Parameter("Second", Type="String", Value=Ref("First")))
    app.override("First", "Properties.Value", {"Fn::GetAtt": "Second.Value"})

    with pytest.raises(LinkError, match="First needs Second"):
        app.assemble()


def test_outputs_parameters_and_shadowed_names_make_no_cycle() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.template.add_parameter(Parameter("Given", Type="String"))
    stack.add(ssm.Parameter("First", Type="String", Value=Sub("${First}-${Given}", First=Ref("Given"))))
    stack.template.add_output(Output("First", Value=Ref("First")))

    (only,) = app.assemble()

    assert set(only.template["Outputs"]) == {"First"}


def test_dangling_references_are_reported_together_with_the_nearest_name() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(sqs.Queue("JobsQueue"))
    stack.add(ssm.Parameter("One", Type="String", Value=Ref("JobQueue")))
    stack.add(ssm.Parameter("Two", Type="String", Value=Sub("${Nothing.Arn}"), DependsOn=["Missing"]))

    with pytest.raises(LinkError) as caught:
        app.assemble()

    messages = [problem.message for problem in caught.value.problems]
    assert messages == [
        "resource 'One': refers to 'JobQueue', which no stack of the app has; did you mean 'JobsQueue'?",
        "resource 'Two': refers to 'Missing', which no stack of the app has",
        "resource 'Two': refers to 'Nothing', which no stack of the app has",
    ]
    assert all(problem.origin and problem.origin.file == __file__ for problem in caught.value.problems)


def test_a_dependency_on_another_stacks_resource_orders_the_stacks() -> None:
    app = App("shop", "test")
    late, early = Stack(app, "late"), Stack(app, "early")
    late.add(sns.Topic("Alerts", DependsOn=["Jobs", "Own"]))
    late.add(sns.Topic("Own"))
    early.add(sqs.Queue("Jobs"))

    first, second = app.assemble()

    assert (first.name, second.name) == ("shop-test-early", "shop-test-late")
    assert second.template["Resources"]["Alerts"]["DependsOn"] == "Own"


def test_a_logical_id_is_unique_in_the_app() -> None:
    app = App("shop", "test")
    Stack(app, "one").add(sqs.Queue("Jobs"))

    with pytest.raises(
        SettingsError, match=r"'Jobs': logical id must be unique .* stack 'one' has it already \(from .*py:\d+\)"
    ):
        Stack(app, "two").add(sqs.Queue("Jobs"))


def test_a_stack_name_is_unique_in_the_app() -> None:
    app = App("shop", "test")
    Stack(app, "one")

    with pytest.raises(SettingsError, match=r"stack 'one': name must be unique .*test_assembly.py:\d+ made one"):
        Stack(app, "one")


def test_links_that_clash_with_the_users_own_parameter_are_refused() -> None:
    app = two_stacks()
    app.stacks["code"].template.add_parameter(Parameter("JobsQueueArn", Type="String"))
    app.stacks["code"].add(ssm.Parameter("Other", Type="String", Value=Ref("JobsQueueArn")))

    with pytest.raises(
        LinkError, match=r"'JobsQueueArn' of stack 'shop-test-code' clashes with the link to 'JobsQueue'"
    ):
        app.assemble()


def test_links_that_clash_with_the_users_own_output_are_refused() -> None:
    app = two_stacks()
    app.stacks["data"].template.add_output(Output("JobsQueueArn", Value="mine"))

    with pytest.raises(LinkError, match="output 'JobsQueueArn' of stack 'shop-test-data' clashes"):
        app.assemble()


def test_the_single_layout_refuses_two_meanings_of_one_parameter() -> None:
    app = two_stacks(layout="single")
    app.stacks["data"].template.add_parameter(Parameter("Size", Type="String"))
    app.stacks["code"].template.add_parameter(Parameter("Size", Type="Number"))

    with pytest.raises(SettingsError, match=r"parameter 'Size' of stack 'code'.*rename it in one stack"):
        app.assemble()


def test_incomplete_resources_are_reported_with_their_lines() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(ssm.Parameter("One", Type="String"))
    stack.add(ssm.Parameter("Two", Value="x"))

    with pytest.raises(SettingsError) as caught:
        app.assemble()

    assert [problem.message.split(":")[0] for problem in caught.value.problems] == ["resource 'One'", "resource 'Two'"]


def test_an_app_without_resources_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be at least one resource"):
        App("shop", "test").assemble()


def test_empty_stacks_are_left_out() -> None:
    app = two_stacks()
    Stack(app, "monitoring")

    assert len(app.assemble()) == 2


def test_overrides_reach_any_place_and_remove_with_none() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs", Tags=Tags(a="b"), DelaySeconds=3))
    app.override("Jobs", "Properties.VisibilityTimeout", 7)
    app.override("Jobs", "Properties.DelaySeconds", None)
    app.override("Jobs", "Properties.Tags.0.Value", "c")
    app.override("Jobs", "Metadata.Owner", {"team": "orders"})

    (only,) = app.assemble()
    resource = only.template["Resources"]["Jobs"]

    assert resource["Properties"]["VisibilityTimeout"] == 7
    assert "DelaySeconds" not in resource["Properties"]
    assert resource["Properties"]["Tags"][0] == {"Key": "a", "Value": "c"}
    assert resource["Metadata"]["Owner"] == {"team": "orders"}


@pytest.mark.parametrize(
    ("resource", "path", "message"),
    [
        ("Job", "Properties.X", "override of 'Job': there is no such resource; did you mean 'Jobs'?"),
        ("Jobs", "Properties.DelaySeconds.Deeper", "path must lead to a property"),
        ("Jobs", "Properties.Tags.9.Key", "path must lead to a property"),
    ],
)
def test_overrides_that_lead_nowhere_are_refused(resource: str, path: str, message: str) -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs", DelaySeconds=3, Tags=Tags(a="b")))
    app.override(resource, path, 1)

    with pytest.raises(SettingsError) as caught:
        app.assemble()

    assert message in str(caught.value)


MALFORMED = [
    ("Properties.Value", {"Ref": 3}, "Ref must be the name of a resource or parameter, got 3"),
    ("Properties.Value", {"Fn::GetAtt": 3}, "Fn::GetAtt must be '<resource>.<attribute>', or a list of the two, got 3"),
    ("Properties.Value", {"Fn::GetAtt": ["Jobs"]}, "Fn::GetAtt must be '<resource>.<attribute>', or a list of the two"),
    ("Properties.Value", {"Fn::Sub": ["a"]}, "Fn::Sub must be text, or a list of text and a mapping, got ['a']"),
    ("Properties.Value", {"Fn::Join": ["", [{"Fn::Sub": 3}]]}, "Fn::Sub must be text, or a list of text and a mapping"),
    ("Properties.Value", math.nan, "a template cannot hold the number nan; JSON has none like it"),
    ("Properties.Value", [-math.inf], "a template cannot hold the number -inf; JSON has none like it"),
    ("Properties.Value", {"a": None}, "a template cannot hold NoneType None"),
    ("Metadata", "text", "Metadata must be a mapping, got 'text'"),
    ("DependsOn", 3, "DependsOn must be the name of a resource, or a list of them, got 3"),
]


@pytest.mark.parametrize(("path", "value", "message"), MALFORMED)
def test_what_an_override_brings_has_the_form_of_a_template(path: str, value: Any, message: str) -> None:
    app = App("shop", "test")
    Stack(app, "main").add(ssm.Parameter("Jobs", Type="String", Value="x"))
    with at(Origin("/x/shop.yaml", 7)):
        app.override("Jobs", path, value)

    with pytest.raises(SettingsError) as caught:
        app.assemble()

    (problem,) = caught.value.problems
    assert problem.message.startswith(f"override of 'Jobs': {message}")
    assert problem.origin == Origin("/x/shop.yaml", 7)


@pytest.mark.parametrize(("path", "value", "message"), MALFORMED)
def test_what_is_added_has_the_form_of_a_template(path: str, value: Any, message: str) -> None:
    app = App("shop", "test")
    resource = ssm.Parameter("Jobs", Type="String", Value="x", validation=False)
    (resource.properties if path == "Properties.Value" else resource.resource)[path.rpartition(".")[2]] = value
    Stack(app, "main").add(resource)

    with pytest.raises(SettingsError) as caught:
        app.assemble()

    (problem,) = caught.value.problems
    assert problem.message.startswith(f"resource 'Jobs': {message}")
    assert problem.origin is not None
    assert problem.origin.file == __file__


def test_the_line_of_an_override_is_the_line_of_what_it_sets() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(sqs.Queue("Jobs", Tags=Tags(a="b")))
    stack.add(apigateway.Deployment("Content", RestApiId="x"))
    stack.renew("Content", ["Jobs"])
    for line, (name, path) in enumerate(
        [("Jobs", "Properties.Tags.0.Value"), ("Content", "Properties.Description"), ("Jobs", "Metadata.Owner.Team")], 1
    ):
        with at(Origin("/x/shop.yaml", line)):
            app.override(name, path, "c")

    (only,) = app.assemble()
    content = next(name for name in only.template["Resources"] if name.startswith("Content"))

    assert only.origin(["Resources", "Jobs", "Properties", "Tags", 0, "Value"]) == Origin("/x/shop.yaml", 1)
    assert only.origin(["Resources", content, "Properties", "Description", "Fn::Sub"]) == Origin("/x/shop.yaml", 2)
    assert only.origin(["Resources", "Jobs", "Metadata", "Owner", "Team"]) == Origin("/x/shop.yaml", 3)
    assert only.origin(["Resources", "Jobs", "Properties", "Tags"]) == only.origins["Jobs"]
    assert only.origin(["Resources", "Jobs"]) == only.origins["Jobs"]
    assert only.origin(["Resources"]) is None


def test_an_override_of_what_another_one_replaced_still_has_its_line() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs"))
    app.override("Jobs", "Metadata.Owner.Team", "orders")
    app.override("Jobs", "Metadata.Owner", ["orders"])
    app.override("Jobs", "Metadata.Owner.0", None)

    (only,) = app.assemble()

    assert only.template["Resources"]["Jobs"]["Metadata"] == {"Owner": []}
    assert len(only.places) == 3


def test_waivers_are_written_where_their_scanner_reads_them() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs"))
    for rule in ("CKV_AWS_27", "W9210", "AwsSolutions-SQS3", "SQS_QUEUE_KMS_MASTER_KEY_ID_RULE", "W48", "SQSRule"):
        app.waive("Jobs", rule, reason="the messages are public")

    (only,) = app.assemble()
    metadata = only.template["Resources"]["Jobs"]["Metadata"]

    assert metadata["checkov"]["skip"] == [{"id": "CKV_AWS_27", "comment": "the messages are public"}]
    assert metadata["cfn-lint"]["config"]["ignore_checks"] == ["W9210"]
    assert metadata["cdk_nag"]["rules_to_suppress"][0]["id"] == "AwsSolutions-SQS3"
    assert metadata["guard"]["SuppressedRules"] == ["SQS_QUEUE_KMS_MASTER_KEY_ID_RULE"]
    assert metadata["cfn_nag"]["rules_to_suppress"][0]["id"] == "W48"
    assert metadata["cfripper"]["rules_to_suppress"][0]["id"] == "SQSRule"
    assert {waiver.rule for waiver in only.waivers} >= {"CKV_AWS_27", "W9210"}


def test_a_waiver_needs_a_reason_and_a_resource() -> None:
    app = App("shop", "test")
    Stack(app, "main").add(sqs.Queue("Jobs"))
    with pytest.raises(SettingsError, match="reason must be 10 characters or more"):
        app.waive("Jobs", "W1", reason="because")
    app.waive("Job", "W1", reason="a good enough reason")
    with pytest.raises(SettingsError, match=r"waiver of W1 on 'Job': there is no such resource; did you mean 'Jobs'\?"):
        app.assemble()


def test_assembling_twice_gives_the_same() -> None:
    app = two_stacks()

    assert app.assemble() == app.assemble()


PROGRAM = """
import json, sys
sys.path.insert(0, {tests!r})
from unit.core.test_assembly import two_stacks
print(json.dumps([stack.template for stack in two_stacks().assemble()]))
"""


def test_the_bytes_depend_on_nothing_else(tmp_path: Path) -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parents[2]))
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, folder in (("1", tmp_path), ("2", tmp_path.parent))
    }

    assert len(outputs) == 1
    assert json.loads(outputs.pop())


def renewed(*, value: str = "one", layout: Layout = "layered") -> App:
    app = App("shop", "test", layout=layout, tags={"value": value})
    data, code = Stack(app, "data"), Stack(app, "code")
    data.add(ssm.Parameter("Content", Type="String", Value="one"))
    data.add(sqs.Queue("Copy"))
    data.renew("Copy", ["Content"])
    where = Join(",", [Ref("Copy"), GetAtt("Copy", "Arn"), Sub("${Copy.QueueName}")])
    data.add(ssm.Parameter("Address", Type="String", Value=where))
    code.add(ssm.Parameter("Far", Type="String", Value=Ref("Copy"), DependsOn="Copy"))
    return app


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_what_cannot_be_updated_gets_an_id_that_follows_its_content(layout: Layout) -> None:
    def assembled(value: str) -> tuple[str, dict[str, Any]]:
        app = renewed(layout=layout)
        app.override("Content", "Properties.Value", value)
        app.waive("Copy", "W9999", reason="for the test of waivers")
        made = app.assemble()
        resources = {name: node for stack in made for name, node in stack.template["Resources"].items()}
        (copy,) = (name for name, node in resources.items() if node["Type"] == "AWS::SQS::Queue")
        assert [waiver.resource for stack in made for waiver in stack.waivers] == [copy]
        assert all(stack.origins[name].file == __file__ for stack in made for name in stack.template["Resources"])
        return copy, resources

    one, resources = assembled("one")
    other, _ = assembled("other")

    assert one.startswith("Copy")
    assert one != other
    assert resources["Address"]["Properties"]["Value"]["Fn::Join"][1] == [
        {"Ref": one},
        {"Fn::GetAtt": [one, "Arn"]},
        {"Fn::Sub": ["${CopyQueueName}", {"CopyQueueName": {"Fn::GetAtt": [one, "QueueName"]}}]},
    ]
    assert resources["Far"]["Properties"]["Value"] == {"Ref": one}
    assert resources["Far"].get("DependsOn") == (one if layout == "single" else None)


def test_tags_do_not_renew() -> None:
    assert [stack.template["Resources"].keys() for stack in renewed(value="one").assemble()] == [
        stack.template["Resources"].keys() for stack in renewed(value="other").assemble()
    ]


def test_what_is_published_can_be_used_later_without_changing_its_stack() -> None:
    def templates(*, used: bool, layout: Layout = "layered") -> dict[str, Template]:
        app = App("shop", "test", layout=layout)
        data = Stack(app, "data")
        topic = data.add(sns.Topic("Alerts"))
        data.publish(topic.ref(), topic.get_att("TopicName"), join("x/", topic.ref()))
        Stack(app, "code").add(sns.Topic("Other", DisplayName=topic.get_att("TopicName") if used else "none"))
        return {stack.name: stack.template for stack in app.assemble()}

    idle, busy = templates(used=False), templates(used=True)

    assert set(idle["shop-test-data"]["Outputs"]) == {"Alerts", "AlertsTopicName"}
    assert idle["shop-test-data"] == busy["shop-test-data"]
    assert "Outputs" not in templates(used=False, layout="single")["shop-test"]


def test_a_stack_of_one_region_is_kept_apart_and_linked_by_parameters() -> None:
    def stacks(layout: Layout) -> dict[str, StackArtifact]:
        app = App("shop", "test", layout=layout, links="exports")
        topic = Stack(app, "edge", region="us-east-1").add(sns.Topic("Alerts"))
        Stack(app, "code").add(sns.Topic("Other", DisplayName=topic.get_att("TopicName")))
        return {stack.name: stack for stack in app.assemble()}

    layered, single = stacks("layered"), stacks("single")

    assert {name: stack.region for name, stack in layered.items()} == {
        "shop-test-edge": "us-east-1",
        "shop-test-code": None,
    }
    assert layered["shop-test-code"].parameters["AlertsTopicName"].stack == "shop-test-edge"
    assert {name: stack.region for name, stack in single.items()} == {
        "shop-test-us-east-1": "us-east-1",
        "shop-test": None,
    }
    assert single["shop-test"].parameters["AlertsTopicName"].stack == "shop-test-us-east-1"


def test_two_overrides_of_one_resource_are_linked() -> None:
    app = App("shop", "test")
    Stack(app, "first").add(ssm.Parameter("Source", Type="String", Value="x"))
    Stack(app, "second").add(ssm.Parameter("User", Type="String", Value="y"))
    app.override("User", "Properties.Value", {"Ref": "Source"})
    app.override("User", "Properties.Description", "changed")

    first, second = app.assemble()

    assert first.template["Outputs"]["Source"]["Value"] == {"Ref": "Source"}
    assert second.depends_on == {first.name}


def test_an_id_put_straight_into_two_templates_is_refused() -> None:
    app = App("shop", "test")
    for name in ("data", "code"):
        Stack(app, name).template.add_resource(sns.Topic("Alerts"))

    with pytest.raises(SettingsError, match="stacks 'shop-test-data' and 'shop-test-code' both have it"):
        app.assemble()
