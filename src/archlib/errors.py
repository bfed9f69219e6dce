"""What can go wrong: one class per decision a caller can take, each with its exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from archlib.core.origin import Origin


class Problem(NamedTuple):
    """One thing the user has to change.

    Attributes:
        message: ``<kind> 'name': field must be X, got Y; do Z``.
        origin: the user's own file and line, where it is known.
        field: the setting it is about, where it is one.
    """

    message: str
    origin: Origin | None = None
    field: str = ""

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}" if self.origin else self.message


class ArchlibError(Exception):
    """Base of every error archlib raises on purpose.

    Args:
        problems: one message, or several :class:`Problem` found at once.

    Attributes:
        exit_code: what the command line returns for this kind of error.
        problems: everything that was found wrong, in order.
        deployment: what became of the other stacks, if a deployment failed (an ``archlib.deploy.Deployment``).
    """

    exit_code = 1
    deployment: Any = None

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = (Problem(problems),)
        elif isinstance(problems, Problem):
            problems = (problems,)
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(ArchlibError):
    """A setting, name or tag has a value that cannot work."""


class SourceError(ArchlibError):
    """A file cannot be read: missing, not UTF-8, not YAML, or Python that fails."""


class WiringError(ArchlibError):
    """Two components cannot be connected the way they were asked to."""


class LinkError(ArchlibError):
    """References between stacks cannot be resolved: a cycle, or a name nobody defines."""


class CheckError(ArchlibError):
    """The templates have unwaived error findings; nothing was written."""


class OutputError(ArchlibError):
    """The output folder or a file in it cannot be written."""


class EngineError(ArchlibError):
    """The local engine cannot be started, stopped or reached."""


class UsageError(ArchlibError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class AwsError(ArchlibError):
    """AWS refused a call or could not be reached before anything was changed."""


class CredentialsError(AwsError):
    """There are no credentials for AWS, or they are not valid (any more)."""


class GuardError(ArchlibError):
    """A guard refused: data would be lost, the account or region is another one, or the stack is protected."""

    exit_code = 12


class StaleError(ArchlibError):
    """The approved plan no longer describes what would happen."""

    exit_code = 14


class DeployError(ArchlibError):
    """A stack could not be changed as asked and was rolled back.

    Attributes:
        failure: why, if CloudFormation said (an ``archlib.deploy.models.Failure``).
    """

    exit_code = 20
    failure: Any = None


class StuckError(DeployError):
    """A stack failed in a state that it does not leave by itself."""

    exit_code = 21


class RunningError(ArchlibError):
    """AWS goes on, but nobody watches any more: attach later."""

    exit_code = 75


class InterruptError(ArchlibError):
    """The user stopped the run before AWS changed anything."""

    exit_code = 130
