"""What people get wrong, and what ``archlib synth`` answers."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml

from archlib.cli.main import main

HERE = "<- here"
CODE = "{inline: 'def handler(event, context): ...'}"
IMAGE = "'111122223333.dkr.ecr.eu-west-1.amazonaws.com/hello:v1'"
HEAD = "blueprint: serverless\napp: shop\n"
JOBS = f"{HEAD}settings: {{queues: {{jobs: {{delay: 3s}}}}}}\n"
IMPORTS = """\
from archlib import App, Stack
from archlib.components.messaging.queue import Queue
from troposphere import Ref, sns, sqs

"""
PYTHON = f"{IMPORTS}app = App('shop')\none, two = Stack(app, 'one'), Stack(app, 'two')\n"

Content = str | bytes | Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One mistake.

    Attributes:
        wrong: what it is.
        text: the file.
        says: words that the errors must have.
        flags: more of the command line.
        name: name of the file.
        code: the exit code.
        line: a line the errors must name, where no mark can stand in the file.
        lint: check the templates.
        others: more files by path.
        asked: what is on the command line instead of the file.
    """

    wrong: str
    text: str | bytes
    says: Sequence[str]
    flags: Sequence[str] = ()
    name: str = "archlib.yaml"
    code: int = 1
    line: int | None = None
    lint: bool = False
    others: Mapping[str, Content] = field(default_factory=dict)
    asked: str | None = None

    def lines(self) -> list[int]:
        marked = [] if isinstance(self.text, bytes) else enumerate(self.text.splitlines(), 1)
        return [number for number, line in marked if HERE in line] + ([self.line] if self.line else [])


def listed() -> Iterator[Case]:
    for row in yaml.safe_load(Path(__file__).with_name("bad_input.yaml").read_text(encoding="utf-8")):
        settings, file = row.pop("settings", None), row.pop("file", None)
        head = HEAD.replace("serverless", row.pop("blueprint", "serverless"))
        for word, stands_for in (("CODE", CODE), ("IMAGE", IMAGE)):
            settings = settings and re.sub(rf"\b{word}\b", stands_for, settings)
        text = file if settings is None else f"{head}settings:\n{indent(settings, '  ')}"
        yield Case(text=text, **row)


def blueprint(settings: str) -> str:
    return f"{HEAD}settings:\n{indent(settings, '  ')}\n"


def bomb() -> str:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    rows += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in zip("abcde", "bcdef", strict=True)
    ]
    return "\n".join(rows)


def large_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): ...\n")
        archive.writestr("data", os.urandom(51 * 2**20))


python = partial(Case, name="app.py")

