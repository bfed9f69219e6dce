"""CloudFormation: every call the deployer makes and every sentence of AWS it relies on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from archlib.deploy.calls import Calls, DeniedError, ServiceError
from archlib.deploy.models import (
    OUTSIDE,
    Action,
    ChangeSet,
    PropertyChange,
    Resource,
    ResourceChange,
    StackEvent,
    StackState,
)

INLINE_BYTES = 51_200
_NO_CHANGES = ("The submitted information didn't contain changes.", "No updates are to be performed.")
_INCOMPLETE = "[WARN] --include-property-values option can return incomplete ChangeSet data"
_EARLY = "AWS::EarlyValidation"
_NESTED = "AWS::CloudFormation::Stack"
_RECREATES: dict[str, Literal["never", "maybe", "always"]] = {"Conditionally": "maybe", "Always": "always"}


@dataclass(frozen=True, slots=True)
class Source:
    """The template of a change set: its text, its place in a bucket, or what the stack has."""

    body: str = ""
    url: str = ""

    def parameters(self) -> dict[str, Any]:
        """Return it as CloudFormation takes it."""
        if self.url:
            return {"TemplateURL": self.url}
        return {"TemplateBody": self.body} if self.body else {"UsePreviousTemplate": True}


@dataclass(frozen=True, slots=True)
class Request:
    """What a change set is asked for.

    Attributes:
        stack: name or ARN.
        name: of the change set.
        token: the same for the same request, however often it is sent.
        kind: how the stack gets there.
        source: the template.
        parameters: values; None keeps the one the stack has.
        tags: of the stack.
        description: told to whoever looks at the change set.
        capabilities: what the template needs to be acknowledged.
        role: ARN of the service role.
        notifications: ARNs of topics.
        rollback_alarms: ARNs of alarms that roll the change back; None keeps those the stack has.
        rollback_minutes: how long they are watched after the change.
        imports: resources to import: type, logical id and identifier of each.
        import_existing: import what already exists by its custom name.
        revert_drift: bring back what was changed outside of CloudFormation.
        nested: also describe stacks nested in it.
        on_failure: what becomes of a failed stack.
        validate: whether CloudFormation validates early.
        express: complete when the configuration is applied.
    """

    stack: str
    name: str
    token: str
    kind: Literal["CREATE", "UPDATE", "IMPORT"]
    source: Source
    parameters: Mapping[str, str | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    capabilities: Sequence[str] = ()
    role: str | None = None
    notifications: Sequence[str] | None = None
    rollback_alarms: Sequence[str] | None = None
    rollback_minutes: int = 0
    imports: Sequence[Mapping[str, Any]] = ()
    import_existing: bool = False
    revert_drift: bool = False
    nested: bool = False
    on_failure: Literal["ROLLBACK", "DELETE", "DO_NOTHING"] | None = None
    validate: bool = True
    express: bool = False

    def call(self) -> dict[str, Any]:
        """Return the parameters of the call."""
        optional: dict[str, Any] = {
            "RoleARN": self.role,
            "NotificationARNs": list(self.notifications) if self.notifications is not None else None,
            "ResourcesToImport": list(self.imports),
            "ImportExistingResources": self.import_existing,
            "DeploymentMode": "REVERT_DRIFT" if self.revert_drift else None,
            "IncludeNestedStacks": self.nested and not self.imports and not self.revert_drift,
            "OnStackFailure": self.on_failure,
            "DisableValidation": not self.validate,
            "DeploymentConfig": {"Mode": "EXPRESS"} if self.express else None,
            "RollbackConfiguration": {
                "RollbackTriggers": [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"} for arn in self.rollback_alarms],
                "MonitoringTimeInMinutes": self.rollback_minutes,
            }
            if self.rollback_alarms is not None
            else None,
        }
        return {
            "StackName": self.stack,
            "ChangeSetName": self.name,
            "ChangeSetType": self.kind,
            "ClientToken": self.token,
            "Description": self.description,
            "Capabilities": list(self.capabilities),
            "Parameters": [
                {"ParameterKey": key, "UsePreviousValue": True}
                if value is None
                else {"ParameterKey": key, "ParameterValue": value}
                for key, value in self.parameters.items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            **self.source.parameters(),
            **{
                key: value
                for key, value in optional.items()
                if value is not None and value is not False and value != []
            },
            # Given even when empty: an empty list takes topics away that the stack still has.
            **({"NotificationARNs": []} if self.notifications is not None and not self.notifications else {}),
        }


class CloudFormation:
    """CloudFormation in one account and region.

    Args:
        calls: how calls are made.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.region = calls.region
        self._denied: set[str] = set()

    # Stacks

    def stack(self, name: str, *, patience: float | None = None, renew: float = 0.0) -> StackState | None:
        """Return the stack ``name`` (or ARN), or None if there is none.

        A deleted stack is found by its ARN only.
        """
        try:
            answer = self._calls.read("describe_stacks", StackName=name, patience=patience, renew=renew)
        except ServiceError as error:
            if error.code == "ValidationError" and "does not exist" in error.message:
                return None
            raise
        return _state(answer["Stacks"][0])

    def stacks(self) -> tuple[StackState, ...]:
        """Return all stacks that exist, nested ones too."""
        return tuple(_state(item) for item in self._pages("describe_stacks", "Stacks"))

    def deleted(self, name: str) -> str | None:
        """Return the ARN of the stack ``name`` that was deleted last, if there is one."""
        found = [
            item
            for item in self._pages("list_stacks", "StackSummaries", StackStatusFilter=["DELETE_COMPLETE"])
            if item["StackName"] == name
        ]
        return str(max(found, key=lambda item: item["DeletionTime"])["StackId"]) if found else None

    def template(self, stack: str, *, processed: bool = False) -> dict[str, Any]:
        """Return the template that ``stack`` has, as it was given; ``processed``: as its transforms made it."""
        stage = "Processed" if processed else "Original"
        body = self._calls.read("get_template", StackName=stack, TemplateStage=stage)["TemplateBody"]
        if not isinstance(body, str):
            return dict(body)
        from archlib.core.source import parse_yaml  # noqa: PLC0415  (only stacks of others have YAML here)

        parsed = json.loads(body) if body.lstrip().startswith("{") else parse_yaml(body)
        return dict(parsed)

    def resources(self, stack: str) -> tuple[Resource, ...]:
        """Return all that ``stack`` has."""
        return tuple(
            Resource(
                item["LogicalResourceId"],
                item.get("PhysicalResourceId", ""),
                item["ResourceType"],
                item["ResourceStatus"],
                item.get("ResourceStatusReason", ""),
            )
            for item in self._pages("list_stack_resources", "StackResourceSummaries", StackName=stack)
        )

    def owner(self, physical_id: str) -> str | None:
        """Return the name of the stack that has the thing ``physical_id``, if one has it and the caller may know."""
        try:
            found = self._calls.read("describe_stack_resources", PhysicalResourceId=physical_id)["StackResources"]
        except ServiceError:
            return None
        return str(found[0]["StackName"]) if found else None

    def exports(self, stack: str) -> tuple[str, ...]:
        """Return the names of what ``stack``, an ARN, exports."""
        found = self._pages("list_exports", "Exports")
        return tuple(item["Name"] for item in found if item["ExportingStackId"] == stack)

    def importers(self, export: str) -> tuple[str, ...]:
        """Return the names of the stacks that import ``export``."""
        try:
            return tuple(self._pages("list_imports", "Imports", ExportName=export))
        except ServiceError:
            return ()

    def protect(self, stack: str, *, on: bool) -> None:
        """Switch the termination protection of ``stack``."""
        self._calls.write("update_termination_protection", repeat=True, StackName=stack, EnableTerminationProtection=on)

    def stack_policy(self, stack: str) -> str:
        """Return the stack policy, or nothing."""
        return str(self._calls.read("get_stack_policy", StackName=stack).get("StackPolicyBody") or "")

    def set_stack_policy(self, stack: str, body: str) -> None:
        """Give ``stack`` a stack policy, JSON."""
        self._calls.write("set_stack_policy", repeat=True, StackName=stack, StackPolicyBody=body)

    # Change sets

    def knows(self, member: str, operation: str = "CreateChangeSet") -> bool:
        """Return whether the installed botocore has the parameter ``member`` of ``operation``."""
        return self._calls.knows(operation, member)

    def create_change_set(self, request: Request) -> tuple[str, str]:
        """Ask for a change set, and return its ARN and that of its stack.

        Raises:
            DoubtError: no answer came: the same request may be sent again.
            ServiceError: the service says no.
        """
        answer = self._calls.write("create_change_set", **request.call())
        return answer["Id"], answer["StackId"]

    def change_set(self, change_set: str, *, stack: str | None = None, full: bool = False) -> ChangeSet | None:
        """Return the change set, or None if there is none (any more).

        Args:
            change_set: its ARN, or its name with ``stack``.
            stack: name or ARN of its stack.
            full: with the values of properties before and after.
        """
        parameters: dict[str, Any] = {"ChangeSetName": change_set, **({"StackName": stack} if stack else {})}
        try:
            head, changes = self._change_pages(parameters, full=full)
        except ServiceError as error:
            if error.code in {"ChangeSetNotFound", "ChangeSetNotFoundException"} or "does not exist" in error.message:
                return None
            raise
        if full and _INCOMPLETE in head.get("StatusReason", ""):
            # Asked for values, CloudFormation may leave out whole changes; asked without, it does not.
            plain = self._change_pages(parameters, full=False)[1]
            known = {_key(change) for change in changes}
            changes += [change for change in plain if _key(change) not in known]
        return ChangeSet(
            head["ChangeSetId"],
            head["ChangeSetName"],
            head["StackId"],
            head["Status"],
            head.get("ExecutionStatus", ""),
            head.get("StatusReason", ""),
            tuple(self._changes(changes, full=full, blind=head.get("DeploymentMode") == "REVERT_DRIFT")),
        )

    def _change_pages(self, parameters: Mapping[str, Any], *, full: bool) -> tuple[Any, list[Any]]:
        extra = (
            {"IncludePropertyValues": True} if full and self.knows("IncludePropertyValues", "DescribeChangeSet") else {}
        )
        head = page = self._calls.read("describe_change_set", **parameters, **extra)
        changes = list(page.get("Changes", ()))
        while token := page.get("NextToken"):
            page = self._calls.read("describe_change_set", **parameters, **extra, NextToken=token)
            changes += page.get("Changes", ())
        return head, changes

    def _changes(self, changes: Iterable[Any], *, full: bool, blind: bool) -> Iterator[ResourceChange]:
        for change in changes:
            if "ResourceChange" not in change:
                continue
            details = change["ResourceChange"]
            inner = details.get("ChangeSetId") if full else None
            nested = self.change_set(inner, full=full) if inner else None
            outer = _change(details)
            if blind and outer.type == _NESTED and any(each.path == "TemplateURL" for each in outer.properties):
                # CloudFormation does not say what happens inside: anything may go.
                outer = replace(outer, action="replace", certain=False)
            if nested is None or outer.action in {"remove", "replace"}:
                yield outer
            if nested is not None:
                for below in nested.changes:
                    yield ResourceChange(
                        **{
                            **{name: getattr(below, name) for name in below.__slots__},
                            "resource": f"{details['LogicalResourceId']}/{below.resource}",
                        }
                    )

    def empty(self, change_set: ChangeSet) -> bool:
        """Return whether the change set failed because there is nothing to change."""
        return change_set.status == "FAILED" and self.nothing_to_do(change_set.reason)

    def nothing_to_do(self, reason: str) -> bool:
        """Return whether a change set failed for ``reason`` because there is nothing to change."""
        return reason.startswith(_NO_CHANGES)

    def change_sets(self, stack: str) -> tuple[Mapping[str, Any], ...]:
        """Return the change sets that ``stack`` has: ``ChangeSetId``, ``ChangeSetName``, ``CreationTime`` ..."""
        return tuple(self._pages("list_change_sets", "Summaries", StackName=stack))

    def delete_change_set(self, change_set: str) -> None:
        """Delete the change set; there is nothing to do if it is gone."""
        self._calls.write("delete_change_set", repeat=True, ChangeSetName=change_set)

    def execute(self, change_set: str, token: str) -> None:
        """Execute the change set.

        Raises:
            DoubtError: no answer came: look at the stack's events for ``token``.
            ServiceError: it cannot be executed (any more).
        """
        parameters: dict[str, Any] = {"ChangeSetName": change_set, "ClientRequestToken": token}
        if self.knows("RetainExceptOnCreate", "ExecuteChangeSet"):
            # What a failed creation leaves behind is in the way of the next one.
            parameters["RetainExceptOnCreate"] = True
        self._calls.write("execute_change_set", **parameters)

    # Events

    def events(
        self, stack: str, known: frozenset[str] | set[str] = frozenset(), *, patience: float | None = None,
        renew: float = 0.0, pages: int = 1_000,
    ) -> list[StackEvent]:  # fmt: skip
        """Return the events of ``stack`` that are not ``known``, oldest first.

        Reads on while a page has nothing known: events may come late, but not later than a whole page.
        """
        found: dict[str, StackEvent] = {}
        token: str | None = None
        for _ in range(pages):
            extra = {"NextToken": token} if token else {}
            page = self._calls.read("describe_stack_events", StackName=stack, patience=patience, renew=renew, **extra)
            events = [_event(item) for item in page["StackEvents"]]
            found.update((event.id, event) for event in events if event.id not in known)
            token = page.get("NextToken")
            if not token or any(event.id in known for event in events):
                break
        return list(reversed(found.values()))

    def early_failures(self, target: str) -> tuple[tuple[str, str], ...]:
        """Return what early validation found wrong with a change set, or an operation of a stack: where, and what.

        Whoever may not ask gets nothing.
        """
        if not self._calls.knows("DescribeEvents", "ChangeSetName") or "DescribeEvents" in self._denied:
            return ()
        asked = {"ChangeSetName" if ":changeSet/" in target else "StackName": target}
        only_failed = {"FailedEvents": True}
        try:
            events = tuple(self._pages("describe_events", "OperationEvents", **asked, Filters=only_failed))
        except DeniedError:
            self._denied.add("DescribeEvents")
            return ()
        except ServiceError:
            return ()
        return tuple(
            (
                item.get("ValidationPath") or item.get("LogicalResourceId", ""),
                item.get("ValidationStatusReason") or item.get("ResourceStatusReason", ""),
            )
            for item in events
            if item.get("ValidationStatusReason") or item.get("ResourceStatusReason")
        )

    def hook_advice(self, target: str) -> tuple[str, ...]:
        """Return what failed hooks advise about the stack or change set ``target``."""
        if not self._calls.knows("ListHookResults", "TargetId"):
            return ()
        kind = "CHANGE_SET" if ":changeSet/" in target else "STACK"
        try:
            results = self._calls.read("list_hook_results", TargetType=kind, TargetId=target)["HookResults"]
        except ServiceError:
            return ()
        return tuple(
            line
            for item in results
            if item.get("Status") == "HOOK_COMPLETE_FAILED" and item.get("HookStatusReason")
            for line in (f"{item.get('TypeName', 'hook')}: {item['HookStatusReason']}", *self._remedies(item))
        )

    def _remedies(self, result: Any) -> Iterator[str]:
        """Yield what a failed hook says about each thing that it found."""
        if "HookResultId" not in result or not self._calls.knows("GetHookResult", "HookResultId"):
            return
        try:
            annotations = self._calls.read("get_hook_result", HookResultId=result["HookResultId"]).get("Annotations")
        except ServiceError:
            return
        for each in annotations or ():
            if each.get("Status") == "FAILED":
                said = (each.get("StatusMessage"), each.get("RemediationMessage"), each.get("RemediationLink"))
                yield f"{each.get('AnnotationName', 'finding')}: {'; '.join(filter(None, said))}"

    # Operations on whole stacks

    def delete(
        self, stack: str, token: str, *, role: str | None = None, retain: Sequence[str] = (), force: bool = False
    ) -> None:
        """Delete ``stack``, an ARN; asking twice with the same token does it once.

        Args:
            stack: ARN.
            token: of this operation.
            role: ARN of the service role.
            retain: logical ids to keep; only for a stack that could not be deleted.
            force: keep whatever cannot be deleted; only for a stack that could not be deleted.
        """
        optional = {
            "RoleARN": role,
            "RetainResources": list(retain),
            "DeletionMode": "FORCE_DELETE_STACK" if force else None,
        }
        given = {key: value for key, value in optional.items() if value}
        self._calls.write("delete_stack", repeat=True, StackName=stack, ClientRequestToken=token, **given)

    def cancel_update(self, stack: str, token: str) -> None:
        """Roll the running update of ``stack`` back."""
        self._calls.write("cancel_update_stack", StackName=stack, ClientRequestToken=token)

    def roll_back(self, stack: str, token: str) -> None:
        """Roll a stack back that failed with rollback switched off."""
        self._calls.write("rollback_stack", StackName=stack, ClientRequestToken=token, RetainExceptOnCreate=True)

    def continue_rollback(self, stack: str, token: str, *, skip: Sequence[str] = (), force: bool = False) -> None:
        """Go on with a rollback that is stuck.

        Args:
            stack: ARN.
            token: of this operation.
            skip: resources to leave as they are: ``LogicalId``, or ``NestedStack.LogicalId``.
            force: leave every resource as it is that cannot be rolled back.
        """
        optional: dict[str, Any] = {"ResourcesToSkip": list(skip)} if skip else {"ForceRollback": True} if force else {}
        self._calls.write("continue_update_rollback", StackName=stack, ClientRequestToken=token, **optional)

    # Drift

    def detect_drift(self, stack: str) -> str:
        """Start drift detection, and return its id."""
        return str(self._calls.write("detect_stack_drift", repeat=True, StackName=stack)["StackDriftDetectionId"])

    def drift_detection(self, detection: str) -> Mapping[str, Any]:
        """Return how far the detection is: ``DetectionStatus``, ``StackDriftStatus`` ..."""
        answer = self._calls.read("describe_stack_drift_detection_status", StackDriftDetectionId=detection)
        return dict(answer)

    def drifts(self, stack: str) -> tuple[Mapping[str, Any], ...]:
        """Return how each resource of ``stack`` that could be compared is, as of the last detection."""
        return tuple(self._pages("describe_stack_resource_drifts", "StackResourceDrifts", StackName=stack))

    def client(self, service: str) -> Any:
        """Return the client of another service in the same account and region."""
        return self._calls.aws.client(service, self.region)

    # What has no method of its own

    def read(self, operation: str, **parameters: Any) -> Any:
        """Ask anything else."""
        return self._calls.read(operation, **parameters)

    def write(self, operation: str, **parameters: Any) -> Any:
        """Change anything else."""
        return self._calls.write(operation, **parameters)

    def _pages(self, operation: str, member: str, **parameters: Any) -> Iterator[Any]:
        token = None
        while True:
            extra: dict[str, Any] = {"NextToken": token} if token else {}
            page = self._calls.read(operation, **parameters, **extra)
            yield from page.get(member, ())
            token = page.get("NextToken")
            if not token:
                return


