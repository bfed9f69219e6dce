"""Speed as ratios, each against a baseline measured in turn with it, so that a slow machine changes nothing."""

import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from timeit import timeit
from typing import Any

from troposphere import GetAtt, Ref, awslambda, cloudwatch, dynamodb, iam, logs, sns, sqs

from archlib import App, Stack
from archlib.blueprints.microservices import Microservices, MicroservicesSettings
from archlib.emit.template import to_yaml

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
FILE = ROOT / "blueprints" / "serverless.yaml"
Row = tuple[str, list[float], float | None]
REGIONS = ("us-east-1", "eu-west-1", "sa-east-1")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        env = {**os.environ, "ARCHLIB_CACHE_DIR": str(work / "cache")}
        synth = [str(BIN / "archlib"), "synth", str(FILE), "--out", str(work / "out")]
        run(synth, env)
        templates = sorted(str(path) for path in (work / "out").glob("*.yaml"))
        linter = [str(BIN / "cfn-lint"), "--regions", *REGIONS, "--", *templates]
        python = [sys.executable, "-c", "pass"]

        def first(*arguments: str) -> None:
            shutil.rmtree(work / "cache", ignore_errors=True)
            run([*synth, *arguments], env)

        rows = [
            row(
                "archlib --help / bare python",
                4.1,
                lambda: run([str(BIN / "archlib"), "--help"], env),
                lambda: run(python, env),
                15,
            ),
            row("first synth with lint / cfn-lint command", 1.0, first, lambda: run(linter, env), 3),
            row("unchanged synth / cfn-lint command", 0.06, lambda: run(synth, env), lambda: run(linter, env), 3),
            row(
                "first synth --no-lint / import troposphere",
                None,
                lambda: first("--no-lint"),
                lambda: run([sys.executable, "-c", "import troposphere"], env),
                7,
            ),
            in_process(),
            growth("time per service at 1,000 services / at 10", 1.2, 3),
            growth("the same with Python's garbage collection", None, 1, setup="import gc; gc.enable()"),
            memory(),
            many_stacks(work),
        ]
    width = max(len(name) for name, *_ in rows)
    print(f"{'':{width}}  median ratio  (min to max)     target")
    for name, measured, target in rows:
        ratios = sorted(measured)
        middle = statistics.median(ratios)
        goal = "-" if target is None else f"<= {target}  {'met' if middle <= target else 'MISSED'}"
        print(f"{name:{width}}  {middle:12.3f}  ({ratios[0]:.3f} to {ratios[-1]:.3f})  {goal}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"\npeak memory of the largest command: {peak:.0f} MiB; {len(templates)} templates of {FILE.relative_to(ROOT)}"
    )


def run(command: list[str], env: dict[str, str]) -> None:
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def row(name: str, target: float | None, one: Callable[[], None], other: Callable[[], None], times: int) -> Row:
    one(), other()
    return name, [seconds(one) / seconds(other) for _ in range(times)], target


