from datetime import timedelta

from archlib import Component, Stack
from archlib.components.cicd.artifacts import ArtifactBucket
from archlib.components.cicd.buildspec import Buildspec, Report
from archlib.components.cicd.connection import Connection
from archlib.components.cicd.machine import Machine
from archlib.components.cicd.pipeline import Pipeline
from archlib.components.cicd.project import BuildProject
from archlib.components.cicd.sources import (
    BucketSource,
    CodeCommitSource,
    ImageSource,
    Patterns,
    PullRequest,
    Push,
    RepositorySource,
)
from archlib.components.cicd.stages import Approval, Build, Quiet, Stage, Window
from archlib.components.containers.repository import Repository
from archlib.components.identity.secret import Secret
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.observability.alarm import Alarm
from archlib.components.storage.bucket import Bucket

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
    endpoints_group="sg-0123456789abcdef0",
)
EXISTING = Connection.lookup("code", arn="arn:aws:codeconnections:eu-west-1:111122223333:connection/0123-abcd")


def build_project(stack: Stack) -> Component:
    return BuildProject(stack, "checks")


def build_project_with_everything(stack: Stack) -> Component:
    project = BuildProject(
        stack,
        "images",
        buildspec=Buildspec(
            runtimes={"python": "3.13"},
            install=["pip install uv"],
            pre_build=["make login"],
            build=["make test", "make image"],
            post_build=["make clean"],
            artifacts=["dist/**/*"],
            cached_files=["/root/.cache/pip/**/*"],
            exported=["IMAGE_DIGEST"],
        ),
        machine=Machine("x86_64", "large", "standard:8.0"),
        docker=True,
        environment={"STAGE": "test"},
        reports={"unit": Report(files=["reports/*.xml"]), "lines": Report("COBERTURAXML", ["coverage.xml"])},
        timeout=timedelta(minutes=30),
        queued_timeout=timedelta(minutes=20),
        retries=1,
        concurrency=2,
        local_cache=("source", "docker-layers", "files"),
    )
    token = Secret(stack, "token").for_reading()
    project.inject(token, "TOKEN")
    project.connect(Repository(stack, "shop").for_pushing(), token, Bucket(stack, "reports").for_writing())
    project.role.connect(EXISTING.for_using("shop/web"))
    return project


def build_project_in_a_network(stack: Stack) -> Component:
    return BuildProject(stack, "checks", network=NETWORK, cache_in=ArtifactBucket(stack, "delivery"))


def build_project_on_lambda(stack: Stack) -> Component:
    return BuildProject(stack, "checks", machine=Machine("arm64-lambda", "2gb"))


def artifact_bucket(stack: Stack) -> Component:
    return ArtifactBucket(stack, "delivery")


def connection(stack: Stack) -> Component:
    return Connection(stack, "code", provider="GitLab")


def connection_to_an_own_server(stack: Stack) -> Component:
    host = stack.parameter("host", description="ARN of the host of the own server")
    return Connection(stack, "code", provider="GitHubEnterpriseServer", host_arn=host)


def build_project_of_a_new_connection(stack: Stack) -> Component:
    project = BuildProject(stack, "checks")
    project.connect(Connection(stack, "code").for_using("shop/web"))
    return project


def pipeline(stack: Stack) -> Component:
    build = Build("build", BuildProject(stack, "checks"))
    source = RepositorySource(Connection(stack, "code"), "shop/web")
    return Pipeline(stack, "delivery", sources=[source], stages=[Stage("build", [build])])


def pipeline_with_everything(stack: Stack) -> Component:
    build, deploy = BuildProject(stack, "checks"), BuildProject(stack, "deploy")
    alarms = Topic(stack, "alarms")
    alarm = Alarm(stack, "checks-failed", watch=build.watches()[0], notify=alarms)
    return Pipeline(
        stack,
        "delivery",
        sources=[
            RepositorySource(
                Connection.lookup("code", arn=stack.parameter("connection", description="ARN of the connection")),
                "shop/web",
                push=[
                    Push(Patterns(["main", "release/*"]), Patterns(exclude=["docs/**"])),
                    Push(tags=Patterns(["v*"])),
                ],
                pull_requests=[PullRequest(Patterns(["main"]), Patterns(["services/**"]), ("OPEN", "CLOSED"))],
                history=True,
            ),
            BucketSource(Bucket(stack, "rates", events=True), "rates/today.zip", "rates"),
            ImageSource("base/python", "stable"),
            CodeCommitSource("shop-settings", name="settings"),
        ],
        stages=[
            Stage(
                "build",
                [
                    Build("build", build, ("source", "rates", "image", "settings"), output=True),
                    Build("lint", build, test=True, together=True),
                ],
                retry="failed",
            ),
            Stage(
                "live",
                [
                    Build("plan", deploy, ("build",), environment={"STEP": "plan", "STAGE": "#{variables.STAGE}"}),
                    Approval(
                        "agree", "Deploy #{plan.SUMMARY}?", "https://example.com/#{plan.ID}", alarms, timedelta(days=1)
                    ),
                    Build("deploy", deploy, ("build",), environment={"STEP": "deploy"}),
                ],
                before=[Quiet(alarm, timedelta(minutes=5)), Window(timezone="Europe/Berlin")],
                rollback=True,
            ),
        ],
        variables={"STAGE": "live"},
        artifacts=ArtifactBucket(stack, "shared"),
        notify=alarms,
    )


FACTORIES = (
    build_project,
    build_project_with_everything,
    build_project_in_a_network,
    build_project_on_lambda,
    build_project_of_a_new_connection,
    pipeline,
    pipeline_with_everything,
    artifact_bucket,
    connection,
    connection_to_an_own_server,
)
