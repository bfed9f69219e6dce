"""Roles for GitHub Actions: GitHub signs which job asks, and AWS gives it credentials for a while; no keys are kept.

Three roles, as not every job may do everything: `review` plans for pull requests, `stage` plans on the branch main and
uploads code, `release` deploys, in a job that waits for the reviewers of the GitHub environment. CloudFormation makes
the resources with a role of its own, which they can only hand to it: `archlib policy --for service-role` prints what
that one needs. Deploy this once, by hand:

    archlib deploy examples/ci/github_role.py
"""

from pathlib import Path
from typing import Any

from troposphere import iam

from archlib import App, Stack, load
from archlib.core.target import Target
from archlib.deploy.policy import deployer_policy
from archlib.emit.template import to_yaml

REPOSITORY, ENVIRONMENT = "example/shop", "prod"
TARGET = Target(
    account="123456789012",
    region="eu-west-1",
    service_role="arn:aws:iam::123456789012:role/shop-cloudformation",
)
FILE = Path(__file__).parents[2] / "blueprints" / "serverless.yaml"  # yours

HOST = "token.actions.githubusercontent.com"
PLANS = ("CreateChangeSet", "DeleteChangeSet", "Describe", "Get", "List", "TagResource")

app = App("github", ENVIRONMENT)
stack = Stack(app, "roles", description="Who may deploy from GitHub Actions")
provider = stack.add(iam.OIDCProvider("GitHub", Url=f"https://{HOST}", ClientIdList=["sts.amazonaws.com"]))

everything = deployer_policy(load(FILE, environment=ENVIRONMENT).assemble(), target=TARGET)


def planning(*, uploads: bool) -> dict[str, Any]:
    """Return the part of the policy that changes nothing but change sets, and what is uploaded."""
    statements = []
    for statement in everything["Statement"]:
        actions = [
            action
            for action in statement["Action"]
            if not action.startswith("cloudformation:") or action.split(":")[1].startswith(PLANS)
        ]
        resources = statement["Resource"]
        if statement["Sid"] == "Assets" and not uploads:
            resources = [f"{resource[:-1]}templates/*" for resource in resources]  # large ones are read from there
        statements.append({**statement, "Action": actions, "Resource": resources})
    return {**everything, "Statement": statements}


def role(name: str, subject: str, policy: dict[str, Any], *, hours: int = 1) -> None:
    """Add a role for the jobs that GitHub calls ``subject``."""
    said = {f"{HOST}:aud": "sts.amazonaws.com", f"{HOST}:sub": f"repo:{REPOSITORY}:{subject}"}
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": provider.ref()},
        "Condition": {"StringEquals": said},
    }
    made = iam.Role(
        f"{name.title()}Role",
        Description=f"GitHub Actions of {REPOSITORY}: {name}",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        MaxSessionDuration=hours * 3600,
    )
    stack.add(made)
    stack.add(iam.ManagedPolicy(f"{name.title()}Policy", PolicyDocument=policy, Roles=[made.ref()]))
    stack.output(
        f"{name}-role", made.get_att("Arn"), f"For the variable ARCHLIB_{name.upper()}_ROLE_{ENVIRONMENT.upper()}"
    )


role("review", "pull_request", planning(uploads=False))
role("stage", "ref:refs/heads/main", planning(uploads=True))
role("release", f"environment:{ENVIRONMENT}", everything, hours=3)

if __name__ == "__main__":
    for artifact in app.assemble():
        print(to_yaml(artifact.template))
