"""What commands share that work on one stack of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archlib.errors import UsageError

if TYPE_CHECKING:
    from archlib.cli.aws import Session
    from archlib.core.artifact import StackArtifact
    from archlib.deploy.deployer import Deployer
    from archlib.deploy.existing import StackName


def split(text: str) -> tuple[str, str]:
    """Return the two sides of ``NAME=VALUE``.

    Raises:
        UsageError: it has no two sides.
    """
    name, _, value = text.partition("=")
    if not name or not value:
        raise UsageError(f"must be NAME=VALUE, got {text!r}")
    return name, value


def of_file(here: Session, file: Path, name: str, *, confirmed: bool, **source: Any) -> tuple[Deployer, StackArtifact]:
    """Return the stack ``name`` of ``file``, and the deployer that carries it.

    Raises:
        UsageError: the file has no such stack.
    """
    from archlib.core.assembly import nearest
    from archlib.deploy.run import Options
    from archlib.workflow.deployment import places

    environment = source.pop("environment")
    found = places(
        file, environments=(environment,) if environment else (), access=here.access, reporter=here.outlet,
        stop=here.stop, options=Options(confirmed=confirmed), **source,
    )  # fmt: skip
    for place in found:
        for stack in place.stacks:
            if stack.name == name:
                return place.deployer, stack
    known = [stack.name for place in found for stack in place.stacks]
    raise UsageError(f"stack {name!r}: {str(file)!r} does not have it{nearest(name, known)}")


def chosen(
    here: Session, file: Path | None, name: str, *, confirmed: bool, **source: Any
) -> tuple[Deployer, StackArtifact | StackName]:
    """Return the stack ``name``, from ``file`` if there is one, and the deployer that carries it."""
    from archlib.deploy.existing import StackName
    from archlib.deploy.run import Options
    from archlib.workflow.deployment import deployer_for

    if file is not None:
        return of_file(here, file, name, confirmed=confirmed, **source)
    options = Options(confirmed=confirmed)
    return deployer_for(access=here.access, reporter=here.outlet, stop=here.stop, options=options), StackName(name)
