"""What we find in memory is what the cfn-lint command finds in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn

from archlib.checks.linter import lint
from archlib.checks.rules import RULES
from archlib.core.source import read_yaml

REGIONS = ["us-east-1", "eu-west-1"]
ROLE = "Role: arn:aws:iam::123456789012:role/x"
BROKEN = {
    "unknown properties": """
Resources:
  Jobs: {Type: AWS::SQS::Queue, Properties: {Wrong: 1, AlsoWrong: 2}}
  More: {Type: AWS::SQS::Queue, Properties: {Wrong: 1}}
""",
    "the same mistake twice in one list": """
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: x
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: all, ToPort: all, CidrIp: 10.0.0.0/8}
        - {IpProtocol: tcp, FromPort: all, ToPort: all, CidrIp: 10.0.0.0/8}
""",
    "wrong types": """
Resources:
  Jobs: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: soon, FifoQueue: maybe, VisibilityTimeout: [1]}}
""",
    "missing properties": """
Resources:
  Table: {Type: AWS::DynamoDB::Table, Properties: {}}
  Role: {Type: AWS::IAM::Role}
""",
    "dangling references": """
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Nothing, TopicName: !GetAtt Missing.Arn}}
  Other: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "${Nobody}-${Topic.Wrong}"}}
""",
    "unused and unknown sections": """
Parameters: {Unused: {Type: String}, Sized: {Type: Wrong}}
Conditions: {Never: !Equals [a, b]}
Mappings: {Map: {a: {b: c}}}
Wrong: {x: y}
Resources: {Topic: {Type: AWS::SNS::Topic}}
""",
    "a cycle": """
Resources:
  One: {Type: AWS::SNS::Topic, DependsOn: Two}
  Two: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref One}}
""",
    "unknown resource types and attributes": """
Resources:
  One: {Type: AWS::Wrong::Thing}
  Two: {Type: AWS::SNS::Topic, Wrong: x, DeletionPolicy: Maybe}
  Three: {Properties: {}}
""",
    "an old runtime and a wrong handler": f"""
Resources:
  Worker:
    Type: AWS::Lambda::Function
    Properties: {{Runtime: python2.7, Handler: x, Code: {{ZipFile: "x = 1"}}, {ROLE}, MemorySize: 1, Timeout: 9999}}
""",
    "a policy that IAM refuses": """
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-18"
        Statement:
          - {Effect: Maybe, Action: s3.get, Resource: "*"}
          - {Effect: Allow, Action: 7}
""",
    "functions in the wrong place": """
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Join ["-", x], TopicName: !Select [7, [a]], Tags: !FindInMap [Not, such, map]}
Outputs: {Name: {Value: !Ref Topic, Export: x}, Name2: {Wrong: x}}
""",
    "a hard-coded zone and partition": """
Resources:
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: vpc-1, AvailabilityZone: us-east-1a, CidrBlock: 10.0.0.0/33}}
  Rule: {Type: AWS::Events::Rule, Properties: {ScheduleExpression: sometimes, State: "YES"}}
""",
    "everything at once": """
AWSTemplateFormatVersion: "2010-09-10"
Description: [not, text]
Metadata: {cfn-lint: {config: {ignore_checks: [W2001]}}}
Parameters: {Unused: {Type: String, Default: [x]}}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {AccessControl: Nobody, BucketName: UPPER_CASE}}
  Quiet:
    Type: AWS::SQS::Queue
    Metadata: {cfn-lint: {config: {ignore_checks: [E3012]}}}
    Properties: {DelaySeconds: soon}
""",
}
OURS = {rule.id for rule in RULES}
Row = tuple[str, str, str]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counter[Row]]:
    """Return what the command finds in each of the broken templates; one run for all of them."""
    folder = tmp_path_factory.mktemp("templates")
    files = {name: folder / f"{number}.yaml" for number, name in enumerate(BROKEN)}
    for name, text in BROKEN.items():
        files[name].write_text(text, encoding="utf-8")
    arguments = ["--format", "json", "--regions", *REGIONS, "--", *map(str, files.values())]
    done = subprocess.run(
        [sys.executable, "-c", "from cfnlint.runner import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    names = {str(file): name for name, file in files.items()}
    found: dict[str, Counter[Row]] = {name: Counter() for name in BROKEN}
    for match in json.loads(done.stdout):
        path = match["Location"]["Path"] or []
        found[names[match["Filename"]]][match["Rule"]["Id"], match["Message"], json.dumps(path)] += 1
    return found


def rows(template: dict[str, Any]) -> Counter[Row]:
    return Counter(
        (row["rule"], row["message"], json.dumps(row["path"]))
        for row in lint(template, REGIONS)
        if row["rule"] not in OURS
    )


@pytest.mark.parametrize("name", BROKEN)
def test_finds_what_the_command_finds(name: str, command: dict[str, Counter[Row]], tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(BROKEN[name], encoding="utf-8")
    template, _ = read_yaml(file)

    assert command[name], "a broken template must have findings"
    assert rows(template) == command[name]


def test_rows_are_plain_data_with_everything_a_reader_needs() -> None:
    found = lint({"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"Wrong": 1}}}}, REGIONS)

    assert json.loads(json.dumps(found)) == found
    (row,) = [each for each in found if each["rule"] == "E3002"]
    assert row["severity"] == "error"
    assert row["path"] == ["Resources", "Jobs", "Properties", "Wrong"]
    assert row["fix"]
    assert row["url"].startswith("https://")


def test_one_run_leaves_nothing_behind_for_the_next() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"Wrong": 1}}
    quiet = {
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["E3002"], "regions": ["us-west-2"]}}},
        "Resources": {"Jobs": queue},
    }
    loud = {"Resources": {"Jobs": queue}}
    first = lint(loud, REGIONS)

    assert "E3002" not in {row["rule"] for row in lint(quiet, REGIONS)}
    assert lint(loud, REGIONS) == first


@pytest.mark.parametrize("place", ["working directory", "home"])
def test_a_configuration_file_lying_around_changes_nothing(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".cfnlintrc").write_text("ignore_checks: [E3002, W2001]\nregions: [us-west-2]\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(tmp_path if place == "working directory" else empty)
    assert ConfigMixIn([]).ignore_checks == ["E3002", "W2001"], "cfn-lint itself would read it"
    template = {
        "Parameters": {"Unused": {"Type": "String"}},
        "Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"Wrong": 1}}},
    }
    # Regions that no other test uses, so that cfn-lint is configured here.
    regions = ["eu-central-1", "eu-north-1" if place == "home" else "eu-south-1"]

    assert {"E3002", "W2001"} <= {row["rule"] for row in lint(template, regions)}
