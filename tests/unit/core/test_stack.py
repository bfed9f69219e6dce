from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from troposphere import AWSObject, GetAtt, Join, Ref, Sub, Tags, ec2, elasticache, neptune, rds, redshift, sns, sqs, ssm

from archlib import App, Stack, StackArtifact
from archlib.core.artifact import Asset, ParameterSource
from archlib.core.values import Value
from archlib.errors import SettingsError


def only(app: App) -> StackArtifact:
    (stack,) = app.assemble()
    return stack


def test_is_called_after_the_app_and_the_environment(app: App) -> None:
    stack = Stack(app, "data")

    assert stack.physical_name == "shop-test-data"
    assert repr(stack) == "Stack('shop-test-data')"
    assert app.stacks == {"data": stack}
    assert stack.template.description == "Data of shop (test)"


@pytest.mark.parametrize("name", ["Data", "my_data", "", "1st"])
def test_a_malformed_name_is_refused_and_leaves_no_stack(app: App, name: str) -> None:
    with pytest.raises(SettingsError, match="stack '"):
        Stack(app, name)

    assert app.stacks == {}


def test_a_name_that_gets_too_long_is_refused() -> None:
    app = App("a" * 60, "b" * 60)

    with pytest.raises(SettingsError, match="must be at most 128 characters, got 132; shorten"):
        Stack(app, "c" * 10)


def test_adds_any_resource_and_returns_it(app: App, stack: Stack) -> None:
    topic = sns.Topic("Alerts", DisplayName="x")

    assert stack.add(topic) is topic
    assert only(app).template["Resources"]["Alerts"]["Properties"]["DisplayName"] == "x"
    assert "DeletionPolicy" not in only(app).template["Resources"]["Alerts"]


def test_a_logical_id_is_taken_once_in_the_whole_app(app: App, stack: Stack) -> None:
    stack.add(sns.Topic("Alerts"))

    with pytest.raises(SettingsError) as caught:
        Stack(app, "other").add(sqs.Queue("Alerts"))

    (problem,) = caught.value.problems
    assert problem.message.startswith(
        "resource 'Alerts': logical id must be unique in the app, but stack 'main' has it"
    )
    assert "test_stack.py:" in problem.message
    assert problem.origin is not None
    assert problem.origin.file == __file__


DATABASES = [
    ec2.Volume("Data", AvailabilityZone="a", Size=1),
    elasticache.ReplicationGroup("Data", ReplicationGroupDescription="x"),
    neptune.DBCluster("Data"),
    rds.DBCluster("Data"),
    rds.DBInstance("Data"),
    redshift.Cluster("Data"),
]


@pytest.mark.parametrize("resource", DATABASES, ids=lambda resource: resource.resource_type)
@pytest.mark.parametrize(("removal", "policy"), [("Retain", "Snapshot"), ("Delete", "Delete")])
def test_a_last_snapshot_is_taken_where_the_type_can(
    resource: AWSObject, removal: Literal["Retain", "Delete"], policy: str
) -> None:
    Stack(App("shop", removal=removal), "data").add(resource, stateful=True)

    assert (resource.resource["DeletionPolicy"], resource.resource["UpdateReplacePolicy"]) == (policy, policy)


@pytest.mark.parametrize("removal", ["Retain", "Delete"])
def test_other_data_is_kept_or_deleted_as_the_app_says(removal: Literal["Retain", "Delete"]) -> None:
    queue = Stack(App("shop", removal=removal), "data").add(sqs.Queue("Jobs"), stateful=True)

    assert (queue.resource["DeletionPolicy"], queue.resource["UpdateReplacePolicy"]) == (removal, removal)


def test_publishes_outputs(app: App, stack: Stack) -> None:
    stack.add(sqs.Queue("Jobs"))
    stack.output("jobs-url", Ref("Jobs"), "Where jobs go")

    assert only(app).template["Outputs"] == {"JobsUrl": {"Value": {"Ref": "Jobs"}, "Description": "Where jobs go"}}


def test_asks_for_parameters(app: App, stack: Stack) -> None:
    image = stack.parameter(
        "image-id", description="Which image", type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", default="/image"
    )
    size = stack.parameter("size", description="How large")
    stack.add(ssm.Parameter("Chosen", Type="String", Value=Join("", [image, size])))

    assert only(app).template["Parameters"] == {
        "ImageId": {
            "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            "Description": "Which image",
            "Default": "/image",
        },
        "Size": {"Type": "String", "Description": "How large"},
    }
    assert only(app).parameters == {"ImageId": ParameterSource("user"), "Size": ParameterSource("user")}


