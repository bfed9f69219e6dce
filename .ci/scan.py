"""Run third-party scanners over generated templates and accept only findings that the closed list explains.

``python .ci/scan.py TEMPLATES`` scans every template below the folder ``TEMPLATES``; each sub-folder with templates
is one set, such as one blueprint in one layout. With ``--packs`` it runs cdk-nag and the AWS Control Tower controls
instead, which needs Node.js. The scanners live in ``.venv-scan``, made on first use. Exit code 1: there are open
findings, or too many suppressed ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from textwrap import shorten
from typing import Any

from scan_values import as_list, documents, merged, statements

CI = Path(__file__).resolve().parent
TOOLS = CI.parent / ".venv-scan"
CLOSED_LIST = CI.parent / "src" / "archlib" / "core" / "suppressions.json"

SCANNERS = ("checkov", "validate", "cfripper", "parliament", "cloudsplaining", "suppressions")
PACKS = (
    "AwsSolutions",
    "Serverless",
    "NIST.800.53.R5",
    "HIPAA.Security",
    "PCI.DSS.321",
    "ControlTower",
    "suppressions",
)
# Suppressed findings per resource; the compliance packs know the use of a resource less than the other scanners.
LIMIT = 0.35
LIMIT_PACKS = 0.6
REASON_MIN = 30
MANIFEST = "manifest.json"
"""Lies beside the templates and is none."""

# What the list calls the scanners; cloudformation-validate has no dialect: nothing of it is ever suppressed.
_DIALECT_OF = {name: name for name in ("checkov", "cfripper", "parliament", "cloudsplaining")} | {
    pack: "guard" if pack == "ControlTower" else "cdk_nag" for pack in PACKS[:-1]
}


@dataclass(frozen=True, order=True)
class Finding:
    """What one scanner says about one resource."""

    template: str
    resource: str
    scanner: str
    rule: str
    message: str


@dataclass(frozen=True)
class Suppression:
    """One entry in the metadata of a resource; a rule that starts with ``~`` is a pattern."""

    dialect: str
    rule: str
    reason: str


@dataclass(frozen=True)
class TemplateSet:
    """The figures of one folder of templates."""

    name: str
    templates: int
    resources: int
    open: dict[str, int]
    suppressed: int

    @property
    def ratio(self) -> float:
        """Suppressed findings per resource."""
        return self.suppressed / self.resources if self.resources else 0.0


# Judging


def written(metadata: Mapping[str, Any]) -> Iterator[Suppression]:
    """Yield the suppressions in ``metadata``, of every dialect."""
    for entry in metadata.get("checkov", {}).get("skip", []):
        yield Suppression("checkov", entry["id"], entry.get("comment", ""))
    guard = metadata.get("guard", {})
    for rule in guard.get("SuppressedRules", []):
        yield Suppression("guard", rule, guard.get("Reasons", {}).get(rule, ""))
    for rule in metadata.get("cfn-lint", {}).get("config", {}).get("ignore_checks", []):
        yield Suppression("cfn-lint", rule, "")
    for dialect in ("cdk_nag", "cfn_nag", "cfripper", "parliament", "cloudsplaining"):
        for entry in metadata.get(dialect, {}).get("rules_to_suppress", []):
            for rule in _rules(entry):
                yield Suppression(dialect, rule, entry.get("reason", ""))


def _rules(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rules of one entry as the closed list spells them."""
    for finding in entry.get("applies_to", [None]):
        if finding is None:
            yield entry["id"]
        elif isinstance(finding, str):
            yield f"{entry['id']}[{finding}]"
        else:
            pattern = finding["regex"].removeprefix("/^").removesuffix("$/")
            yield f"~{entry['id']}\\[{pattern}\\]"