def seconds(work: Callable[[], None]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def build() -> tuple[dict[str, Any], str]:
    """Make a stack of 100 resources of ten kinds from nothing, and return it as a dict and as YAML."""
    app = App("shop", "dev")
    stack = Stack(app, "main")
    for n in range(10):
        stack.add(
            sqs.Queue(
                f"Queue{n}",
                VisibilityTimeout=30,
                RedrivePolicy=sqs.RedrivePolicy(deadLetterTargetArn=GetAtt(f"Failed{n}", "Arn"), maxReceiveCount=3),
            )
        )
        stack.add(sqs.Queue(f"Failed{n}", MessageRetentionPeriod=1_209_600, KmsMasterKeyId="alias/aws/sqs"))
        stack.add(
            sns.Topic(
                f"Topic{n}",
                DisplayName="orders",
                Subscription=[sns.Subscription(Endpoint=GetAtt(f"Queue{n}", "Arn"), Protocol="sqs")],
            )
        )
        stack.add(
            iam.Role(f"Role{n}", AssumeRolePolicyDocument=policy("lambda.amazonaws.com"), Description="Runs the code")
        )
        stack.add(iam.ManagedPolicy(f"Policy{n}", Roles=[Ref(f"Role{n}")], PolicyDocument=grants(n)))
        stack.add(
            awslambda.Function(
                f"Function{n}",
                Code=awslambda.Code(ZipFile="def handler(event, context):\n    return event\n"),
                Handler="index.handler",
                Runtime="python3.14",
                MemorySize=256,
                Timeout=30,
                Role=GetAtt(f"Role{n}", "Arn"),
                Environment=awslambda.Environment(Variables={"TABLE": Ref(f"Table{n}"), "QUEUE": Ref(f"Queue{n}")}),
            )
        )
        stack.add(
            dynamodb.Table(
                f"Table{n}",
                AttributeDefinitions=[dynamodb.AttributeDefinition(AttributeName="pk", AttributeType="S")],
                KeySchema=[dynamodb.KeySchema(AttributeName="pk", KeyType="HASH")],
                BillingMode="PAY_PER_REQUEST",
            )
        )
        stack.add(logs.LogGroup(f"Logs{n}", RetentionInDays=365))
        stack.add(
            cloudwatch.Alarm(
                f"Alarm{n}",
                Namespace="AWS/Lambda",
                MetricName="Errors",
                Dimensions=[cloudwatch.MetricDimension(Name="FunctionName", Value=Ref(f"Function{n}"))],
                Statistic="Sum",
                Period=300,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
            )
        )
        stack.add(
            sqs.QueuePolicy(f"QueuePolicy{n}", Queues=[Ref(f"Queue{n}")], PolicyDocument=policy("sns.amazonaws.com"))
        )
    (artifact,) = app.assemble()
    return artifact.template, to_yaml(artifact.template)


def policy(service: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def grants(n: int) -> dict[str, Any]:
    statements = [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
            "Resource": [GetAtt(f"Table{n}", "Arn")],
        },
        {
            "Effect": "Allow",
            "Action": ["sqs:GetQueueAttributes", "sqs:SendMessage"],
            "Resource": [GetAtt(f"Queue{n}", "Arn")],
        },
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [GetAtt(f"Logs{n}", "Arn")],
        },
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def in_process() -> Row:
    template, _ = build()

    def cpu(work: Callable[[], object], times: int) -> float:
        # As the command does, timeit leaves garbage to the end.
        return timeit(work, number=times, timer=process_time) / times

    ratios = [cpu(build, 5) / cpu(lambda: json.dumps(template), 200) for _ in range(7)]
    return "build + dict + YAML of 100 resources / json.dumps", ratios, 12


def services(count: int) -> dict[str, Any]:
    """Return the settings of ``count`` microservices, each with a route, scaling, data and an image of its own."""
    names = [f"s{n}" for n in range(count)]
    uses = {"writes": ["orders"], "sends_to": ["jobs"], "connects_to": ["main"], "scaling": {"cpu": 60}}
    return {
        "domain": {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"},
        "services": {name: {"image": f"{name}:v1", "routes": [f"/{name}/*"], **uses} for name in names},
        "repositories": {name: {} for name in names},
        "tables": {"orders": {"partition_key": "id"}},
        "queues": {"jobs": {}},
        "databases": {"main": {}},
    }


def many(count: int) -> None:
    app = App("shop", "dev")
    Microservices(app, MicroservicesSettings.model_validate(services(count)))
    app.assemble()


def growth(name: str, target: float | None, rounds: int, setup: str = "pass") -> Row:
    def per_service(count: int, times: int) -> float:
        gc.collect()
        return timeit(lambda: many(count), setup, number=times, timer=process_time) / (times * count)

    per_service(10, 2)
    return name, [per_service(1000, 1) / per_service(10, 10) for _ in range(rounds)], target


def memory() -> Row:
    def per_service(count: int) -> float:
        gc.collect()
        tracemalloc.start()
        many(count)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak / count

    return "peak memory per service at 1,000 services / at 10", [per_service(1000) / per_service(10)], 1.2


def many_stacks(work: Path) -> Row:
    """Deploy to a double of CloudFormation in virtual time, so the machine's speed changes nothing."""
    sys.path.insert(0, str(ROOT / "tests"))
    from many_stacks import deploy, random_stacks  # noqa: PLC0415

    outcome = deploy(random_stacks(100, 1), work / "journal", seed=1)
    name = f"100 stacks in a random graph ({outcome.busiest} calls in ten seconds at most) / critical path"
    return name, [outcome.seconds / outcome.critical_path], 1.15


if __name__ == "__main__":
    main()