@pytest.mark.parametrize("name", ["JobsUrl", "jobs_url", ""])
def test_outputs_and_parameters_have_kebab_case_names(stack: Stack, name: str) -> None:
    with pytest.raises(SettingsError, match="output '"):
        stack.output(name, "x", "y")
    with pytest.raises(SettingsError, match="parameter '"):
        stack.parameter(name, description="x")


def test_assets_are_uploaded_first_each_once(app: App, stack: Stack) -> None:
    one, two = Asset("/a", "1" * 64, "assets/1.zip"), Asset("/b", "2" * 64, "assets/2.zip")
    buckets = [stack.asset(asset) for asset in (two, one, one)]
    stack.add(ssm.Parameter("Where", Type="String", Value=Join(",", list(buckets))))

    assert only(app).assets == (one, two)
    assert only(app).parameters == {"AssetBucket": ParameterSource("asset-bucket")}
    assert (
        only(app).template["Resources"]["Where"]["Properties"]["Value"]["Fn::Join"][1] == [{"Ref": "AssetBucket"}] * 3
    )


def renewing(*, delay: int = 1, note: str = "x", owner: str = "me") -> App:
    app = App("shop", "test", tags={"owner": owner})
    code, use = Stack(app, "code"), Stack(app, "use")
    code.add(sqs.Queue("Jobs", DelaySeconds=delay, Tags=Tags(own="tag")))
    code.add(sns.Topic("Unrelated", DisplayName=note))
    code.add(ssm.Parameter("Version", Type="String", Value=Ref("Jobs"), DependsOn="Jobs"))
    code.renew("Version", ["Jobs"])
    code.add(
        ssm.Parameter(
            "Alias",
            Type="String",
            Value=Join("", [Ref("Version"), GetAtt("Version", "Type"), Sub("${Version}-${Version.Value}")]),
            DependsOn=["Version", "Jobs"],
        )
    )
    use.add(
        ssm.Parameter(
            "Far", Type="String", Value=Join("", [Ref("Version"), Sub("${Version.Value}")]), DependsOn="Version"
        )
    )
    app.waive("Version", "W9999", reason="it is only a test")
    return app


def renewed(app: App) -> str:
    code, _ = app.assemble()
    (title,) = [str(name) for name in code.template["Resources"] if name.startswith("Version")]
    return title


def test_a_renewed_resource_gets_a_tail() -> None:
    title = renewed(renewing())

    assert title != "Version"
    assert len(title) == len("Version") + 8
    assert title.isalnum()


def test_the_tail_changes_with_what_it_follows_and_with_nothing_else() -> None:
    assert renewed(renewing()) == renewed(renewing())
    assert renewed(renewing(delay=2)) != renewed(renewing())
    assert renewed(renewing(note="y")) == renewed(renewing())
    assert renewed(renewing(owner="you")) == renewed(renewing()), "tags are no content"


def test_the_tail_follows_overrides_too() -> None:
    app = renewing()
    app.override("Jobs", "Properties.DelaySeconds", 2)

    assert renewed(app) == renewed(renewing(delay=2))


def test_references_follow_the_renewed_resource() -> None:
    code, use = renewing().assemble()
    title = renewed(renewing())

    alias = code.template["Resources"]["Alias"]
    assert alias["Properties"]["Value"]["Fn::Join"][1] == [
        {"Ref": title},
        {"Fn::GetAtt": [title, "Type"]},
        {
            "Fn::Sub": [
                "${Version}-${VersionValue}",
                {"Version": {"Ref": title}, "VersionValue": {"Fn::GetAtt": [title, "Value"]}},
            ]
        },
    ]
    assert sorted(alias["DependsOn"]) == ["Jobs", title]
    assert use.depends_on == {"shop-test-code"}
    assert {source.output for source in use.parameters.values()} <= set(code.template["Outputs"])
    assert all(title in json.dumps(output) for output in code.template["Outputs"].values())
    assert "DependsOn" not in use.template["Resources"]["Far"]


def test_origins_and_waivers_follow_the_renewed_resource() -> None:
    code, _ = renewing().assemble()
    title = renewed(renewing())

    assert title in code.origins
    assert "Version" not in code.origins
    assert [waiver.resource for waiver in code.waivers] == [title]


