"""Write the templates of every blueprint file, in both layouts and every environment, into one folder."""

import sys
from pathlib import Path

from archlib import load
from archlib.core.source import read_yaml
from archlib.workflow import synthesize, write

ROOT = Path(__file__).parents[1]


def main(out: Path) -> None:
    for file in sorted((ROOT / "blueprints").glob("*.yaml")):
        for environment in read_yaml(file)[0]["environments"]:
            for layout in ("layered", "single"):
                app = load(file, environment=environment, layout=layout)
                folder = out / f"{file.stem}-{environment}-{layout}"
                written = write(synthesize(app, lint=False), folder)
                print(f"{folder.name}: {len(written) - 1} templates")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
