"""YAML files with the line of every key, and without YAML's surprises."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from archlib.core.origin import Origin
from archlib.errors import Problem, SourceError

Path_ = tuple[str | int, ...]
Lines = dict[Path_, int]

_NODES_MAX = 100_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_YAML_1_1 = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "null"))
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]+")
# JSON writes a character beyond 16 bits as two escapes, which YAML does not know.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})", re.IGNORECASE)
_INTRINSICS = {"!Ref": "Ref", "!Condition": "Condition"} | {
    f"!{name}": f"Fn::{name}"
    for name in (
        *("And", "Base64", "Cidr", "Equals", "FindInMap", "GetAZs", "GetAtt", "GetStackOutput", "If", "ImportValue"),
        *("Join", "Length", "Not", "Or", "Select", "Split", "Sub", "ToJsonString", "Transform"),
        *("Contains", "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf", "ValueOfAll"),
    )
}


def read_text(path: Path) -> str:
    """Return the text of the file at ``path``.

    Raises:
        SourceError: it is missing, a folder, not readable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SourceError(
            f"file {str(path)!r}: does not exist; check the path, or make one with: archlib init"
        ) from None
    except IsADirectoryError:
        raise SourceError(f"file {str(path)!r}: is a folder; name the YAML or Python file in it") from None
    except UnicodeDecodeError as error:
        message = f"file {str(path)!r}: must be UTF-8, got byte 0x{error.object[error.start]:02x}; save it as UTF-8"
        line = error.object[: error.start].count(b"\n") + 1
        raise SourceError(Problem(message, Origin(str(path.resolve()), line))) from None
    except OSError as error:
        raise SourceError(f"file {str(path)!r}: cannot be read: {error.strerror}; check its permissions") from None


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """Return the content of the YAML file at ``path``, and the line of each key and list entry.

    Only ``true``, ``false``, ``null`` and plain numbers are not text, as in YAML 1.2; in a CloudFormation template
    also what YAML 1.1 knows beside them, as AWS reads it: ``yes``, ``0x1F``, ``017``. Merge keys (``<<``) work in both.

    Raises:
        SourceError: the file cannot be read, is not YAML, repeats a key, or grows beyond reason through aliases.
    """
    return read_yaml_text(read_text(path), str(path.resolve()))


def read_yaml_text(text: str, file: str) -> tuple[Any, Lines]:
    """Return the content of ``text`` as :func:`read_yaml` does; ``file`` is what messages call it."""
    return _Reader(file).read(text)


