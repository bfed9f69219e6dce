"""``archlib synth``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archlib.cli.options import counted, file_argument, json_option, regions_option, source_options
from archlib.errors import CheckError

if TYPE_CHECKING:
    from archlib.cache import Store
    from archlib.checks.run import Lint


@click.command("synth")
@file_argument
@source_options
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), default=Path("out"), help="Folder to write to.", show_default=True
)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--no-lint", is_flag=True, help="Do not check the templates.")
@regions_option
@json_option
def command(
    *,
    file: Path,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    out: Path,
    form: Literal["yaml", "json"],
    no_lint: bool,
    regions: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn a blueprint or a Python file into templates.

    Nothing is written while an error finding is open. Exit codes: 0 written, 1 refused, 2 wrong usage.

    \b
    Example:
      archlib synth archlib.yaml --env prod --out templates --format json
    """
    from archlib.output import MANIFEST, write_texts

    request = _Request(file, environment, sets, layout, form, regions, lint=not no_lint)
    made = request.recall() or request.make()
    if made["warnings"] and not as_json:
        click.echo(made["report"], err=True)
    files = write_texts(made["texts"], out)
    stacks = json.loads(made["texts"][MANIFEST])["stacks"]
    if as_json:
        rows = [
            {**{key: stack[key] for key in ("name", "resources", "depends_on")}, "file": str(out / stack["file"])}
            for stack in stacks
        ]
        click.echo(json.dumps({"stacks": rows, "files": [str(path) for path in files]}, indent=2))
        return
    for stack in stacks:
        where = f", only in {stack['region']}" if "region" in stack else ""
        click.echo(f"{out / stack['file']}  {counted(stack['resources'], 'resource')}{where}")
    checked = "not checked" if no_lint else counted(made["warnings"], "warning") if made["warnings"] else "no findings"
    resources = sum(stack["resources"] for stack in stacks)
    click.echo(f"{counted(len(stacks), 'stack')}, {counted(resources, 'resource')}, {checked}")


@dataclass(frozen=True)
class _Request:
    """What one call asks for, and what came of it: the texts to write, and the warnings to show.

    Reading, building and checking an unchanged file takes a second; finding what came of it last time does not.
    """

    file: Path
    environment: str | None
    sets: tuple[str, ...]
    layout: Literal["layered", "single"] | None
    form: Literal["yaml", "json"]
    regions: tuple[str, ...]
    lint: bool

    @cached_property
    def key(self) -> str:
        from archlib.cache import key_of

        place = [str(Path.cwd()), str(self.file)]
        chosen = [self.environment, self.sets, self.layout, self.form, self.regions, self.lint]
        return key_of(place, chosen, datetime.now(UTC).date().isoformat())

    @cached_property
    def store(self) -> Store:
        from archlib.cache import Store, cache_folder

        return Store(cache_folder() / "synth")

    def recall(self) -> dict[str, Any] | None:
        """Return what came of the same request before, if nothing it was made from has changed."""
        from archlib.cache import content
        from archlib.output import MANIFEST

        kept = self.store.get(self.key)
        if not isinstance(kept, dict) or kept.keys() != {"inputs", "texts", "report", "warnings"}:
            return None
        inputs, texts = kept["inputs"], kept["texts"]
        if not isinstance(inputs, dict) or not inputs or not isinstance(texts, dict) or MANIFEST not in texts:
            return None
        unchanged = all(content(Path(path)) == before for path, before in inputs.items())
        return kept if unchanged else None

    def make(self) -> dict[str, Any]:
        """Read, build and check the file, and keep what came of it."""
        if not self.lint:
            return self._make(None)
        from archlib.checks.run import REGIONS
        from archlib.checks.workers import Workers

        with Workers(self.regions or REGIONS) as workers:
            return self._make(workers)

    def _make(self, linter: Lint | None) -> dict[str, Any]:
        from archlib.blueprints.load import load
        from archlib.cache import recording
        from archlib.checks.report import report
        from archlib.checks.run import REGIONS
        from archlib.workflow import render, synthesize

        with recording() as inputs:
            app = load(self.file, environment=self.environment, sets=self.sets, layout=self.layout)
        before = inputs.contents()
        synthesis = synthesize(app, lint=self.lint, regions=self.regions or REGIONS, linter=linter)
        shown = [finding for finding in synthesis.findings if not finding.blocking and finding.severity != "info"]
        try:
            texts = render(synthesis, form=self.form)
        except CheckError:
            if shown:
                click.echo(report(shown, "text"), err=True)
            raise
        made = {"inputs": before, "texts": texts, "report": report(shown, "text"), "warnings": len(shown)}
        if inputs.complete:
            self.store.put(self.key, made)
        return made
