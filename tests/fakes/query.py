"""The query protocol of AWS: forms in, XML out, both by botocore's service model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

from fakes.errors import ModelViolation, ServiceError
from fakes.model import check, operation_model, service_model

_TRUTH = {"true": True, "false": False}


def parse_request(service: str, body: str) -> tuple[str, dict[str, Any]]:
    """Return the operation and the parameters of a form, checked against the service model."""
    form = dict(parse_qsl(body, keep_blank_values=True))
    operation = form.pop("Action")
    if form.pop("Version") != service_model(service).api_version:
        raise ModelViolation(f"{operation}: wrong API version")
    shape = operation_model(service, operation).input_shape
    tree: dict[str, Any] = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    parameters = {} if shape is None else _from_form(tree, shape, operation)
    check(parameters, shape, operation)
    return operation, parameters


def _from_form(value: Any, shape: Any, path: str) -> Any:
    match shape.type_name:
        case "structure":
            if unknown := sorted(set(value) - set(shape.members)):
                raise ModelViolation(f"{path}: unknown parameters {unknown}")
            return {name: _from_form(item, shape.members[name], f"{path}.{name}") for name, item in value.items()}
        case "list":
            if value == "":  # botocore's way to send an empty list
                return []
            members = value["member"]
            return [_from_form(members[key], shape.member, f"{path}.{key}") for key in sorted(members, key=int)]
        case "map":
            entries = value["entry"]
            return {entries[key]["key"]: _from_form(entries[key]["value"], shape.value, path) for key in entries}
        case "integer" | "long":
            return int(value)
        case "boolean":
            return _TRUTH[value]
        case _:
            return value


def render_answer(service: str, operation: str, answer: dict[str, Any], request_id: str) -> str:
    """Return the XML for an answer, checked against the service model."""
    model = operation_model(service, operation)
    shape = model.output_shape
    check(answer, shape, f"{operation} answer")
    root = ET.Element(f"{operation}Response", xmlns=service_model(service).metadata["xmlNamespace"])
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        to_xml(answer, shape, ET.SubElement(root, wrapper) if wrapper else root)
    metadata = ET.SubElement(root, "ResponseMetadata")
    ET.SubElement(metadata, "RequestId").text = request_id
    return ET.tostring(root, encoding="unicode")


def to_xml(value: Any, shape: Any, element: ET.Element) -> None:
    """Add a value to an element, the way its shape says."""
    match shape.type_name:
        case "structure":
            for name, item in value.items():
                _add_member(item, shape.members[name], shape.members[name].serialization.get("name", name), element)
        case "list":
            for item in value:
                to_xml(item, shape.member, ET.SubElement(element, shape.member.serialization.get("name", "member")))
        case "map":
            for key, item in value.items():
                entry = ET.SubElement(element, "entry")
                ET.SubElement(entry, "key").text = key
                to_xml(item, shape.value, ET.SubElement(entry, "value"))
        case "boolean":
            element.text = "true" if value else "false"
        case "timestamp":
            element.text = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _:
            element.text = str(value)


def _add_member(value: Any, shape: Any, name: str, element: ET.Element) -> None:
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        for item in value:
            to_xml(item, shape.member, ET.SubElement(element, name))
    else:
        to_xml(value, shape, ET.SubElement(element, name))


def render_error(error: ServiceError, request_id: str) -> str:
    """Return the XML for an error."""
    root = ET.Element("ErrorResponse")
    details = ET.SubElement(root, "Error")
    ET.SubElement(details, "Type").text = "Sender" if error.status < 500 else "Receiver"
    ET.SubElement(details, "Code").text = error.code
    ET.SubElement(details, "Message").text = error.message
    ET.SubElement(root, "RequestId").text = request_id
    return ET.tostring(root, encoding="unicode")
