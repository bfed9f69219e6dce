"""Operations that change stacks without a change set."""

from __future__ import annotations

from typing import Any

from fakes.cfn import operations
from fakes.cfn.requests import Parameters, use_token
from fakes.cfn.state import Stack
from fakes.cfn.world import Operation, World
from fakes.errors import validation
from fakes.simulation import Process

_DELETABLE_WHILE_BUSY = {"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}


def delete_stack(world: World, request: Parameters) -> dict[str, Any]:
    """DeleteStack: one that is not there is deleted already; a creation is cancelled by it."""
    stack = world.find(request["StackName"])
    if stack is None or stack.gone:
        return {}
    if stack.protected:
        raise validation(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.busy and stack.status not in _DELETABLE_WHILE_BUSY:
        raise validation(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
    force = request.get("DeletionMode") == "FORCE_DELETE_STACK"
    retain = set(request.get("RetainResources", []))
    if stack.status != "DELETE_FAILED":
        if force:
            raise validation(
                f"Invalid operation on stack [{stack.id}]. You can activate DeletionMode FORCE_DELETE_STACK "
                "in a delete stack operation only when the stack is in the DELETE_FAILED state."
            )
        if retain:
            raise validation(
                f"Invalid operation on stack [{stack.id}]. RetainResources can only be specified "
                "when the stack is in the DELETE_FAILED state."
            )
    if stack.status == "DELETE_IN_PROGRESS":
        return {}
    if unknown := retain - stack.resources.keys():
        raise validation(f"Resources [{', '.join(sorted(unknown))}] do not exist in stack [{stack.name}]")
    use_token(stack, request.get("ClientRequestToken"), "DELETE_STACK")
    _cancel_running(world, stack)
    stack.role_arn = request.get("RoleARN", stack.role_arn)
    stack.deletion_mode = request.get("DeletionMode")
    operation = world.begin(stack, "DELETE_STACK", request.get("ClientRequestToken"))
    steps = operations.delete(world, operation, "User Initiated", retain, force=force)
    world.simulation.start(_forget_result(steps))
    return {}


def _forget_result(steps: Any) -> Process:
    yield from steps


def _cancel_running(world: World, stack: Stack) -> None:
    operation = world.running.get(stack.id)
    if operation is not None:
        operation.cancelled = True
        operation.signal.fire()


def cancel_update_stack(world: World, request: Parameters) -> dict[str, Any]:
    """CancelUpdateStack."""
    stack = world.living(request["StackName"])
    if stack.status != "UPDATE_IN_PROGRESS":
        raise validation("CancelUpdateStack cannot be called from current stack status")
    _cancel_running(world, stack)
    return {}


def continue_update_rollback(world: World, request: Parameters) -> dict[str, Any]:
    """ContinueUpdateRollback."""
    stack = world.living(request["StackName"])
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back")
    skip = set(request.get("ResourcesToSkip", []))
    top_level = {name for name in skip if "." not in name}
    if wrong := sorted(top_level - set(stack.stuck)):
        raise validation(f"Resources [{', '.join(wrong)}] cannot be skipped: they are not in UPDATE_FAILED state")
    use_token(stack, request.get("ClientRequestToken"), "CONTINUE_ROLLBACK")
    stack.role_arn = request.get("RoleARN", stack.role_arn)
    operation = world.begin(stack, "CONTINUE_ROLLBACK", request.get("ClientRequestToken"))
    operation.skip = skip
    world.simulation.start(operations.undo_update(world, operation, "User Initiated", top_level))
    return {}


def rollback_stack(world: World, request: Parameters) -> dict[str, Any]:
    """RollbackStack: to the last stable state, or away if there never was one."""
    stack = world.living(request["StackName"])
    if stack.status not in ("CREATE_FAILED", "UPDATE_FAILED"):
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back")
    token = request.get("ClientRequestToken")
    use_token(stack, token, "ROLLBACK")
    operation = world.begin(stack, "ROLLBACK", token)
    operation.retain_except_on_create = request.get("RetainExceptOnCreate", False)
    world.simulation.start(_rollback(world, operation))
    return {"StackId": stack.id, "OperationId": operation.id}


def _rollback(world: World, operation: Operation) -> Process:
    if operation.stack.baseline is not None:
        yield from operations.undo_update(world, operation, "User Initiated")
    elif world.rollback_deletes:
        yield from operations.delete(world, operation, "User Initiated", set(), force=False)
    else:
        yield from operations.undo_create(world, operation, "User Initiated")


def update_termination_protection(world: World, request: Parameters) -> dict[str, Any]:
    """UpdateTerminationProtection."""
    stack = world.living(request["StackName"])
    if stack.parent_id is not None:
        raise validation("Termination protection cannot be updated on nested stack")
    stack.protected = request["EnableTerminationProtection"]
    return {"StackId": stack.id}


def set_stack_policy(world: World, request: Parameters) -> dict[str, Any]:
    """SetStackPolicy."""
    stack = world.living(request["StackName"])
    stack.policy = (
        request["StackPolicyBody"] if "StackPolicyBody" in request else world.template_at(request["StackPolicyURL"])
    )
    return {}


OPERATIONS = {
    "CancelUpdateStack": cancel_update_stack,
    "ContinueUpdateRollback": continue_update_rollback,
    "DeleteStack": delete_stack,
    "RollbackStack": rollback_stack,
    "SetStackPolicy": set_stack_policy,
    "UpdateTerminationProtection": update_termination_protection,
}
