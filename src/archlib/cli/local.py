"""``archlib local``."""

from __future__ import annotations

import click

from archlib.cli.options import counted, json_option
from archlib.cli.records import iso, record


@click.group("local")
def command() -> None:
    """Run AWS on this machine: start, stop, status, reset, endpoint.

    \b
    Example:
      archlib local start && archlib deploy archlib.yaml --local
    """


@command.command("start")
def start() -> None:
    """Start the engine unless it runs, and print its URL.

    It listens on 127.0.0.1 only, runs until it is stopped, and keeps what is deployed. Lambda functions run as
    processes of this machine, with your rights.
    """
    from archlib.local import LocalEngine

    click.echo(LocalEngine().start())


@command.command("stop")
def stop() -> None:
    """Stop the engine; what is deployed is kept."""
    from archlib.local import LocalEngine

    click.echo("stopped" if LocalEngine().stop() else "it was not running")


@command.command("status")
@json_option
def status(*, as_json: bool) -> None:
    """Show whether the engine runs, and what in it is only recorded."""
    from archlib.local import LocalEngine

    engine = LocalEngine()
    found = engine.status()
    recorded = engine.recorded() if found.running else []
    if as_json:
        since = iso(found.since.timestamp()) if found.since else None
        facts = {"running": found.running, "pid": found.pid, "endpoint": found.endpoint, "stacks": found.stacks}
        click.echo(record("local", **facts, since=since, folder=str(engine.folder), recorded=recorded))
        return
    if not found.running:
        click.echo("not running; start it: archlib local start")
        return
    click.echo(f"running at {found.endpoint} since {found.since:%Y-%m-%d %H:%M:%S} UTC, pid {found.pid}")
    click.echo(f"{counted(found.stacks or 0, 'stack')}, state in {engine.folder}")
    for resource in recorded:
        click.echo(f"recorded locally: {resource['stack']}/{resource['logical_id']} ({resource['type']})")


@command.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Stop the engine and delete everything in it."""
    from archlib.local import LocalEngine

    engine = LocalEngine()
    if not yes and not click.confirm(f"Delete everything in {engine.folder}?"):
        click.echo("not deleted", err=True)
        raise click.exceptions.Exit(1)
    engine.reset()
    click.echo("deleted")


@command.command("endpoint")
def endpoint() -> None:
    """Print the URL of the running engine.

    \b
    Example:
      aws --endpoint-url "$(archlib local endpoint)" s3 ls
    """
    from archlib.local import LocalEngine

    click.echo(LocalEngine().endpoint)
