"""Buildspecs: what is read, what is refused and where, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archlib.errors import ArchlibError, SettingsError, SourceError
from archlib.pipeline.buildspec import (
    Artifact,
    Artifacts,
    Buildspec,
    Env,
    Install,
    Phase,
    Phases,
    Reference,
    parse,
    render,
)

ROOT = Path(__file__).parents[3]
FULL = """\
version: 0.2
run-as: builder
env:
  shell: bash
  variables:
    PORT: 8080
    FLAG: true
    TEXT: "yes"
  parameter-store:
    LOGIN: /app/login
  secrets-manager:
    TOKEN: app/token:key
    OTHER: arn:aws:secretsmanager:eu-west-1:111122223333:secret:app-AbCdEf:key:AWSPENDING
  exported-variables: [TAG]
  git-credential-helper: yes
proxy:
  upload-artifacts: no
  logs: yes
batch:
  fast-fail: true
  build-graph:
    - identifier: one
      env:
        compute-type: BUILD_GENERAL1_SMALL
        privileged-mode: true
        variables: {A: b}
    - identifier: two
      buildspec: two.yml
      depend-on: [one]
      ignore-failure: true
      debug-session: true
phases:
  install:
    runtime-versions:
      python: "3.10"
      nodejs: 22
  pre_build:
    run-as: root
    on-failure: CONTINUE
    commands: [true]
  build:
    on-failure: RETRY-2-timed out
    commands:
      - make
      - |
        one
        two
    finally:
      - make clean
  post_build:
    commands: ['echo "a: b"']
reports:
  arn:aws:codebuild:eu-west-1:111122223333:report-group/unit:
    files: ['**/*.xml']
    base-directory: out
    discard-paths: yes
    file-format: junitxml
artifacts:
  files: ['**/*']
  name: app-$TAG
  base-directory: dist
  exclude-paths: ['**/.*']
  enable-symlinks: yes
  s3-prefix: here
  secondary-artifacts:
    docs:
      files: [docs/**/*]
      discard-paths: no
cache:
  key: k-$(cat lock)
  fallback-keys: [k-]
  action: restore
  paths: ['/root/.cache/**/*']
"""
LEAST = "version: 0.2\nphases: {build: {commands: [make]}}\n"


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    return [(problem.origin.line if problem.origin else 0, problem.message) for problem in caught.value.problems]


def test_everything_that_a_buildspec_can_have_is_read() -> None:
    spec = parse(FULL)

    assert spec.run_as == "builder"
    assert spec.env.variables == {"PORT": "8080", "FLAG": "true", "TEXT": "yes"}
    assert spec.env.git_credential_helper is True
    assert spec.proxy is not None
    assert (spec.proxy.upload_artifacts, spec.proxy.logs) == (False, True)
    assert spec.batch is not None
    assert spec.batch.build_graph is not None
    assert spec.batch.build_graph[1].depend_on == ["one"]
    assert list(spec.phases.given) == ["install", "pre_build", "build", "post_build"]
    assert spec.phases.install is not None
    assert spec.phases.install.runtime_versions == {"python": "3.10", "nodejs": "22"}
    assert spec.phases.pre_build is not None
    assert spec.phases.pre_build.commands == ["true"]
    assert spec.phases.build is not None
    assert spec.phases.build.finally_ == ["make clean"]
    assert spec.artifacts is not None
    assert spec.artifacts.secondary_artifacts["docs"].files == ["docs/**/*"]
    assert spec.cache is not None
    assert spec.cache.fallback_keys == ["k-"]


def test_references_are_taken_apart() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app-AbCdEf"

    assert parse(FULL).env.references == [
        Reference("LOGIN", "parameter-store", "/app/login"),
        Reference("TOKEN", "secrets-manager", "app/token", "key"),
        Reference("OTHER", "secrets-manager", arn, "key", "AWSPENDING"),
    ]


@pytest.mark.parametrize(
    ("text", "times", "pattern"),
    [
        (None, 0, ""),
        ("ABORT", 0, ""),
        ("RETRY", 3, ""),
        ("RETRY-7", 7, ""),
        ("RETRY-0", 0, ""),
        ("Retry-.*Error: no.*", 3, ".*Error: no.*"),
        ("RETRY-8-invalid+", 8, "invalid+"),
        ("RETRY-5xx", 3, "5xx"),
    ],
)
def test_how_often_a_phase_is_tried_again(text: str | None, times: int, pattern: str) -> None:
    retry = Phase(commands=["make"], on_failure=text).retry

    assert (retry.times, retry.pattern.pattern) == (times, pattern)


@pytest.mark.parametrize("form", ["build-list", "build-graph"])
def test_a_batch_may_be_a_list_or_a_graph(form: str) -> None:
    assert parse(f"{LEAST}batch: {{{form}: [{{identifier: a, env: {{fleet: f}}}}]}}").batch is not None


def test_a_batch_may_be_a_matrix_or_a_fanout() -> None:
    matrix = parse(
        LEAST + "batch: {build-matrix: {static: {ignore-failure: no, env: {type: X, privileged-mode: true}}, "
        "dynamic: {buildspec: [a.yml], env: {image: [i], compute-type: [c], variables: {V: [1, 2]}}}}}"
    ).batch
    fanout = parse(LEAST + "batch: {build-fanout: {parallelism: 5}}").batch

    assert matrix is not None
    assert matrix.build_matrix is not None
    assert matrix.build_matrix.dynamic.env is not None
    assert matrix.build_matrix.dynamic.env.variables == {"V": ["1", "2"]}
    assert fanout is not None
    assert fanout.build_fanout is not None
    assert fanout.build_fanout.parallelism == 5


def test_all_problems_come_at_once_with_their_lines() -> None:
    text = """\
