"""Running buildspecs: real shells, in copies of small sources."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archlib.errors import ArchlibError, OutputError, SettingsError, SourceError
from archlib.pipeline.build import Build, build
from archlib.pipeline.buildspec import Reference, parse


@dataclass
class Runner:
    """Runs buildspecs in a source of their own, and keeps the log."""

    source: Path
    out: Path
    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, text: str, *, keep: bool = False, **how: Any) -> Build:
        spec = parse(f"version: 0.2\n{textwrap.dedent(text)}")
        out = self.out if keep else None
        return build(spec, source=self.source, out=out, log=lambda phase, line: self.lines.append((phase, line)), **how)

    @property
    def log(self) -> list[str]:
        """What the commands wrote."""
        return [line for _, line in self.lines if not line.startswith("$ ")]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    source = tmp_path / "source"
    source.mkdir()
    return Runner(source, tmp_path / "out")


def statuses(done: Build) -> dict[str, str]:
    return {phase.name: phase.status for phase in done.phases}


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether the process has ended, even if nobody has asked for its code."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


# phases


def test_phases_run_in_order_whatever_the_order_in_the_file(run: Runner) -> None:
    done = run("""
        phases:
          post_build: {commands: [echo last]}
          build: {commands: [echo third]}
          pre_build: {commands: [echo second]}
          install: {commands: [echo first]}
    """)

    assert run.lines == [
        ("install", "$ echo first"), ("install", "first"), ("pre_build", "$ echo second"), ("pre_build", "second"),
        ("build", "$ echo third"), ("build", "third"), ("post_build", "$ echo last"), ("post_build", "last"),
    ]  # fmt: skip
    assert done.status == "SUCCEEDED"
    assert done.failed is None
    assert set(statuses(done).values()) == {"SUCCEEDED"}
    assert [phase.log for phase in done.phases] == [("first",), ("second",), ("third",), ("last",)]


def test_state_stays_from_command_to_command_and_from_phase_to_phase(run: Runner) -> None:
    run("""
        phases:
          install:
            commands:
              - mkdir deep && cd deep
              - export WORD="two words"
              - greet() { echo "hello $1"; }
              - greet you
          build:
            commands: ['basename "$PWD"; echo "$WORD"']
            finally: ['basename "$PWD"']
    """)

    assert run.log == ["hello you", "deep", "two words", "deep"]


def test_the_source_stays_as_it_is(run: Runner) -> None:
    (run.source / "data").write_text("old", encoding="utf-8")

    run('phases: {build: {commands: [cat data, echo new > data, touch made, \'[ "$PWD" = "$CODEBUILD_SRC_DIR" ]\']}}')

    assert run.log == ["old"]
    assert {path.name: path.read_text(encoding="utf-8") for path in run.source.iterdir()} == {"data": "old"}


def test_a_command_that_leaves_the_shell_well_ends_only_itself(run: Runner) -> None:
    done = run("phases: {build: {commands: [export A=1, exit 0, 'echo $A']}}")

    assert run.log == ["1"]
    assert done.status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 3", 3), ("false", 1), ("set -e; false; echo no", 1), ("kill -9 $$", 137), ("if", 2), ("nonsense-x", 127)],
)
def test_the_failing_command_and_its_code_are_told(command: str, code: int, run: Runner) -> None:
    done = run(f"phases: {{build: {{commands: [echo before, '{command}', echo after]}}}}")

    assert done.status == "FAILED"
    assert done.failed is not None
    assert (done.failed.name, done.failed.command, done.failed.exit_code) == ("build", command, code)
    assert run.log[0] == "before"
    assert "after" not in run.log


def test_the_shell_is_the_one_that_is_asked_for(run: Runner) -> None:
    run("""
        env: {shell: bash}
        phases: {build: {commands: ['[[ abc == a* ]] && echo "${BASH_VERSION:+bash}"']}}
    """)

    assert run.log == ["bash"]


def test_finally_runs_after_a_failure_and_the_first_failure_is_told(run: Runner) -> None:
    done = run("""
        phases:
          build:
            commands: ['exit 3']
            finally: [echo cleaned $CODEBUILD_BUILD_SUCCEEDING, 'exit 4']
    """)

    assert run.log == ["cleaned 0"]
    assert done.failed is not None
    assert (done.failed.command, done.failed.exit_code) == ("exit 3", 3)


def test_a_phase_fails_if_finally_does(run: Runner) -> None:
    done = run("phases: {pre_build: {commands: ['true'], finally: ['exit 4']}, build: {commands: [echo no]}}")

    assert done.failed is not None
    assert (done.failed.command, done.failed.exit_code) == ("exit 4", 4)
    assert statuses(done)["build"] == "SKIPPED"


def test_after_a_failed_build_post_build_runs_and_knows(run: Runner) -> None:
    done = run("""
        phases:
          pre_build: {commands: [echo $CODEBUILD_BUILD_SUCCEEDING]}
          build: {commands: ['false']}
          post_build: {commands: [echo $CODEBUILD_BUILD_SUCCEEDING]}
        artifacts: {files: [nothing]}
    """)

    assert run.log[:2] == ["1", "0"]
    assert statuses(done) == {
        "pre_build": "SUCCEEDED", "build": "FAILED", "post_build": "SUCCEEDED", "upload_artifacts": "FAILED",
    }  # fmt: skip
    assert done.status == "FAILED"


@pytest.mark.parametrize("phase", ["install", "pre_build"])
def test_after_another_failed_phase_nothing_runs(phase: str, run: Runner) -> None:
    done = run(f"""
        phases:
          {phase}: {{commands: ['false']}}
          build: {{commands: [echo no]}}
          post_build: {{commands: [echo no]}}
        artifacts: {{files: ['**/*']}}
    """)

    assert run.log == []
    assert statuses(done) == {
        phase: "FAILED", "build": "SKIPPED", "post_build": "SKIPPED", "upload_artifacts": "SKIPPED",
    }  # fmt: skip


def test_artifacts_are_collected_after_a_failed_post_build(run: Runner) -> None:
    done = run("""
        phases: {build: {commands: [touch made]}, post_build: {commands: ['false']}}
        artifacts: {files: [made]}
    """)

    assert [each.files for each in done.artifacts] == [("made",)]


# on-failure


def test_abort_ends_the_build(run: Runner) -> None:
    done = run("""
        phases:
          build: {on-failure: ABORT, commands: [touch made, 'false']}
          post_build: {commands: [echo no]}
        artifacts: {files: [made]}
    """)

    assert run.log == []
    assert statuses(done) == {"build": "FAILED", "post_build": "SKIPPED", "upload_artifacts": "SKIPPED"}


def test_continue_goes_on_but_the_build_has_failed(run: Runner) -> None:
    done = run("""
        phases:
          install: {on-failure: CONTINUE, commands: ['false']}
          build: {commands: [echo $CODEBUILD_BUILD_SUCCEEDING]}
    """)

    assert run.log == ["0"]
    assert statuses(done) == {"install": "FAILED", "build": "SUCCEEDED"}
    assert done.status == "FAILED"


TRIES = """
    phases:
      build:
        on-failure: {}
        commands: ['echo try >> tries; echo "cannot connect"; [ $(wc -l < tries) -ge {} ]']