# What a list of YAML files cannot show: long text, bytes, Python, flags, and what is on the disk.
CASES = (
    *listed(),
    Case(
        "an app's name too long",
        f"blueprint: serverless\napp: {'a' * 65}  # {HERE}\n",
        ["name must be at most 64 characters, got 65; shorten it"],
    ),
    Case(
        "a stack's name too long",
        f"blueprint: serverless\napp: {'a' * 64}  # {HERE}\nenvironment: {'b' * 64}\n",
        ["name must be at most 128 characters, got 129; shorten the app, environment or stack name"],
    ),
    Case(
        "a component's name too long",
        blueprint(f"queues:\n  {'a' * 65}: {{}}  # {HERE}"),
        ["name must be at most 64 characters, got 65; shorten it"],
    ),
    Case(
        "tags too long",
        f"{HEAD}tags:\n  {'k' * 129}: shop  # {HERE}\n",
        ["key must be 1 to 128 characters, got 129; shorten it"],
    ),
    Case(
        "the value of a tag too long",
        f"{HEAD}tags:\n  team: {'x' * 257}  # {HERE}\n",
        ["tag 'team': value must be text of at most 256 characters, got 257; shorten it"],
    ),
    Case(
        "inline code too long",
        blueprint(f"functions:\n  work:\n    code: {{inline: '{'#' * 4097}'}}  # {HERE}"),
        ["code inline must be at most 4096 bytes, got 4097; use path"],
    ),
    Case(
        "a zip too large",
        blueprint(f"functions:\n  work:\n    code: code.zip  # {HERE}"),
        ["code path must be at most 50 MB zipped, got 51 MB; use layers or an image"],
        others={"code.zip": large_zip},
    ),
    Case(
        "more routes than a load balancer has rules",
        f"{HEAD.replace('serverless', 'microservices')}settings:\n  entry: cloudfront\n  services:\n    hello:\n"
        f"      image: {IMAGE}\n      routes:\n"
        + "".join(f"      - /{number}/*{f'  # {HERE}' if number > 100 else ''}\n" for number in range(1, 103)),
        ["load balancer 'public': there must be at most 100 routes, got more; make another load balancer"],
    ),
    Case("an alias bomb", bomb(), ["at most 100,000 values once aliases are expanded; use fewer aliases"], line=1),
    Case("brackets without end", f"app: {'[' * 5000}{']' * 5000}", ["must be YAML", "nesting depth"], line=1),
    Case("not UTF-8", b"blueprint: serverless\napp: sh\xf6p\n", ["must be UTF-8, got byte 0xf6; save it"], line=2),
    Case("UTF-16", HEAD.encode("utf-16"), ["must be UTF-8, got byte 0xff; save it as UTF-8"], line=1),
    Case("a control character", "blueprint: serverless\napp: sh\0p\n", ["must be YAML", "remove it"], line=2),
    # files
    Case("a missing file", "", ["file 'shop.yaml': does not exist", "archlib init"], asked="shop.yaml"),
    Case("a missing Python file", "", ["file 'shop.py': does not exist"], asked="shop.py"),
    Case(
        "a folder for a file",
        "",
        ["file 'shop': is a folder; name the YAML or Python file in it"],
        asked="shop",
        others={"shop/archlib.yaml": JOBS},
    ),
    # flags
    Case("--set without a value", JOBS, ["--set must be path=value, got 'queues'"], ["--set", "queues"], code=2),
    Case("--set without a path", JOBS, ["--set must be path=value, got '=3'"], ["--set", "=3"], code=2),
    Case(
        "--set into a scalar",
        JOBS,
        ["--set queues.jobs.delay.more=3: 'more' is inside a value, not a mapping; shorten the path"],
        ["--set", "queues.jobs.delay.more=3"],
        code=2,
    ),
    Case(
        "--set of an unknown key",
        JOBS,
        ["error: --set queues.jobs.dely=3s: settings.queues.jobs.dely: unknown key 'dely'; did you mean 'delay'?"],
        ["--set", "queues.jobs.dely=3s"],
    ),
    Case(
        "--set of a wrong type",
        JOBS,
        ["error: --set queues.jobs.max_receives=many: settings.queues.jobs.max_receives: must be a whole number, got"],
        ["--set", "queues.jobs.max_receives=many"],
    ),
    Case(
        "--set out of range",
        JOBS,
        ["error: --set queues.jobs.delay=16m: queue 'jobs': delay must be 0s to 15m, got 16m"],
        ["--set", "queues.jobs.delay=16m"],
    ),
    Case(
        "--set of nothing",
        JOBS,
        ["error: --set queues.jobs.delay=: value must be given, got nothing; write 'queues.jobs.delay=\"\"' for"],
        ["--set", "queues.jobs.delay="],
        code=2,
    ),
    Case(
        "--set of null where something must be",
        JOBS,
        ["settings.queues.jobs.delay: must be a duration such as 30s, 5m, 12h or 4d, got nothing"],
        ["--set", "queues.jobs.delay=null"],
    ),
    Case(
        "--set that starts something and leaves out the rest",
        JOBS,
        ["error: --set functions.api.memory_mib=512: settings.functions.api.code: must be set; add 'code'"],
        ["--set", "functions.api.memory_mib=512"],
    ),
    Case(
        "--set under a mistake of the file",
        f"{HEAD}settings:\n  queues:\n    jobs: {{delay: 16m}}  # {HERE}\n",
        ["queue 'jobs': delay must be 0s to 15m, got 16m"],
        ["--set", "queues.jobs.visibility=3m"],
    ),
    Case(
        "--set for a Python file",
        PYTHON,
        ["--set works on YAML files only, got 'app.py'; change the Python file"],
        ["--set", "a=b"],
        name="app.py",
        code=2,
    ),
    Case(
        "--env of a Python file that makes another one",
        PYTHON,
        ["environment must be 'dev', the only one this file makes, got 'prod'; define a function app(environment)"],
        ["--env", "prod"],
        name="app.py",
        code=2,
        line=1,
    ),
    Case("--env that is no name", JOBS, ["error: --env: environment 'Prod': name must be kebab-case"], ["-e", "Prod"]),
    Case("--env of nothing", JOBS, ["error: --env: environment '': name must be kebab-case"], ["--env", ""]),
    Case(
        "--env of nothing for a Python file",
        PYTHON,
        ["environment must be 'dev', the only one this file makes, got ''"],
        ["--env", ""],
        name="app.py",
        code=2,
        line=1,
    ),
    Case("unknown --layout", JOBS, ["'flat' is not one of 'layered', 'single'"], ["--layout", "flat"], code=2),
    Case("unknown --format", JOBS, ["'xml' is not one of 'yaml', 'json'"], ["--format", "xml"], code=2),
    Case("unknown option", JOBS, ["No such option '--lay'", "--layout"], ["--lay"], code=2),
    Case("two files", JOBS, ["unexpected extra argument (more.yaml)"], ["more.yaml"], code=2),
    Case(
        "unknown region",
        JOBS,
        ["region must be one that CloudFormation is in, got 'eu-wset-1'; did you mean 'eu-west-1'?"],
        ["--region", "eu-wset-1"],
        code=2,
        lint=True,
    ),
    Case(
        "unknown region without checks",
        JOBS,
        ["region must be one that CloudFormation is in, got 'nowhere'; name one such as eu-west-1"],
        ["--region", "nowhere"],
        code=2,
    ),
    Case(
        "an output folder that is a file",
        JOBS,
        ["folder 'blocked': cannot be written", "choose another one with --out"],
        ["--out", "blocked"],
        others={"blocked": ""},
    ),
    Case(
        "an output folder in a file",
        JOBS,
        ["folder 'blocked/deep': cannot be written", "choose another one with --out"],
        ["--out", "blocked/deep"],
        others={"blocked": ""},
    ),
    Case(
        "an output folder that cannot be made",
        JOBS,
        ["folder '/dev/null/deep': cannot be written", "choose another one with --out"],
        ["--out", "/dev/null/deep"],
    ),
    Case(
        "a folder in the place of a file",
        JOBS,
        ["folder 'blocked': cannot be written: manifest.json is a folder", "choose another one with --out"],
        ["--out", "blocked"],
        others={"blocked/manifest.json/mine": ""},
    ),
    # Python
    python("Python that is none", f"{IMPORTS}app = App('shop'  # {HERE}\n", ["must be Python: '(' was never closed"]),
    python("Python that fails", f"{PYTHON}int('x')  # {HERE}\n", ["failed: ValueError: invalid literal for int()"]),
    python("a module that is missing", f"import shop_parts  # {HERE}\n", ["failed: ModuleNotFoundError", "shop_parts"]),
    python("Python without an app", "stack = 1\n", ["must define app = App(...)", "got NoneType"], line=1),
    python("an app of a wrong type", "app = 'shop'\n", ["must define app = App(...)", "got str"], line=1),
    python("a function that returns no app", "def app(environment): ...\n", ["returns one, got NoneType"], line=1),
    python("Python that exits", f"import sys\nsys.exit(0)  # {HERE}\n", ["must define app and return, got an exit"]),
    python(
        "Python that fails beyond exceptions",
        f"class Own(BaseException): ...\n\nraise Own('x')  # {HERE}\n",
        ["failed: Own: x"],
    ),
    python("an app without anything", f"{IMPORTS}app = App('shop')\n", ["must be at least one resource, got none"]),
    python("a name in Python", f"{IMPORTS}app = App('My Shop')  # {HERE}\n", ["write 'my-shop'"]),
    python(
        "a number for a duration",
        f"{PYTHON}Queue(one, 'jobs', visibility=3)  # {HERE}\n",
        ["queue 'jobs': visibility must be 0s to 12h, got 3"],
    ),
    python(
        "an unknown argument",
        f"{PYTHON}Queue(one, 'jobs', visiblity=3)  # {HERE}\n",
        ["unexpected keyword argument 'visiblity'"],
    ),
    python("a missing property", f"{PYTHON}one.add(sns.SubscriptionResource('A'))  # {HERE}\n", ["Protocol required"]),
    python(
        "stacks in a cycle",
        f"{PYTHON}one.add(sqs.Queue('A', QueueName=Ref('B')))\ntwo.add(sqs.Queue('B', QueueName=Ref('A')))\n",
        [
            "stacks depend on each other in a cycle; move one of these into the other's stack",
            "shop-dev-one needs shop-dev-two: A uses B (app.py:7)",
            "shop-dev-two needs shop-dev-one: B uses A (app.py:8)",
        ],
    ),
    python(
        "a reference to nothing",
        f"{PYTHON}one.add(sqs.Queue('Jobs'))\none.add(sqs.Queue('B', QueueName=Ref('Job')))  # {HERE}\n",
        ["resource 'B': refers to 'Job', which no stack of the app has; did you mean 'Jobs'?"],
    ),
    python(
        "a logical id twice",
        f"{PYTHON}one.add(sqs.Queue('Jobs'))\ntwo.add(sqs.Queue('Jobs'))  # {HERE}\n",
        ["resource 'Jobs': logical id must be unique", "stack 'one' has it already (from app.py:7); rename one"],
    ),
    python(
        "a stack twice",
        f"{PYTHON}Stack(app, 'one')  # {HERE}\n",
        ["stack 'one': name must be unique in the app, but app.py:6 made one already"],
    ),
)  # fmt: skip


