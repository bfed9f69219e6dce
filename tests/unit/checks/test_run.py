from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from troposphere import Parameter, cognito, sqs

from archlib import App, Stack, load
from archlib.checks import REGIONS, Finding, check
from archlib.components.messaging.queue import Queue
from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.errors import SettingsError
from archlib.workflow import read_template

DAY = date(2030, 1, 2)
BROKEN: dict[str, Any] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Parameters": {"Unused": {"Type": "String"}},
    "Resources": {
        "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "soon", "VisibilityTimeout": {"Ref": "No"}}},
        "Data": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {"KeySchema": []}},
    },
}


def broken_app() -> App:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(sqs.Queue("Jobs", KmsMasterKeyId="alias/aws/sqs"))
    app.override("Jobs", "Properties.DelaySeconds", "soon")
    return app


def rules(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.rule for finding in findings]


def test_a_component_as_it_comes_has_no_finding() -> None:
    app = App("shop", "test")
    Queue(Stack(app, "main"), "jobs")

    assert check(app.assemble(), today=DAY) == ()


def test_the_worst_come_first_and_the_order_is_always_the_same() -> None:
    stacks = [StackArtifact("two", BROKEN), StackArtifact("one", BROKEN)]

    found = check(stacks, today=DAY)

    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert {"error", "warning"} <= set(severities)
    errors = [finding.stack for finding in found if finding.severity == "error"]
    assert errors == sorted(errors)
    assert set(errors) == {"one", "two"}
    assert check(reversed(stacks), today=DAY) == found


def test_a_finding_says_what_is_wrong_where_and_why() -> None:
    (found,) = [each for each in check([StackArtifact("one", BROKEN)], today=DAY) if "DelaySeconds" in each.path]

    assert found.stack == "one"
    assert found.resource == "Jobs"
    assert found.rule == "E3012"
    assert found.path == ("Resources", "Jobs", "Properties", "DelaySeconds")
    assert "'soon' is not of type 'integer'" in found.message
    assert found.fix
    assert found.url.startswith("https://")
    assert found.blocking
    assert str(found) == f"error E3012 one/Jobs.Properties.DelaySeconds: {found.message}"


def test_a_finding_outside_resources_names_none() -> None:
    (unused,) = [each for each in check([StackArtifact("one", BROKEN)], today=DAY) if each.rule == "W2001"]

    assert unused.resource == ""
    assert unused.path[:2] == ("Parameters", "Unused")
    assert not unused.blocking


def test_a_finding_carries_the_line_of_python() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    stack.add(sqs.Queue("Jobs"))
    app.override("Jobs", "Properties.DelaySeconds", "soon")
    added, changed = (
        next(
            number
            for number, text in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1)
            if number > test_a_finding_carries_the_line_of_python.__code__.co_firstlineno and what in text
        )
        for what in ("stack.add(", "app.override(")
    )

    findings = check(app.assemble(), today=DAY)

    found = [each for each in findings if each.rule == "E3012"]
    assert [each.origin for each in found] == [Origin(__file__, changed)]
    assert re.match(r".*test_run\.py:\d+: error E3012 shop-test-main/Jobs", str(found[0]))
    assert [each.origin for each in findings if each.rule == "W9201"] == [Origin(__file__, added)]


def test_a_finding_carries_the_line_of_the_blueprint_that_set_the_property(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(
        "blueprint: serverless\n"
        "app: shop\n"
        "settings:\n"
        "  monitoring: {alarms: false, dashboard: false}\n"
        "  queues:\n"
        "    mails: {}\n"
        "    jobs:\n"
        "      retention: 1h\n"
        "overrides:\n"
        "  JobsQueue: {Properties.DelaySeconds: soon}\n",
        encoding="utf-8",
    )

    found = [each for each in check(load(file).assemble(), today=DAY) if each.rule == "E3012"]

    assert [each.origin for each in found] == [Origin(str(file), 10)]


def test_a_finding_carries_the_line_of_the_property_in_any_template(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(
        "Parameters:\n"
        "  Unused: {Type: String}\n"
        f"  Long: {{Type: String, Default: {'x' * 5000}}}\n"
        "Resources:\n"
        "  Good: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Long}}\n"
        "  Jobs:\n"
        "    Type: AWS::SQS::Queue\n"
        "    Properties:\n"
        "      RedrivePolicy:\n"
        "        maxReceiveCount: 3\n"
        "      DelaySeconds: soon\n"
        "  Door:\n"
        "    Type: AWS::EC2::SecurityGroup\n"
        "    Properties:\n"
        "      GroupDescription: Door\n"
        "      SecurityGroupIngress:\n"
        "        - IpProtocol: tcp\n"
        "          FromPort: 22\n"
        "          ToPort: 22\n"
        "          CidrIp: 0.0.0.0/0\n"
        "Outputs:\n"
        "  Where:\n"
        "    Value: !Sub\n"
        "      - '${where}'\n"
        "      - {where: !Ref Nowhere}\n",
        encoding="utf-8",
    )

    found = {each.rule: each.origin for each in check([read_template(file)], today=DAY)}

    lines = {"E3012": 11, "W2001": 2, "E9001": 3, "E9209": 20, "W9201": 6}
    assert {rule: found[rule] for rule in lines} == {rule: Origin(str(file), line) for rule, line in lines.items()}
    assert Origin(str(file), 25) in found.values()


def test_our_own_rules_and_limits_stand_beside_those_of_cfn_lint() -> None:
    template = {
        "Resources": {
            "Alerts": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "http", "Endpoint": "http://a.b/c"}}
        },
        "Description": "x" * 1025,
    }

    found = rules(check([StackArtifact("one", template)], today=DAY))

    assert {"E9001", "E9210", "E3003"} <= set(found)


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_the_regions_decide(region: str) -> None:
    template = {
        "Resources": {
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": "worker",
                    "Principal": "s3.amazonaws.com",
                    "SourceArn": "arn:aws:s3:::bucket",
                },
            }
        }
    }
    stacks = [StackArtifact("one", template)]

    assert "E9129" not in rules(check(stacks, today=DAY))
    assert "E9129" in rules(check(stacks, regions=[*REGIONS, region], today=DAY))


