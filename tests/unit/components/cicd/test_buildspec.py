from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from archlib.components.cicd.buildspec import Buildspec, Report
from archlib.core.component import checking
from archlib.errors import SettingsError


def text(spec: Buildspec, **reports: Report) -> str:
    with checking("build project 'x'") as check:
        spec.check(check, reports)
    return spec.text(reports)


def test_a_file_in_the_source_is_named_by_its_path() -> None:
    assert text(Buildspec("ci/build spec.yml"), unit=Report()) == "ci/build spec.yml"


def test_steps_are_written_out() -> None:
    spec = Buildspec(
        runtimes={"python": "3.13"},
        install=["a"],
        pre_build=["b"],
        build=["c", "d"],
        post_build=["e"],
        artifacts=["dist/**/*"],
        cached_files=["/root/.cache/**/*"],
        exported=["VERSION"],
    )

    found = text(spec, unit=Report(files=["r.xml"]))

    assert json.loads(found) == yaml.safe_load(found) == {
        "version": 0.2,
        "env": {"exported-variables": ["VERSION"]},
        "phases": {
            "install": {"commands": ["a"], "runtime-versions": {"python": "3.13"}},
            "pre_build": {"commands": ["b"]},
            "build": {"commands": ["c", "d"]},
            "post_build": {"commands": ["e"]},
        },
        "reports": {"unit": {"files": ["r.xml"], "file-format": "JUNITXML"}},
        "artifacts": {"files": ["dist/**/*"]},
        "cache": {"paths": ["/root/.cache/**/*"]},
    }  # fmt: skip


def test_only_what_is_given_is_written() -> None:
    assert json.loads(text(Buildspec(build=["make"]))) == {
        "version": 0.2,
        "phases": {"build": {"commands": ["make"]}},
    }


def test_a_runtime_alone_is_installed() -> None:
    phases = json.loads(text(Buildspec(build=["make"], runtimes={"java": "corretto21"})))["phases"]

    assert phases["install"] == {"runtime-versions": {"java": "corretto21"}}


@pytest.mark.parametrize(
    "path", ["/etc/buildspec.yml", "../buildspec.yml", "ci/../../x.yml", "buildspec.json", "", "$x.yml"]
)
def test_refuses_a_path_that_is_not_in_the_source(path: str) -> None:
    with pytest.raises(SettingsError, match=r"buildspec\.path must be a \.yml or \.yaml file relative to the root"):
        text(Buildspec(path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"buildspec\.build must be at least one command, without a path"),
        ({"path": "a.yml", "build": ["make"]}, "buildspec must be a path or steps, not both, got 'path, build'"),
        ({"build": "make"}, r"buildspec\.build must be a list of commands"),
        ({"build": ["make", " "]}, r"buildspec\.build must be a list of commands that are not empty"),
        ({"build": ["make"], "runtimes": {"cobol": "1"}}, r"buildspec\.runtimes must be one of dotnet, golang, java"),
        ({"build": ["make"], "exported": ["a-b"]}, r"buildspec\.exported must be names of letters, digits and _"),
    ],
)
def test_refuses_steps_that_say_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        text(Buildspec(**settings))


@pytest.mark.parametrize(
    ("spec", "report", "message"),
    [
        (Buildspec(build=["make"]), Report(), r"reports\.unit\.files must be at least one pattern"),
        (Buildspec("a.yml"), Report(files=["r.xml"]), r"reports\.unit\.files must be left out, since the"),
        (Buildspec("a.yml"), Report("XML"), r"reports\.unit\.format must be one of CUCUMBERJSON"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_refuses_reports_that_cannot_be_written(spec: Buildspec, report: Report, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        text(spec, unit=report)


def test_tells_all_problems_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        text(Buildspec(exported=["-"]), Unit=Report())

    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(("form", "kind"), [("JUNITXML", "TEST"), ("JACOCOXML", "CODE_COVERAGE")])
def test_a_report_is_one_of_tests_or_of_coverage(form: Any, kind: str) -> None:
    assert Report(form).type == kind