"""


@pytest.mark.parametrize(
    ("on_failure", "needed", "attempts", "status"),
    [
        ("RETRY", 2, 2, "SUCCEEDED"),
        ("RETRY", 9, 4, "FAILED"),
        ("RETRY-1", 9, 2, "FAILED"),
        ("RETRY-cannot", 2, 2, "SUCCEEDED"),
        ("RETRY-2-other", 2, 1, "FAILED"),
    ],
)
def test_retry_repeats_the_phase(on_failure: str, needed: int, attempts: int, status: str, run: Runner) -> None:
    done = run(TRIES.format(on_failure, needed))

    assert (done.phases[0].attempts, done.status) == (attempts, status)
    assert run.log.count("cannot connect") == attempts


# variables


def test_what_is_given_goes_before_the_buildspec_and_that_before_the_user(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ONE", "TWO", "THREE"):
        monkeypatch.setenv(name, "user")

    run(
        "env: {variables: {ONE: spec, TWO: spec}}\nphases: {build: {commands: ['echo $ONE $TWO $THREE']}}",
        environment={"ONE": "given"},
    )

    assert run.log == ["given spec user"]


def test_nothing_of_the_user_s_aws_gets_in_unless_it_is_given(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDUSER")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/home/me/.aws/config")

    run(
        "phases: {build: {commands: ['echo [$AWS_ACCESS_KEY_ID$AWS_PROFILE] $AWS_CONFIG_FILE $AWS_ENDPOINT_URL']}}",
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
    )

    assert run.log == [f"[] {os.devnull} http://127.0.0.1:4566"]


def test_exported_variables_are_those_at_the_end(run: Runner) -> None:
    done = run("""
        env: {exported-variables: [TAG, NEVER], variables: {TAG: v0}}
        phases: {build: {commands: [export TAG=v1]}, post_build: {commands: ['export TAG=$TAG-x']}}
    """)

    assert done.exported == {"TAG": "v1-x"}
    assert "exported-variables: NEVER has no value" in done.notes


KEPT_ELSEWHERE = """
    env:
      parameter-store: {LOGIN: /app/login}
      secrets-manager: {TOKEN: app/token:key}
      exported-variables: [COPY]
    phases:
      build:
        commands:
          - echo "$LOGIN and $TOKEN"
          - export COPY="$TOKEN"
          - ls $TOKEN
    """


def test_secrets_come_from_the_resolver_and_are_never_shown(run: Runner) -> None:
    asked: list[Reference] = []

    def resolve(reference: Reference) -> str:
        asked.append(reference)
        return f"value-of-{reference.variable}"

    done = run(KEPT_ELSEWHERE, keep=True, resolve=resolve)

    assert [(each.variable, each.id, each.json_key) for each in asked] == [
        ("LOGIN", "/app/login", ""), ("TOKEN", "app/token", "key"),
    ]  # fmt: skip
    assert run.log[0] == "**** and ****"
    assert done.exported == {"COPY": "****"}
    shown = f"{run.lines}{done}{(run.out / 'build.json').read_text(encoding='utf-8')}"
    assert "value-of" not in shown


def test_secrets_of_many_lines_are_masked_line_by_line(run: Runner) -> None:
    run(
        "env: {parameter-store: {KEY: /k}}\nphases: {build: {commands: ['echo \"$KEY\"']}}",
        resolve=lambda _: "-----BEGIN\nabcdef",
    )

    assert run.log == ["****", "****"]


def test_given_values_are_masked_where_their_names_are_those_of_secrets(run: Runner) -> None:
    run(KEPT_ELSEWHERE, environment={"LOGIN": "given-login", "TOKEN": "given-token"})
    run(
        "phases: {build: {commands: ['echo $DB_PASSWORD $STAGE']}}",
        environment={"DB_PASSWORD": "hunter22", "STAGE": "devel"},
    )

    assert run.log[0] == "**** and ****"
    assert run.log[-1] == "**** devel"


def test_without_a_resolver_all_that_is_missing_is_told_before_anything_runs(run: Runner) -> None:
    with pytest.raises(SettingsError) as caught:
        run(KEPT_ELSEWHERE)

    messages = [problem.message for problem in caught.value.problems]
    assert messages[0] == (
        "build: variable 'LOGIN' must be given, its value is in parameter-store (/app/login), which is not read on "
        "this machine; give it with --env LOGIN=VALUE"
    )
    assert "'TOKEN' must be given, its value is in secrets-manager (app/token)" in messages[1]
    assert run.lines == []


# what a build leaves


@pytest.fixture
def built(run: Runner) -> Runner:
    for name in ("top.txt", "one/a.txt", "one/b.bin", "two/a.txt", "two/deep/c.txt", ".git/config"):
        (run.source / name).parent.mkdir(parents=True, exist_ok=True)
        (run.source / name).write_text(name, encoding="utf-8")
    return run


def kept(run: Runner, folder: str = "artifacts") -> list[str]:
    root = run.out / folder
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("artifacts", "found"),
    [
        ("files: [top.txt]", ["top.txt"]),
        ("files: ['*']", ["top.txt"]),
        ("files: ['./one/*']", ["one/a.txt", "one/b.bin"]),
        ("files: ['two/**/*']", ["two/a.txt", "two/deep/c.txt"]),
        ("files: ['**/?.txt']", ["one/a.txt", "two/a.txt", "two/deep/c.txt"]),
        ("files: ['**/*'], exclude-paths: ['**/.*/**/*', '**/*.txt']", ["one/b.bin"]),
        ("files: ['**/*'], base-directory: two", ["a.txt", "deep/c.txt"]),
        ("files: ['*/c.txt'], base-directory: two", ["deep/c.txt"]),
        ("files: ['**/*'], base-directory: 't*'", ["a.txt", "deep/c.txt"]),
        ("files: ['**/*.txt'], base-directory: two, discard-paths: yes", ["a.txt", "c.txt"]),
        ("files: ['a.*'], base-directory: '$CODEBUILD_SRC_DIR/${WHERE}'", ["a.txt"]),
        ("files: [$CODEBUILD_SRC_DIR/top.txt]", ["top.txt"]),
    ],
)
def test_artifacts_are_found_as_codebuild_finds_them(artifacts: str, found: list[str], built: Runner) -> None:
    done = built(
        f"env: {{variables: {{WHERE: one}}}}\nphases: {{build: {{commands: ['true']}}}}\nartifacts: {{{artifacts}}}",
        keep=True,
    )

    assert list(done.artifacts[0].files) == found
    assert kept(built) == found


def test_secondary_artifacts_and_reports_have_folders_of_their_own(built: Runner) -> None:
    done = built(
        """
        phases: {build: {commands: ['true']}}
        reports:
          arn:aws:codebuild:eu-west-1:111122223333:report-group/unit: {files: ['one/*'], file-format: junitxml}
          other: {files: [none.xml]}
        artifacts:
          files: [top.txt]
          name: app-$CODEBUILD_BUILD_NUMBER-$(echo x)
          secondary-artifacts:
            docs: {files: ['two/*'], name: pages, discard-paths: yes}
        """,
        keep=True,
    )

    assert [(each.identifier, each.name, each.files) for each in done.artifacts] == [
        ("", "app-1-x", ("top.txt",)), ("docs", "pages", ("a.txt",)),
    ]  # fmt: skip
    assert done.artifacts[1].folder == built.out / "secondary-artifacts" / "docs"
    assert kept(built, "secondary-artifacts/docs") == ["a.txt"]
    assert kept(built, "reports/unit") == ["one/a.txt", "one/b.bin"]
    assert [(each.name, each.files) for each in done.reports] == [
        ("JUNITXML", ("one/a.txt", "one/b.bin")),
        ("JUNITXML", ()),
    ]
    assert "reports.other: no file matches 'none.xml'" in done.notes


def test_an_artifact_without_files_fails_the_build_and_a_pattern_without_files_does_not(built: Runner) -> None:
    text = "phases: {{build: {{commands: ['true']}}}}\nartifacts: {{files: [{}]}}"

    some, none = built(text.format("top.txt, dist"), keep=True), built(text.format("dist"), keep=True)

    assert (some.status, some.artifacts[0].missing) == ("SUCCEEDED", ("dist",))
    assert none.status == "FAILED"
    assert none.failed is not None
    assert (none.failed.name, none.failed.log) == ("upload_artifacts", ("artifacts: no file matches 'dist'",))
    assert kept(built) == [], "those of the build before are gone"


@pytest.mark.parametrize(("links", "linked"), [("yes", ["folder", "link"]), ("no", [])])
def test_links_stay_links_if_asked(links: str, linked: list[str], built: Runner) -> None:
    done = built(
        f"""
        phases: {{build: {{commands: [ln -s top.txt link, ln -s one folder]}}}}
        artifacts: {{files: [link, folder], enable-symlinks: {links}}}
        """,
        keep=True,
    )

    assert done.status == "SUCCEEDED"
    assert "link" in kept(built)
    assert [name for name in ("folder", "link") if (built.out / "artifacts" / name).is_symlink()] == linked


def test_without_a_folder_artifacts_are_only_listed(built: Runner) -> None:
    done = built("phases: {build: {commands: ['true']}}\nartifacts: {files: [top.txt]}")

    assert (done.artifacts[0].files, done.artifacts[0].folder) == (("top.txt",), None)
    assert not built.out.exists()


def test_the_result_is_kept_as_data(built: Runner) -> None:
    done = built("phases: {build: {commands: [echo hi]}}\nartifacts: {files: [top.txt]}", keep=True)

    data = json.loads((built.out / "build.json").read_text(encoding="utf-8"))
    assert data == done.to_data()
    assert data["phases"][0]["log"] == ["hi"]
    assert data["artifacts"][0]["folder"] == str(built.out / "artifacts")


def test_a_folder_with_other_things_is_left_alone(run: Runner) -> None:
    run.out.mkdir()
    (run.out / "mine").touch()

    with pytest.raises(OutputError, match="must be new, empty or of an earlier build"):
        run("phases: {build: {commands: [echo no]}}", keep=True)

    assert run.lines == []
    assert [path.name for path in run.out.iterdir()] == ["mine"]


def test_a_folder_inside_the_source_is_not_part_of_it(run: Runner) -> None:
    run.out = run.source / "out"
    text = "phases: {build: {commands: [ls, touch made]}}\nartifacts: {files: ['**/*']}"

    for _ in range(2):
        assert run(text, keep=True).artifacts[0].files == ("made",)

    assert run.log == []


def test_a_folder_that_goes_away_meanwhile_is_told(run: Runner) -> None:
    with pytest.raises(OutputError, match=r"build\.json': cannot be written: No such file or directory"):
        run(f"phases: {{build: {{commands: ['rm -r {run.out}']}}}}", keep=True)


def test_a_file_that_cannot_be_copied_is_told(run: Runner) -> None:
    with pytest.raises(OutputError, match="cannot be copied there: File exists"):
        run(
            f"phases: {{build: {{commands: ['touch made {run.out}/artifacts']}}}}\nartifacts: {{files: [made]}}",
            keep=True,
        )


def test_a_link_that_leads_nowhere_is_no_file(run: Runner) -> None:
    done = run("phases: {build: {commands: [ln -s nowhere link, touch made]}}\nartifacts: {files: ['*']}")

    assert done.artifacts[0].files == ("made",)


def test_a_folder_that_cannot_be_made_is_told(run: Runner) -> None:
    run.out.touch()

    with pytest.raises(OutputError, match="cannot be written: File exists"):
        run("phases: {build: {commands: [echo no]}}", keep=True)


# limits


def test_what_is_otherwise_than_in_codebuild_is_told(run: Runner) -> None:
    done = run("""
        run-as: builder
        env: {git-credential-helper: yes}
        proxy: {logs: yes}
        batch: {build-fanout: {parallelism: 2}}
        phases:
          install: {runtime-versions: {python: 3.13, nodejs: 22}}
          build: {run-as: other, commands: ['true || docker build .']}
        cache: {paths: [a]}
    """)

    assert [note.partition(":")[0] for note in done.notes] == [
        "runtime-versions", "run-as", "docker", "git-credential-helper", "batch", "proxy", "cache",
    ]  # fmt: skip
    assert "python 3.13, nodejs 22" in done.notes[0]
    assert "not as builder, other" in done.notes[1]


def test_nothing_is_told_of_a_plain_buildspec(run: Runner) -> None:
    assert run("phases: {build: {commands: ['true']}}").notes == ()


@pytest.mark.parametrize(
    ("text", "how", "kind", "message"),
    [
        ("env: {shell: powershell.exe}", {}, SettingsError, "env.shell must be bash or /bin/sh on this machine"),
        ("env: {shell: bash}", {"environment": {"PATH": "/nowhere"}}, SettingsError, "env.shell must be installed"),
        ("", {"timeout": timedelta(0)}, SettingsError, "timeout must be 1s to 36h, got 0s"),
    ],
)
def test_what_cannot_run_is_told_before(
    text: str, how: dict[str, Any], kind: type[ArchlibError], message: str, run: Runner
) -> None:
    with pytest.raises(kind, match=message):
        run(f"{text}\nphases: {{build: {{commands: [echo no]}}}}", **how)

    assert run.lines == []


def test_a_source_that_is_no_folder_is_told(run: Runner) -> None:
    run.source.rmdir()

    with pytest.raises(SourceError, match="source must be a folder"):
        run("phases: {build: {commands: [echo no]}}")


def test_a_source_that_cannot_be_copied_is_told(run: Runner) -> None:
    os.mkfifo(run.source / "pipe")

    with pytest.raises(SourceError, match="must be such that it can be copied"):
        run("phases: {build: {commands: [echo no]}}")


def test_when_the_time_is_over_all_ends(run: Runner) -> None:
    done = run(
        """
        phases:
          build: {commands: [echo $$, sleep 60], finally: [echo no]}
          post_build: {commands: [echo no]}
        artifacts: {files: ['**/*']}
        """,
        timeout=timedelta(seconds=1),
    )

    assert statuses(done) == {"build": "TIMED_OUT", "post_build": "SKIPPED", "upload_artifacts": "SKIPPED"}
    assert done.status == "TIMED_OUT"
    assert done.failed is not None
    assert (done.failed.command, done.failed.exit_code) == ("sleep 60", None)
    assert gone(int(run.log[0]))
    assert done.seconds < 20


def test_what_runs_in_the_background_lives_until_the_end(run: Runner) -> None:
    run("""
        phases:
          install: {commands: ['sleep 60 & echo $! > pid']}
          build: {commands: ['kill -0 $(cat pid) && cat pid']}
    """)

    assert gone(int(run.log[0]))


def test_a_shell_that_traces_itself_is_understood(run: Runner) -> None:
    done = run("phases: {build: {commands: [set -x, echo one, echo two]}}")

    assert [line for _, line in run.lines if line.startswith("$ ")] == ["$ set -x", "$ echo one", "$ echo two"]
    assert {"one", "two"} <= set(run.log)
    assert done.status == "SUCCEEDED"


def test_lines_without_an_end_and_without_utf_8_are_told(run: Runner) -> None:
    run('phases: {build: {commands: ["printf \'a\\\\377\'", "printf \'b\\\\r\\\\n\'", "printf end"]}}')

    assert run.log == ["a\ufffd", "b", "end"]


def test_very_long_lines_are_told_in_parts(run: Runner) -> None:
    run("phases: {build: {commands: [\"head -c 3000000 /dev/zero | tr '\\\\0' x\"]}}")

    assert sum(map(len, run.log)) == 3_000_000
    assert len(run.log) > 1


def test_a_folder_that_is_gone_does_not_stop_the_next_phase(run: Runner) -> None:
    done = run("phases: {install: {commands: [mkdir a, cd a, rmdir ../a]}, build: {commands: [echo here]}}")

    assert run.log[-1] == "here"
    assert done.status == "SUCCEEDED"


INTERRUPTED = """
import sys
from pathlib import Path
from archlib.pipeline.build import build
from archlib.pipeline.buildspec import Buildspec, Phase, Phases

phase = Phase(commands=[f"sleep 60 & echo $! $$ $PWD > {sys.argv[2]}", "sleep 60"])
build(Buildspec(version="0.2", phases=Phases(build=phase)), source=Path(sys.argv[1]))
"""


def test_an_interrupt_ends_all_that_was_started(run: Runner, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(run.source), str(pids)], stderr=subprocess.PIPE, start_new_session=True
    )
    until(lambda: pids.exists() and pids.read_text(encoding="utf-8").endswith("\n"))

    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=20)

    background, shell, folder = pids.read_text(encoding="utf-8").split()
    assert b"KeyboardInterrupt" in told
    until(lambda: gone(int(background)) and gone(int(shell)))
    assert not Path(folder).exists()
