"""Each rule finds what is wrong, where it is wrong, and is quiet when that one thing is right."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.template import Template

from archlib.checks.rules import deploy
from archlib.checks.rules.base import Rule

Findings = Callable[..., list[tuple[list[str | int], str]]]

RULES = {rule.id: rule for rule in deploy.RULES}
DATA = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))
CASES: list[dict[str, str]] = DATA["cases"]
WEIRD: list[Any] = [
    None, 1, "text", [], ["x"], {}, {1: 2}, {"Ref": 1}, {"Ref": "AWS::NoValue"}, {"Fn::If": 1}, {"Fn::GetAtt": [1]},
]  # fmt: skip


def filled(case: dict[str, str], version: str) -> dict[str, Any]:
    text = case["template"].replace("<>", case[version])
    for name, fragment in DATA["fragments"].items():
        text = text.replace(f"${name}\n", textwrap.indent(fragment, "  "))
    template: dict[str, Any] = yaml.safe_load(text)
    return template


def whole(path: str) -> str:
    """Return the whole path of what starts at a property of a resource, or at the root."""
    name, _, rest = path.partition("/")
    return f"Resources/{name}/Properties/{rest}" if name else rest


def numbered(case: dict[str, str]) -> str:
    return f"{case['rule']}-{case['path']}"


@pytest.mark.parametrize("case", CASES, ids=numbered)
def test_finds_the_bad(findings: Findings, case: dict[str, str]) -> None:
    found = findings(RULES[case["rule"]], filled(case, "bad"))
    assert ["/".join(map(str, path)) for path, _ in found] == [whole(case["path"])]
    assert all(";" in message for _, message in found), "a message says what is wrong; and what to do"


@pytest.mark.parametrize("case", CASES, ids=numbered)
def test_accepts_the_good(findings: Findings, case: dict[str, str]) -> None:
    assert findings(RULES[case["rule"]], filled(case, "good")) == []


@pytest.mark.parametrize(("size", "expected"), [(6200, 1), (6000, 0)])
def test_size_of_a_managed_policy(findings: Findings, size: int, expected: int) -> None:
    document = {"Statement": [{"Sid": "x" * size}, {"Fn::If": ["C", {"Sid": "x" * 9000}, {"Ref": "AWS::NoValue"}]}]}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    assert len(findings(RULES["E9119"], {"Resources": {"Policy": policy}})) == expected


@pytest.mark.parametrize(("role", "expected"), [("Role", 1), ("RoleOfAnotherStack", 0)])
def test_size_of_all_inline_policies_of_a_role(findings: Findings, role: str, expected: int) -> None:
    document = {"Statement": [{"Sid": "x" * 6000}]}
    own = {"Policies": [{"PolicyName": "own", "PolicyDocument": document}]}
    more = {"RoleName": {"Ref": role}, "PolicyDocument": document}
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": own},
            "More": {"Type": "AWS::IAM::RolePolicy", "Properties": more},
        }
    }
    assert len(findings(RULES["E9119"], template)) == expected


@pytest.mark.parametrize(("count", "expected"), [(51, 1), (50, 0)])
def test_number_of_tags(findings: Findings, count: int, expected: int) -> None:
    names = [f"tag{number}" for number in range(count)]
    template = {
        "Resources": {
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"Tags": [{"Key": name, "Value": "v"} for name in names]},
            },
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Tags": dict.fromkeys(names, "v")}},
        }
    }
    assert [path[1] for path, _ in findings(RULES["E9128"], template)] == ["Topic", "Api"] * expected


@pytest.mark.parametrize(
    ("regions", "expected"), [(["eu-west-1"], 0), (["eu-west-1", "cn-north-1"], 1), (["us-gov-west-1"], 1)]
)
def test_partition_depends_on_the_target_regions(findings: Findings, regions: Sequence[str], expected: int) -> None:
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {"SourceArn": "arn:aws:s3:::bucket"}}
    assert len(findings(RULES["E9129"], {"Resources": {"Permission": permission}}, regions=regions)) == expected


@pytest.mark.parametrize("rule", deploy.RULES)
def test_every_rule_is_described_and_tested(rule: type[Rule]) -> None:
    assert rule.id[:3] in {"E91", "W91"}
    assert all((rule.shortdesc, rule.description, rule.source_url))
    assert rule.id in {case["rule"] for case in CASES} | {"E9119", "E9128"}


def test_ids_are_unique() -> None:
    assert len({rule.id[1:] for rule in deploy.RULES}) == len(deploy.RULES)


@pytest.mark.parametrize("weird", WEIRD, ids=str)
def test_no_value_anywhere_breaks_a_rule(weird: Any) -> None:
    for case in CASES:
        for broken in broken_copies(filled(case, "bad"), weird):
            cfn = Template.__new__(Template)  # cfn-lint itself cannot read some of these
            cfn.template, cfn.regions, cfn.graph = broken, ["us-east-1"], None
            RULES[case["rule"]]().match(cfn)


def broken_copies(node: Any, weird: Any) -> list[Any]:
    """Return copies of ``node``, each with one value in it replaced."""
    if isinstance(node, dict):
        return [{**node, key: copy} for key, value in node.items() for copy in (weird, *broken_copies(value, weird))]
    if isinstance(node, list):
        return [
            [*node[:index], copy, *node[index + 1 :]]
            for index, value in enumerate(node)
            for copy in (weird, *broken_copies(value, weird))
        ]
    return []
