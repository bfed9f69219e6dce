"""Answers of any service over the wire, by the protocol that botocore's model gives it."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

from fakes.errors import ServiceError
from fakes.exchange import Answer
from fakes.model import check, operation_model, service_model
from fakes.query import render_answer, render_error, to_xml

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


def answer(service: str, operation: str, result: dict[str, Any]) -> Answer:
    """Return an answer, checked against the service model."""
    match service_model(service).resolved_protocol:
        case "query":
            return _xml(200, render_answer(service, operation, result, REQUEST_ID))
        case "ec2":
            return _ec2(service, operation, result)
        case "json":
            return _json(service, operation, result)
        case "rest-xml":
            return _rest_xml(service, operation, result)
        case other:
            raise NotImplementedError(other)


def refusal(service: str, error: ServiceError) -> Answer:
    """Return an error as the service would."""
    match service_model(service).resolved_protocol:
        case "json":
            body = json.dumps({"__type": error.code, "message": error.message}).encode()
            return Answer(error.status, body, {"Content-Type": "application/x-amz-json-1.1"})
        case "rest-xml":
            return _xml(error.status, f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>")
        case "ec2":
            inner = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
            return _xml(
                error.status, f"<Response><Errors>{inner}</Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
            )
        case _:
            return _xml(error.status, render_error(error, REQUEST_ID))


def _xml(status: int, text: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/xml"} | (headers or {}))


def _json(service: str, operation: str, result: dict[str, Any]) -> Answer:
    check(result, operation_model(service, operation).output_shape, f"{service} {operation} answer")
    return Answer(200, json.dumps(result).encode(), {"Content-Type": "application/x-amz-json-1.1"})


def _ec2(service: str, operation: str, result: dict[str, Any]) -> Answer:
    shape = operation_model(service, operation).output_shape
    check(result, shape, f"{service} {operation} answer")
    root = ET.Element(f"{operation}Response", xmlns=service_model(service).metadata["xmlNamespace"])
    ET.SubElement(root, "requestId").text = REQUEST_ID
    to_xml(result, shape, root)
    return _xml(200, ET.tostring(root, encoding="unicode"))


def _rest_xml(service: str, operation: str, result: dict[str, Any]) -> Answer:
    shape = operation_model(service, operation).output_shape
    if shape is None:
        return _xml(200, "")
    payload = shape.serialization.get("payload")
    body = result.get(payload, b"") if payload else b""
    stream = {payload} if isinstance(body, bytes) else set()
    check({key: value for key, value in result.items() if key not in stream}, shape, f"{service} {operation} answer")
    headers, rest = {}, {}
    for name, value in result.items():
        place = shape.members[name].serialization
        if place.get("location") == "header":
            headers[place.get("name", name)] = str(value)
        elif name not in stream:
            rest[name] = value
    if stream and payload:
        return Answer(200, body, headers)
    root = ET.Element(f"{operation}Result")
    to_xml(rest, shape, root)
    return _xml(200, ET.tostring(root, encoding="unicode"), headers)
