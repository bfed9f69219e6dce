from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.cicd.artifacts import ArtifactBucket
from archlib.components.cicd.buildspec import Buildspec, Report
from archlib.components.cicd.machine import Machine
from archlib.components.cicd.project import BuildProject
from archlib.components.containers.repository import Repository
from archlib.components.identity.key import Key
from archlib.components.identity.secret import Secret
from archlib.components.network.vpc import Vpc
from archlib.components.observability.alarm import Alarm
from archlib.components.storage.bucket import Bucket
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding

Rendered = Callable[[], dict[str, Any]]
KEY = {"Fn::GetAtt": ["AppKey", "Arn"]}
PROJECT = {"Fn::Sub": "arn:${AWS::Partition}:codebuild:${AWS::Region}:${AWS::AccountId}:project/shop-test-checks"}
STEPS = Buildspec(build=["make"])
NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
    endpoints_group="sg-0123456789abcdef0",
    internet=True,
)


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


def granted(found: dict[str, Any]) -> dict[str, Any]:
    """Return action -> statement of the project's policy."""
    document = found["ChecksProjectPolicy"]["Properties"]["PolicyDocument"]
    return {action: statement for statement in document["Statement"] for action in statement["Action"]}


def variables(found: dict[str, Any]) -> dict[str, Any]:
    environment = found["ChecksProject"]["Properties"]["Environment"]
    return {each["Name"]: (each["Type"], each["Value"]) for each in environment.get("EnvironmentVariables", ())}


