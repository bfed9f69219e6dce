from __future__ import annotations

import enum
import json
import math
import pkgutil
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import pytest
from awacs.aws import Action, Allow, PolicyDocument, Principal, Statement
from hypothesis import given
from hypothesis import strategies as st
from troposphere import (
    AWSObject,
    Base64,
    Condition,
    Equals,
    Export,
    FindInMap,
    GetAtt,
    GetAZs,
    If,
    Join,
    NoValue,
    Output,
    Parameter,
    Ref,
    Select,
    Split,
    Sub,
    Tag,
    Tags,
    autoscaling,
    cloudformation,
    dynamodb,
    ec2,
    iam,
    policies,
    s3,
    sqs,
    ssm,
)

from archlib import App, Component, Stack
from archlib.core.values import PARTITION, REGION, Deferred, Value, arn, encode, join, references
from contract import factories

KNOWN = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "Jobs": "https://jobs",
    "Jobs.Arn": "arn:jobs",
    "Jobs.Outputs.Url": "https://nested",
}


def resolved(value: Any) -> str:
    """Return the text that CloudFormation makes of the encoded ``value``."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return KNOWN[name]
        case {"Fn::GetAtt": [name, attribute]}:
            return KNOWN[f"{name}.{attribute}"]
        case {"Fn::Sub": text}:
            found = re.sub(r"\$\{([^}]*)\}", lambda m: "${" + m[1][1:] + "}" if m[1][:1] == "!" else KNOWN[m[1]], text)
            return str(found)
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(resolved, parts))
    raise AssertionError(value)


def test_text_stays_text() -> None:
    assert join("a", "b", "${c}") == "ab${c}"
    assert join() == ""


def test_references_read_as_a_substitution() -> None:
    assert encode(join("arn:", PARTITION, ":sqs:", GetAtt("Jobs", "Arn"), "/", Ref("Jobs"))) == {
        "Fn::Sub": "arn:${AWS::Partition}:sqs:${Jobs.Arn}/${Jobs}"
    }


def test_a_substitution_inside_is_taken_over() -> None:
    assert encode(join("x", Sub("${Jobs}-${!Kept}"), Ref("Jobs"))) == {"Fn::Sub": "x${Jobs}-${!Kept}${Jobs}"}


def test_what_looks_like_a_variable_is_escaped() -> None:
    assert encode(join("${stageVariables.x}/", Ref("Jobs"))) == {"Fn::Sub": "${!stageVariables.x}/${Jobs}"}


@pytest.mark.parametrize(
    "part", [If("C", "a", "b"), Sub("${x}", x="y"), Base64("x"), Select(0, ["a"]), Deferred(lambda: "x"), GetAZs("")]
)
def test_what_cannot_stand_in_a_substitution_is_joined(part: Value) -> None:
    assert encode(join("a", part, Ref("Jobs"))) == {"Fn::Join": ["", ["a", encode(part), {"Ref": "Jobs"}]]}


TEXTS = st.text("${}!a", max_size=6) | st.sampled_from(["$", "{", "}", "${", "${a}", "${!a}", "${!", "$${"])
PARTS = TEXTS | st.sampled_from([Ref("Jobs"), GetAtt("Jobs", "Arn"), GetAtt("Jobs", "Outputs.Url"), REGION])


@given(st.lists(PARTS, max_size=6))
def test_the_result_is_always_the_parts_put_together(parts: list[Value]) -> None:
    assert resolved(encode(join(*parts))) == "".join(resolved(encode(part)) for part in parts)


def test_an_arn_is_of_this_partition_region_and_account() -> None:
    assert encode(arn("sqs", "jobs")) == {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:jobs"}
    assert encode(arn("iam", "role/x", region="")) == {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/x"}
    assert encode(arn("s3", Ref("Jobs"), region="", account="")) == {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Jobs}"}


def all_factories() -> Iterator[Any]:
    for module in pkgutil.iter_modules(factories.__path__, f"{factories.__name__}."):
        for factory in import_module(module.name).FACTORIES:
            yield pytest.param(factory, id=f"{module.name.rsplit('.', 1)[1]}-{factory.__name__}")


@pytest.mark.parametrize("factory", list(all_factories()))
def test_encodes_the_resources_of_every_component_as_troposphere_does(factory: Callable[[Stack], Component]) -> None:
    app = App("shop", "test")
    factory(Stack(app, "main"))

    for stack in app.stacks.values():
        for resource in stack.template.resources.values():
            assert encode(resource) == resource.to_dict()


class Size(enum.StrEnum):
    SMALL = "small"


SERVICE = Principal("Service", "lambda.amazonaws.com")
TRUST = PolicyDocument(
    Version="2012-10-17",
    Statement=[Statement(Effect=Allow, Principal=SERVICE, Action=[Action("sts", "AssumeRole")])],
)
HELPERS: Sequence[Any] = (
    sqs.Queue("Empty"),
    sqs.Queue("Tagged", Tags=Tags(a="b", c=Ref("D"))),
    sqs.Queue("Attributes", Condition="C", DependsOn=["A", "B"], DeletionPolicy="Retain", UpdateReplacePolicy="Delete"),
    sqs.Queue("Meta", Metadata={"a": [1, {"b": 2.5}]}),
    ssm.Parameter("Joined", Type="String", Value=Join("-", ["a", Ref("B"), Sub("${C}-${d}", d=GetAtt("E", "Arn"))])),
    ssm.Parameter("Chosen", Type="String", Value=If("C", FindInMap("Map", Ref("AWS::Region"), "x"), NoValue)),
    ssm.Parameter("Split", Type="String", Value=Select(1, Split(",", Ref("List")))),
    iam.Role("Role", AssumeRolePolicyDocument=TRUST),
    iam.Role("PlainRole", AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": []}, ManagedPolicyArns=[]),
    s3.Bucket(
        "Bucket",
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
        LifecycleConfiguration=s3.LifecycleConfiguration(
            Rules=[s3.LifecycleRule(Status="Enabled", ExpirationInDays=1)]
        ),
    ),
    dynamodb.Table(
        "Table",
        AttributeDefinitions=[dynamodb.AttributeDefinition(AttributeName="a", AttributeType="S")],
        KeySchema=[dynamodb.KeySchema(AttributeName="a", KeyType="HASH")],
        BillingMode="PAY_PER_REQUEST",
    ),
    ec2.SecurityGroupIngress(
        "Rule", IpProtocol="tcp", FromPort=443, ToPort="443", CidrIp="10.0.0.0/8", GroupId=Ref("G")
    ),
    autoscaling.AutoScalingGroup(
        "Group",
        MinSize="1",
        MaxSize=2,
        AvailabilityZones=GetAZs(""),
        CreationPolicy=policies.CreationPolicy(ResourceSignal=policies.ResourceSignal(Count=1, Timeout="PT5M")),
        UpdatePolicy=policies.UpdatePolicy(
            AutoScalingRollingUpdate=policies.AutoScalingRollingUpdate(MaxBatchSize="1")
        ),
        Tags=autoscaling.Tags(a="b"),
    ),
    ec2.Instance(
        "Instance",
        ImageId="ami-1",
        UserData=Base64(Sub("#!/bin/sh\necho ${AWS::Region}")),
        Metadata=cloudformation.Init({"config": cloudformation.InitConfig(packages={"yum": {"x": []}})}),
    ),
    Parameter("Size", Type="String", Default="a", AllowedValues=["a", "b"]),
    Output("Url", Value=Ref("Queue"), Export=Export(Sub("${AWS::StackName}-url"))),
    Equals(Ref("A"), "b"),
    Condition("C"),
    Tags(a="b"),
    Tag("a", "b"),
)


@pytest.mark.parametrize("node", HELPERS, ids=lambda node: getattr(node, "title", None) or type(node).__name__)
def test_encodes_everything_troposphere_has_as_troposphere_does(node: Any) -> None:
    assert encode(node) == node.to_dict()


@pytest.mark.parametrize(
    ("node", "plain"),
    [
        (True, True),
        (TRUST, json.loads(TRUST.to_json())),
        (1.5, 1.5),
        ((1, (2, [3])), [1, [2, [3]]]),
        ({1: {"a": Ref("B")}}, {"1": {"a": {"Ref": "B"}}}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Deferred(lambda: [Ref("A"), Deferred(lambda: "b")]), [{"Ref": "A"}, "b"]),
        (Size.SMALL, "small"),
        (Action("sqs", "SendMessage"), "sqs:SendMessage"),
    ],
)
def test_encodes_plain_python_as_a_template_holds_it(node: Any, plain: Any) -> None:
    assert encode(node) == plain


def test_encodes_references_in_metadata_too() -> None:
    assert encode(sqs.Queue("Jobs", Metadata={"a": Ref("B")}))["Metadata"] == {"a": {"Ref": "B"}}


def test_keeps_the_order_of_keys() -> None:
    assert list(encode({"b": 1, "a": 2})) == ["b", "a"]


def test_what_is_encoded_can_be_changed_without_changing_what_it_was_made_of() -> None:
    queue = sqs.Queue("Jobs", Tags=Tags(a="b"), Metadata={"list": [1]})

    encoded = encode(queue)
    encoded["Metadata"]["list"].append(2)
    encoded["Properties"]["Tags"].clear()

    assert encode(queue)["Metadata"]["list"] == [1]
    assert encode(queue)["Properties"]["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize("node", [None, object(), {1, 2}, {"a": [None]}])
def test_refuses_what_no_template_can_hold(node: Any) -> None:
    with pytest.raises(TypeError, match="a template cannot hold"):
        encode(node)


@pytest.mark.parametrize("node", [math.nan, {"a": [math.inf]}, {"a": -math.inf}])
def test_refuses_numbers_that_json_does_not_have(node: Any) -> None:
    with pytest.raises(ValueError, match="a template cannot hold the number"):
        encode(node)


def test_refuses_a_resource_that_misses_a_property() -> None:
    with pytest.raises(ValueError, match="Resource Value required in type AWS::SSM::Parameter"):
        encode({"x": [ssm.Parameter("Address", Type="String")]})


def test_validates_what_troposphere_validates() -> None:
    def broken() -> AWSObject:
        return sqs.Queue("Jobs", QueueName="jobs", FifoQueue=True)

    with pytest.raises(ValueError, match="fifo"):
        broken().to_dict()
    with pytest.raises(ValueError, match="fifo"):
        encode(broken())


def test_asks_troposphere_for_no_validation_where_that_was_switched_off() -> None:
    assert encode(ssm.Parameter("Address", validation=False, Type="String"))["Properties"] == {"Type": "String"}


def test_a_deferred_value_is_computed_each_time() -> None:
    values = ["one"]
    deferred = Deferred(lambda: list(values))

    first = encode(deferred)
    values.append("two")

    assert (first, encode(deferred)) == (["one"], ["one", "two"])


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ({"Ref": "Queue"}, {"Queue"}),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, {"Queue"}),
        ({"Fn::GetAtt": "Queue.Arn"}, {"Queue"}),
        ({"Fn::Sub": "${Queue}-${Table.Arn}-${!Not}"}, {"Queue", "Table"}),
        ({"Fn::Sub": ["${Queue}-${name}", {"name": {"Ref": "Table"}}]}, {"Queue", "Table"}),
        ({"a": [{"b": {"Ref": "Queue"}}, {"Ref": "Table", "c": 1}]}, {"Queue"}),
        ({"Ref": 5}, {""}),
        ({"Fn::GetAtt": ["Queue", 5]}, {""}),
        ({"Fn::Sub": []}, {""}),
        ("Queue", set()),
    ],
)
def test_references_are_found_in_plain_data_and_while_encoding(node: Any, names: set[str]) -> None:
    noted: set[str] = set()
    encode(node, noted)

    assert references(node) == names
    assert noted == names
