"""The files for CI are what they say: parsed as their systems parse them, safe, and with commands that exist."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from archlib import load
from archlib.checks import check
from archlib.core.source import parse_yaml

FOLDER = Path(__file__).parents[2] / "examples" / "ci"
JENKINS = (FOLDER / "Jenkinsfile").read_text(encoding="utf-8")
GITHUB_KEYS = {
    "workflow": {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"},
    "job": {
        "name", "if", "needs", "runs-on", "timeout-minutes", "permissions", "strategy", "environment", "concurrency",
        "env", "defaults", "steps", "outputs", "services", "container", "continue-on-error", "uses", "with", "secrets",
    },
    "step": {
        "id", "if", "name", "uses", "run", "with", "env", "shell", "working-directory", "continue-on-error",
        "timeout-minutes",
    },
}  # fmt: skip
GITLAB_GLOBAL = {"stages", "variables", "workflow", "default", "include"}
GITLAB_JOB = {
    "stage", "extends", "script", "before_script", "after_script", "rules", "needs", "artifacts", "environment",
    "resource_group", "interruptible", "timeout", "id_tokens", "image", "cache", "variables", "tags", "retry",
}  # fmt: skip
BUILD_KEYS = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}


def content(name: str) -> Any:
    return parse_yaml((FOLDER / name).read_text(encoding="utf-8"))


GITHUB, GITLAB, BUILD = content("github-actions.yml"), content("gitlab-ci.yml"), content("buildspec.yml")
STEPS = [(job, step) for job, each in GITHUB["jobs"].items() for step in each["steps"]]
GITLAB_JOBS = {name: job for name, job in GITLAB.items() if name not in GITLAB_GLOBAL}


def inherited(name: str) -> dict[str, Any]:
    job = GITLAB_JOBS[name]
    return {**(inherited(job["extends"]) if "extends" in job else {}), **job}


RUNNING = {name: inherited(name) for name in GITLAB_JOBS if not name.startswith(".")}
SCRIPTS = [
    *(step["run"] for _, step in STEPS if "run" in step),
    *("\n".join((*job.get("before_script", ()), *job["script"])) for job in RUNNING.values()),
    *(command for phase in BUILD["phases"].values() for command in phase["commands"]),
    *re.findall(r"sh '(.*)'", JENKINS),
]


def test_there_are_scripts_of_every_system() -> None:
    assert len(SCRIPTS) > 20


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_one_and_nothing_is_pasted_into_it(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "${{" not in script, "an expression becomes part of the script: a title could be a command"


@pytest.mark.parametrize("text", ["github-actions.yml", "gitlab-ci.yml", "buildspec.yml", "Jenkinsfile"])
def test_the_version_is_pinned_to_this_one(text: str) -> None:
    assert f"archlib[deploy]=={version('archlib')}" in (FOLDER / text).read_text(encoding="utf-8")


# GitHub


def test_github_knows_every_key() -> None:
    assert GITHUB.keys() <= GITHUB_KEYS["workflow"]
    for job in GITHUB["jobs"].values():
        assert job.keys() <= GITHUB_KEYS["job"]
        assert "timeout-minutes" in job
        needs = job.get("needs", [])
        assert {needs} if isinstance(needs, str) else set(needs) <= GITHUB["jobs"].keys()
    for _, step in STEPS:
        assert step.keys() <= GITHUB_KEYS["step"]
        assert ("run" in step) != ("uses" in step)


def test_actions_are_pinned_to_commits_with_their_version_beside() -> None:
    lines = [
        line for line in (FOLDER / "github-actions.yml").read_text(encoding="utf-8").splitlines() if "uses:" in line
    ]

    assert len(lines) > 10
    assert [line for line in lines if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_only_jobs_that_log_in_to_aws_get_a_token_and_no_key_is_kept() -> None:
    assert GITHUB["permissions"] == {"contents": "read"}
    for name, job in GITHUB["jobs"].items():
        logs_in = any("configure-aws-credentials" in step.get("uses", "") for step in job["steps"])
        assert (job.get("permissions", {}).get("id-token") == "write") == logs_in, name
    assert "secrets." not in (FOLDER / "github-actions.yml").read_text(encoding="utf-8")


def test_a_deployment_waits_for_its_environment_and_is_never_cancelled() -> None:
    deploy = GITHUB["jobs"]["deploy"]

    assert deploy["environment"] == "${{ matrix.environment }}"
    assert deploy["concurrency"] == {"group": "deploy-${{ matrix.environment }}", "cancel-in-progress": False}
    assert GITHUB["jobs"]["plan"]["if"] == "github.event_name == 'push'"
    assert deploy["needs"] == "plan"
    ran = [step["run"] for step in deploy["steps"] if "archlib " in step.get("run", "")]
    assert ran == ['archlib deploy --plan plan.json --confirm "$APP"']


def test_what_one_job_keeps_another_fetches() -> None:
    kept = {step["with"]["name"] for _, step in STEPS if "upload-artifact" in step.get("uses", "")}
    fetched = {step["with"].get("name") for _, step in STEPS if "download-artifact" in step.get("uses", "")}

    assert kept == {"review-${{ matrix.environment }}", "plan-${{ matrix.environment }}"}
    assert fetched == {None, "plan-${{ matrix.environment }}"}  # all of review-*


# GitLab


def test_gitlab_knows_every_key() -> None:
    for name, job in RUNNING.items():
        assert job.keys() <= GITLAB_JOB, name
        assert job["stage"] in GITLAB["stages"]
        assert set(job.get("needs", ())) <= RUNNING.keys()
    assert GITLAB["default"].keys() <= GITLAB_JOB


def test_gitlab_deploys_one_at_a_time_and_production_by_hand() -> None:
    deploys = {name: job for name, job in RUNNING.items() if job["stage"] == "deploy"}

    assert deploys.keys() == {"deploy dev", "deploy prod"}
    for job in deploys.values():
        assert job["resource_group"] == job["environment"]["name"]
        assert job["interruptible"] is False
        assert f"plan {job['environment']['name']}" in job["needs"]
    assert [rule.get("when") for rule in deploys["deploy prod"]["rules"]] == ["manual"]


def test_gitlab_logs_in_by_a_token() -> None:
    for name, job in RUNNING.items():
        if name != "check":
            assert job["id_tokens"] == {"AWS_TOKEN": {"aud": "sts.amazonaws.com"}}
            assert job["variables"]["AWS_ROLE_ARN"] in {"$PLAN_ROLE_DEV", "$PLAN_ROLE_PROD", "$DEPLOY_ROLE"}
            assert "export AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/aws-token" in job["before_script"]


# CodeBuild


def test_codebuild_knows_every_key() -> None:
    assert BUILD.keys() <= BUILD_KEYS
    assert str(BUILD["version"]) == "0.2"
    assert BUILD["phases"].keys() <= {"install", "pre_build", "build", "post_build"}
    for phase in BUILD["phases"].values():
        assert phase.keys() <= PHASE_KEYS
        assert all(isinstance(command, str) for command in phase["commands"])


@pytest.mark.parametrize(
    ("step", "fails", "code", "expected"),
    [
        ("plan", "", 0, ["check archlib.yaml --env dev", "plan archlib.yaml --env dev --no-lint --save plan.json"]),
        ("plan", "check", 1, ["check archlib.yaml --env dev"]),
        ("deploy", "", 0, ["deploy --plan plan.json --confirm shop"]),
        ("deploy", "deploy", 14, ["deploy --plan plan.json --confirm shop"]),
        ("other", "", 2, []),
    ],
)
def test_what_codebuild_runs(step: str, fails: str, code: int, expected: list[str], tmp_path: Path) -> None:
    stub = tmp_path / "archlib"
    stub.write_text(f'#!/bin/sh\necho "$@" >> ran\n[ "$1" != "{fails}" ] || exit {code}\n')
    stub.chmod(0o755)
    (script,) = BUILD["phases"]["build"]["commands"]
    variables = {**BUILD["env"]["variables"], "STEP": step, "PATH": f"{tmp_path}:/usr/bin:/bin"}

    done = subprocess.run(["bash", "-c", script], env=variables, cwd=tmp_path, check=False, capture_output=True)

    ran = tmp_path / "ran"
    assert done.returncode == code
    assert (ran.read_text().splitlines() if ran.exists() else []) == expected


# Jenkins


def test_jenkins_plans_asks_and_deploys_what_was_planned() -> None:
    code = "\n".join(line for line in JENKINS.splitlines() if not line.strip().startswith("//"))

    assert code.count("{") == code.count("}")
    assert code.count("(") == code.count(")")
    stages = re.findall(r"stage\('(\w+)'\)", code)
    assert stages == ["Plan", "Approve", "Deploy"]
    plan, approve, deploy = re.split(r"stage\('\w+'\)", code)[1:]
    assert "stash name: 'plan'" in plan
    assert "input message" in approve
    assert "agent" not in approve
    assert "unstash 'plan'" in deploy
    assert re.findall(r"role: env\.(\w+)", plan) == ["PLAN_ROLE"]
    assert re.findall(r"role: env\.(\w+)", deploy) == ["DEPLOY_ROLE"]
    assert "disableConcurrentBuilds()" in code


# The roles


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    (stack,) = load(FOLDER / "github_role.py").assemble()
    assert [finding for finding in check([stack], regions=["us-east-1", "eu-west-1"]) if not finding.waived] == []
    return dict(stack.template["Resources"])


def actions(resources: dict[str, Any], name: str) -> set[str]:
    document = resources[f"{name}Policy"]["Properties"]["PolicyDocument"]
    return {action for statement in document["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Review", "repo:example/shop:pull_request"),
        ("Stage", "repo:example/shop:ref:refs/heads/main"),
        ("Release", "repo:example/shop:environment:prod"),
    ],
)
def test_each_role_is_for_one_kind_of_job(name: str, subject: str, resources: dict[str, Any]) -> None:
    (statement,) = resources[f"{name}Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Federated": {"Ref": "GitHub"}}
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": subject,
        }
    }


@pytest.mark.parametrize("name", ["Review", "Stage"])
def test_a_role_that_plans_changes_nothing(name: str, resources: dict[str, Any]) -> None:
    changing = {action for action in actions(resources, name) if not re.search(r":(Describe|Get|List)", action)}

    assert changing == {
        "cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:TagResource",
        "iam:PassRole", "s3:PutObject",
    }  # fmt: skip


def test_only_the_branch_uploads_code_and_only_the_environment_deploys(resources: dict[str, Any]) -> None:
    assert "cloudformation:ExecuteChangeSet" in actions(resources, "Release")
    places = {
        name: next(
            statement["Resource"]
            for statement in resources[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]
            if statement["Sid"] == "Assets"
        )
        for name in ("Review", "Stage")
    }
    assert all(place.endswith("/templates/*") for place in places["Review"])
    assert all(place.endswith("-*/*") for place in places["Stage"])


def test_the_readme_names_every_file() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.iterdir() if path.is_file()} - {"README.md"}

    assert len(files) == 5
    assert set(re.findall(r"^\| \[([\w.-]+)\]", text, re.MULTILINE)) == files