def parse_yaml(text: str) -> Any:
    """Return the value that ``text`` is as YAML, or the text itself where it is none."""
    try:
        return _Reader("").read(text)[0]
    except SourceError:
        return text


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: Lines = {}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.plain = _plain

    def read(self, text: str) -> tuple[Any, Lines]:
        if text.lstrip().startswith("{"):
            text = _PAIR.sub(lambda found: found[1] + str(json.loads(f'"{found[2]}"')), text)
        try:
            root = yaml.compose(text, Loader=_LOADER)
            if _is_template(root):
                self.plain = _plain_of_template
            data = self._build(root, ()) if root is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ", ".join(filter(None, (error.context, error.problem)))
            message = f"must be YAML: {words}; check indentation, quotes and colons"
            raise self._error(message, mark.line + 1 if mark else 1) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self._error(f"must be YAML: {error.reason}, got {error.character!r}; remove it", line) from None
        except yaml.YAMLError as error:
            raise self._error(f"must be YAML: {error}", 1) from None
        except RecursionError:
            raise self._error("must not be nested this deep; flatten it", 1) from None
        if self.problems:
            raise SourceError(self.problems)
        return data, self.lines

    def _error(self, message: str, line: int) -> SourceError:
        return SourceError(Problem(message, Origin(self.file, line)))

    def _count(self, node: yaml.Node) -> None:
        self.nodes += 1
        if self.nodes > _NODES_MAX:
            message = f"must have at most {_NODES_MAX:,} values once aliases are expanded; use fewer aliases"
            raise self._error(message, node.start_mark.line + 1)

    def _build(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        self._count(node)
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        intrinsic = _INTRINSICS.get(node.tag)
        inside = (*path, intrinsic) if intrinsic else path
        built: Any
        if isinstance(node, yaml.MappingNode):
            built = self._mapping(node, inside)
        elif isinstance(node, yaml.SequenceNode):
            built = [self._build(value, (*inside, index)) for index, value in enumerate(node.value)]
        else:
            built = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not node.tag.startswith("!"):
            return built
        if not intrinsic:
            message = (
                f"tag {node.tag!r} is not one of CloudFormation's; remove it, or quote the text if it starts with '!'"
            )
            self.problems.append(Problem(message, Origin(self.file, line)))
            return built
        if intrinsic == "Fn::GetAtt" and isinstance(built, str):
            built = built.split(".", 1)
        return {intrinsic: built}

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, (line, value_node) in self._entries(node).items():
            self.lines[(*path, key)] = line
            built[key] = self._build(value_node, (*path, key))
        return built

    def _entries(self, node: yaml.MappingNode) -> dict[str, tuple[int, yaml.Node]]:
        """Return the line and value of each key of ``node``: its own, and those it merges in for which it has none."""
        own: dict[str, tuple[int, yaml.Node]] = {}
        merged: dict[str, tuple[int, yaml.Node]] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error("a key must be text, got a list or mapping; quote it", line)
            key = str(key_node.value)
            if key in first:
                message = f"key {key!r} must stand once, got it again (first on line {first[key]}); remove one"
                self.problems.append(Problem(message, Origin(self.file, line)))
                continue
            first[key] = line
            if key_node.tag != _MERGE:
                own[key] = line, value_node
                continue
            for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                self._count(source)
                if not isinstance(source, yaml.MappingNode):
                    raise self._error("'<<' must be a mapping or a list of mappings; use an alias of one", line)
                merged = self._entries(source) | merged
        return merged | own

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self.plain(node)
        except ValueError:  # more digits than Python converts
            value = math.inf
        if isinstance(value, float) and not math.isfinite(value):
            message = f"must be a number that JSON has, got {str(node.value)[:20]}; quote it if it is text"
            raise self._error(message, node.start_mark.line + 1)
        return value


def _is_template(root: yaml.Node | None) -> bool:
    """Whether ``root`` is a CloudFormation template, not a blueprint."""
    if not isinstance(root, yaml.MappingNode):
        return False
    keys = {key.value for key, _ in root.value if isinstance(key, yaml.ScalarNode)}
    return "Resources" in keys and "blueprint" not in keys


def _plain(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style in {"'", '"', "|", ">"} or node.tag.startswith("!"):
        return text
    match text.lower():
        case "" | "~" | "null":
            return None
        case "true":
            return True
        case "false":
            return False
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _plain_of_template(node: yaml.ScalarNode) -> Any:
    """Return what YAML 1.1 takes ``node`` for, except for dates, which stay text."""
    return SafeConstructor().construct_object(node) if node.tag in _YAML_1_1 else str(node.value)


class Source:
    """Where settings were written: the file, and the line of each key.

    Args:
        file: absolute path; empty if the settings were made in Python.
        lines: line of each key.
        places: where in the file the settings may stand; the most exact line wins, then the first place.
        changes: settings that were changed afterwards, and what did it; the last change wins.

    Attributes:
        folder: what relative paths are relative to.
        prefix: the last place, as messages show it.
    """

    def __init__(
        self,
        file: str = "",
        lines: Lines | None = None,
        places: tuple[Path_, ...] = ((),),
        changes: Sequence[tuple[Path_, Origin]] = (),
    ) -> None:
        self.folder = Path(file).parent if file else Path()
        self.prefix = places[-1]
        self._file = file
        self._lines = lines or {}
        self._places = places
        self._changes = tuple(reversed(changes))

    def under(self, *places: Path_, changes: Sequence[tuple[Path_, Origin]] = ()) -> Source:
        """Return the source of settings that stand under ``places``, or came by ``changes``."""
        return Source(self._file, self._lines, places, changes)

    def origin(self, *path: str | int) -> Origin | None:
        """Return the line of the setting at ``path``, or of the closest one around it."""
        for changed, origin in self._changes:
            if path[: len(changed)] == changed:
                return origin
        for end in range(len(path), -1, -1):
            for place in self._places:
                if line := self._lines.get((*place, *path[:end])):
                    return Origin(self._file, line)
            # What a change made around itself stands in no file.
            for changed, origin in self._changes:
                if path[:end] == changed[:end]:
                    return origin
        line = self._lines.get(())
        return Origin(self._file, line) if line else None