def test_is_encrypted_logged_private_and_without_a_badge(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks")

    project = rendered()["ChecksProject"]

    properties = {name: value for name, value in project["Properties"].items() if name != "Tags"}
    assert properties == {
        "Artifacts": {"EncryptionDisabled": False, "Type": "CODEPIPELINE"},
        "AutoRetryLimit": 0,
        "BadgeEnabled": False,
        "Cache": {"Type": "NO_CACHE"},
        "Description": "Builds checks of shop (test)",
        "EncryptionKey": KEY,
        "Environment": {
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/amazonlinux-aarch64-standard:4.0",
            "ImagePullCredentialsType": "CODEBUILD",
            "PrivilegedMode": False,
            "Type": "ARM_CONTAINER",
        },
        "LogsConfig": {"CloudWatchLogs": {"GroupName": {"Ref": "ChecksProjectLogGroup"}, "Status": "ENABLED"}},
        "Name": "shop-test-checks",
        "QueuedTimeoutInMinutes": 480,
        "ServiceRole": {"Fn::GetAtt": ["ChecksProjectRole", "Arn"]},
        "Source": {"BuildSpec": "buildspec.yml", "Type": "CODEPIPELINE"},
        "TimeoutInMinutes": 60,
        "Visibility": "PRIVATE",
    }
    assert project["DependsOn"] == "ChecksProjectPolicy"


def test_only_codebuild_takes_its_role_and_only_for_this_project(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks")

    (statement,) = rendered()["ChecksProjectRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": "codebuild.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": PROJECT},
    }


def test_may_only_write_its_log_and_use_its_key(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks")

    rights = granted(rendered())

    assert set(rights) == {
        *("logs:CreateLogStream", "logs:PutLogEvents"),
        *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"),
        *("kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    }
    assert rights["logs:PutLogEvents"]["Resource"] == [{"Fn::GetAtt": ["ChecksProjectLogGroup", "Arn"]}]
    assert rights["kms:Encrypt"]["Resource"] == [KEY]


def test_takes_limits_retries_log_retention_and_key(stack: Stack, rendered: Rendered) -> None:
    BuildProject(
        stack,
        "checks",
        timeout=timedelta(minutes=5),
        queued_timeout=timedelta(minutes=6),
        retries=2,
        concurrency=3,
        log_retention_days=30,
        key=Key(stack, "own"),
    )

    found = rendered()
    properties = found["ChecksProject"]["Properties"]

    assert (properties["TimeoutInMinutes"], properties["QueuedTimeoutInMinutes"]) == (5, 6)
    assert (properties["AutoRetryLimit"], properties["ConcurrentBuildLimit"]) == (2, 3)
    assert properties["EncryptionKey"] == {"Fn::GetAtt": ["OwnKey", "Arn"]}
    assert found["ChecksProjectLogGroup"]["Properties"]["RetentionInDays"] == 30


def test_steps_are_part_of_the_project(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", buildspec=STEPS)

    spec = json.loads(rendered()["ChecksProject"]["Properties"]["Source"]["BuildSpec"])

    assert spec["phases"] == {"build": {"commands": ["make"]}}


def test_docker_needs_privileged_mode_and_says_why(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", docker=True)
    BuildProject(stack, "plain")
    found = rendered()

    assert found["ChecksProject"]["Properties"]["Environment"]["PrivilegedMode"] is True
    assert found["ChecksProject"]["Metadata"]["guard"]["SuppressedRules"] == ["CT.CODEBUILD.PR.4"]
    assert "guard" not in found["PlainProject"]["Metadata"]


def test_lambda_has_its_own_limits(stack: Stack, rendered: Rendered) -> None:
    project = BuildProject(stack, "checks", machine=Machine("arm64-lambda"))

    properties = rendered()["ChecksProject"]["Properties"]

    assert {"TimeoutInMinutes", "QueuedTimeoutInMinutes"}.isdisjoint(properties)
    assert project.watches()[1].threshold == 720


def test_caches_on_the_machine(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", docker=True, local_cache=("source", "docker-layers", "files"))

    assert rendered()["ChecksProject"]["Properties"]["Cache"] == {
        "Modes": ["LOCAL_SOURCE_CACHE", "LOCAL_DOCKER_LAYER_CACHE", "LOCAL_CUSTOM_CACHE"],
        "Type": "LOCAL",
    }


@pytest.mark.parametrize(("kind", "bucket"), [(ArtifactBucket, "StoreArtifactBucket"), (Bucket, "StoreBucket")])
def test_caches_in_a_bucket(stack: Stack, rendered: Rendered, kind: Any, bucket: str) -> None:
    BuildProject(stack, "checks", cache_in=kind(stack, "store"))

    found = rendered()

    location = {"Fn::Sub": f"${{{bucket}}}/cache/checks"}
    assert found["ChecksProject"]["Properties"]["Cache"] == {"Location": location, "Type": "S3"}
    assert granted(found)["s3:PutObject"]["Resource"] == [{"Fn::Sub": f"${{{bucket}.Arn}}/cache/checks/*"}]
    assert variables(found) == {}


def test_reports_have_groups_that_builds_find_by_name(stack: Stack, rendered: Rendered) -> None:
    reports = {"unit": Report(), "covered-lines": Report("JACOCOXML")}
    BuildProject(stack, "checks", reports=reports)

    found = rendered()

    assert found["ChecksUnitReportGroup"]["Properties"]["Name"] == "shop-test-checks-unit"
    assert found["ChecksUnitReportGroup"]["Properties"]["Type"] == "TEST"
    assert found["ChecksCoveredLinesReportGroup"]["Properties"]["Type"] == "CODE_COVERAGE"
    right = granted(found)["codebuild:BatchPutTestCases"]
    assert sorted(resource["Fn::Sub"].rpartition(":")[2] for resource in right["Resource"]) == [
        "report-group/shop-test-checks-covered-lines",
        "report-group/shop-test-checks-unit",
    ]
    assert "codebuild:CreateReportGroup" not in granted(found)


def test_runs_in_a_network_with_exact_rights_on_its_interfaces(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", network=NETWORK)

    found = rendered()

    assert found["ChecksProject"]["Properties"]["VpcConfig"] == {
        "SecurityGroupIds": [{"Fn::GetAtt": ["ChecksProjectSecurityGroup", "GroupId"]}],
        "Subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "VpcId": "vpc-0123456789abcdef0",
    }
    permission = granted(found)["ec2:CreateNetworkInterfacePermission"]
    assert permission["Condition"]["StringEquals"] == {"ec2:AuthorizedService": "codebuild.amazonaws.com"}
    assert len(permission["Condition"]["ArnEquals"]["ec2:Subnet"]) == 2
    assert "*" not in permission["Resource"]


def test_opens_the_ways_to_aws_and_nothing_else(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", network=NETWORK)

    ways = [node["Properties"] for node in rendered().values() if node["Type"] == "AWS::EC2::SecurityGroupEgress"]

    assert len(ways) == 2
    assert all("CidrIp" not in way and way["ToPort"] == 443 for way in ways)


def test_without_endpoints_the_only_way_is_to_s3(stack: Stack, rendered: Rendered) -> None:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=("subnet-0123456789abcdef0",))
    BuildProject(stack, "checks", network=network)

    ways = [node["Properties"] for node in rendered().values() if node["Type"] == "AWS::EC2::SecurityGroupEgress"]

    assert [way["DestinationPrefixListId"] for way in ways] == [{"Ref": "S3PrefixList"}]


def test_a_way_to_s3_among_those_to_aws_is_not_opened_twice(stack: Stack, rendered: Rendered) -> None:
    network = Vpc.lookup(
        vpc_id="vpc-0123456789abcdef0",
        private_subnets=("subnet-0123456789abcdef0",),
        endpoints_group="sg-0123456789abcdef0",
        prefix_lists={"s3": "pl-63a5400a"},
    )
    BuildProject(stack, "checks", network=network)

    ways = [node["Properties"] for node in rendered().values() if node["Type"] == "AWS::EC2::SecurityGroupEgress"]

    assert [way["DestinationPrefixListId"] for way in ways if "DestinationPrefixListId" in way] == ["pl-63a5400a"]


def test_reaches_the_internet_only_when_asked(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", network=NETWORK, internet=True)

    ways = [node["Properties"] for node in rendered().values() if node["Type"] == "AWS::EC2::SecurityGroupEgress"]

    assert [way["CidrIp"] for way in ways if "CidrIp" in way] == ["0.0.0.0/0"]


def test_a_whole_network_can_be_made_for_it(stack: Stack, rendered: Rendered) -> None:
    BuildProject(stack, "checks", network=Vpc(stack, "main"))

    titles = [title for title, node in rendered().items() if node["Type"] == "AWS::EC2::SecurityGroupEgress"]

    assert [title for title in titles if title.startswith("ChecksTo") and "S3" in title]


def test_connecting_gives_rights_and_addresses(stack: Stack, rendered: Rendered) -> None:
    project = BuildProject(stack, "checks", environment={"STAGE": "test", "OTHER": Ref("AWS::Region")})
    project.connect(Repository(stack, "web").for_pushing(), Secret(stack, "token").for_reading())

    found = rendered()

    assert variables(found) == {
        "OTHER": ("PLAINTEXT", {"Ref": "AWS::Region"}),
        "STAGE": ("PLAINTEXT", "test"),
        "TOKEN_SECRET_ARN": ("PLAINTEXT", {"Ref": "TokenSecret"}),
        "WEB_REPOSITORY": ("PLAINTEXT", {"Fn::GetAtt": ["WebRepository", "RepositoryUri"]}),
    }
    assert granted(found)["ecr:PutImage"]["Resource"] == [{"Fn::GetAtt": ["WebRepository", "Arn"]}]


def test_the_value_of_a_secret_is_injected_when_a_build_starts(stack: Stack, rendered: Rendered) -> None:
    project, secret = BuildProject(stack, "checks"), Secret(stack, "login", username="ci").for_reading()
    project.inject(secret, "LOGIN")
    project.inject(secret, "LOGIN_PASSWORD", json_key="password")

    found = rendered()

    assert variables(found) == {
        "LOGIN": ("SECRETS_MANAGER", {"Ref": "LoginSecret"}),
        "LOGIN_PASSWORD": ("SECRETS_MANAGER", {"Fn::Sub": "${LoginSecret}:password"}),
    }
    assert granted(found)["secretsmanager:GetSecretValue"]["Resource"] == [{"Ref": "LoginSecret"}]


def test_only_one_secret_can_be_injected_at_a_time(stack: Stack) -> None:
    with pytest.raises(WiringError, match="variable 'A' must come from one secret, got 0 from 'nothing'"):
        BuildProject(stack, "checks").inject(Binding("nothing", "doing nothing"), "A")


@pytest.mark.parametrize("json_key", ["", "a:b"])
def test_refuses_a_key_that_is_not_in_json(stack: Stack, json_key: str) -> None:
    secret = Secret(stack, "login").for_reading()

    with pytest.raises(SettingsError, match="json_key must be the name of a key without ':'"):
        BuildProject(stack, "checks").inject(secret, "A", json_key=json_key)


@pytest.mark.parametrize("key", ["a-b", "1A", "", "CODEBUILD_NAME"])
def test_refuses_a_malformed_or_reserved_variable(stack: Stack, key: str) -> None:
    with pytest.raises(SettingsError, match="environment must be named by letters, digits and _"):
        BuildProject(stack, "checks", environment={key: "x"})


@pytest.mark.parametrize("key", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_refuses_credentials(stack: Stack, key: str) -> None:
    with pytest.raises(SettingsError, match="environment must be free of credentials"):
        BuildProject(stack, "checks", environment={key: "x"})


def test_a_variable_has_one_value(stack: Stack) -> None:
    project = BuildProject(stack, "checks", environment={"STAGE": "test"})
    project.set_environment("STAGE", "test")

    with pytest.raises(WiringError, match="'STAGE' must have one value, got two"):
        project.set_environment("STAGE", "live")
    with pytest.raises(WiringError, match="'STAGE' must have one value, got two"):
        project.inject(Secret(stack, "login").for_reading(), "STAGE")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout": timedelta(minutes=4)}, "timeout must be 5m to 1d12h"),
        ({"timeout": timedelta(minutes=2161)}, "timeout must be 5m to 1d12h"),
        ({"timeout": timedelta(seconds=330)}, "timeout must be whole minutes"),
        ({"queued_timeout": timedelta(minutes=481)}, "queued_timeout must be 5m to 8h"),
        ({"retries": 11}, "retries must be 0 to 10"),
        ({"concurrency": 0}, "concurrency must be 1 or more"),
        ({"log_retention_days": 31}, "log_retention_days must be one of .* take 30"),
        ({"local_cache": ("attic",)}, "local_cache must be one of source, docker-layers, files"),
        ({"local_cache": ("source", "source")}, "local_cache must be different ones"),
        ({"local_cache": ("docker-layers",)}, "local_cache must be without docker-layers unless docker is set"),
        ({"buildspec": Buildspec(build=["make"], cached_files=["/a/**/*"])}, "cached_files must be left out without"),
        ({"internet": True}, "internet must be left out without network"),
        ({"reports": {"a" * 120: Report()}}, "must be at most 111 characters, got 120"),
        ({"reports": {f"unit-{letter}": Report() for letter in "abcdef"}}, "reports must be at most 5, got 6"),
        ({"reports": {"Unit": Report()}}, "name must be kebab-case"),
        ({"machine": Machine(size="tiny")}, "machine.size must be one of small"),
        ({"buildspec": Buildspec()}, "buildspec.build must be at least one command"),
        (
            {"network": Vpc.lookup(vpc_id="vpc-01234567", private_subnets=[f"subnet-{n:08}" for n in range(17)])},
            "network must be one with at most 16 private subnets, got 17",
        ),
    ],
)
def test_refuses_settings_outside_their_range(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        BuildProject(stack, "checks", **settings)


def test_a_bucket_and_the_machine_do_not_cache_together(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="cache_in must be left out with local_cache, got 'store'"):
        BuildProject(stack, "checks", local_cache=("source",), cache_in=ArtifactBucket(stack, "store"))


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("docker", {"docker": True}),
        ("network", {"network": NETWORK}),
        ("local_cache", {"local_cache": ("source",)}),
        ("timeout", {"timeout": timedelta(minutes=10)}),
        ("queued_timeout", {"queued_timeout": timedelta(minutes=10)}),
        ("buildspec.runtimes", {"buildspec": Buildspec(build=["make"], runtimes={"python": "3.13"})}),
    ],
)
def test_lambda_refuses_what_it_does_not_have(stack: Stack, field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{field} must be left out on Lambda"):
        BuildProject(stack, "checks", machine=Machine("arm64-lambda"), **settings)


def test_tells_all_problems_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        BuildProject(stack, "checks", retries=-1, concurrency=0, machine=Machine(size="tiny"), buildspec=Buildspec())

    assert len(caught.value.problems) == 4
    assert all("project 'checks'" in str(problem) for problem in caught.value.problems)


def test_a_pipeline_may_start_follow_and_stop_builds(stack: Stack, rendered: Rendered) -> None:
    other = BuildProject(stack, "deploy")
    BuildProject(stack, "checks").connect(other.for_building())

    found = rendered()

    statement = granted(found)["codebuild:StartBuild"]
    assert statement["Action"] == ["codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"]
    assert str(statement["Resource"]).count("project/shop-test-deploy") == 1
    assert variables(found)["DEPLOY_PROJECT"] == ("PLAINTEXT", {"Ref": "DeployProject"})


def test_watches_failures_and_long_builds(stack: Stack, rendered: Rendered) -> None:
    project = BuildProject(stack, "checks", timeout=timedelta(minutes=10))
    for watch in project.watches():
        Alarm(stack, watch.name, watch=watch)

    found = rendered()

    failed, long = found["FailedBuildsAlarm"]["Properties"], found["DurationAlarm"]["Properties"]
    assert (failed["Namespace"], failed["MetricName"], failed["Threshold"]) == ("AWS/CodeBuild", "FailedBuilds", 1)
    assert failed["Dimensions"] == [{"Name": "ProjectName", "Value": {"Ref": "ChecksProject"}}]
    assert (long["MetricName"], long["Threshold"]) == ("Duration", 480)