def place(folder: Path, case: Case) -> None:
    # An earlier synthesis, which a later one that fails must leave alone.
    earlier = {
        "out/manifest.json": '{"stacks": [{"file": "shop-dev-old.yaml"}]}',
        "out/shop-dev-old.yaml": "Resources: {}",
    }
    files: dict[str, Content] = {**earlier, case.name: case.text, **case.others}
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(file)
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())


def snapshot(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    }


def command(case: Case) -> list[str]:
    return ["synth", case.asked or case.name, *([] if case.lint else ["--no-lint"]), *case.flags]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.enable()  # which a command switches off, as it is over soon


@pytest.mark.parametrize("case", [pytest.param(case, id=case.wrong) for case in CASES])
def test_wrong_input_is_explained_and_leaves_nothing_behind(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place(tmp_path, case)
    before = snapshot(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["archlib", *command(case)])

    with pytest.raises(SystemExit) as caught:
        main()

    out, errors = capsys.readouterr()
    assert caught.value.code == case.code
    assert [words for words in case.says if words not in errors] == []
    assert [line for line in case.lines() if f"error: {case.name}:{line}: " not in errors] == []
    # Every error stands on the line of somebody's mistake: where lines are marked, no other is named first.
    named = {int(row.split(":")[2]) for row in errors.splitlines() if row.startswith(f"error: {case.name}:")}
    assert named <= set(case.lines())
    assert out == ""
    for jargon in ("Traceback", "internal error", "pydantic", "Input should be", "validation error"):
        assert jargon not in errors
    assert snapshot(tmp_path) == before


def test_the_table_is_not_getting_shorter() -> None:
    assert len({case.wrong for case in CASES}) == len(CASES) >= 100


@pytest.mark.parametrize("wrong", ["unknown setting", "Python that fails"])
def test_debug_shows_the_traceback_behind_the_message(wrong: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.wrong == wrong)
    place(tmp_path, case)

    done = subprocess.run(
        [sys.executable, "-c", "from archlib.cli.main import main; main()", "--debug", *command(case)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == case.code
    assert [words for words in case.says if words not in done.stderr] == []
    assert "Traceback (most recent call last)" in done.stderr
