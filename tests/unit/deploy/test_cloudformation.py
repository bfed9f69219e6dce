"""How CloudFormation's answers are read, and what it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archlib.deploy.aws import Aws
from archlib.deploy.calls import Calls, ServiceError
from archlib.deploy.clock import Stop
from archlib.deploy.cloudformation import CloudFormation, Request, Source, is_busy, is_detecting, is_gone, is_waiting
from archlib.deploy.limiter import Limiter
from archlib.deploy.models import OUTSIDE, PropertyChange
from archlib.deploy.stateful import loses_data
from deploying import Bench, artifact, changed, queue
from fakes import ServiceError as Refusal
from fakes import VirtualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/x/1"
REQUEST = Request("shop", "name", "token", "UPDATE", Source("{}"))


class Answers(Calls):
    """Calls whose answers are a table; a function is given the parameters."""

    def __init__(self, **answers: Any) -> None:
        clock = VirtualClock()
        super().__init__(
            Aws(region="eu-west-1", endpoint="http://fake.test"),
            region="eu-west-1", limiter=Limiter(clock), clock=clock, stop=Stop(), note=print,
        )  # fmt: skip
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def read(self, operation: str, **how: Any) -> Any:
        parameters = {key: value for key, value in how.items() if key not in {"patience", "renew"}}
        self.asked.append((operation, parameters))
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer(parameters) if callable(answer) else answer


def pages(member: str, *items: Any) -> Callable[[dict[str, Any]], Any]:
    """Return an operation with one item on each page."""

    def ask(parameters: dict[str, Any]) -> Any:
        page = int(parameters.get("NextToken", 0))
        more = {"NextToken": str(page + 1)} if page + 1 < len(items) else {}
        return {member: [items[page]], **more}

    return ask


def head(**more: Any) -> dict[str, Any]:
    return {"ChangeSetId": ARN, "ChangeSetName": "x", "StackId": "arn:stack", "Status": "CREATE_COMPLETE", **more}


def change(name: str = "Jobs", **more: Any) -> dict[str, Any]:
    return {
        "ResourceChange": {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue", **more}
    }


def recreates(how: str) -> dict[str, str]:
    return {"Attribute": "Properties", "RequiresRecreation": how}


class TestChangeSets:
    def read(self, *changes: Any) -> Any:
        found = CloudFormation(Answers(describe_change_set=head(Changes=list(changes)))).change_set(ARN)
        assert found is not None
        return found.changes

    @pytest.mark.parametrize(
        ("action", "replacement", "expected", "certain"),
        [
            ("Add", None, "add", True),
            ("Modify", "False", "modify", True),
            ("Modify", "True", "replace", True),
            ("Modify", "Conditional", "replace", False),
            ("Remove", None, "remove", True),
            ("Import", None, "import", True),
            ("SyncWithActual", None, "sync", True),
            ("SyncWithActual", "True", "replace", True),
            ("SyncWithActual", "Conditional", "replace", False),
            ("Dynamic", None, "remove", False),
            ("Dynamic", "True", "replace", False),
        ],
    )
    def test_actions(self, action: str, replacement: str | None, expected: str, *, certain: bool) -> None:
        extra = {"Replacement": replacement} if replacement else {}

        (found,) = self.read(change(Action=action, PolicyAction="Retain", PhysicalResourceId="q", **extra))

        assert (found.action, found.certain) == (expected, certain)
        assert (found.resource, found.type, found.physical_id, found.policy) == (
            "Jobs",
            "AWS::SQS::Queue",
            "q",
            "Retain",
        )

    def test_what_becomes_of_the_old_thing_tells_more_than_the_action(self) -> None:
        bare, gone, replaced = self.read(
            change(Action="Dynamic"),
            change(Action="Dynamic", PolicyAction="Delete"),
            change(Action="Modify", PolicyAction="ReplaceAndDelete"),
        )

        assert [each.action for each in (bare, gone, replaced)] == ["unknown", "remove", "replace"]
        assert [loses_data(each, {}) for each in (bare, gone, replaced)] == [False, True, True]

    def test_properties_with_their_values_and_causes(self) -> None:
        details = [
            {"Target": {"Path": "/Properties/A/0/B", "BeforeValue": "1", "AfterValue": "2", **recreates("Always")}},
            {"Target": {"Name": "C", **recreates("Conditionally")}, "CausingEntity": "K.Arn"},
            {"Target": {"Attribute": "Tags"}},
            {"Target": {"Path": "/Properties/D", "Drift": {"PreviousValue": "was", "ActualValue": "is"}}},
        ]  # fmt: skip

        (found,) = self.read(change(Details=details))

        assert found.properties == (
            PropertyChange("A.0.B", "1", "2", "always"),
            PropertyChange("C", None, None, "maybe", "K.Arn"),
            PropertyChange("D", "is", "was", "never", OUTSIDE),
            PropertyChange("Tags"),
        )

    def test_of_two_entries_for_one_property_the_one_with_its_value_counts(self) -> None:
        bare, told = {"Target": {"Name": "A"}, "CausingEntity": "P"}, {"Target": {"Name": "A", "AfterValue": "2"}}

        for details in ([bare, told], [told, bare]):
            (found,) = self.read(change(Details=details))
            assert found.properties == (PropertyChange("A", None, "2"),)

    def test_what_is_no_change_of_a_resource_is_passed_over(self) -> None:
        assert [each.resource for each in self.read({"Type": "Hook"}, change())] == ["Jobs"]

    def test_nested_ones_are_read_with_their_path(self) -> None:
        inner = f"{ARN}-inner"

        def ask(parameters: dict[str, Any]) -> Any:
            if parameters["ChangeSetName"] == inner:
                return head(ChangeSetId=inner, Changes=[change("Deep")])
            return head(Changes=[change("Inner", ChangeSetId=inner), change("Gone", ChangeSetId=inner), change("Own")])

        found = CloudFormation(Answers(describe_change_set=ask)).change_set(ARN, full=True)

        assert found is not None
        assert [each.resource for each in found.changes] == ["Inner/Deep", "Gone/Deep", "Own"]

    def test_what_goes_with_its_nested_stack_is_told_with_it(self) -> None:
        inner = f"{ARN}-inner"

        def ask(parameters: dict[str, Any]) -> Any:
            if parameters["ChangeSetName"] == inner:
                return head(ChangeSetId=inner, Changes=[change("Deep", Action="Remove")])
            return head(Changes=[change("Inner", Action="Remove", ChangeSetId=inner)])

        found = CloudFormation(Answers(describe_change_set=ask)).change_set(ARN, full=True)

        assert found is not None
        assert [(each.action, each.resource) for each in found.changes] == [
            ("remove", "Inner"),
            ("remove", "Inner/Deep"),
        ]

    def test_a_nested_one_that_is_gone_leaves_the_change_of_its_stack(self) -> None:
        def ask(parameters: dict[str, Any]) -> Any:
            if parameters["ChangeSetName"] != ARN:
                raise ServiceError("ChangeSetNotFound", "it does not exist")
            return head(Changes=[change("Inner", ChangeSetId="gone")])

        found = CloudFormation(Answers(describe_change_set=ask)).change_set(ARN, full=True)

        assert found is not None
        assert [each.resource for each in found.changes] == ["Inner"]

    def test_all_pages_are_read(self) -> None:
        def ask(parameters: dict[str, Any]) -> Any:
            if "NextToken" in parameters:
                return head(Status="later", Changes=[change("B")])
            return head(Changes=[change("A")], NextToken="1")

        found = CloudFormation(Answers(describe_change_set=ask)).change_set("x", stack="shop")

        assert found is not None
        assert [each.resource for each in found.changes] == ["A", "B"]
        assert found.status == "CREATE_COMPLETE"

    def test_only_what_is_not_there_is_none(self) -> None:
        for error in (ServiceError("ChangeSetNotFound", "x"), ServiceError("ValidationError", "[x] does not exist")):
            assert CloudFormation(Answers(describe_change_set=error)).change_set(ARN) is None
        with pytest.raises(ServiceError):
            CloudFormation(Answers(describe_change_set=ServiceError("Odd", "no"))).change_set(ARN)

    @pytest.mark.parametrize(
        ("status", "reason", "empty"),
        [
            ("FAILED", "The submitted information didn't contain changes. Submit different information", True),
            ("FAILED", "No updates are to be performed.", True),
            ("FAILED", "Parameter X is missing. The submitted information didn't contain changes.", False),
            ("CREATE_COMPLETE", "No updates are to be performed.", False),
        ],
    )
    def test_nothing_to_do(self, status: str, reason: str, *, empty: bool) -> None:
        service = CloudFormation(Answers(describe_change_set=head(Status=status, StatusReason=reason)))
        found = service.change_set(ARN)

        assert found is not None
        assert service.empty(found) is empty


class TestRequests:
    def test_only_what_was_asked_for_is_sent(self) -> None:
        assert REQUEST.call() == {
            "StackName": "shop", "ChangeSetName": "name", "ChangeSetType": "UPDATE", "ClientToken": "token",
            "Description": "", "Capabilities": [], "Parameters": [], "Tags": [], "TemplateBody": "{}",
        }  # fmt: skip

    def test_everything(self) -> None:
        alarm = "arn:aws:cloudwatch:eu-west-1:1:alarm:a"
        request = replace(
            REQUEST, source=Source(url="https://x"), parameters={"A": "1", "B": None}, tags={"app": "shop"},
            role="arn:role", notifications=("arn:topic",), rollback_alarms=(alarm,), rollback_minutes=5, nested=True,
            on_failure="DELETE", validate=False, express=True, import_existing=True, capabilities=("X",),
        )  # fmt: skip

        sent = request.call()

        assert sent["Parameters"] == [
            {"ParameterKey": "A", "ParameterValue": "1"},
            {"ParameterKey": "B", "UsePreviousValue": True},
        ]
        assert sent["TemplateURL"] == "https://x"
        assert "TemplateBody" not in sent
        assert (sent["RoleARN"], sent["NotificationARNs"], sent["OnStackFailure"]) == (
            "arn:role",
            ["arn:topic"],
            "DELETE",
        )
        assert sent["RollbackConfiguration"] == {
            "RollbackTriggers": [{"Arn": alarm, "Type": "AWS::CloudWatch::Alarm"}], "MonitoringTimeInMinutes": 5,
        }  # fmt: skip
        assert (sent["DisableValidation"], sent["ImportExistingResources"], sent["IncludeNestedStacks"]) == (True,) * 3
        assert sent["DeploymentConfig"] == {"Mode": "EXPRESS"}
        assert (sent["Tags"], sent["Capabilities"]) == ([{"Key": "app", "Value": "shop"}], ["X"])

    def test_topics_are_taken_away_by_an_empty_list_only(self) -> None:
        assert "NotificationARNs" not in REQUEST.call()
        assert replace(REQUEST, notifications=()).call()["NotificationARNs"] == []

    @pytest.mark.parametrize("with_", [{"imports": ({"ResourceType": "x"},)}, {"revert_drift": True}])
    def test_nested_stacks_are_left_out_where_they_are_not_allowed(self, with_: Any) -> None:
        sent = replace(REQUEST, nested=True, **with_).call()

        assert "IncludeNestedStacks" not in sent
        assert sent.get("DeploymentMode") == ("REVERT_DRIFT" if "revert_drift" in with_ else None)

    def test_the_template_that_the_stack_has(self) -> None:
        assert Source().parameters() == {"UsePreviousTemplate": True}


class TestStacks:
    def test_only_what_is_not_there_is_none(self) -> None:
        gone = ServiceError("ValidationError", "Stack with id x does not exist")
        assert CloudFormation(Answers(describe_stacks=gone)).stack("x") is None
        for error in (ServiceError("ValidationError", "no"), ServiceError("Odd", "does not exist")):
            with pytest.raises(ServiceError):
                CloudFormation(Answers(describe_stacks=error)).stack("x")

    @pytest.mark.parametrize(
        "body", [{"Resources": {}}, '{"Resources": {}}', ' {\n"Resources": {}}', "# x\nResources: {}\n"]
    )
    def test_templates_of_anybody_are_read(self, body: Any) -> None:
        assert CloudFormation(Answers(get_template={"TemplateBody": body})).template("x") == {"Resources": {}}

    def test_the_one_that_was_deleted_last_is_found(self) -> None:
        def item(name: str, number: int) -> dict[str, Any]:
            return {"StackName": name, "StackId": f"arn:{number}", "DeletionTime": NOW + timedelta(hours=number)}

        listed = pages("StackSummaries", item("shop", 1), item("shop", 3), item("other", 9), item("shop", 2))

        assert CloudFormation(Answers(list_stacks=listed)).deleted("shop") == "arn:3"
        assert CloudFormation(Answers(list_stacks=listed)).deleted("nobody") is None

    def test_who_owns_a_thing(self) -> None:
        def owner(answer: Any) -> str | None:
            return CloudFormation(Answers(describe_stack_resources=answer)).owner("q")

        assert owner({"StackResources": [{"StackName": "a"}]}) == "a"
        assert owner({"StackResources": []}) is None
        assert owner(ServiceError("ValidationError", "no")) is None

    def test_exports_and_who_imports_them(self) -> None:
        mine, other = {"Name": "a", "ExportingStackId": "arn:1"}, {"Name": "b", "ExportingStackId": "arn:2"}
        service = CloudFormation(Answers(list_exports=pages("Exports", mine, other), list_imports={"Imports": ["c"]}))

        assert service.exports("arn:1") == ("a",)
        assert service.importers("a") == ("c",)
        refused = ServiceError("ValidationError", "Export 'a' is not imported by any stack.")
        assert CloudFormation(Answers(list_imports=refused)).importers("a") == ()


class TestEvents:
    def item(self, number: int) -> dict[str, Any]:
        return {
            "EventId": str(number),
            "StackId": "arn",
            "StackName": "shop",
            "Timestamp": NOW + timedelta(seconds=number),
        }

    def test_all_pages_oldest_first(self) -> None:
        service = CloudFormation(Answers(describe_stack_events=pages("StackEvents", *map(self.item, (3, 2, 1)))))

        assert [event.id for event in service.events("arn")] == ["1", "2", "3"]
        assert [event.id for event in service.events("arn", pages=1)] == ["3"]

    def test_reading_ends_at_what_is_known(self) -> None:
        calls = Answers(describe_stack_events=pages("StackEvents", *map(self.item, (4, 3, 2, 1))))

        assert [event.id for event in CloudFormation(calls).events("arn", {"3"})] == ["4"]
        assert len(calls.asked) == 2


class TestExplaining:
    def test_what_validation_found_on_all_pages(self) -> None:
        calls = Answers(
            describe_events=pages(
                "OperationEvents",
                {"ValidationPath": "/Resources/A", "ValidationStatusReason": "bad"},
                {"LogicalResourceId": "B", "ResourceStatusReason": "worse"},
                {"LogicalResourceId": "C"},
            )
        )

        assert CloudFormation(calls).early_failures(ARN) == (("/Resources/A", "bad"), ("B", "worse"))

    @pytest.mark.parametrize("error", [ServiceError("Odd", "no")])
    def test_who_may_not_ask_gets_nothing(self, error: Exception) -> None:
        assert CloudFormation(Answers(describe_events=error)).early_failures(ARN) == ()
        assert CloudFormation(Answers(list_hook_results=error)).hook_advice(ARN) == ()

    def test_what_hooks_say_with_what_to_do(self) -> None:
        failed = {
            "Status": "HOOK_COMPLETE_FAILED",
            "TypeName": "Acme::Hook",
            "HookStatusReason": "no",
            "HookResultId": "1",
        }
        passed = {**failed, "Status": "HOOK_COMPLETE_SUCCEEDED"}
        finding = {
            "AnnotationName": "rule-1", "Status": "FAILED", "StatusMessage": "open", "RemediationMessage": "close it",
        }  # fmt: skip
        calls = Answers(
            list_hook_results={"HookResults": [failed, passed]},
            get_hook_result={"Annotations": [finding, {**finding, "Status": "PASSED"}]},
        )

        assert CloudFormation(calls).hook_advice(ARN) == ("Acme::Hook: no", "rule-1: open; close it")

        calls.answers["get_hook_result"] = ServiceError("Odd", "no")
        assert CloudFormation(calls).hook_advice("arn:stack") == ("Acme::Hook: no",)
        assert [asked["TargetType"] for name, asked in calls.asked if name == "list_hook_results"] == [
            "CHANGE_SET",
            "STACK",
        ]

    def test_an_older_sdk_is_asked_for_less(self) -> None:
        class Old(Answers):
            def knows(self, operation: str, member: str) -> bool:
                return False

        service = CloudFormation(Old(describe_change_set=head()))

        assert service.early_failures(ARN) == ()
        assert service.hook_advice(ARN) == ()
        assert service.change_set(ARN, full=True) is not None


def test_missing_rights_are_asked_for_once(bench: Bench) -> None:
    service = bench.run().cloudformation
    bench.fake.fault("DescribeEvents", "access_denied", times=None)
    real, count = bench.fake.faults.take, [0]

    def take(operation: str, caller: str) -> Any:
        count[0] += operation == "DescribeEvents"
        return real(operation, caller)

    bench.fake.faults.take = take  # type: ignore[method-assign]

    assert service.early_failures(ARN) == service.early_failures(ARN) == ()
    assert count == [1]


def test_what_asking_for_values_leaves_out_is_not_counted_twice(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.world.incomplete_property_values = True

    (stack,) = bench.deployer().plan([changed(artifact(), A=queue(), B=queue(), Jobs=queue(DelaySeconds=1))]).stacks

    assert [change.resource for change in stack.changes].count("A") == 1
    assert {change.resource for change in stack.changes} == {"A", "B", "Jobs"}


@pytest.mark.parametrize(
    ("judge", "code", "message"),
    [
        (is_gone, "ValidationError", "Stack [x] does not exist"),
        (is_busy, "ValidationError", "Stack is in UPDATE_IN_PROGRESS state"),
        (is_busy, "OperationInProgressException", "wait"),
        (is_waiting, "OperationInProgressException", "wait"),
        (is_waiting, "StaleRequestException", "again"),
        (is_detecting, "ValidationError", "Drift Detection is already in progress for stack"),
    ],
)
def test_sentences_of_aws(judge: Callable[[ServiceError], bool], code: str, message: str) -> None:
    assert judge(ServiceError(code, message))
    assert not judge(ServiceError("ValidationError", "Template format error"))


def test_the_fake_says_the_same(bench: Bench) -> None:
    with pytest.raises(Refusal, match="does not exist"):
        bench.fake.call("DescribeStacks", {"StackName": "nobody"})
    assert json.loads(json.dumps(bench.run().cloudformation.stacks())) == []