# Stacks whose resources refer to resources of earlier ones, in any form a reference can have.
FORMS: dict[str, Any] = {
    "ref": Ref,
    "attribute": lambda name: GetAtt(name, "Arn"),
    "substitution": lambda name: Sub(f"x-${{{name}}}-${{{name}.QueueName}}"),
    "variable": lambda name: Sub("${x}-${AWS::Region}", x=GetAtt(name, "Arn")),
    "nested": lambda name: Join("", ["a", Join("", [Ref(name)])]),
    "dependency": None,
}
Edge = tuple[int, str]
Plan = list[tuple[int, list[Edge]]]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return for each resource its stack, and the earlier resources in stacks not later that it refers to."""
    stacks = sorted(draw(st.lists(st.integers(0, 3), min_size=1, max_size=8)))
    plan: Plan = []
    for number, stack in enumerate(stacks):
        edges = st.tuples(st.integers(0, number - 1), st.sampled_from(sorted(FORMS))) if number else st.nothing()
        plan.append((stack, draw(st.lists(edges, max_size=4)) if number else []))
    return plan


def build(plan: Plan, layout: Literal["layered", "single"], order: list[int]) -> App:
    app = App("shop", "test", layout=layout)
    stacks = {number: Stack(app, f"part-{chr(97 + number)}") for number in order}
    for number, (place, edges) in enumerate(plan):
        values: list[Value] = [FORMS[form](f"Queue{to}") for to, form in edges if FORMS[form]]
        queue = sqs.Queue(f"Queue{number}", QueueName=Join("-", ["q", *values]))
        if needed := [f"Queue{to}" for to, form in edges if not FORMS[form]]:
            queue.DependsOn = needed
        stacks[place].add(queue)
    return app


def names(node: Any) -> Iterator[str]:
    """Yield every name that ``node`` refers to."""
    match node:
        case {"Ref": name} | {"Fn::GetAtt": [name, _]}:
            yield name
        case {"Fn::Sub": [text, variables]}:
            yield from (name for name in names({"Fn::Sub": text}) if name not in variables)
            yield from names(variables)
        case {"Fn::Sub": str(text)}:
            yield from (part.partition("}")[0].partition(".")[0] for part in text.split("${")[1:])
        case dict():
            for value in node.values():
                yield from names(value)
        case list():
            for value in node:
                yield from names(value)


@given(plans(), st.permutations(range(4)))
def test_every_reference_resolves_inside_its_own_template(plan: Plan, order: list[int]) -> None:
    for stack in build(plan, "layered", order).assemble():
        known = {*stack.template["Resources"], *stack.template.get("Parameters", ())}
        assert {name for name in names(stack.template["Resources"]) if not name.startswith("AWS::")} <= known
        assert set(stack.parameters) == set(stack.template.get("Parameters", ()))
        used = set(names(stack.template["Resources"]))
        assert set(stack.parameters) <= used, "no parameter is left over"


@given(plans(), st.permutations(range(4)))
def test_every_parameter_has_its_output_in_a_stack_before(plan: Plan, order: list[int]) -> None:
    done: dict[str, StackArtifact] = {}
    used: set[tuple[str, str]] = set()
    for stack in build(plan, "layered", order).assemble():
        assert stack.depends_on <= set(done), "what is needed comes first"
        for source in stack.parameters.values():
            assert source.kind == "output"
            assert source.stack in stack.depends_on
            assert source.output in done[source.stack].template["Outputs"]
            used.add((source.stack, source.output))
        done[stack.name] = stack
    made = {(name, output) for name, stack in done.items() for output in stack.template.get("Outputs", ())}
    assert made == used, "no output is left over"


@given(plans(), st.permutations(range(4)))
def test_stacks_depend_on_each_other_exactly_where_their_resources_do(plan: Plan, order: list[int]) -> None:
    wanted: dict[str, set[str]] = {}
    for place, edges in plan:
        needs = wanted.setdefault(f"shop-test-part-{chr(97 + place)}", set())
        needs |= {f"shop-test-part-{chr(97 + plan[to][0])}" for to, _ in edges if plan[to][0] != place}

    assert {stack.name: set(stack.depends_on) for stack in build(plan, "layered", order).assemble()} == wanted


@given(plans(), st.permutations(range(4)))
def test_both_layouts_hold_the_same_resources(plan: Plan, order: list[int]) -> None:
    layered = build(plan, "layered", order).assemble()
    single = only(build(plan, "single", order))

    assert {name for stack in layered for name in stack.template["Resources"]} == set(single.template["Resources"])
    assert "Parameters" not in single.template
    assert "Outputs" not in single.template
    assert single.depends_on == frozenset()
    for stack in layered:
        for name, resource in stack.template["Resources"].items():
            one = single.template["Resources"][name]
            assert resource["Type"] == one["Type"]
            if not stack.parameters and not stack.depends_on:
                assert resource == one
