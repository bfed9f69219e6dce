from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from archlib.checks.finding import Finding
from archlib.checks.report import report
from archlib.core.origin import Origin


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def findings(tmp_path: Path) -> tuple[Finding, ...]:
    return (
        Finding(
            "error",
            "shop-data",
            "Jobs",
            "E3002",
            "50% wrong\nin two lines",
            fix="be right",
            url="https://example.com/rule",
            path=("Resources", "Jobs", "Properties", "Tags", 0),
            origin=Origin(str(tmp_path / "my shop.py"), 7),
        ),
        Finding(
            "warning", "shop-data", "Jobs", "W9201", "open", waived="it is public anyway", path=("Resources", "Jobs")
        ),
        Finding("info", "shop-app", "", "I9001", "large", origin=Origin("/elsewhere/shop.yaml", 3)),
    )


def test_text_has_one_line_for_each_place_and_where_to_read_on(findings: tuple[Finding, ...]) -> None:
    assert report(findings, "text").splitlines() == [
        "my shop.py:7: error E3002 shop-data/Jobs.Properties.Tags.0: 50% wrong",
        "in two lines",
        "    https://example.com/rule",
        "warning W9201 shop-data/Jobs: open (waived: it is public anyway)",
        "/elsewhere/shop.yaml:3: info I9001 shop-app/-: large",
    ]


@pytest.mark.parametrize(("form", "empty"), [("text", ""), ("github", ""), ("json", "[]")])
def test_nothing_wrong_is_said_shortly(form: Any, empty: str) -> None:
    assert report((), form) == empty


def test_json_reads_back_as_the_findings(findings: tuple[Finding, ...]) -> None:
    def read(row: dict[str, Any]) -> Finding:
        origin = Origin(**row["origin"]) if row["origin"] else None
        return Finding(**{**row, "path": tuple(row["path"]), "origin": origin})

    assert tuple(read(row) for row in json.loads(report(findings, "json"))) == findings


def test_json_keeps_letters_readable() -> None:
    assert "größer 🚀" in report([Finding("info", "shop", "", "I1", "größer 🚀")], "json")


def test_github_annotations_escape_what_would_end_them(findings: tuple[Finding, ...]) -> None:
    assert report(findings, "github").splitlines() == [
        "::error file=my shop.py,line=7,title=E3002::shop-data/Jobs: 50%25 wrong%0Ain two lines",
        "::notice file=/elsewhere/shop.yaml,line=3,title=I9001::shop-app/-: large",
    ]


def test_github_annotations_escape_what_would_end_a_property(tmp_path: Path) -> None:
    finding = Finding("error", "shop", "Jobs", "E1", "a: b, c", origin=Origin(str(tmp_path / "50%: a,b.py"), 1))

    assert report([finding], "github") == "::error file=50%25%3A a%2Cb.py,line=1,title=E1::shop/Jobs: a: b, c"


def test_sarif_is_what_its_readers_expect(findings: tuple[Finding, ...]) -> None:
    log = json.loads(report(findings, "sarif"))

    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "archlib"
    assert [rule["id"] for rule in rules] == ["E3002", "I9001", "W9201"]
    assert all(rule["shortDescription"]["text"] for rule in rules)
    assert len(run["results"]) == len(findings)
    for result in run["results"]:
        assert set(result) <= {"ruleId", "level", "message", "locations", "suppressions"}
        assert result["ruleId"] in {rule["id"] for rule in rules}
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        assert all(place["fullyQualifiedName"] for place in location["logicalLocations"])
        if physical := location.get("physicalLocation"):
            assert physical["region"]["startLine"] >= 1
            uri = physical["artifactLocation"]["uri"]
            assert uri == urllib.parse.quote(urllib.parse.unquote(uri), safe="/:")


def test_sarif_names_the_users_line_and_the_place(findings: tuple[Finding, ...]) -> None:
    wrong, waived, large = json.loads(report(findings, "sarif"))["runs"][0]["results"]

    assert wrong["locations"] == [
        {
            "logicalLocations": [{"fullyQualifiedName": "shop-data/Resources.Jobs.Properties.Tags.0"}],
            "physicalLocation": {"artifactLocation": {"uri": "my%20shop.py"}, "region": {"startLine": 7}},
        }
    ]
    assert wrong["level"] == "error"
    assert "suppressions" not in wrong
    assert waived["suppressions"] == [{"kind": "inSource", "justification": "it is public anyway"}]
    assert "physicalLocation" not in waived["locations"][0]
    assert large["level"] == "note"
    assert large["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///elsewhere/shop.yaml"


def test_what_the_command_line_asked_for_stands_in_no_file() -> None:
    finding = Finding("error", "shop-data", "Jobs", "E3002", "wrong", origin=Origin("--set queues.jobs={}", 0))

    assert "--set queues.jobs={}" in report([finding], "text")
    assert report([finding], "github") == "::error title=E3002::shop-data/Jobs: wrong"
    (result,) = json.loads(report([finding], "sarif"))["runs"][0]["results"]
    assert [place.keys() for place in result["locations"]] == [{"logicalLocations"}]


def test_sarif_describes_each_rule_once() -> None:
    twice = [Finding("error", "shop", name, "E1", "wrong", fix="be right", url="https://example.com") for name in "ab"]

    (run,) = json.loads(report(twice, "sarif"))["runs"]

    assert run["tool"]["driver"]["rules"] == [
        {"id": "E1", "shortDescription": {"text": "be right"}, "helpUri": "https://example.com"}
    ]
    assert len(run["results"]) == 2


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    (run,) = json.loads(report((), "sarif"))["runs"]

    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []
