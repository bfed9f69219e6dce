"""``archlib``: the commands, each imported only when it runs, and what is said when one fails."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword

import click

from archlib.errors import ArchlibError

COMMANDS = {
    "init": "Write a commented blueprint file to start from.",
    "synth": "Turn a blueprint or a Python file into templates.",
    "check": "Check a blueprint, a Python file or any template.",
    "bootstrap": "Make what an account needs once in each region.",
    "plan": "Show what a deployment would do.",
    "deploy": "Check, plan, ask, and carry stacks into AWS.",
    "status": "Show how the stacks are.",
    "events": "Print what CloudFormation did to a stack.",
    "outputs": "Print the outputs of the stacks.",
    "explain-failure": "Say why the last change of a stack failed.",
    "attach": "Watch what is going on in a stack.",
    "cancel": "Roll an update back that is running.",
    "drift": "Show what was changed outside of CloudFormation.",
    "recover": "Get a stack moving again that is stuck.",
    "destroy": "Delete stacks, and list what stays.",
    "import": "Let a stack take over things that exist already.",
    "rename": "Rename logical ids, or move resources to another stack.",
    "stackset": "Carry one stack into many accounts and regions.",
    "policy": "Print the IAM policy that deploying needs.",
    "build": "Run a buildspec on this machine.",
    "list": "Show the blueprints and the components.",
    "explain": "Show one resource: template, origin, reasons.",
    "schema": "Write the JSON Schema of blueprint files for editors.",
    "local": "Start, stop and reset AWS on this machine.",
    "completion": "Print the completion script of a shell.",
}
_INTERRUPTED = 130


class _Commands(click.Group):
    """A group whose commands are imported when they are used; the help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command: click.Command = import_module(f"archlib.cli.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="archlib")
@click.option("--debug", is_flag=True, help="Show the traceback of errors.")
def cli(*, debug: bool) -> None:
    """Production-grade AWS CloudFormation from a few lines of Python, or one YAML file.

    \b
    Example:
      archlib init serverless && archlib synth
    """
    del debug


def run() -> int:
    """Run the command line and return its exit code."""
    debug = "--debug" in sys.argv
    try:
        code = cli.main(prog_name="archlib", standalone_mode=False)
    except ArchlibError as error:
        _fail([str(problem) for problem in error.problems], error, debug=debug)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except BrokenPipeError:
        code = 0
    except Exception as error:  # noqa: BLE001  (the last resort: people get a sentence, not a traceback)
        _fail(
            [f"internal error: {type(error).__name__}: {error}; run again with --debug and report it"],
            error,
            debug=debug,
        )
        code = 1
    return code if isinstance(code, int) else 0


def _fail(messages: list[str], error: BaseException, *, debug: bool) -> None:
    for message in messages:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    if debug:
        import traceback

        traceback.print_exception(error)
