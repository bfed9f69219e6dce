"""Operations on change sets."""

from __future__ import annotations

import json
from typing import Any

from fakes.cfn import nested_change_sets as nested
from fakes.cfn import operations
from fakes.cfn.changes import NO_CHANGES, NO_UPDATES, Comparison
from fakes.cfn.requests import Parameters, forward_page, present, source_of, tag_list, use_token
from fakes.cfn.state import ChangeSet, Problem, Stack
from fakes.cfn.template import parse
from fakes.cfn.world import Operation, World
from fakes.errors import ServiceError, change_set_not_found, invalid_change_set_status, validation
from fakes.simulation import Process, Steps

_UPDATABLE = {
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
}


def create_change_set(world: World, request: Parameters) -> dict[str, Any]:
    """CreateChangeSet."""
    name, kind = request["ChangeSetName"], request.get("ChangeSetType", "UPDATE")
    stack = world.find(request["StackName"])
    if stack is not None and stack.gone:
        stack = None
    if stack is not None and (known := _by_name(stack, name)):
        return _repeated(known, stack, request)
    _check_stack(stack, request, kind)
    if request.get("RoleARN") in world.bad_roles:
        raise validation(f"Role {request['RoleARN']} is invalid or cannot be assumed")
    if request.get("OnStackFailure") == "DELETE" and kind != "CREATE":
        raise validation("OnStackFailure DELETE can only be specified for a change set of type CREATE")
    source = source_of(world, request, stack)
    imports = _imports(request, source.body)
    if stack is None:
        stack = Stack(request["StackName"], world.arn(f"stack/{request['StackName']}"), world.now)
        world.store.stacks.append(stack)
        shell = Operation(stack, "CREATE_CHANGESET", world.new_id("operation"), None)
        world.stack_event(shell, "REVIEW_IN_PROGRESS", "User Initiated")
    change_set = ChangeSet(
        name,
        world.arn(f"changeSet/{name}"),
        kind,
        source,
        world.now,
        request.get("ClientToken"),
        _fingerprint(request),
        description=request.get("Description"),
        role_arn=request.get("RoleARN"),
        on_stack_failure=request.get("OnStackFailure"),
        include_nested=request.get("IncludeNestedStacks", False),
        import_existing=request.get("ImportExistingResources", False),
        deployment_mode=request.get("DeploymentMode"),
        deployment_config=request.get("DeploymentConfig"),
        imports=imports,
        operation_id=world.new_id("operation"),
    )
    stack.change_sets.append(change_set)
    world.simulation.start(_compute(world, stack, change_set, validate=not request.get("DisableValidation", False)))
    return {"Id": change_set.id, "StackId": stack.id}


def _fingerprint(request: Parameters) -> str:
    return json.dumps({key: value for key, value in request.items() if key != "StackName"}, sort_keys=True)


def _by_name(stack: Stack, name: str) -> ChangeSet | None:
    return next((item for item in stack.change_sets if name in (item.name, item.id)), None)


def _repeated(known: ChangeSet, stack: Stack, request: Parameters) -> dict[str, Any]:
    same_token = known.token is not None and known.token == request.get("ClientToken")
    if same_token and known.fingerprint == _fingerprint(request):
        return {"Id": known.id, "StackId": stack.id}
    if same_token:
        raise ServiceError(
            "AlreadyExistsException",
            f"ChangeSet {known.id} cannot be created due to a mismatch with existing attribute Template",
        )
    raise ServiceError("AlreadyExistsException", f"ChangeSet {known.name} already exists")


def _check_stack(stack: Stack | None, request: Parameters, kind: str) -> None:
    if kind == "CREATE":
        if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise validation(
                f"Stack [{stack.name}] already exists and cannot be created again "
                f"with the changeSet [{request['ChangeSetName']}]."
            )
        return
    if stack is None:
        if kind == "IMPORT":
            return
        raise validation(f"Stack [{request['StackName']}] does not exist")
    reviewed = kind == "IMPORT" and stack.status == "REVIEW_IN_PROGRESS"
    if stack.status not in _UPDATABLE and not reviewed:
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def _imports(request: Parameters, body: str) -> dict[str, str]:
    imports = {}
    for item in request.get("ResourcesToImport", []):
        name = item["LogicalResourceId"]
        definition = parse(body)["Resources"].get(name)
        if definition is None:
            raise validation(f"Resources [{name}] do not exist in the template")
        if "DeletionPolicy" not in definition:
            raise validation(f"Resources [{name}] are missing DeletionPolicy attribute in the template")
        imports[name] = next(iter(item["ResourceIdentifier"].values()))
    return imports


