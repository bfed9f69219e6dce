"""Lambda functions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from troposphere import awslambda

from archlib.components.functions.code import Code
from archlib.components.functions.live import Live
from archlib.components.functions.sources import Consumption, consume
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.dead_letters import DeadLetterQueue, DeadLetters
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Check, Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress, withdraw
from archlib.core.values import ACCOUNT, Deferred, Value, encode
from archlib.errors import Problem, WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.policies import service_principal
from archlib.wiring.roles import EventSource, Network, Target
from archlib.wiring.watch import Watch

RUNTIMES = (
    *("python3.14", "python3.13", "python3.12", "python3.11"),
    *("nodejs24.x", "nodejs22.x"),
    *("java25", "java21", "java17"),
    *("dotnet10", "dotnet8"),
    "provided.al2023",
)
_NO_SNAP_START = ("image", "nodejs", "provided", "python3.11")
_TIMEOUT_MAX = timedelta(minutes=15)
_LAYERS_MAX = 5
_MEMORY = (128, 10_240)
_STORAGE = (512, 10_240)
_AGE = (timedelta(minutes=1), timedelta(hours=6))
_KEY = re.compile("[a-zA-Z][a-zA-Z0-9_]+")
# What a published version does not hold: Lambda refuses to publish one again for a change of these alone.
_NOT_VERSIONED = frozenset({"ReservedConcurrentExecutions", "Tags"})
_RESERVED_KEYS = frozenset(
    {
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        "AWS_LAMBDA_RUNTIME_API",
    }
)
_ASYNCHRONOUS = frozenset({"cloudformation", "config", "events", "iot", "logs", "s3", "ses", "sns"})
_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


class _JsonLogging(awslambda.LoggingConfig):
    # troposphere 4.11 lost this property when a newer type of the same name came in.
    props = {**awslambda.LoggingConfig.props, "LogFormat": (str, False)}  # noqa: RUF012


class Function(Component):
    """A Lambda function with its own role, encrypted log group, tracing and least rights.

    Creates ``<Name>Function``, ``<Name>FunctionRole``, ``<Name>FunctionPolicy`` and ``<Name>FunctionLogGroup``; with
    ``network`` also ``<Name>FunctionSecurityGroup``, with ``live`` a version and an alias, with the security group of
    a ``file_system`` ``<Name>ToFileSystem2049Ingress`` and ``<Name>ToFileSystem2049Egress``, and once something invokes
    it asynchronously ``<Name>FunctionDeadLetterQueue`` and ``<Name>FunctionAsyncInvocation``.

    See https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        code: local folder or zip, inline text, S3 object or container image.
        handler: ``module.function`` inside the code; not for images.
        runtime: such as ``python3.14``, ``nodejs24.x``, ``java25`` or ``provided.al2023``; not for images.
        architecture: ``arm64`` costs a fifth less for the same work; ``x86_64`` where a library needs it.
        memory_mib: memory in MiB, 128 to 10240; CPU grows with it.
        timeout: longest run, 1 second to 15 minutes.
        storage_mib: size of ``/tmp`` in MiB, 512 to 10240.
        environment: plain configuration; secrets are never written here but connected, as ARNs.
        layers: ARNs of layer versions, at most 5; not for images.
        reserved_concurrency: runs at a time, taken from the account's pool; None: no reservation, 0: off.
        network: the VPC it runs in; only for functions that must reach something inside one.
        file_system: an EFS file system it sees as a folder; only in a ``network``, and not with ``snap_start``.
        live: publish versions behind the alias ``live``, with traffic shifting or provisioned concurrency.
        retries: for asynchronous invocations, tries after the first, 0 to 2.
        max_event_age: for asynchronous invocations, how long an event may wait, 1 minute to 6 hours.
        snap_start: start from a snapshot of the initialised runtime (Python 3.12 and later, Java, .NET); needs
            ``live`` without provisioned environments, and 512 MiB of storage.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::Lambda::Function``.
        role: its :class:`Role`.
        log_group: its :class:`LogGroup`.
        security_group: id of its security group; None outside a network.
        reads_streams: it consumes a stream, and may fall behind.

    Raises:
        SettingsError: a setting is outside its range, or the code does not fit the handler.
    """

    kind = "Function"
    reads_streams = False

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        code: Code,
        handler: str = "index.handler",
        runtime: str = "python3.14",
        architecture: Literal["arm64", "x86_64"] = "arm64",
        memory_mib: int = 256,
        timeout: timedelta = timedelta(seconds=30),
        storage_mib: int = 512,
        environment: Mapping[str, Value] | None = None,
        layers: Sequence[Value] = (),
        reserved_concurrency: int | None = None,
        network: Network | None = None,
        file_system: FileSystemMount | None = None,
        live: Live | None = None,
        retries: int = 2,
        max_event_age: timedelta = timedelta(hours=6),
        snap_start: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_retention(check, log_retention_days)
            check.one_of("runtime", runtime, RUNTIMES)
            check.one_of("architecture", architecture, ("arm64", "x86_64"))
            check.between("memory_mib", memory_mib, *_MEMORY)
            check.between(
                "timeout", timeout, timedelta(seconds=1), _TIMEOUT_MAX, "split longer work into a state machine"
            )
            check.between("storage_mib", storage_mib, *_STORAGE)
            check.between("retries", retries, 0, 2)
            check.between("max_event_age", max_event_age, *_AGE)
            check.that(len(layers) <= _LAYERS_MAX, "layers", f"at most {_LAYERS_MAX}", len(layers), "merge some")
            check.that(
                reserved_concurrency is None or reserved_concurrency >= 0,
                "reserved_concurrency", "0 or more, or left out", reserved_concurrency,
            )  # fmt: skip
            check.that(
                not (layers and code.image), "layers", "left out for an image", len(layers), "build them into it"
            )
            if snap_start:
                _check_snap_start(check, "image" if code.image else runtime, live, storage_mib)
            if file_system is not None:
                file_system.check(check)
                check.that(
                    network is not None, "network", "given with file_system", network, "it is reached inside one"
                )
                check.that(not snap_start, "snap_start", "false with file_system", snap_start)
            if live is not None:
                live.check(check, reserved_concurrency)
            if problem := code.problem(handler, runtime):
                check.problems.append(Problem(f"{self}: code {problem}", self.origin, "code"))
        self.timeout, self.runtime, self.network = timeout, runtime, network
        self.key = key or Key.of(stack)
        self._environment: dict[str, Value] = {}
        self._retries, self._max_event_age = retries, max_event_age
        self._failures, self._destinations = DeadLetters(self, key=self.key), awslambda.DestinationConfig()

        part = f"{name}-function"
        self.log_group = LogGroup(stack, part, retention_days=log_retention_days, key=self.key)
        self.role = Role(stack, part, service="lambda", description=f"Role of function {name}")
        self.role.connect(self.log_group.for_writing())
        self.role.allow(Grant(("xray:PutTelemetryRecords", "xray:PutTraceSegments"), ("*",)), why=f"traces of {self}")

        placed, self._code_state = code.place(stack)
        self.resource = awslambda.Function(
            self.id(),
            Architectures=[architecture],
            Code=placed,
            EphemeralStorage=awslambda.EphemeralStorage(Size=storage_mib),
            LoggingConfig=_JsonLogging(
                ApplicationLogLevel="INFO", LogFormat="JSON", LogGroup=self.log_group.group_name, SystemLogLevel="INFO"
            ),
            MemorySize=memory_mib,
            Role=self.role.arn,
            Timeout=seconds(timeout),
            TracingConfig=awslambda.TracingConfig(Mode="Active"),
            # Without this the function may start before its role is allowed to write logs.
            DependsOn=self.role.policy,
        )
        self._package(code, handler, runtime, layers, snap_start=snap_start)
        if reserved_concurrency is None:
            suppress(self.resource, "lambda-no-reserved-concurrency")
        else:
            self.resource.ReservedConcurrentExecutions = reserved_concurrency
        # The first asynchronous invoker replaces the last of these by a dead-letter queue.
        pinned = [] if code.image else ["lambda-pinned-runtime"]
        suppress(self.resource, "logs-through-managed-policy", *pinned, "lambda-synchronous-only")
        self.add(self.resource)

        self.security_group: Value | None = None
        self._join(network, file_system)
        for key_name, value in (environment or {}).items():
            self.set_environment(key_name, value)
        self.live = live
        if live is not None:
            live.publish(self)

    def _package(self, code: Code, handler: str, runtime: str, layers: Sequence[Value], *, snap_start: bool) -> None:
        if code.image is not None:
            self.resource.PackageType = "Image"
            return
        self.resource.Handler = handler
        self.resource.Runtime = runtime
        if layers:
            self.resource.Layers = list(layers)
        if snap_start:
            self.resource.SnapStart = awslambda.SnapStart(ApplyOn="PublishedVersions")

    def _join(self, network: Network | None, file_system: FileSystemMount | None) -> None:
        if network is None:
            suppress(self.resource, "lambda-outside-vpc")
            return
        group = SecurityGroup(self.stack, f"{self.name}-function", vpc_id=network.vpc_id)
        self.security_group = group.group_id
        self.role.allow(Grant(_INTERFACES, ("*",)), why=f"network interfaces of {self}")
        self.resource.VpcConfig = awslambda.VPCConfig(
            SecurityGroupIds=[group.group_id], SubnetIds=list(network.private_subnets)
        )
        apis = network.for_aws_apis()
        if apis is not None:
            self.connect(apis)
        if file_system is not None:
            self._mount(file_system)

    def _mount(self, file_system: FileSystemMount) -> None:
        before = set(self.stack.template.resources)
        self.connect(file_system.for_mounting())
        # Provisioned environments mount at once: the way has to be open before.
        opened = [title for title in self.stack.template.resources if title not in before]
        self.resource.DependsOn = [self.role.policy, *opened]
        self.resource.FileSystemConfigs = [
            awslambda.FileSystemConfig(Arn=file_system.access_point_arn, LocalMountPath=file_system.path)
        ]

    @property
    def arn(self) -> Value:
        """What invokers call: the alias ``live`` if there is one, else the function."""
        return self.ref("LiveAlias") if self.live is not None else self.attribute("Arn")

    @property
    def function_name(self) -> Value:
        """Name of the function in AWS, as metrics and logs know it."""
        return self.ref()

    @property
    def state(self) -> Value:
        """A text that changes with the code or the configuration, for resources that must be made anew then."""

        def digest() -> str:
            properties = {key: value for key, value in self.resource.properties.items() if key not in _NOT_VERSIONED}
            text = json.dumps(encode(properties), sort_keys=True) + self._code_state
            return hashlib.sha256(text.encode()).hexdigest()[:16]

        return Deferred(digest)

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the function's role."""
        self.role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable; the same one twice is fine, another value for it is not.

        Raises:
            SettingsError: the key is malformed, or reserved by Lambda.
            WiringError: the key is taken by another value.
        """
        with self.checking() as check:
            named = "named by two or more letters, digits and _, the first a letter"
            check.that(bool(_KEY.fullmatch(key)), "environment", named, key, "rename it")
            check.that(key not in _RESERVED_KEYS, "environment", "free of what Lambda reserves", key, "rename it")
        if encode(self._environment.setdefault(key, value)) != encode(value):
            raise WiringError(f"{self}: environment variable {key!r} must have one value, got two; rename a target")
        if "Environment" not in self.resource.properties:
            self.resource.Environment = awslambda.Environment(
                Variables=Deferred(lambda: dict(sorted(self._environment.items())))
            )
            self.resource.KmsKeyArn = self.key.arn
            self.allow(self.key.for_decrypting(), why=f"environment of {self}")

    def set_secret(self, key: str, arn: Value) -> None:
        """Pass the ARN of a secret, which the code resolves at run time."""
        self.set_environment(key, arn)

    def connect(self, *bindings: Binding) -> None:
        """Let the function use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`."""
        connect(self, *bindings)

    def consume(self, source: EventSource, settings: Consumption | None = None) -> awslambda.EventSourceMapping:
        """Run the function for the messages or records of ``source``.

        Creates ``<Name>From<Source>`` in the function's stack.

        Args:
            source: a queue or a stream.
            settings: batches, filters and failures; the defaults suit most.

        Raises:
            SettingsError: a setting does not fit the source, or the timeout exceeds the queue's visibility.
        """
        return consume(self, source, settings or Consumption())

    def watches(self) -> Sequence[Watch]:
        """Return what shows that the function fails, is held back, or gets close to its timeout."""
        dimensions = {"FunctionName": self.function_name}
        close = seconds(self.timeout) * 1000 * 0.8
        return (
            Watch("errors", f"Errors of {self}", "AWS/Lambda", "Errors", dimensions, "Sum", 1),
            Watch("throttles", f"Throttles of {self}", "AWS/Lambda", "Throttles", dimensions, "Sum", 1),
            Watch("duration", f"Duration of {self}, milliseconds", "AWS/Lambda", "Duration", dimensions, "p99", close),
            *(
                [
                    Watch(
                        "iterator-age", f"Age of the last record read by {self}, milliseconds", "AWS/Lambda",
                        "IteratorAge", dimensions, "Maximum", 60_000, periods=3,
                    )
                ]
                if self.reads_streams
                else ()
            ),
            *self._failures.watches(),
        )  # fmt: skip

    def for_invoking(self) -> Binding:
        """Return what a caller needs to invoke the function and get its answer: the right and ``<NAME>_FUNCTION``."""
        return Binding(self.name, f"invoking {self}", self._invocation(), {"FUNCTION": self.arn})

    def start_grants(self) -> Sequence[Grant]:
        """Return the right a role needs to start the function.

        Who starts it does not wait for the answer, so the function keeps its failures from then on.
        """
        self.failures()
        return self._invocation()

    def _invocation(self) -> Sequence[Grant]:
        return (Grant(("lambda:InvokeFunction",), (self.arn,)),)

    def admit(self, service: str, source: Value | None, *, label: str, beside: Stack | None = None) -> bool:
        """Let AWS service ``service`` invoke the function on behalf of the resource ``source``; see ``Invocable``.

        A service that does not wait for the answer also makes the function keep its failures.

        Raises:
            WiringError: ``label`` was used for another source.
        """
        title = self.id(f"From{label}Permission")
        stack = beside or self.stack
        permission = stack.template.resources.get(title)
        if permission is None:
            permission = awslambda.Permission(
                title,
                Action="lambda:InvokeFunction",
                FunctionName=self.arn,
                Principal=service_principal(service)["Service"],
                SourceAccount=ACCOUNT,
            )
            if source is not None:
                permission.SourceArn = source
            stack.add(permission)
        if encode(permission.properties.get("SourceArn", "")) != encode(source or ""):
            raise WiringError(f"{self}: permission {title!r} must have one source, got two; rename one of them")
        if service in _ASYNCHRONOUS:
            self.failures()
        return True

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        self.failures()
        return self._failures.admit(service, source)

    def failures(self) -> DeadLetterQueue:
        """Return the queue for failed asynchronous invocations, made and attached the first time.

        It gets two messages for each failure: the event itself, to send again, and a record of what went wrong.
        """
        queue = self._failures.queue()
        if "OnFailure" not in self._destinations.properties:
            self.role.connect(queue.for_sending())
            withdraw(self.resource, "lambda-synchronous-only")
            self.resource.DeadLetterConfig = awslambda.DeadLetterConfig(TargetArn=queue.arn)
            self._destinations.OnFailure = awslambda.OnFailure(Destination=queue.arn)
            invocation = awslambda.EventInvokeConfig(
                self.id("FunctionAsyncInvocation"),
                FunctionName=self.ref(),
                Qualifier="$LATEST",
                MaximumEventAgeInSeconds=seconds(self._max_event_age),
                MaximumRetryAttempts=self._retries,
                DestinationConfig=self._destinations,
            )
            if self.live is not None:
                invocation.Qualifier = "live"
                invocation.DependsOn = self.id("LiveAlias")
            self.add(invocation)
        return queue

    def on_async(self, *, success: Target | None = None, failure: Target | None = None) -> None:
        """Send the results of asynchronous invocations on, with the rights that takes.

        Args:
            success: the queue, topic, bus or function for results.
            failure: the one for records of failures; the events themselves still go to the dead-letter queue.
        """
        self.failures()
        for target in (success, failure):
            for grant in target.start_grants() if target is not None else ():
                self.allow(grant, why=f"results of {self} to {target}")
        if success is not None:
            self._destinations.OnSuccess = awslambda.OnSuccess(Destination=success.arn)
        if failure is not None:
            self._destinations.OnFailure = awslambda.OnFailure(Destination=failure.arn)


def _check_snap_start(check: Check, runtime: str, live: Live | None, storage_mib: int) -> None:
    check.that(
        not runtime.startswith(_NO_SNAP_START),
        "snap_start", "false unless the runtime is Python 3.12 or later, Java or .NET", runtime,
    )  # fmt: skip
    check.that(
        live is not None and not live.provisioned,
        "snap_start", "false unless live is set without provisioned environments", live,
    )  # fmt: skip
    check.that(storage_mib == _STORAGE[0], "storage_mib", f"{_STORAGE[0]} with snap_start", storage_mib)
