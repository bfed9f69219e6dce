"""What a change set would change, told the way DescribeChangeSet tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fakes.cfn.provision import changed_properties, deletion_policy
from fakes.cfn.resource_types import create_only
from fakes.cfn.state import STACK, ChangeSet, Resource, Stack
from fakes.cfn.template import UNKNOWN, Scope, dependencies, references
from fakes.cfn.world import World

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
NO_UPDATES = "No updates are to be performed."

_POLICIES = {"Delete": "Delete", "Retain": "Retain", "RetainExceptOnCreate": "Retain", "Snapshot": "Snapshot"}
_ATTRIBUTES = ("Metadata", "CreationPolicy", "UpdatePolicy", "DeletionPolicy", "UpdateReplacePolicy")


@dataclass
class Comparison:
    """A stack as it is against a change set; ``fates`` says what becomes of each resource."""

    world: World
    stack: Stack
    change_set: ChangeSet
    fates: dict[str, str] = field(default_factory=dict)

    def changes(self) -> list[dict[str, Any]]:
        """Return all changes, in the order of dependencies."""
        scope = self._scope()
        definitions = scope.resources()
        changes = []
        for name in in_order(dependencies(scope.template)):
            if name in definitions:
                change = self._change(scope, name, definitions[name])
                if change is not None:
                    changes.append(change)
        for name, resource in self.stack.resources.items():
            if name not in definitions and resource.exists:
                changes.append(self._removal(resource))
        return changes

    def outputs_change(self) -> bool:
        """Tell whether an output would be another one; only after :meth:`changes`."""
        scope = self._scope()
        declared = scope.template.get("Outputs", {})
        wanted = [item for item in declared.values() if "Condition" not in item or scope.condition(item["Condition"])]
        new = sorted((str(scope.resolve(item["Value"])), _export(scope, item)) for item in wanted)
        return new != sorted((item["OutputValue"], item.get("ExportName", "")) for item in self.stack.outputs)

    def _scope(self) -> Scope:
        scope = self.world.scope(self.stack, self.change_set.source)
        scope.ref = lambda name: UNKNOWN if self._unknown(name) else self.stack.resources[name].physical_id
        scope.get_att = self._attribute
        return scope

    def _unknown(self, name: str) -> bool:
        return self.fates.get(name, "add") in ("add", "replace")

    def _attribute(self, name: str, attribute: str) -> Any:
        if self._unknown(name) or (self.fates[name] == "modify" and self.stack.resources[name].type == STACK):
            return UNKNOWN
        return self.world.attribute(self.stack, name, attribute)

    def _change(self, scope: Scope, name: str, definition: dict[str, Any]) -> dict[str, Any] | None:
        current = self.stack.resources.get(name)
        after = scope.resolve(definition.get("Properties", {}))
        if name in self.change_set.imports:
            self.fates[name] = "same"
            return self._entry("Import", name, definition["Type"], self.change_set.imports[name], after=after)
        if current is None or not current.exists or current.status == "CREATE_FAILED" or self._gone(current):
            self.fates[name] = "add"
            change = self._entry("Add", name, definition["Type"], None, after=after)
            if current is not None and self._gone(current):
                change["ResourceDriftStatus"] = "DELETED"
            return change
        return self._modification(scope, current, definition, after)

    def _gone(self, resource: Resource) -> bool:
        return self.change_set.deployment_mode == "REVERT_DRIFT" and resource.deleted_outside

    def _modification(
        self, scope: Scope, current: Resource, definition: dict[str, Any], after: dict[str, Any]
    ) -> dict[str, Any] | None:
        details = [
            self._detail(scope, current, definition, name, after)
            for name in sorted(changed_properties(current.properties, after))
        ]
        details += self._drift_details(current, after)
        attributes = [name for name in _ATTRIBUTES if current.definition.get(name) != definition.get(name)]
        details += [_attribute_detail(name) for name in attributes]
        if definition["Type"] != current.type:
            self.fates[current.logical_id] = "replace"
        elif not (details or _open(current)) and (current.type != STACK or self.change_set.include_nested):
            self.fates[current.logical_id] = "same"
            return None
        replacement = _replacement(details, changed_type=definition["Type"] != current.type)
        self.fates[current.logical_id] = "modify" if replacement == "False" else "replace"
        change = self._entry(
            "Modify", current.logical_id, current.type, current.physical_id, before=current.properties, after=after
        )
        change["Replacement"] = replacement
        change["Details"] = details or [_nested_detail()]
        change["Scope"] = sorted({detail["Target"]["Attribute"] for detail in change["Details"]})
        if replacement == "True":
            policy = _POLICIES[deletion_policy(current, "UpdateReplacePolicy")]
            change["PolicyAction"] = f"ReplaceAnd{policy}"
        if self.change_set.deployment_mode == "REVERT_DRIFT" and current.actual is not None:
            change["ResourceDriftStatus"] = "MODIFIED"
        return change

    def _removal(self, resource: Resource) -> dict[str, Any]:
        change = self._entry(
            "Remove", resource.logical_id, resource.type, resource.physical_id, before=resource.properties
        )
        change["PolicyAction"] = _POLICIES[deletion_policy(resource)]
        return change

    def _entry(
        self,
        action: str,
        name: str,
        kind: str,
        physical_id: str | None,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        entry: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
        entry |= {"Scope": [], "Details": []}
        if physical_id is not None:
            entry["PhysicalResourceId"] = physical_id
        if before is not None:
            entry["BeforeContext"] = json.dumps({"Properties": before}, default=str)
        if after is not None:
            entry["AfterContext"] = json.dumps({"Properties": after}, default=str)
        return entry

    def _detail(
        self, scope: Scope, current: Resource, definition: dict[str, Any], name: str, after: dict[str, Any]
    ) -> dict[str, Any]:
        before_value, after_value = current.properties.get(name), after.get(name)
        raw = definition.get("Properties", {}).get(name)
        source, cause = self._cause(scope, raw)
        dynamic = UNKNOWN in json.dumps(after_value, default=str)
        recreation = "Never"
        if name in create_only(current.type):
            recreation = "Conditionally" if dynamic else "Always"
        target: dict[str, Any] = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
        target |= {"Path": f"/Properties/{name}", "AttributeChangeType": _change_type(before_value, after_value)}
        if before_value is not None:
            target["BeforeValue"] = _shown(before_value)
        if after_value is not None:
            target["AfterValue"] = _shown(after_value)
        detail = {"Target": target, "Evaluation": "Dynamic" if dynamic else "Static", "ChangeSource": source}
        return detail | ({"CausingEntity": cause} if cause else {})

    def _cause(self, scope: Scope, raw: Any) -> tuple[str, str | None]:
        old = self.stack.source.parameters
        for name in references(raw):
            if name in scope.parameters and old.get(name) != self.change_set.source.parameters.get(name):
                return "ParameterReference", name
            if self.fates.get(name) in ("replace", "modify", "add"):
                return ("ResourceReference" if _is_ref(raw, name) else "ResourceAttribute"), name
        return "DirectModification", None

    def _drift_details(self, current: Resource, after: dict[str, Any]) -> list[dict[str, Any]]:
        if self.change_set.deployment_mode != "REVERT_DRIFT" or current.actual is None:
            return []
        return [
            {
                "Target": {
                    "Attribute": "Properties",
                    "Name": name,
                    "RequiresRecreation": "Never",
                    "Path": f"/Properties/{name}",
                    "AttributeChangeType": "Modify",
                    "BeforeValue": _shown(current.actual.get(name)),
                    "AfterValue": _shown(after.get(name)),
                    "BeforeValueFrom": "ACTUAL_STATE",
                    "AfterValueFrom": "TEMPLATE",
                    "Drift": {
                        "PreviousValue": _shown(current.properties.get(name)),
                        "ActualValue": _shown(current.actual.get(name)),
                    },
                },
                "Evaluation": "Static",
                "ChangeSource": "NoModification",
            }
            for name in sorted(changed_properties(current.actual, after))
        ]


def _open(resource: Resource) -> bool:
    """Tell whether the last update of a resource failed, so that it is tried again."""
    return resource.status == "UPDATE_FAILED"


def in_order(needs: dict[str, set[str]]) -> list[str]:
    """Return all names, each after those it needs."""
    order: list[str] = []
    rest = dict(needs)
    while rest:
        ready = [name for name, wanted in rest.items() if not wanted & rest.keys()]
        order += ready
        rest = {name: wanted for name, wanted in rest.items() if name not in ready}
    return order


def _replacement(details: list[dict[str, Any]], *, changed_type: bool) -> str:
    needs = {detail["Target"]["RequiresRecreation"] for detail in details}
    if changed_type or "Always" in needs:
        return "True"
    return "Conditional" if "Conditionally" in needs else "False"


def _attribute_detail(name: str) -> dict[str, Any]:
    target = {"Attribute": name, "RequiresRecreation": "Never"}
    return {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def _nested_detail() -> dict[str, Any]:
    target = {"Attribute": "Properties", "RequiresRecreation": "Never"}
    return {"Target": target, "Evaluation": "Dynamic", "ChangeSource": "Automatic"}


def _change_type(before: Any, after: Any) -> str:
    if before is None:
        return "Add"
    return "Remove" if after is None else "Modify"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _is_ref(raw: Any, name: str) -> bool:
    return f'{{"Ref": "{name}"}}' in json.dumps(raw)


def _export(scope: Scope, declared: dict[str, Any]) -> str:
    return str(scope.resolve(declared["Export"]["Name"])) if "Export" in declared else ""