def _compute(world: World, stack: Stack, change_set: ChangeSet, *, validate: bool) -> Process:
    yield world.timing.change_set_pending
    if change_set.status != "CREATE_PENDING":
        return
    change_set.status = "CREATE_IN_PROGRESS"
    yield world.timing.change_set
    if change_set not in stack.change_sets:
        return
    change_set.reason = compare(world, stack, change_set, validate=validate)
    failed = change_set.reason is not None
    change_set.status = "FAILED" if failed else "CREATE_COMPLETE"
    if change_set.execution_status != "OBSOLETE" and not failed:
        change_set.execution_status = "AVAILABLE"


def compare(world: World, stack: Stack, change_set: ChangeSet, *, validate: bool) -> str | None:
    """Find the changes of a change set out, and return why it fails."""
    comparison = Comparison(world, stack, change_set)
    try:
        change_set.changes = comparison.changes()
        reason = nested.compare(world, stack, change_set, compare) if change_set.include_nested else None
        outputs_change = comparison.outputs_change()
    except ServiceError as error:
        return error.message
    if reason is not None:
        return reason
    missing = [item for item in change_set.imports.values() if item not in world.store.physical]
    if missing:
        return f"Resources to import do not exist: [{', '.join(missing)}]"
    if validate and (names := _validate(world, stack, change_set)):
        listed = ", ".join(f"AWS::EarlyValidation::{name}" for name in names)
        return (
            f"The following hook(s)/validation failed: [{listed}]. To troubleshoot Early Validation errors, "
            "use the DescribeEvents API for detailed failure information."
        )
    before, after = stack.source, change_set.source
    settings = (before.tags, before.notification_arns, before.rollback_configuration)
    if change_set.changes or outputs_change or stack.status == "REVIEW_IN_PROGRESS":
        return None
    if settings != (after.tags, after.notification_arns, after.rollback_configuration):
        return None
    return NO_UPDATES if "Transform" in parse(after.body) else NO_CHANGES


def _validate(world: World, stack: Stack, change_set: ChangeSet) -> list[str]:
    """Note what early validation finds, and return the names of the validations that fail the change set."""
    for change in change_set.changes:
        logical_id, kind = change["LogicalResourceId"], change["ResourceType"]
        found = world.early_validation(change)
        if found is not None:
            name, path, reason, mode = found
            change_set.problems.append(
                Problem(
                    world.new_id("event"),
                    world.now,
                    change_set.operation_id,
                    logical_id,
                    kind,
                    name,
                    reason,
                    path,
                    mode,
                )
            )
    return sorted({problem.name for problem in change_set.problems if problem.mode == "FAIL"})


