"""The main job on the serverless blueprint, and what it did."""

from collections import Counter
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from archlib import load
from archlib.checks.report import report
from archlib.workflow import synthesize, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    console = Console(width=120, soft_wrap=True)
    file, out = ROOT / "blueprints" / "serverless.yaml", ROOT / "out" / "demo"
    started = perf_counter()
    synthesis = synthesize(load(file))
    files = write(synthesis, out)
    seconds = perf_counter() - started

    table = Table(
        "Stack", "Resources", "Needs", "Template", title=f"{file.relative_to(ROOT)}", box=None, title_justify="left"
    )
    for stack in synthesis.stacks:
        needs = ", ".join(name.rsplit("-", 1)[1] for name in sorted(stack.depends_on)) or "-"
        path = out.relative_to(ROOT) / f"{stack.name}.yaml"
        table.add_row(stack.name, str(len(stack.template["Resources"])), needs, str(path))
    console.print(table)
    by_severity = Counter(finding.severity for finding in synthesis.findings)
    findings = ", ".join(f"{by_severity[severity]} {severity}" for severity in ("error", "warning", "info"))
    totals = f"{len(synthesis.stacks)} stacks, {synthesis.resources} resources, {len(files)} files"
    console.print(f"\n{totals} in {seconds:.1f} s")
    console.print(f"findings in us-east-1, eu-west-1 and sa-east-1: {findings}")
    console.print(report(synthesis.findings, "text"), markup=False, highlight=False)
    console.print("\nnext: read the templates, or change the blueprint and run")
    console.print("      .venv/bin/archlib synth blueprints/serverless.yaml")


if __name__ == "__main__":
    main()
