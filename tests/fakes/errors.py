"""What a service answers when it refuses, and what a network does when it breaks."""

from __future__ import annotations


class ServiceError(Exception):
    """An error answer of a service: becomes a ``ClientError`` on the other side."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class NetworkFault(Exception):  # noqa: N818 - what it is, not what it is called
    """The answer never arrives: ``reset``, ``timeout`` or ``refused``."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class ModelViolation(AssertionError):  # noqa: N818 - the same
    """A request or an answer that the service model does not know: a mistake in the code under test or in the fake."""


class Unmodelled(str):
    """A value of an enumeration that the installed service model does not know yet."""

    __slots__ = ()


def validation(message: str) -> ServiceError:
    """Return the error CloudFormation has for nearly everything."""
    return ServiceError("ValidationError", message)


def change_set_not_found(name: str) -> ServiceError:
    """Return the error for a change set that is gone, or was never there."""
    return ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)


def invalid_change_set_status(message: str) -> ServiceError:
    """Return the error for a change set that cannot be executed or deleted now."""
    return ServiceError("InvalidChangeSetStatus", message)