def is_allowed(suppression: Suppression, resource: Mapping[str, Any], closed_list: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a row of the closed list stands behind ``suppression`` on ``resource``."""
    properties = resource.get("Properties", {})
    return any(
        suppression.rule in row["rules"].get(suppression.dialect, ())
        and suppression.reason == row["reason"]
        and len(suppression.reason) >= REASON_MIN
        and resource["Type"] in row["types"]
        and all(_property(properties, path) in values for path, values in row.get("only_if", {}).items())
        and _only_listed_have_star(properties, row.get("star_actions"))
        for row in closed_list
    )


def _property(properties: Any, path: str) -> Any:
    for key in path.split("."):
        properties = properties.get(key) if isinstance(properties, dict) else None
    return properties


def _only_listed_have_star(properties: Mapping[str, Any], listed: Sequence[str] | None) -> bool:
    if listed is None:
        return True
    return all(
        any(fnmatchcase(action, pattern) for pattern in listed)
        for document in documents(properties)
        for statement in statements(document)
        if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", []))
        for action in as_list(statement.get("Action", "*"))
    )


def covers(suppression: Suppression, finding: Finding) -> bool:
    """Tell whether ``suppression`` speaks about ``finding``."""
    if suppression.dialect != _DIALECT_OF.get(finding.scanner):
        return False
    if suppression.rule.startswith("~"):
        return re.fullmatch(suppression.rule[1:], finding.rule) is not None
    return suppression.rule == finding.rule


def judge(
    templates: Mapping[str, Any], findings: Iterable[Finding], closed_list: Sequence[Mapping[str, Any]]
) -> tuple[list[Finding], list[Finding]]:
    """Return the open and the suppressed findings; a suppression without a row in the list is an open finding too."""
    allowed: dict[tuple[str, str], list[Suppression]] = {}
    still_open: set[Finding] = set()
    suppressed: set[Finding] = set()
    for path, template in templates.items():
        # A resource of a template has a type; the template itself has none, so nothing is allowed there.
        for name, resource in {"": {"Type": "", **template}, **template["Resources"]}.items():
            for suppression in written(resource.get("Metadata", {})):
                if is_allowed(suppression, resource, closed_list):
                    allowed.setdefault((path, name), []).append(suppression)
                else:
                    message = (
                        f"{suppression.dialect} suppression is not in the closed list for this type, "
                        f"these properties and this reason: {suppression.reason!r}"
                    )
                    still_open.add(Finding(path, name, "suppressions", suppression.rule, message))
    for finding in findings:
        entries = allowed.get((finding.template, finding.resource), ())
        (suppressed if any(covers(entry, finding) for entry in entries) else still_open).add(finding)
    return sorted(still_open), sorted(suppressed)


def figures(
    templates: Mapping[str, Any], still_open: Iterable[Finding], suppressed: Iterable[Finding], root: Path
) -> list[TemplateSet]:
    """Return the figures per folder of templates."""

    def folder(path: str) -> str:
        return Path(path).parent.relative_to(root).as_posix()

    counts = Counter((folder(finding.template), finding.scanner) for finding in still_open)
    # One rule may say several things about one resource, and the packs of cdk-nag repeat each other's checks under
    # their own names: each is one suppressed finding.
    rules = Counter(folder(path) for path, *_ in {(item.template, item.resource, *_check(item)) for item in suppressed})
    sets = []
    for name in sorted({folder(path) for path in templates}):
        members = [template for path, template in templates.items() if folder(path) == name]
        resources = sum(len(template["Resources"]) for template in members)
        per_scanner = {scanner: number for (where, scanner), number in sorted(counts.items()) if where == name}
        sets.append(TemplateSet(name, len(members), resources, per_scanner, rules[name]))
    return sets


def _check(finding: Finding) -> tuple[str, str]:
    """Return the dialect of ``finding`` and the name of its check without that of the pack."""
    return _DIALECT_OF.get(finding.scanner, finding.scanner), finding.rule.removeprefix(f"{finding.scanner}-")


def table(sets: Sequence[TemplateSet], scanners: Sequence[str]) -> str:
    """Return the figures as text: one line per set of templates."""
    rows = [("set", "templates", "resources", *scanners, "suppressed", "per resource")]
    rows += [
        (
            item.name,
            str(item.templates),
            str(item.resources),
            *(str(item.open.get(scanner, 0)) for scanner in scanners),
            str(item.suppressed),
            f"{item.ratio:.2f}",
        )
        for item in sets
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)) for row in rows)
    return "\n".join(f"{row[0].ljust(widths[0])}  {line}" for row, line in zip(rows, lines, strict=True))


# Running


def tools(name: str) -> Path:
    """Return the interpreter of the virtual environment ``name``, made or renewed if its lock file changed."""
    lock = CI / f"scan-{name}.txt"
    folder = TOOLS / name
    python = folder / "bin" / "python"
    if not _is_current(folder, lock, sys.version):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _install([python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", lock], cwd=CI)
        _stamp(folder, lock, sys.version)
    return python


def node_modules() -> Path:
    """Return the folder with the Node.js packages of the packs, made or renewed if their list changed."""
    lock = CI / "scan-packs" / "package.json"
    folder = TOOLS / "packs"
    if not _is_current(folder, lock):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(lock, folder)
        _install(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"], cwd=folder)
        _stamp(folder, lock)
    return folder


def _stamp_text(lock: Path, extra: str) -> str:
    return hashlib.sha256(lock.read_bytes() + extra.encode()).hexdigest()


def _is_current(folder: Path, lock: Path, extra: str = "") -> bool:
    stamp = folder / "lock.sha256"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _stamp_text(lock, extra)


def _stamp(folder: Path, lock: Path, extra: str = "") -> None:
    (folder / "lock.sha256").write_text(_stamp_text(lock, extra), encoding="utf-8")


def _install(command: Sequence[str | Path], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"cannot install the scanners:\n{without_hosts(done.stderr or done.stdout)}")


def without_hosts(text: str) -> str:
    """Return ``text`` without the package registry that this machine uses."""
    return re.sub(r"\w+://\S+|host='[^']*'|Looking in .*", "<registry>", text)


def _output(command: Sequence[str | Path], allowed: Sequence[int] = (0,)) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        sys.exit(f"{Path(command[1]).name} failed with {done.returncode}:\n{done.stderr or done.stdout}")
    return json.loads(done.stdout)


def worker(mode: str, paths: Sequence[str]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the templates as data, and with mode ``scan`` the findings of all scanners but checkov."""
    answer = _output([tools("others"), CI / "scan_worker.py", mode, *paths])
    return answer["templates"], [Finding(*found) for found in answer["findings"]]


def checkov(paths: Sequence[str]) -> tuple[int, list[Finding]]:
    """Return the number of resources that checkov saw, and its findings, skipped ones included."""
    python = tools("checkov")
    options = ["--framework", "cloudformation", "secrets", "--skip-download", "--compact", "--output", "json"]
    answer = _output([python, python.parent / "checkov", "--file", *paths, *options], allowed=(0, 1))
    return checkov_findings(answer)


def checkov_findings(answer: Any) -> tuple[int, list[Finding]]:
    """Read the JSON that checkov writes: one report per framework, as a list if there are several."""
    reports = [report for report in as_list(answer) if "results" in report]
    findings = []
    for report in reports:
        results = report["results"]
        for record in (*results["failed_checks"], *results["skipped_checks"]):
            # AWS::SQS::Queue.JobsQueue; a secret has a hash without a resource.
            name = record["resource"].rpartition(".")[2] if report["check_type"] == "cloudformation" else ""
            message = record["check_result"].get("suppress_comment") or record["check_name"]
            findings.append(Finding(record["file_abs_path"], name, "checkov", record["check_id"], message))
        unreadable = "checkov cannot read this template"
        findings += [Finding(path, "", "checkov", "PARSING", unreadable) for path in results["parsing_errors"]]
    seen = sum(item["summary"]["resource_count"] for item in reports if item["check_type"] == "cloudformation")
    return seen, findings


def scan(paths: Sequence[str]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the templates and what the scanners say about them."""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(checkov, paths)
        templates, findings = worker("scan", paths)
        seen, more = first.result()
    resources = sum(len(template["Resources"]) for template in templates.values())
    if seen != resources:
        sys.exit(f"checkov saw {seen} of {resources} resources: it must have skipped a template")
    return templates, [*findings, *more]


def scan_packs(paths: Sequence[str]) -> tuple[dict[str, Any], list[Finding]]:
    """Return the templates and what cdk-nag and the AWS Control Tower controls say about them."""
    modules = node_modules()
    templates, _ = worker("load", paths)
    folders: dict[Path, list[str]] = {}
    for path in templates:
        folders.setdefault(Path(path).parent, []).append(path)
    with tempfile.TemporaryDirectory() as scratch:
        # The packs see one template at a time: the rotation of a secret in another stack would be none to them.
        whole = {f"{scratch}/{number}.json": members for number, members in enumerate(folders.values())}
        for file, members in whole.items():
            Path(file).write_text(json.dumps(merged([templates[path] for path in members])), encoding="utf-8")
        answer = _output(["node", CI / "scan-packs" / "run.mjs", modules, *whole])
    owners = {
        (file, name): path
        for file, members in whole.items()
        for path in members
        for name in templates[path]["Resources"]
    }
    return templates, [Finding(owners[file, name], name, *rest) for file, name, *rest in answer]


def main(arguments: Sequence[str] | None = None) -> int:
    """Scan, report, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", type=Path, help="folder with *.yaml and *.json templates")
    parser.add_argument("--packs", action="store_true", help="cdk-nag and Control Tower controls instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as data too")
    chosen = parser.parse_args(arguments)
    root = chosen.templates.resolve()
    paths = sorted(str(path) for path in root.rglob("*") if path.suffix in {".yaml", ".json"} and path.name != MANIFEST)
    if not paths:
        sys.exit(f"no templates in {chosen.templates}")

    templates, findings = (scan_packs if chosen.packs else scan)(paths)
    scanners, limit = (PACKS, LIMIT_PACKS) if chosen.packs else (SCANNERS, LIMIT)
    closed_list = json.loads(CLOSED_LIST.read_text(encoding="utf-8"))
    still_open, suppressed = judge(templates, findings, closed_list)
    sets = figures(templates, still_open, suppressed, root)

    def data(found: Iterable[Finding]) -> list[dict[str, str]]:
        return [{**asdict(item), "template": Path(item.template).relative_to(root).as_posix()} for item in found]

    print(table(sets, scanners))
    for item in data(still_open):
        where = f"{item['template']}: {item['resource'] or '(template)'}"
        print(f"{where}: {item['scanner']} {item['rule']}: {shorten(item['message'], 300)}")
    too_many = [item for item in sets if item.ratio > limit]
    for item in too_many:
        print(f"{item.name}: {item.ratio:.2f} suppressed findings per resource, at most {limit} are accepted")
    if chosen.json:
        result = {
            "limit": limit,
            "sets": [{**asdict(item), "ratio": round(item.ratio, 3)} for item in sets],
            "open": data(still_open),
            "suppressed": data(suppressed),
        }
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 1 if still_open or too_many else 0


if __name__ == "__main__":
    sys.exit(main())
