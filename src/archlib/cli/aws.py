"""What every command shares that talks to AWS: options, who is told, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archlib.cli.options import DEFAULT_FILE
from archlib.errors import ArchlibError, CredentialsError, EngineError, InterruptError, UsageError

if TYPE_CHECKING:
    from archlib.cli.reporters import Outlet
    from archlib.deploy.clock import Stop
    from archlib.deploy.deployer import Deployer
    from archlib.deploy.existing import Named
    from archlib.deploy.run import Run
    from archlib.workflow.deployment import Access

environments_option = click.option(
    "--env", "-e", "environments", multiple=True, metavar="NAME", help="Environment; repeatable."
)

names_option = click.option(
    "--stack", "names", multiple=True, metavar="STACK", help="Instead of FILE: a stack; repeatable."
)
stack_argument = click.argument("stack")

_ACCESS = (
    click.option("--region", metavar="REGION", help="Where the stacks go."),
    click.option("--profile", metavar="NAME", help="Profile of the AWS configuration."),
    click.option("--assume-role", metavar="ARN", help="Role to take on."),
    click.option("--service-role", metavar="ARN", help="Role with which CloudFormation works."),
    click.option(
        "--parameter", "-p", "parameters", multiple=True, metavar="NAME=VALUE",
        help="Template parameter that no stack gives: Name, or Stack.Name; repeatable.",
    ),
    click.option("--local", is_flag=True, help="The engine on this machine instead of AWS."),
    click.option("--endpoint", hidden=True, envvar="ARCHLIB_ENDPOINT", help="URL that answers instead of AWS."),
)  # fmt: skip
_DONE = {
    "Deploy": "deployed", "Destroy": "destroyed", "Delete": "deleted", "Import": "imported", "Rename": "renamed",
}  # fmt: skip
_TELLING = (
    click.option("--json", "as_json", is_flag=True, help="Print JSON Lines; people read standard error."),
    click.option("--quiet", "-q", is_flag=True, help="Show only what needs a look."),
    click.option("--no-color", is_flag=True, help="Without colours; so does the variable NO_COLOR."),
)


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what reaches AWS and what says how to tell; the command gets them as one :class:`Session`."""

    def collected(**given: Any) -> Any:
        keys = ("region", "profile", "assume_role", "service_role", "parameters", "local", "endpoint")
        telling = ("as_json", "quiet", "no_color")
        asked = Asked(*(given.pop(key) for key in (*keys, *telling)))
        asked.check_installed()
        return command(asked=asked, **given)

    collected.__doc__ = command.__doc__
    for option in reversed((*_ACCESS, *_TELLING)):
        collected = option(collected)
    return collected


@dataclass(frozen=True)
class Asked:
    """What the options of a command say about AWS and about telling."""

    region: str | None
    profile: str | None
    assume_role: str | None
    service_role: str | None
    parameters: tuple[str, ...]
    local: bool
    endpoint: str | None
    as_json: bool
    quiet: bool
    no_color: bool

    def check_installed(self) -> None:
        """Refuse to begin without the extra that the command needs.

        Raises:
            CredentialsError: boto3 is missing.
            EngineError: the local engine is.
        """
        if self.local and (find_spec("ministack") is None or find_spec("boto3") is None):
            raise EngineError('the local engine is not installed; install it with: pip install "archlib[local]"')
        if find_spec("boto3") is None:
            raise CredentialsError('boto3 is not installed; install it with: pip install "archlib[deploy]"')

    def refuse_local(self, command: str) -> None:
        """Refuse ``--local``.

        Raises:
            UsageError: it was given.
        """
        if self.local:
            raise UsageError(f"{command}: the local engine has no such call; leave --local out")

    @property
    def access(self) -> Access:
        """Return how to reach AWS.

        Raises:
            UsageError: a parameter is no ``Name=value``.
        """
        from archlib.workflow.deployment import Access

        values = {}
        for text in self.parameters:
            name, separator, value = text.partition("=")
            if not separator or not name:
                # What was given may be a secret.
                raise UsageError(f"--parameter must be Name=value, got {'no name' if separator else 'no ='}")
            values[name] = value
        return Access(
            region=self.region,
            profile=self.profile,
            assume_role=self.assume_role,
            service_role=self.service_role,
            parameters=values,
            local=self.local,
            endpoint=self.endpoint,
        )