def find(world: World, request: Parameters) -> tuple[Stack, ChangeSet]:
    """Return a change set by ARN, or by the names of stack and set.

    Raises:
        ServiceError: there is no such stack or change set.
    """
    name = request["ChangeSetName"]
    if name.startswith("arn:"):
        for stack in world.store.stacks:
            if known := _by_name(stack, name):
                return stack, known
        raise change_set_not_found(name)
    if "StackName" not in request:
        raise validation("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stack = world.living(request["StackName"])
    change_set = _by_name(stack, name)
    if change_set is None:
        raise change_set_not_found(name)
    return stack, change_set


def describe_change_set(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeChangeSet."""
    stack, change_set = find(world, request)
    changes, reason = change_set.changes, change_set.reason
    with_values = request.get("IncludePropertyValues", False)
    if with_values and world.incomplete_property_values and changes:
        changes = changes[:-1]
        reason = (
            "[WARN] --include-property-values option can return incomplete ChangeSet data because: "
            "ChangeSet creation failed for resource because: Internal failure"
        )
    shown, token = forward_page(
        [_shown(change, with_values=with_values) for change in changes], request, world.page_size
    )
    drift = None
    if change_set.deployment_mode == "REVERT_DRIFT":
        drift = "DRIFTED" if any("ResourceDriftStatus" in change for change in change_set.changes) else "IN_SYNC"
    return (
        summary(stack, change_set)
        | token
        | present(
            StatusReason=reason,
            Parameters=world.described_parameters(change_set.source),
            Capabilities=change_set.source.capabilities,
            NotificationARNs=change_set.source.notification_arns,
            RollbackConfiguration=change_set.source.rollback_configuration,
            Tags=tag_list(change_set.source.tags),
            Changes=shown,
            OnStackFailure=change_set.on_stack_failure,
            DeploymentMode=change_set.deployment_mode,
            DeploymentConfig=change_set.deployment_config,
            StackDriftStatus=drift,
        )
    )


def summary(stack: Stack, change_set: ChangeSet) -> dict[str, Any]:
    """Return what both listing and description show."""
    return present(
        StackId=stack.id,
        StackName=stack.name,
        ChangeSetId=change_set.id,
        ChangeSetName=change_set.name,
        ExecutionStatus=change_set.execution_status,
        Status=change_set.status,
        StatusReason=change_set.reason,
        CreationTime=change_set.created,
        Description=change_set.description,
        IncludeNestedStacks=change_set.include_nested,
        ParentChangeSetId=change_set.parent_id,
        RootChangeSetId=change_set.root_id,
        ImportExistingResources=change_set.import_existing,
    )


_CONTEXTS = ("BeforeContext", "AfterContext")
_VALUES = ("BeforeValue", "AfterValue", "BeforeValueFrom", "AfterValueFrom", "Path", "AttributeChangeType", "Drift")


def _shown(change: dict[str, Any], *, with_values: bool) -> dict[str, Any]:
    if with_values:
        return {"Type": "Resource", "ResourceChange": change}
    bare = {key: value for key, value in change.items() if key not in _CONTEXTS}
    bare["Details"] = [
        detail | {"Target": {key: value for key, value in detail["Target"].items() if key not in _VALUES}}
        for detail in change["Details"]
    ]
    return {"Type": "Resource", "ResourceChange": bare}


def list_change_sets(world: World, request: Parameters) -> dict[str, Any]:
    """ListChangeSets."""
    stack = world.living(request["StackName"])
    shown, token = forward_page([summary(stack, item) for item in stack.change_sets], request, world.page_size)
    return {"Summaries": shown, **token}


def delete_change_set(world: World, request: Parameters) -> dict[str, Any]:
    """DeleteChangeSet: one that is not there is deleted already."""
    try:
        stack, change_set = find(world, request)
    except ServiceError as error:
        if error.code == "ChangeSetNotFound":
            return {}
        raise
    if change_set.parent_id is not None:
        raise validation(f"ChangeSet [{change_set.id}] is nested: delete its root")
    for status in (change_set.status, change_set.execution_status):
        if status in ("CREATE_IN_PROGRESS", "EXECUTE_IN_PROGRESS"):
            raise invalid_change_set_status(f"ChangeSet [{change_set.id}] cannot be deleted in {status} status")
    stack.change_sets.remove(change_set)
    nested.delete(world, change_set)
    return {}


def execute_change_set(world: World, request: Parameters) -> dict[str, Any]:
    """ExecuteChangeSet."""
    stack, change_set = find(world, request)
    if change_set.parent_id is not None:
        raise validation(f"ChangeSet [{change_set.id}] is nested: execute its root")
    if change_set.on_stack_failure is not None and "DisableRollback" in request:
        raise validation("DisableRollback cannot be specified for a change set that was created with OnStackFailure")
    if change_set.status != "CREATE_COMPLETE":
        raise invalid_change_set_status(
            f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
        )
    if change_set.execution_status != "AVAILABLE":
        raise invalid_change_set_status(
            f"ChangeSet [{change_set.id}] cannot be executed in its current "
            f"execution status of [{change_set.execution_status}]"
        )
    if stack.status not in _UPDATABLE and stack.status != "REVIEW_IN_PROGRESS":
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
    token = request.get("ClientRequestToken")
    kind = "CREATE_STACK" if change_set.kind == "CREATE" else "UPDATE_STACK"
    use_token(stack, token, kind)
    start(world, stack, change_set, request, world.begin(stack, kind, token))
    return {}


def start(world: World, stack: Stack, change_set: ChangeSet, request: Parameters, operation: Operation) -> None:
    """Begin what a change set says; all others of the stack are obsolete from now on."""
    operation.retain_except_on_create = request.get("RetainExceptOnCreate", False)
    operation.revert_drift = change_set.deployment_mode == "REVERT_DRIFT"
    stack.change_set_id = change_set.id
    stack.role_arn = change_set.role_arn or stack.role_arn
    on_failure = change_set.on_stack_failure or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")
    stack.disable_rollback = on_failure == "DO_NOTHING"
    stack.retain_except_on_create = operation.retain_except_on_create
    operation.keep_going = stack.disable_rollback
    for other in stack.change_sets:
        if other is not change_set and other.status != "FAILED":
            other.execution_status = "OBSOLETE"
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    if change_set.kind == "CREATE":
        stack.source = change_set.source
        steps = operations.create(world, operation, on_failure)
    elif change_set.kind == "UPDATE":
        steps = operations.update(world, operation, change_set)
    else:
        steps = operations.adopt(world, operation, change_set)
    world.simulation.start(_execute(change_set, steps))


def _execute(change_set: ChangeSet, steps: Steps[bool]) -> Process:
    succeeded = yield from steps
    change_set.execution_status = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"


OPERATIONS = {
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": describe_change_set,
    "ListChangeSets": list_change_sets,
    "DeleteChangeSet": delete_change_set,
    "ExecuteChangeSet": execute_change_set,
}