def is_gone(error: ServiceError) -> bool:
    """Return whether the service says that there is no such stack."""
    return error.code == "ValidationError" and "does not exist" in error.message


def is_busy(error: ServiceError) -> bool:
    """Return whether the service says that somebody else is changing the stack."""
    return "IN_PROGRESS" in error.message or error.code == "OperationInProgressException"


def is_absent(error: ServiceError) -> bool:
    """Return whether the service says that there is no such stack set."""
    return error.code == "StackSetNotFoundException"


def is_waiting(error: ServiceError) -> bool:
    """Return whether the service says that a stack set has another operation, or was just changed."""
    return error.code in {"OperationInProgressException", "StaleRequestException"}


def is_detecting(error: ServiceError) -> bool:
    """Return whether the service says that it is already looking for drift in the stack."""
    return "drift detection" in error.message.lower() and "already in progress" in error.message.lower()


def is_early_validation(reason: str) -> bool:
    """Return whether a change set failed because early validation found something."""
    return _EARLY in reason or "Call DescribeEvents" in reason


def is_hook(reason: str) -> bool:
    """Return whether something failed because a hook refused it."""
    return "hook(s) failed" in reason


def _state(item: Any) -> StackState:
    changed = item.get("LastUpdatedTime") or item["CreationTime"]
    return StackState(
        name=item["StackName"],
        id=item["StackId"],
        status=item["StackStatus"],
        reason=item.get("StackStatusReason", ""),
        changed=changed.isoformat(),
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in item.get("Parameters", ())},
        outputs={each["OutputKey"]: each.get("OutputValue", "") for each in item.get("Outputs", ())},
        tags={each["Key"]: each["Value"] for each in item.get("Tags", ())},
        role=item.get("RoleARN"),
        notifications=tuple(item.get("NotificationARNs", ())),
        protected=bool(item.get("EnableTerminationProtection")),
        rollback_alarms=tuple(
            each["Arn"] for each in item.get("RollbackConfiguration", {}).get("RollbackTriggers", ())
        ),
        parent=item.get("ParentId"),
        drift=item.get("DriftInformation", {}).get("StackDriftStatus", ""),
    )


