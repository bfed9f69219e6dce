"""Write the files that are generated from the code, or with --check say which are out of date."""

import json
import sys
from pathlib import Path

from local_types import local_types

from archlib.blueprints.load import load, schema
from archlib.blueprints.registry import names
from archlib.checks.rules import RULES
from archlib.cli.commands import COMMANDS
from archlib.components.catalogue import catalogue

ROOT = Path(__file__).parents[1]


def main() -> None:
    made = {
        ROOT / "blueprints" / "schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        ROOT / "blueprints" / "README.md": blueprints(),
        ROOT / "docs" / "components.md": components(),
        ROOT / "docs" / "rules.md": rules(),
        ROOT / "src" / "archlib" / "local" / "types.json": local_types(),
        ROOT / "README.md": between((ROOT / "README.md").read_text(encoding="utf-8"), "commands", commands()),
    }
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run: make docs", file=sys.stderr)
        sys.exit(bool(stale))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
        print(path.relative_to(ROOT))


def commands() -> str:
    return table(("Command", "What it does"), [(f"`archlib {name}`", text) for name, text in COMMANDS.items()])


def blueprints() -> str:
    rows = []
    for file in sorted((ROOT / "blueprints").glob("*.yaml")):
        stacks = load(file).assemble()
        first = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        resources = sum(len(stack.template["Resources"]) for stack in stacks)
        rows.append((f"[{file.name}]({file.name})", first, str(len(stacks)), str(resources)))
    kinds = table(("Blueprint", "What it is"), [(f"`{name}`", text) for name, text in sorted(names().items())])
    files = table(("File", "What it makes", "Stacks", "Resources"), rows)
    return (
        "# Blueprints\n\nReady-to-deploy files, each linted and scanned. Turn one into templates with\n"
        f"`archlib synth blueprints/serverless.yaml --env prod`.\n\n{files}\nThey use these blueprints:\n\n{kinds}\n"
        "`schema.json` describes the files to editors.\n"
    )


def components() -> str:
    rows = [(f"`{entry.name}`", entry.purpose.replace("``", "`"), f"`{entry.module}`") for entry in catalogue()]
    text = table(("Component", "What it is", "Import from"), rows)
    return f"# Components\n\nEach can be used alone. The class docstring is its manual: `help(Queue)`.\n\n{text}"


def rules() -> str:
    rows = [(rule.id, rule.shortdesc, rule.description) for rule in sorted(RULES, key=lambda rule: rule.id[1:])]
    text = table(("Rule", "What it wants", "Why"), rows)
    return (
        "# Rules\n\nOur own rules, beside those of cfn-lint. `E` stops everything, `W` is shown.\n"
        f"A finding that is right where it is can be waived: see [waivers](waivers.md).\n\n{text}"
    )


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def between(text: str, name: str, content: str) -> str:
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    head, _, rest = text.partition(start)
    return f"{head}{start}{content}{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    main()
