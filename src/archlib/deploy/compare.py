"""What changes between two templates, where CloudFormation cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.deploy.models import PropertyChange, ResourceChange

_ATTRIBUTES = ("Properties", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy", "Condition")


def compare(before: Mapping[str, Any], stack: StackArtifact) -> tuple[ResourceChange, ...]:
    """Return what brings a stack from the template ``before`` to that of ``stack``, as far as templates tell.

    What a change does to a resource, and what follows from changed parameters, only CloudFormation knows.
    """
    old: Mapping[str, Any] = before.get("Resources", {})
    new: Mapping[str, Any] = stack.template["Resources"]
    return tuple(_changes(old, new))


def with_values(
    changes: Iterable[ResourceChange], before: Mapping[str, Any], stack: StackArtifact
) -> tuple[ResourceChange, ...]:
    """Return ``changes`` with the values of the templates where CloudFormation gave none.

    Args:
        changes: of a change set.
        before: the template that the stack has.
        stack: what it is to have.
    """
    known = {
        (change.resource, each.path): each for change in compare(before, stack) for each in change.properties
    }  # fmt: skip
    return tuple(
        replace(
            change,
            properties=tuple(
                replace(each, before=told.before, after=told.after)
                if (told := known.get((change.resource, each.path))) and each.before is None and each.after is None
                else each
                for each in change.properties
            ),
        )
        for change in changes
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ResourceChange]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield ResourceChange("add", name, new[name]["Type"])
        elif name not in new:
            yield ResourceChange("remove", name, old[name]["Type"], policy=old[name].get("DeletionPolicy", "Delete"))
        elif old[name]["Type"] != new[name]["Type"]:
            yield ResourceChange("replace", name, new[name]["Type"])
        elif properties := tuple(_properties(old[name], new[name])):
            yield ResourceChange("modify", name, new[name]["Type"], properties=properties)


def _properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[PropertyChange]:
    for attribute in _ATTRIBUTES:
        was, is_ = old.get(attribute), new.get(attribute)
        if was == is_:
            continue
        if attribute == "Properties":
            was, is_ = was or {}, is_ or {}
            for key in sorted(was.keys() | is_.keys()):
                if was.get(key) != is_.get(key):
                    yield PropertyChange(key, _text(was.get(key)), _text(is_.get(key)))
        else:
            yield PropertyChange(attribute, _text(was), _text(is_))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