version: 0.1
enf: {}
phases:
  biuld:
    commands: [make]
  build:
    run_as: me
    on-failure: RETRI
    commands:
      - echo: hi
artifacts:
  discard-paths: maybe
"""

    on_failure = "ABORT, CONTINUE, RETRY, RETRY-<count>, RETRY-<regex> or RETRY-<count>-<regex>"
    quotes = "put it in quotes if it has a colon and a space in it"
    assert problems(text) == [
        (1, "version: must be 0.2, got 0.1; in 0.1 each command has a shell of its own"),
        (2, "enf: unknown key 'enf'; did you mean 'env'?"),
        (4, "phases.biuld: unknown key 'biuld'; did you mean 'build'?"),
        (7, "phases.build.run_as: unknown key 'run_as'; did you mean 'run-as'?"),
        (8, f"phases.build.on-failure: must be {on_failure}, got 'RETRI'; did you mean 'RETRY'?"),
        (10, f"phases.build.commands.0: must be text, got a mapping; {quotes}"),
        (11, "artifacts.files: must be set; add 'files'"),
        (12, "artifacts.discard-paths: must be yes or no, got 'maybe'"),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("env: {shell: zsh}", "env.shell: must be"),
        ("env: {variables: {A-B: c}}", "env.variables.A-B: must be named by letters, digits and _"),
        ("env: {variables: {CODEBUILD_X: c}}", "must be a name that does not begin with CODEBUILD_"),
        ("env: {variables: {A: }}", "env.variables.A: must be text, got nothing"),
        ("env: {variables: {A: [b]}}", "env.variables.A: must be text, got a list"),
        ("env: {secrets-manager: {A: 'a:b:c:d'}}", "must be with a version stage or a version id, not both"),
        ("env: {secrets-manager: {A: 'a:b:c:d:e'}}", "must be secret-id:json-key:version-stage:version-id"),
        ("env: {secrets-manager: {A: ':b'}}", "must be secret-id:json-key:version-stage:version-id"),
        ("env: {parameter-store: {A: /a}, exported-variables: [A]}", "without secrets"),
        ("env: {exported-variables: [AWS_REGION]}", "what begins with AWS_, got 'AWS_REGION'"),
        ("env: {exported-variables: [A-B]}", "must be names of variables"),
        ("proxy: {log: yes}", "proxy.log: unknown key 'log'; did you mean 'logs'?"),
        ("batch: {}", "batch: must be one of build-list, build-graph, build-matrix, build-fanout, got none"),
        ("batch: {build-list: [], build-graph: []}", "got build-list and build-graph"),
        ("batch: {build-list: [{identifier: a}, {identifier: a}]}", "different identifiers, got 'a' again"),
        ("batch: {build-graph: [{identifier: abc, depend-on: [abd]}]}", "got 'abd'; did you mean 'abc'?"),
        (
            "batch: {build-graph: [{identifier: a, depend-on: [b]}, {identifier: b, depend-on: [a]}]}",
            "must be builds that wait in no circle, got",
        ),
        ("batch: {build-list: [{identifier: a, depend-on: [b]}]}", "unknown key 'depend-on'"),
        ("batch: {build-list: [{identifier: a, env: {compute-type: c, fleet: f}}]}", "must be without compute-type"),
        ("batch: {build-fanout: {parallelism: 0}}", "parallelism: must be greater than or equal to 1"),
        ("reports: {a: {files: []}}", "reports.a.files: must be at least one path or pattern"),
        ("reports: {a: {files: [b], file-format: JUNIT}}", "did you mean 'JUNITXML'?"),
        (f"reports: {{{', '.join(f'r{n}: {{files: [a]}}' for n in range(6))}}}", "must be at most 5 report groups"),
        ("artifacts: {files: [a], secondary-artifacts: {../up: {files: [a]}}}", "must be named by letters, digits, -"),
        ("artifacts: {secondary-artifacts: {a: {files: [a]}}}", "artifacts.files: must be set"),
        ("cache: {paths: [a], fallback-keys: [b]}", "must be beside a key"),
        ("cache: {paths: [a], key: k, fallback-keys: [a, b, c, d, e, f]}", "must be at most 5 keys, got 6"),
        ("cache: {paths: [a], action: load}", "cache.action: must be"),
        ("cache: {key: k}", "cache.paths: must be set"),
    ],
)
def test_what_codebuild_would_refuse_is_refused(more: str, message: str) -> None:
    ((line, found),) = problems(f"{LEAST}{more}\n")

    assert line == 3
    assert message in found


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ("{}", "phases: must be at least one of install, pre_build, build, post_build, got none"),
        ("{build: {}}", "phases.build.commands: must be set"),
        ("{build: {commands: make}}", "phases.build.commands: must be a list, got 'make'"),
        ("{build: {commands: [a], runtime-versions: {python: 3.13}}}", "unknown key 'runtime-versions'"),
        ("{build: {commands: [a], on-failure: RETRY-101}}", "must be with a count of 0 to 100"),
        ("{build: {commands: [a], on-failure: 'RETRY-('}}", "must be with a regular expression"),
        ("{build: {commands: [a], on-failure: abort}}", "did you mean 'ABORT'?"),
        ("{install: {runtime-versions: {python: 3.10}}}", "must be in quotes, got python: 3.1; YAML takes 3.10"),
    ],
)
def test_phases_that_cannot_work_are_refused(phases: str, message: str) -> None:
    ((line, found),) = problems(f"version: 0.2\nphases: {phases}\n")

    assert line == 2
    assert message in found


@pytest.mark.parametrize("text", ["", "- a", "make"])
def test_what_is_no_mapping_is_no_buildspec(text: str) -> None:
    with pytest.raises(SourceError, match=r"buildspec:1: must be a buildspec: a mapping"):
        parse(text)


def test_the_file_is_named_in_messages(tmp_path: Path) -> None:
    file = tmp_path / "spec.yml"
    file.write_text("version: 0.2\n", encoding="utf-8")

    with pytest.raises(ArchlibError) as caught:
        parse(file)

    (problem,) = caught.value.problems
    assert problem.message == "phases: must be set; add 'phases'"
    assert problem.origin is not None
    assert problem.origin.file == str(file.resolve())


def test_the_buildspec_of_the_examples_is_one() -> None:
    assert parse(ROOT / "examples" / "ci" / "buildspec.yml").env.variables["APP"] == "shop"


@pytest.mark.parametrize("text", [FULL, LEAST], ids=["full", "least"])
def test_what_is_written_reads_back_the_same(text: str) -> None:
    spec = parse(text)

    assert parse(render(spec)) == spec
    assert render(parse(render(spec))) == render(spec)


def test_what_is_made_in_python_is_written_for_people() -> None:
    spec = Buildspec(
        version="0.2",
        env=Env(variables={"FLAG": "yes"}, exported_variables=["TAG"]),
        phases=Phases(
            install=Install(runtime_versions={"python": "3.13"}),
            build=Phase(on_failure="ABORT", commands=["set -e\nmake\n", "x" * 200], finally_=["echo 'a: b'"]),
        ),
        artifacts=Artifacts(files=["**/*"], secondary_artifacts={"docs": Artifact(files=["docs"], discard_paths=True)}),
    )

    text = render(spec)

    assert "    - |\n      set -e\n      make\n" in text
    assert f"- {'x' * 200}\n" in text
    data: dict[str, Any] = yaml.safe_load(text)
    assert list(data) == ["version", "env", "phases", "artifacts"]
    assert data["env"] == {"variables": {"FLAG": "yes"}, "exported-variables": ["TAG"]}
    assert data["phases"]["build"]["finally"] == ["echo 'a: b'"]
    assert data["artifacts"]["secondary-artifacts"] == {"docs": {"files": ["docs"], "discard-paths": True}}
    assert parse(text) == spec
