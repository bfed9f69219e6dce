"""What else is known about a failure, without secrets, without delay, without failing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from archlib.deploy.evidence import about, gather, live_hint
from archlib.deploy.models import StackEvent
from archlib.deploy.stall import slow, usual
from archlib.deploy.watch import History
from deploying import Bench, artifact, changed, queue

ARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-dev-app/1"
SERVICE = "arn:aws:ecs:eu-west-1:123456789012:service/shop/web"


def event(resource: str, status: str, time: float, **more: Any) -> StackEvent:
    given = {"type": "AWS::SQS::Queue", "reason": "", "physical_id": resource.lower(), "stack_id": ARN, **more}
    return StackEvent(
        id=f"{resource}-{status}-{time}", stack="shop-dev-app", resource=resource, status=status, time=time, **given
    )


class Ecs:
    def describe_services(self, *, cluster: str, services: list[str]) -> Any:
        assert (cluster, services) == ("shop", ["web"])
        failed = {"rolloutState": "FAILED", "rolloutStateReason": "ECS deployment circuit breaker: tasks failed"}
        return {"services": [{"deployments": [failed, {"rolloutState": "COMPLETED", "rolloutStateReason": "fine"}]}]}

    def list_tasks(self, **_: Any) -> Any:
        return {"taskArns": ["a/old", "a/new", "a/other"]}

    def describe_tasks(self, **_: Any) -> Any:
        def task(name: str, group: str, hour: int) -> Any:
            return {
                "taskArn": f"a/{name}",
                "group": group,
                "taskDefinitionArn": "web:7",
                "stoppedAt": datetime(2026, 1, 1, hour, tzinfo=UTC),
                "stoppedReason": f"Essential container in {name} exited",
                "containers": [{"name": "web", "exitCode": 1}, {"name": "proxy", "exitCode": 0}],
            }

        return {
            "tasks": [task("old", "service:web", 1), task("new", "service:web", 2), task("other", "service:api", 3)]
        }

    def describe_task_definition(self, **_: Any) -> Any:
        options = {"awslogs-group": "/shop/web", "awslogs-stream-prefix": "web"}
        return {"taskDefinition": {"containerDefinitions": [{"name": "web", "logConfiguration": {"options": options}}]}}


class Logs:
    def get_log_events(self, **asked: Any) -> Any:
        assert (asked["logGroupName"], asked["logStreamName"]) == ("/shop/web", "web/web/new")
        return {"events": [{"message": "START x"}, {"message": "cannot connect with planted-word\n"}]}


def test_a_service_tells_of_its_containers_and_their_last_words(bench: Bench) -> None:
    bench.others = {"ecs": Ecs(), "logs": Logs()}
    run = bench.run()
    run.redact.learn(["planted-word"])
    failed = event("Web", "CREATE_FAILED", 1.0, type="AWS::ECS::Service", physical_id=SERVICE)

    assert gather(run, [failed], status="ROLLBACK_COMPLETE") == (
        "deployment FAILED: ECS deployment circuit breaker: tasks failed",
        "a task stopped: Essential container in new exited",
        "container web: exit code 1",
        "log: cannot connect with ****",
    )


def test_who_may_not_look_gets_what_there_is(bench: Bench) -> None:
    bench.others = {"ecs": Ecs()}
    failed = event("Web", "CREATE_FAILED", 1.0, type="AWS::ECS::Service", physical_id=SERVICE)

    assert len(about(bench.run(), failed)) == 3
    bench.others = {"s3": object()}
    assert about(bench.run(), failed) == ()


def test_nothing_is_asked_about_what_nobody_knows_more_of(bench: Bench) -> None:
    run = bench.run()
    bench.fake.calls.clear()

    assert about(run, event("Jobs", "CREATE_FAILED", 1.0)) == ()
    assert bench.fake.calls == []


def test_the_deployment_fails_with_the_evidence(bench: Bench) -> None:
    class Functions:
        def get_function_configuration(self, **_: Any) -> Any:
            return {"StateReason": "the image cannot be pulled"}

    bench.others = {"lambda": Functions()}
    bench.fake.script("Code", fails="did not stabilize")
    caught = None
    try:
        bench.deploy(artifact(Code={"Type": "AWS::Lambda::Function"}))
    except Exception as error:  # noqa: BLE001
        caught = error

    assert caught is not None
    assert getattr(caught, "failure").evidence == ("the image cannot be pulled",)  # noqa: B009


def test_a_custom_resource_shows_the_log_of_its_function(bench: Bench) -> None:
    class Functions:
        def get_function_configuration(self, *, FunctionName: str) -> Any:  # noqa: N803
            assert FunctionName.endswith(":function:seed")
            return {"FunctionName": "seed"}

    class Streams:
        def describe_log_streams(self, **asked: Any) -> Any:
            assert asked["logGroupName"] == "/aws/lambda/seed"
            return {"logStreams": [{"logStreamName": "s"}]}

        def get_log_events(self, **_: Any) -> Any:
            return {"events": [{"message": "KeyError: 'table'"}]}

    bench.others = {"lambda": Functions(), "logs": Streams()}
    token = "arn:aws:lambda:eu-west-1:123456789012:function:seed"  # noqa: S105
    seed = {"Type": "Custom::Seed", "Properties": {"ServiceToken": token}}
    bench.deploy(artifact(Seed=seed))
    (began,) = [each for each in bench.recorder.events("CREATE_COMPLETE") if each.resource == "Seed"]

    assert about(bench.run(), began) == ("log: KeyError: 'table'",)
    assert live_hint(bench.run(), began, 299.0) == ""
    assert "KeyError" in live_hint(bench.run(), began, 301.0)


def test_the_usual_time_is_the_median_of_the_same_action() -> None:
    past = [
        *(event("Db", f"UPDATE_{state}", at) for at, state in ((0.0, "IN_PROGRESS"), (10.0, "COMPLETE"))),
        *(event("Db", f"UPDATE_{state}", at) for at, state in ((20.0, "IN_PROGRESS"), (50.0, "COMPLETE"))),
        *(event("Db", f"UPDATE_{state}", at) for at, state in ((60.0, "IN_PROGRESS"), (160.0, "COMPLETE"))),
        *(event("Db", f"DELETE_{state}", at) for at, state in ((200.0, "IN_PROGRESS"), (201.0, "FAILED"))),
    ]

    assert usual(past) == {("Db", "UPDATE"): 30.0}


def test_slow_is_what_takes_much_longer_than_usual() -> None:
    history = History(ARN)
    history.add([event("Db", "UPDATE_IN_PROGRESS", 0.0), event("Jobs", "UPDATE_IN_PROGRESS", 0.0)])
    known = {("Db", "UPDATE"): 30.0, ("Jobs", "CREATE"): 1.0}

    assert slow(history, known, 80.0) == ()
    assert slow(history, known, 100.0) == (("Db", 100.0, 30.0),)
    history.add([event("Db", "UPDATE_COMPLETE", 101.0)])
    assert slow(history, known, 200.0) == ()


def test_a_slow_resource_is_told_once(bench: Bench) -> None:
    stack = artifact()
    bench.deploy(stack)
    bench.deploy(changed(stack, Jobs=queue(DelaySeconds=1)))
    bench.fake.script("Jobs", "UPDATE", takes=600.0)
    bench.deploy(changed(stack, Jobs=queue(DelaySeconds=2)))

    assert bench.recorder.notes.count("Jobs: ") == 1
    assert "so far, usually 0:03" in bench.recorder.notes