def test_checking_changes_nothing_in_the_template() -> None:
    (stack,) = broken_app().assemble()
    (again,) = broken_app().assemble()

    check([stack], today=DAY, cache=False)

    assert stack == again


@pytest.mark.parametrize("expires", [None, DAY, DAY + timedelta(days=1)])
def test_a_waived_finding_is_shown_with_its_reason_and_blocks_nothing(expires: date | None) -> None:
    app = broken_app()
    app.waive("Jobs", "E3012", reason="the number is set by hand", expires=expires)

    found = check(app.assemble(), today=DAY)

    assert [(each.rule, each.waived) for each in found if each.severity == "error"] == [
        ("E3012", "the number is set by hand")
    ]
    assert not any(each.blocking for each in found)


def test_a_waiver_of_our_own_rule_accepts_it_on_that_resource_only() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    for title in ("One", "Two"):
        stack.add(sqs.Queue(title), stateful=False)
        app.override(title, "DeletionPolicy", "Retain")
    open_before = [(each.rule, each.resource) for each in check(app.assemble(), today=DAY) if each.severity != "info"]
    rule, _ = open_before[0]

    app.waive("One", rule, reason="the messages may get lost")
    found = check(app.assemble(), today=DAY)

    assert {resource for each, resource in open_before if each == rule} == {"One", "Two"}
    assert [each.resource for each in found if each.rule == rule and not each.waived] == ["Two"]


def test_an_expired_waiver_is_an_error_with_the_line_of_the_waiver() -> None:
    app = broken_app()
    app.waive("Jobs", "E3012", reason="the number is set by hand", expires=DAY - timedelta(days=1))

    (expired,) = [each for each in check(app.assemble(), today=DAY) if each.rule == "E9002"]

    assert expired.blocking
    assert expired.resource == "Jobs"
    assert expired.message == "waiver of E3012 expired on 2030-01-01: fix the finding, or decide again"
    assert expired.origin is not None
    assert expired.origin.file == __file__


def test_an_expired_waiver_accepts_nothing_any_more() -> None:
    app = broken_app()
    app.waive("Jobs", "E3012", reason="the number is set by hand", expires=DAY - timedelta(days=1))

    found = check(app.assemble(), today=DAY)

    assert [each.rule for each in found if each.blocking and each.rule != "E9002"] == ["E3012"]


def test_a_waiver_of_an_unknown_resource_is_refused_with_the_nearest_name() -> None:
    app = broken_app()
    app.waive("Job", "E3012", reason="the number is set by hand")

    with pytest.raises(
        SettingsError, match=r"waiver of E3012 on 'Job': there is no such resource; did you mean 'Jobs'\?"
    ):
        app.assemble()


def test_a_waiver_is_written_where_the_cfn_lint_command_reads_it() -> None:
    app = broken_app()
    app.waive("Jobs", "E3012", reason="the number is set by hand")

    (stack,) = app.assemble()
    check([stack], today=DAY)

    assert stack.template["Resources"]["Jobs"]["Metadata"] == {"cfn-lint": {"config": {"ignore_checks": ["E3012"]}}}


def test_what_a_template_itself_says_to_cfn_lint_holds() -> None:
    body = {
        "Type": "AWS::SQS::Queue",
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["E3012"]}}},
        "Properties": {"DelaySeconds": "soon"},
    }

    found = check([StackArtifact("one", {"Resources": {"Jobs": body, "More": {**body, "Metadata": {}}}})], today=DAY)

    assert [each.resource for each in found if each.rule == "E3012"] == ["More"]


def test_an_unused_parameter_of_python_is_found() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main")
    Queue(stack, "jobs")
    stack.template.add_parameter(Parameter("Unused", Type="String"))

    assert "W2001" in rules(check(app.assemble(), today=DAY))


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {}, {"Type": None}, {"Type": "AWS::SQS::Queue", "Properties": []}]
)
def test_a_resource_that_is_wrong_in_any_way_is_a_finding(body: Any) -> None:
    found = check([StackArtifact("one", {"Resources": {"Jobs": body}})], regions=["us-east-1"], today=DAY)

    assert any(each.blocking for each in found)
    assert not any(re.search("processing rule [EWI]9", each.message) for each in found), "no rule of ours may fail"


def test_a_stack_of_one_region_must_work_there_only() -> None:
    app = App("shop", "test")
    pool = cognito.UserPool("People")
    Stack(app, "main", region="us-east-1").add(pool)

    assert "E3006" not in rules(check(app.assemble(), regions=["cn-north-1"], today=DAY))

    elsewhere = App("shop", "test")
    Stack(elsewhere, "main").add(cognito.UserPool("People"))
    assert "E3006" in rules(check(elsewhere.assemble(), regions=["cn-north-1"], today=DAY))