def _event(item: Any) -> StackEvent:
    return StackEvent(
        id=item["EventId"],
        stack_id=item["StackId"],
        stack=item["StackName"],
        resource=item.get("LogicalResourceId", ""),
        physical_id=item.get("PhysicalResourceId", ""),
        type=item.get("ResourceType", ""),
        status=item.get("ResourceStatus", ""),
        reason=item.get("ResourceStatusReason", ""),
        time=item["Timestamp"].timestamp(),
        token=item.get("ClientRequestToken", ""),
    )


def _key(change: Any) -> tuple[str, str]:
    details = change.get("ResourceChange", {})
    return details.get("LogicalResourceId", ""), details.get("Action", "")


def _change(details: Any) -> ResourceChange:
    replacement, policy = details.get("Replacement", "False"), details.get("PolicyAction", "")
    actions: dict[str, Action] = {
        "Add": "add",
        "Modify": "modify",
        "Remove": "remove",
        "Import": "import",
        "SyncWithActual": "sync",
    }
    action = actions.get(details["Action"], "unknown")
    certain = replacement != "Conditional" and not (action == "unknown" and policy)
    replaces = replacement in {"True", "Conditional"} or policy.startswith("Replace")
    if replaces and action in {"modify", "sync", "unknown"}:
        action = "replace"
    elif action == "unknown" and policy:  # known only during the deployment, and what is there may go
        action = "remove"
    properties: dict[str, PropertyChange] = {}
    for detail in details.get("Details", ()):
        target = detail.get("Target", {})
        path = _path(target)
        drift = target.get("Drift", {})
        cause = OUTSIDE if drift else detail.get("CausingEntity", "")
        change = PropertyChange(
            path,
            drift.get("ActualValue", target.get("BeforeValue")),
            target.get("AfterValue", drift.get("PreviousValue")),
            _RECREATES.get(target.get("RequiresRecreation", "Never"), "never"),
            cause,
        )
        # One property has one entry for each cause; the one with the value says most.
        if path not in properties or properties[path].after is None:
            properties[path] = change
    return ResourceChange(
        action,
        details["LogicalResourceId"],
        details.get("ResourceType", ""),
        details.get("PhysicalResourceId", ""),
        certain=certain,
        policy=policy,
        properties=tuple(sorted(properties.values(), key=lambda each: each.path)),
    )


def _path(target: Any) -> str:
    if path := target.get("Path"):
        return str(path).removeprefix("/").removeprefix("Properties/").replace("/", ".")
    return str(target.get("Name") or target.get("Attribute", ""))
