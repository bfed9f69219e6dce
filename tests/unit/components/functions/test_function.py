from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.live import Live
from archlib.components.functions.schedule import Schedule
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.core.values import Value, encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.mount import FileSystemMount

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context):\n    return event\n")
ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0"
FILE_SYSTEM = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0"
IMAGE = Code(image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/worker:1")


class Network:
    """A VPC that exists already."""

    def __init__(self, *, endpoints: bool) -> None:
        self.vpc_id: Value = "vpc-1"
        self.private_subnets = ("subnet-1", "subnet-2")
        self.isolated_subnets = ("subnet-3", "subnet-4")
        self.public_subnets = ("subnet-5", "subnet-6")
        self._endpoints = endpoints

    def for_aws_apis(self) -> Binding | None:
        return Binding("endpoints", "calling AWS", ports=(443,), security_group="sg-1") if self._endpoints else None

    def attach(self) -> None:
        return None

    def for_gateway(self, service: str) -> Binding:
        return Binding(service, "calling AWS")

    def for_internet(self) -> Binding:
        return Binding("internet", "calling others")


def rules(resource: dict[str, Any]) -> set[str]:
    """Return the scanner rules that the resource's metadata explains."""
    metadata = resource["Metadata"]
    return {
        *(entry["id"] for entry in metadata["checkov"]["skip"]),
        *(entry["id"] for entry in metadata["cdk_nag"]["rules_to_suppress"]),
        *metadata["guard"]["SuppressedRules"],
        *metadata["guard"]["Reasons"],
    }


def actions(policy: dict[str, Any]) -> set[str]:
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    return {action for statement in statements for action in statement["Action"]}


def test_is_traced_logged_and_sized(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE)

    function = rendered()["WorkerFunction"]["Properties"]

    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": "WorkerFunctionLogGroup"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert (function["MemorySize"], function["Timeout"], function["EphemeralStorage"]) == (256, 30, {"Size": 512})
    assert function["Architectures"] == ["arm64"]


def test_may_only_write_its_log_and_its_traces(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE)

    found = rendered()

    assert actions(found["WorkerFunctionPolicy"]) == {
        *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments")
    }
    assert found["WorkerFunction"]["DependsOn"] == "WorkerFunctionPolicy"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory_mib": 127}, "memory_mib must be 128 to 10240, got 127"),
        ({"memory_mib": 10_241}, "memory_mib must be 128 to 10240, got 10241"),
        ({"timeout": timedelta(minutes=16)}, "timeout must be 1s to 15m, got 16m; split longer work"),
        ({"timeout": timedelta(0)}, "timeout must be 1s to 15m, got 0s"),
        ({"storage_mib": 511}, "storage_mib must be 512 to 10240"),
        ({"retries": 3}, "retries must be 0 to 2, got 3"),
        ({"max_event_age": timedelta(seconds=59)}, "max_event_age must be 1m to 6h, got 59s"),
        ({"layers": ["arn"] * 6}, "layers must be at most 5, got 6"),
        ({"reserved_concurrency": -1}, "reserved_concurrency must be 0 or more"),
        ({"runtime": "python3.8"}, "runtime must be one of python3.14"),
        ({"architecture": "mips"}, "architecture must be one of arm64, x86_64"),
        ({"code": Code()}, "code must be one of path, inline, bucket or image, got none"),
        ({"code": IMAGE, "layers": ["arn"]}, "layers must be left out for an image"),
        ({"snap_start": True}, "snap_start must be false unless live is set"),
        ({"snap_start": True, "live": Live(provisioned=1)}, "without provisioned environments"),
        ({"snap_start": True, "live": Live(), "runtime": "python3.11"}, "Python 3.12 or later"),
        ({"snap_start": True, "live": Live(), "runtime": "nodejs24.x"}, "Python 3.12 or later"),
        ({"snap_start": True, "live": Live(), "code": IMAGE}, "got 'image'"),
        ({"snap_start": True, "live": Live(), "storage_mib": 1024}, "storage_mib must be 512 with snap_start"),
        ({"live": Live(provisioned=5), "reserved_concurrency": 4}, "at most the reserved concurrency of 4, got 5"),
        ({"environment": {"AWS_REGION": "x"}}, "environment must be free of what Lambda reserves, got 'AWS_REGION'"),
        (
            {"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM)},
            "network must be given with file_system, got nothing",
        ),
        (
            {"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM), "snap_start": True},
            "snap_start must be false with file_system, got true",
        ),
        ({"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM, "/data")}, "path must be /mnt/ and a name"),
        ({"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM, "/mnt/a/b")}, "path must be /mnt/ and a name"),
        ({"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM, "/mnt/")}, "path must be /mnt/ and a name"),
        ({"file_system": FileSystemMount(ACCESS_POINT, FILE_SYSTEM, "/mnt/" + "a" * 156)}, "160 characters in all"),
        ({"environment": {"1ST": "x"}}, "letters, digits and _, the first a letter, got '1ST'; rename it"),
        ({"environment": {"A": "x"}}, "environment must be named by two or more letters, digits and _, the first"),
    ],
)
def test_refuses_what_lambda_would(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Function(stack, "worker", **{"code": INLINE, **settings})

    assert message in str(caught.value)
    assert "function 'worker': " in str(caught.value)


def test_names_all_problems_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Function(stack, "worker", code=Code(), memory_mib=1, retries=9, live=Live(utilization_percent=0))

    assert len(caught.value.problems) == 4


def test_a_bad_setting_leaves_the_stack_as_it_was(stack: Stack) -> None:
    with pytest.raises(SettingsError):
        Function(stack, "worker", code=INLINE, live=Live(provisioned=-1))

    assert stack.template.resources == {}


@pytest.mark.parametrize("key", ["AWS_LAMBDA_EXEC_WRAPPER", "AWS_XRAY_CONTEXT_MISSING", "AWSOME_QUEUE_URL"])
def test_takes_variables_that_only_look_reserved(stack: Stack, rendered: Rendered, key: str) -> None:
    Function(stack, "worker", code=INLINE, environment={key: "x"})

    assert rendered()["WorkerFunction"]["Properties"]["Environment"]["Variables"] == {key: "x"}


def test_encrypts_its_environment_and_may_decrypt_it(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)
    assert "KmsKeyArn" not in rendered()["WorkerFunction"]["Properties"]

    worker.set_environment("STAGE", "test")

    found = rendered()
    assert found["WorkerFunction"]["Properties"]["KmsKeyArn"] == {"Ref": "AppKeyArn"}
    assert "kms:Decrypt" in actions(found["WorkerFunctionPolicy"])


def test_one_variable_has_one_value(stack: Stack) -> None:
    worker = Function(stack, "worker", code=INLINE, environment={"STAGE": "test"})

    worker.set_environment("STAGE", "test")
    with pytest.raises(WiringError, match="'STAGE' must have one value, got two"):
        worker.set_environment("STAGE", "prod")


def test_connecting_grants_and_passes_the_address(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)

    worker.connect(Queue(stack, "emails").for_sending())

    found = rendered()
    assert "sqs:SendMessage" in actions(found["WorkerFunctionPolicy"])
    assert found["WorkerFunction"]["Properties"]["Environment"]["Variables"] == {
        "EMAILS_QUEUE_URL": {"Ref": "EmailsQueue"}
    }


def test_a_secret_is_passed_by_arn(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)

    worker.connect(Binding("login", "reading a secret", secrets={"SECRET_ARN": "arn:aws:secretsmanager:x"}))

    variables = rendered()["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    assert variables == {"LOGIN_SECRET_ARN": "arn:aws:secretsmanager:x"}


def test_in_a_network_it_has_a_group_of_its_own_and_a_way_to_aws(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, network=Network(endpoints=True))

    found = rendered()
    assert found["WorkerFunction"]["Properties"]["VpcConfig"] == {
        "SecurityGroupIds": [{"Fn::GetAtt": ["WorkerFunctionSecurityGroup", "GroupId"]}],
        "SubnetIds": ["subnet-1", "subnet-2"],
    }
    assert found["WorkerToEndpoints443Egress"]["Properties"]["DestinationSecurityGroupId"] == "sg-1"
    assert "ec2:CreateNetworkInterface" in actions(found["WorkerFunctionPolicy"])
    assert "CKV_AWS_117" not in rules(found["WorkerFunction"])


def test_a_network_without_endpoints_opens_nothing(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, network=Network(endpoints=False))

    assert [name for name, node in rendered().items() if node["Type"] == "AWS::EC2::SecurityGroupEgress"] == []


@pytest.mark.parametrize(
    ("read_only", "rights"),
    [
        (True, ["elasticfilesystem:ClientMount"]),
        (False, ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]),
    ],
)
def test_mounts_a_file_system_through_its_access_point_only(
    stack: Stack,
    rendered: Rendered,
    read_only: bool,  # noqa: FBT001
    rights: list[str],
) -> None:
    mount = FileSystemMount(ACCESS_POINT, FILE_SYSTEM, "/mnt/models", read_only=read_only)
    Function(stack, "worker", code=INLINE, network=Network(endpoints=False), file_system=mount)

    found = rendered()
    assert found["WorkerFunction"]["Properties"]["FileSystemConfigs"] == [
        {"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/models"}
    ]
    assert {
        "Effect": "Allow",
        "Action": rights,
        "Resource": [FILE_SYSTEM],
        "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": ACCESS_POINT}},
    } in found["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [name for name in found if "2049" in name] == []


def test_the_way_to_the_mount_targets_is_open_before_the_function_is_made(stack: Stack, rendered: Rendered) -> None:
    mount = FileSystemMount(ACCESS_POINT, FILE_SYSTEM, security_group="sg-2")
    Function(stack, "worker", code=INLINE, network=Network(endpoints=True), file_system=mount)

    found = rendered()
    group = {"Fn::GetAtt": ["WorkerFunctionSecurityGroup", "GroupId"]}
    into, out = (found[f"WorkerToFileSystem2049{way}"]["Properties"] for way in ("Ingress", "Egress"))
    assert (into["GroupId"], into["SourceSecurityGroupId"]) == ("sg-2", group)
    assert (out["GroupId"], out["DestinationSecurityGroupId"]) == (group, "sg-2")
    assert {into["FromPort"], into["ToPort"], out["FromPort"], out["ToPort"]} == {2049}
    assert found["WorkerFunction"]["DependsOn"] == [
        *("WorkerFunctionPolicy", "WorkerToFileSystem2049Egress", "WorkerToFileSystem2049Ingress"),
    ]


def test_outside_a_network_it_says_why(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)

    assert "CKV_AWS_117" in rules(rendered()["WorkerFunction"])
    assert worker.security_group is None


def test_reserved_concurrency_replaces_its_explanation(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, reserved_concurrency=5)
    Function(stack, "other", code=INLINE)

    found = rendered()
    assert found["WorkerFunction"]["Properties"]["ReservedConcurrentExecutions"] == 5
    assert "CKV_AWS_115" not in rules(found["WorkerFunction"])
    assert "CKV_AWS_115" in rules(found["OtherFunction"])


def test_an_image_has_neither_handler_nor_runtime(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=IMAGE)

    function = rendered()["WorkerFunction"]["Properties"]
    assert function["PackageType"] == "Image"
    assert {"Handler", "Runtime", "Layers"}.isdisjoint(function)
    assert "AwsSolutions-L1" not in rules(rendered()["WorkerFunction"])


def test_keeps_failures_only_when_something_invokes_it_asynchronously(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)
    before = rendered()
    assert "CKV_AWS_116" in rules(before["WorkerFunction"])
    assert "WorkerFunctionDeadLetterQueue" not in before

    worker.failures()

    after = rendered()
    assert after["WorkerFunction"]["Properties"]["DeadLetterConfig"] == {
        "TargetArn": {"Fn::GetAtt": ["WorkerFunctionDeadLetterQueue", "Arn"]}
    }
    assert rules(before["WorkerFunction"]) - rules(after["WorkerFunction"]) == {
        *("CKV_AWS_116", "LAMBDA_DLQ_CHECK", "NIST.800.53.R5-LambdaDLQ", "HIPAA.Security-LambdaDLQ"),
        *("Serverless-LambdaDLQ", "Serverless-LambdaAsyncFailureDestination"),
    }
    assert rules(after["WorkerFunction"]) <= rules(before["WorkerFunction"])
    assert "sqs:SendMessage" in actions(after["WorkerFunctionPolicy"])


def test_keeps_failures_of_what_starts_it_by_a_role(stack: Stack, rendered: Rendered) -> None:
    planned, told = Function(stack, "planned", code=INLINE), Function(stack, "told", code=INLINE)

    Schedule(stack, "nightly", target=planned, expression="rate(1 day)")
    Function(stack, "worker", code=INLINE).on_async(success=told)

    found = rendered()
    for name in ("PlannedFunction", "ToldFunction"):
        assert found[name]["Properties"]["DeadLetterConfig"]
        assert "CKV_AWS_116" not in rules(found[name])


def test_code_that_invokes_it_gets_the_answer(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)

    Function(stack, "caller", code=INLINE).connect(worker.for_invoking())

    assert "CKV_AWS_116" in rules(rendered()["WorkerFunction"])


def test_keeping_failures_leaves_other_metadata_alone(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)
    worker.resource.Metadata["Owner"] = "team"

    worker.failures()

    assert rendered()["WorkerFunction"]["Metadata"]["Owner"] == "team"


def test_asynchronous_invocations_are_limited_and_end_in_the_dead_letter_queue(
    stack: Stack, rendered: Rendered
) -> None:
    Function(stack, "worker", code=INLINE, retries=1, max_event_age=timedelta(hours=1)).failures()

    assert rendered()["WorkerFunctionAsyncInvocation"]["Properties"] == {
        "FunctionName": {"Ref": "WorkerFunction"},
        "Qualifier": "$LATEST",
        "MaximumEventAgeInSeconds": 3600,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["WorkerFunctionDeadLetterQueue", "Arn"]}}},
    }


def test_the_alias_exists_before_its_invocation_settings(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live()).failures()

    invocation = rendered()["WorkerFunctionAsyncInvocation"]
    assert invocation["Properties"]["Qualifier"] == "live"
    assert invocation["DependsOn"] == "WorkerLiveAlias"


def test_results_go_to_destinations_with_the_rights_that_takes(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)

    worker.on_async(success=Queue(stack, "results"), failure=Topic(stack, "alarms"))

    found = rendered()
    assert found["WorkerFunctionAsyncInvocation"]["Properties"]["DestinationConfig"] == {
        "OnSuccess": {"Destination": {"Fn::GetAtt": ["ResultsQueue", "Arn"]}},
        "OnFailure": {"Destination": {"Ref": "AlarmsTopic"}},
    }
    assert {"sqs:SendMessage", "sns:Publish"} <= actions(found["WorkerFunctionPolicy"])


def test_a_later_invoker_does_not_replace_the_chosen_destination(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)
    worker.on_async(failure=Queue(stack, "broken"))

    worker.dead_letters_for("events", "arn:aws:events:x:1:rule/r")

    config = rendered()["WorkerFunctionAsyncInvocation"]["Properties"]["DestinationConfig"]
    assert config == {"OnFailure": {"Destination": {"Fn::GetAtt": ["BrokenQueue", "Arn"]}}}


@pytest.mark.parametrize(("service", "keeps"), [("events", True), ("s3", True), ("sns", True), ("apigateway", False)])
def test_admits_a_service_for_one_source(stack: Stack, rendered: Rendered, service: str, keeps: bool) -> None:  # noqa: FBT001
    worker = Function(stack, "worker", code=INLINE, live=Live())

    assert worker.admit(service, "arn:aws:x", label="Api") is True
    assert worker.admit(service, "arn:aws:x", label="Api") is True

    found = rendered()
    assert found["WorkerFromApiPermission"]["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "WorkerLiveAlias"},
        "Principal": f"{service}.amazonaws.com",
        "SourceAccount": {"Ref": "AWS::AccountId"},
        "SourceArn": "arn:aws:x",
    }
    assert ("WorkerFunctionDeadLetterQueue" in found) is keeps


def test_one_label_is_for_one_source(stack: Stack) -> None:
    worker = Function(stack, "worker", code=INLINE)
    worker.admit("events", "arn:aws:one", label="Rule")

    with pytest.raises(WiringError, match="must have one source, got two"):
        worker.admit("events", "arn:aws:other", label="Rule")


@pytest.mark.parametrize(
    ("live", "arn"),
    [(None, {"Fn::GetAtt": ["WorkerFunction", "Arn"]}), (Live(), {"Ref": "WorkerLiveAlias"})],
)
def test_callers_invoke_what_is_live(stack: Stack, rendered: Rendered, live: Live | None, arn: dict[str, Any]) -> None:
    worker = Function(stack, "worker", code=INLINE, live=live)
    Function(stack, "caller", code=INLINE).connect(worker.for_invoking())

    found = rendered()
    statements = found["CallerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [arn]} in statements
    assert found["CallerFunction"]["Properties"]["Environment"]["Variables"] == {"WORKER_FUNCTION": arn}


def test_watches_failures_throttles_and_slow_runs(stack: Stack) -> None:
    worker = Function(stack, "worker", code=INLINE, timeout=timedelta(seconds=10))
    assert [(watch.name, watch.metric, watch.threshold) for watch in worker.watches()] == [
        ("errors", "Errors", 1),
        ("throttles", "Throttles", 1),
        ("duration", "Duration", 8000),
    ]

    worker.failures()

    assert [watch.name for watch in worker.watches()][-1] == "dead-letters"


def fingerprint(**settings: Any) -> str:
    function = Function(Stack(App("shop", "test"), "main"), "worker", **{"code": INLINE, **settings})
    return json.dumps(encode(function.state))


@pytest.mark.parametrize(
    "settings",
    [
        {"memory_mib": 512},
        {"environment": {"STAGE": "test"}},
        {"code": Code(inline="def handler(event, context):\n    return 1\n")},
        {"code": Code(bucket="artifacts", object_key="worker.zip", version="2")},
    ],
)
def test_the_fingerprint_follows_code_and_configuration(settings: dict[str, Any]) -> None:
    assert fingerprint() == fingerprint()
    assert fingerprint(**settings) != fingerprint()
