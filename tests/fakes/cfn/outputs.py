"""Outputs and exports of a stack."""

from __future__ import annotations

from typing import Any

from fakes.cfn.state import Stack
from fakes.cfn.template import Scope
from fakes.cfn.world import World
from fakes.errors import validation


def outputs_of(world: World, stack: Stack, scope: Scope) -> list[dict[str, Any]]:
    """Return the outputs of a stack that was just built.

    Raises:
        ServiceError: an export exists already, or one that others use would change.
    """
    outputs = []
    for key, declared in scope.template.get("Outputs", {}).items():
        if "Condition" in declared and not scope.condition(declared["Condition"]):
            continue
        output = {"OutputKey": key, "OutputValue": str(scope.resolve(declared["Value"]))}
        if "Description" in declared:
            output["Description"] = declared["Description"]
        if "Export" in declared:
            output["ExportName"] = scope.resolve(declared["Export"]["Name"])
        outputs.append(output)
    _check_exports(world, stack, outputs)
    return outputs


def _check_exports(world: World, stack: Stack, outputs: list[dict[str, Any]]) -> None:
    new = {output["ExportName"]: output["OutputValue"] for output in outputs if "ExportName" in output}
    for name, (owner, value) in world.exports().items():
        if owner is not stack:
            if name in new:
                raise validation(f"Export with name {name} is already exported by stack {owner.name}")
        elif new.get(name) != value and (users := world.importers(name)):
            verb = "updated" if name in new else "deleted"
            raise validation(f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}")
