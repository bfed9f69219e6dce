"""Secrets stay out of everything that is shown or kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

MASK = "****"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret(string|key|value)?$|token$|credential|private.?key$|api.?key$|auth.?token",
    re.IGNORECASE,
)
_SHORTEST = 4
"""Shorter values are masked only where they stand alone: they would be found in any text."""


def is_secret_name(name: str) -> bool:
    """Return whether ``name`` (the last part of a path) is what secrets are called."""
    return bool(_SECRET_NAME.search(re.split(r"[./]", name)[-1].replace("_", "").replace("-", "")))


def masked(node: Any, name: str = "") -> Any:
    """Return plain data without the texts that are secret by their names.

    Args:
        node: the data.
        name: what it is called.
    """
    match node:
        case dict():
            return {key: masked(value, called) for key, called, value in _named(node, name)}
        case list():
            return [masked(each, name) for each in node]
        case str():
            return MASK if is_secret_name(name) else node
        case _:
            return node


def secret_texts(node: Any, name: str = "") -> Iterator[str]:
    """Yield the texts in plain data that :func:`masked` hides, except references to where a secret is kept."""
    match node:
        case dict():
            for _, called, value in _named(node, name):
                yield from secret_texts(value, called)
        case list():
            for each in node:
                yield from secret_texts(each, name)
        case str() if is_secret_name(name) and len(node) >= _SHORTEST and not node.startswith("{{resolve:"):
            yield node


def _named(node: dict[str, Any], name: str) -> Iterator[tuple[str, str, Any]]:
    """Yield each key of ``node``, what its value is called, and the value."""
    # Variables of containers and stages of pipelines are pairs of a name and a value.
    pair = next((node[key] for key in ("Name", "Key", "ParameterKey") if isinstance(node.get(key), str)), "")
    for key, value in node.items():
        if key in {"Value", "ParameterValue"} and pair:
            yield key, pair, value
        else:
            yield key, name if key in {"Fn::Join", "Fn::Sub"} else key, value


class Redactor:
    """Masks the secret values that are known.

    Args:
        secrets: the values.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these, too."""
        self._secrets |= {secret for secret in secrets if secret}

    def __call__(self, text: str) -> str:
        """Return ``text`` without them."""
        if text in self._secrets:
            return MASK
        # Longest first: one may be part of another.
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, MASK)
        return text

    def value(self, path: str, text: str) -> str:
        """Return the value ``text`` of the property at ``path``, which may be JSON, without secrets."""
        if is_secret_name(path):
            return MASK
        if text.startswith(("{", "[")):
            with suppress(ValueError):  # it may only look like JSON
                text = json.dumps(masked(json.loads(text)), ensure_ascii=False)
        return self(text)