@dataclass(frozen=True)
class Session:
    """One command that talks to AWS.

    Attributes:
        outlet: who is told and asked.
        stop: asks the run to stop: on Ctrl-C, or when a pipeline is cancelled.
        access: how to reach AWS.
    """

    outlet: Outlet
    stop: Stop
    access: Access

    @contextmanager
    def building(self) -> Iterator[None]:
        """Let Ctrl-C end at once what does not reach AWS.

        Raises:
            InterruptError: it did.
        """
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.check_stop()
            yield
        except KeyboardInterrupt:
            raise interrupted() from None
        finally:
            signal.signal(signal.SIGINT, before)

    def check_stop(self) -> None:
        """End if the user asked for it.

        Raises:
            InterruptError: they did.
        """
        if self.stop.requested:
            raise interrupted()


def interrupted() -> InterruptError:
    """Return what ends a command that has changed nothing yet."""
    return InterruptError("you stopped; nothing was changed")


@contextmanager
def session(asked: Asked, command: str) -> Iterator[Session]:
    """Give what ``command`` needs, and end it: errors are shown, and give the exit code."""
    from archlib.cli.reporters import choose
    from archlib.deploy.clock import Stop

    stop = Stop()
    with choose(as_json=asked.as_json, quiet=asked.quiet, no_color=asked.no_color, stop=stop) as outlet, _signals(stop):
        try:
            yield Session(outlet, stop, asked.access)
        except ArchlibError as error:
            outlet.error(error, command=command)
            if "--debug" in sys.argv:
                raise
            raise click.exceptions.Exit(error.exit_code) from None


def existing(
    here: Session,
    file: Path | None,
    *,
    environments: Sequence[str],
    sets: Sequence[str],
    layout: Literal["layered", "single"] | None,
    names: Sequence[str],
) -> Iterator[tuple[Deployer, Sequence[Named]]]:
    """Yield the stacks that a command asks about, each with the deployer of their account and region."""
    from archlib.deploy.existing import StackName
    from archlib.workflow.deployment import deployer_for, places

    if names:
        if file or environments or sets or layout:
            raise UsageError("--stack names all there is; leave FILE, --env, --set and --layout out")
        deployer = deployer_for(access=here.access, reporter=here.outlet, stop=here.stop)
        yield deployer, [StackName(name) for name in names]
        return
    for place in places(
        file or Path(DEFAULT_FILE), environments=environments, sets=sets, layout=layout, access=here.access,
        reporter=here.outlet, stop=here.stop,
    ):  # fmt: skip
        yield place.deployer, place.stacks


@contextmanager
def one_stack(asked: Asked, command: str) -> Iterator[tuple[Session, Run]]:
    """Give what a command needs that is about one stack, by its name."""
    from archlib.workflow.deployment import deployer_for

    with session(asked, command) as here:
        yield here, deployer_for(access=here.access, reporter=here.outlet, stop=here.stop).run()


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop; the second ends the process."""

    def handle(number: int, frame: Any) -> None:
        del frame
        if stop.requested:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        stop.request()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def agree(outlet: Outlet, *, app: str, yes: bool, named: str | None, protected: bool, local: bool, what: str) -> bool:
    """Return whether the user agrees to ``what``.

    Args:
        outlet: asks.
        app: name of the app.
        yes: ``--yes``.
        named: ``--confirm``.
        protected: the environment wants the app to be named.
        local: nothing but this machine is touched.
        what: the question.

    Raises:
        UsageError: nobody can answer.
        InterruptError: the user stopped instead of answering.
        Exit: the user does not agree.
    """
    check_named(named, app)
    if local or named == app or (yes and not protected):
        return True
    if not outlet.can_ask:
        advice = f"--confirm {app}" if protected else "--yes"
        raise UsageError(f"nobody can answer here whether to go on; add {advice}")
    if not (outlet.confirm_name(what, app) if protected else outlet.confirm(what)):
        outlet.errors.print(f"not {_DONE[what.rstrip('?').split()[0]]}")
        raise click.exceptions.Exit(1)
    return True


def check_named(named: str | None, app: str) -> None:
    """Refuse another name than that of the app.

    Args:
        named: ``--confirm``, if it was given.
        app: name of the app.

    Raises:
        UsageError: it is another one.
    """
    if named is not None and named != app:
        raise UsageError(f"--confirm must be the name of the app, {app!r}, got {named!r}")


def check_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before there is something to write.

    Raises:
        UsageError: it cannot.
    """
    known = file.exists()
    with _writing(file), file.open("a", encoding="utf-8"):
        pass
    if not known:
        file.unlink()


def write_text(file: Path, text: str) -> None:
    """Write ``text`` into ``file``, readable by its owner only.

    Raises:
        UsageError: it cannot be written.
    """
    with _writing(file):
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(f"file {str(file)!r}: cannot be written: {error.strerror}; choose another one") from None
