"""Templates as text: readable YAML with short intrinsics, or JSON."""

from __future__ import annotations

import json
import re
from typing import Any

_INDENT = "  "
_SHORT = {
    "Condition": "!Condition",
    "Fn::And": "!And",
    "Fn::Base64": "!Base64",
    "Fn::Cidr": "!Cidr",
    "Fn::Equals": "!Equals",
    "Fn::FindInMap": "!FindInMap",
    "Fn::GetAZs": "!GetAZs",
    "Fn::GetAtt": "!GetAtt",
    "Fn::If": "!If",
    "Fn::ImportValue": "!ImportValue",
    "Fn::Join": "!Join",
    "Fn::Not": "!Not",
    "Fn::Or": "!Or",
    "Fn::Select": "!Select",
    "Fn::Split": "!Split",
    "Fn::Sub": "!Sub",
    "Ref": "!Ref",
}
# What every YAML reader takes for text without quotes. Anything else is quoted: too much is only a little ugly, too
# little is another template.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?:(?: |::|:(?=[A-Za-z0-9_/*-])|, )[A-Za-z0-9_()+@%./*=-]+)*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
_WRAP, _FLOW_ENTRY = 100, 40
_BMP = 0xFFFF
_REMEMBERED = 10_000


def to_json(template: dict[str, Any], *, minified: bool = False) -> str:
    """Return ``template`` as JSON: indented, or as small as it gets."""
    if minified:
        return json.dumps(template, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def to_yaml(template: dict[str, Any]) -> str:
    """Return ``template`` as YAML with short-form intrinsics, in the order it has."""
    lines: list[str] = []
    for index, (section, content) in enumerate(template.items()):
        if index and isinstance(content, dict):
            lines.append("")
        if section in {"Resources", "Parameters", "Outputs"} and content:
            lines.append(f"{section}:")
            for position, (name, entry) in enumerate(content.items()):
                if position and section == "Resources":
                    lines.append("")
                _entry(f"{_INDENT}{_TEXTS[name]}:", entry, _INDENT, lines)
        else:
            _entry(f"{_TEXTS[section]}:", content, "", lines)
    return "\n".join(lines) + "\n"


def _entry(head: str, node: Any, indent: str, lines: list[str]) -> None:
    """Write ``node`` behind ``head`` (a key, or the dash of a list); what does not fit goes below, indented."""
    if isinstance(node, dict):
        tag, node = _short(node)
        if tag:
            head = f"{head} {tag}"
    if isinstance(node, dict) and node:
        lines.append(head)
        _mapping(node, indent + _INDENT, lines)
    elif isinstance(node, list) and node:
        flow = _flow(node)
        if flow is not None and len(head) + len(flow) < _WRAP:
            lines.append(f"{head} {flow}")
            return
        lines.append(head)
        below = indent + _INDENT
        for value in node:
            _item(value, below, lines)
    elif isinstance(node, str) and "\n" in node and _is_block(node):
        lines.append(f"{head} |{'' if node.endswith(chr(10)) else '-'}")
        lines.extend(f"{indent}{_INDENT}{line}" if line else "" for line in node.removesuffix("\n").split("\n"))
    else:
        lines.append(f"{head} {_scalar(node)}")


def _mapping(node: dict[str, Any], indent: str, lines: list[str], lead: str = "") -> None:
    """Write the keys of ``node``; before the first one stands ``lead`` instead of ``indent``."""
    lead = lead or indent
    texts, write = _TEXTS, lines.append
    for key, value in node.items():
        # The common kinds of values come first: they are most of every template.
        kind = type(value)
        if kind is str and "\n" not in value:
            write(f"{lead}{texts[key]}: {texts[value]}")
        elif kind is dict and len(value) > 1:
            write(f"{lead}{texts[key]}:")
            _mapping(value, indent + _INDENT, lines)
        elif kind is int:
            write(f"{lead}{texts[key]}: {value}")
        else:
            _entry(f"{lead}{texts[key]}:", value, indent, lines)
        lead = indent


def _item(node: Any, indent: str, lines: list[str]) -> None:
    """Write ``node`` as one entry of a list; the first key of a mapping stands beside the dash."""
    if isinstance(node, dict) and node and not (len(node) == 1 and _short(node)[0]):
        _mapping(node, indent + _INDENT, lines, f"{indent}- ")
    else:
        _entry(f"{indent}-", node, indent, lines)


def _short(node: dict[str, Any]) -> tuple[str, Any]:
    """Return the short tag of an intrinsic and its argument, or no tag and the node itself."""
    if len(node) != 1:
        return "", node
    ((key, value),) = node.items()
    tag = _SHORT.get(key)
    if tag is None:
        return "", node
    if isinstance(value, str):
        return tag, value
    if key == "Fn::GetAtt":
        if len(value) == 2 and "." not in value[0] and isinstance(value[1], str):  # noqa: PLR2004
            return tag, f"{value[0]}.{value[1]}"
        return "", node
    # A tag directly behind a tag is not YAML, and a tagged number or null reads back as text.
    fits = isinstance(value, list) or (isinstance(value, dict) and not _short(value)[0])
    return (tag, value) if fits and key not in {"Ref", "Condition"} else ("", node)


def _flow(node: list[Any]) -> str | None:
    """Return a list of plain scalars and references on one line, or None if it has anything else."""
    parts = []
    longest = _WRAP if len(node) == 1 else _FLOW_ENTRY
    for value in node:
        tag = ""
        if isinstance(value, dict):
            if len(value) != 1:
                return None
            tag, value = _short(value)  # noqa: PLW2901  (the value behind the tag)
        if isinstance(value, str):
            if len(value) > longest or "\n" in value:
                return None
            text = _TEXTS[value]
            # Of what may stand without quotes elsewhere, only a comma means something else here.
            if "," in text and text[0] not in "'\"":
                text = _quoted(value)
        elif isinstance(value, (dict, list)):
            return None
        else:
            text = _scalar(value)
        parts.append(f"{tag} {text}" if tag else text)
    return f"[{', '.join(parts)}]"


def _is_block(text: str) -> bool:
    body = text.removesuffix("\n")
    return (
        body != ""
        and not body.startswith((" ", "\n", "\t"))
        and not body.endswith("\n")
        and all(line == line.rstrip() for line in body.split("\n"))
        and all(char in "\n\t" or (char.isprintable() and char not in "\ufeff\u2028\u2029\x85") for char in body)
    )


def _scalar(node: Any) -> str:
    if isinstance(node, str):
        return _TEXTS[node]
    return str(node) if type(node) is int else json.dumps(node)


class _Texts(dict[str, str]):
    """Text -> how it is written; most of what a template holds comes many times."""

    def __missing__(self, text: str) -> str:
        if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
            written = text
        elif "'" not in text and text.isascii() and text.isprintable():
            written = f"'{text}'"
        else:
            written = _quoted(text)
        if len(self) < _REMEMBERED:
            self[text] = written
        return written


_TEXTS = _Texts()


def _quoted(text: str) -> str:
    """Return ``text`` in double quotes; YAML has JSON's escapes, and one of its own for characters beyond 16 bits.

    Half of a surrogate pair is no character and stays, so that the text cannot be written.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        char
        if char.isprintable() or "\ud800" <= char <= "\udfff"
        else f"\\u{ord(char):04x}"
        if ord(char) <= _BMP
        else f"\\U{ord(char):08x}"
        for char in quoted
    )
