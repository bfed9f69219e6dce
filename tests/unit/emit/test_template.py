from __future__ import annotations

import json
from typing import Any

import cfn_flip
import pytest
from cfnlint.decode.decode import decode_str
from hypothesis import given, settings
from hypothesis import strategies as st

from archlib.emit.template import to_json, to_yaml

HARD_TEXTS = """
yes|no|on|off|true|null|~|=|1.0|0x1F|017|1:30|2012-10-17|.5|1e3|_1|- a|a: b|a #b|#a|!Ref x|&a|*a|{a}|[a]|a,b|%a|@a|`a
'a'|"a"| a|a |sqs:*|arn:aws:s3:::b/*|<<|?|-|:|a:|a::b|(a)|a, b|+1|-1|NaN|.inf
""".strip("\n")
TEXT = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["|", *(text for line in HARD_TEXTS.split("\n") for text in line.split("|"))])
    | st.sampled_from(["a\nb", "a\n\nb\n", "\n", "a\n\n", "\ta", "a\r\nb", "a\u2028b", "a\n b\n", " a\nb"])
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT.filter(bool), inner, max_size=4)
        | st.builds(lambda name: {"Ref": name}, st.from_regex(r"[A-Z][a-z0-9]{1,9}", fullmatch=True))
        | st.builds(lambda text: {"Fn::Sub": text}, TEXT)
        | st.builds(lambda value: {"Fn::Base64": value}, inner)
        | st.builds(lambda name, key: {"Fn::GetAtt": [name, key]}, st.just("Jobs"), st.sampled_from(["Arn", "A.B"]))
        | st.builds(lambda items: {"Fn::Join": ["", items]}, st.lists(inner, max_size=3))
    ),
    max_leaves=20,
)


def read_back(text: str) -> Any:
    return json.loads(cfn_flip.to_json(text))


@given(VALUES)
@settings(max_examples=400, deadline=None)
def test_yaml_reads_back_as_the_same_template(value: Any) -> None:
    template = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"Value": value}}}}

    assert read_back(to_yaml(template)) == json.loads(json.dumps(template))


def test_cfn_lint_reads_the_same_template() -> None:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "All kinds: of 'text'",
        "Resources": {
            "Jobs": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": {"Fn::Sub": "${AWS::StackName}-jobs"},
                    "Tags": [{"Key": "a", "Value": {"Fn::GetAtt": ["Other", "Arn"]}}, {"Key": "b", "Value": "yes"}],
                    "Empty": {},
                    "None": [],
                },
            }
        },
    }

    decoded, errors = decode_str(to_yaml(template))

    assert not errors
    assert json.loads(json.dumps(decoded)) == template


def test_yaml_is_written_for_people() -> None:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Jobs": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Failed", "Arn"]}, "maxReceiveCount": 3},
                    "Tags": [{"Key": "team", "Value": "orders"}],
                    "Actions": ["sqs:SendMessage", "sqs:GetQueueAttributes"],
                    "Code": "def handler():\n    return 1\n",
                },
            },
            "Failed": {"Type": "AWS::SQS::Queue"},
        },
    }

    assert to_yaml(template) == (
        "AWSTemplateFormatVersion: '2010-09-09'\n"
        "\n"
        "Resources:\n"
        "  Jobs:\n"
        "    Type: AWS::SQS::Queue\n"
        "    Properties:\n"
        "      RedrivePolicy:\n"
        "        deadLetterTargetArn: !GetAtt Failed.Arn\n"
        "        maxReceiveCount: 3\n"
        "      Tags:\n"
        "        - Key: team\n"
        "          Value: orders\n"
        "      Actions: [sqs:SendMessage, sqs:GetQueueAttributes]\n"
        "      Code: |\n"
        "        def handler():\n"
        "            return 1\n"
        "\n"
        "  Failed:\n"
        "    Type: AWS::SQS::Queue\n"
    )


@pytest.mark.parametrize("minified", [True, False])
@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_json_reads_back_as_the_same_template(minified: bool, value: Any) -> None:  # noqa: FBT001  (from parametrize)
    template = {"Resources": {"Jobs": value}}

    assert json.loads(to_json(template, minified=minified)) == json.loads(json.dumps(template))


def test_minified_json_has_no_space() -> None:
    assert to_json({"a": [1, {"b": "c"}]}, minified=True) == '{"a":[1,{"b":"c"}]}'
