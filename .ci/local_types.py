"""What the schemas say about the CloudFormation types that MiniStack lacks."""

import json
from collections.abc import Iterator
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

REGION = "us-east-1"
Schema = dict[str, Any]


def local_types() -> str:
    lacking = [
        name
        for name in sorted(PROVIDER_SCHEMA_MANAGER.get_resource_types(REGION))
        if name.startswith("AWS::") and name not in _RESOURCE_HANDLERS
    ]
    facts = {name: facts_of(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, name).schema) for name in lacking}
    # One type a line: a new version of the schemas changes few of them.
    lines = (f"{json.dumps(name)}: {json.dumps(fact, separators=(',', ':'))}" for name, fact in facts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def facts_of(schema: Schema) -> dict[str, list[str]]:
    attributes = {leaf for path in paths(schema, "readOnlyProperties") for leaf in leaves(schema, path)}
    return {
        "ref": [".".join(path) for path in paths(schema, "primaryIdentifier")],
        "attributes": sorted(".".join(path) for path in attributes),
        "replace": sorted(".".join(path) for path in paths(schema, "createOnlyProperties")),
    }


def paths(schema: Schema, key: str) -> list[tuple[str, ...]]:
    found = (tuple(pointer.split("/")[2:]) for pointer in schema.get(key, ()))
    return [tuple(part for part in path if part != "properties") for path in found if "*" not in path]


def leaves(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield ``path``, or the values inside it where it is an object: Fn::GetAtt takes no objects."""
    node = schema
    for part in path:
        node = resolve(schema, resolve(schema, node).get("properties", {}).get(part, {}))
    inner = node.get("properties")
    yield from ((*path, name) for name in inner) if inner else (path,)


def resolve(schema: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        node = schema.get("definitions", {}).get(node["$ref"].rsplit("/", 1)[1], {})
    return node
