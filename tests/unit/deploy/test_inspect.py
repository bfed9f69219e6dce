"""How stacks are, what they give, and why they failed: also afterwards, and without files."""

from __future__ import annotations

import subprocess

import pytest

from archlib.core.origin import Origin
from archlib.deploy.existing import StackName
from archlib.deploy.inspect import Output, Outputs, events, explain_failure, outputs, status
from archlib.deploy.run import Options
from archlib.errors import AwsError, DeployError
from deploying import Bench, artifact, changed, queue

NAME = "shop-dev-data"


def fail(bench: Bench, reason: str = "no more queues") -> None:
    bench.fake.script("More", fails=reason, times=1)
    with pytest.raises(DeployError):
        bench.deploy(changed(artifact(), More=queue()))


def test_the_status_of_each_stack(bench: Bench) -> None:
    bench.deploy(artifact())

    well, absent = status(bench.deployer(), [StackName(NAME), StackName("nobody")])

    assert (well.status, well.drift, well.protected, well.next) == ("CREATE_COMPLETE", "NOT_CHECKED", False, "")
    assert (absent.status, absent.region) == ("", "eu-west-1")
    assert not well.stuck
    assert not absent.stuck


def test_only_what_was_not_put_back_is_stuck(bench: Bench) -> None:
    bench.deploy(artifact())
    fail(bench)
    (back,) = status(bench.deployer(), [artifact()])
    bench.fake.script("Jobs", "DELETE", fails="no")
    bench.fake.call("DeleteStack", {"StackName": NAME})
    bench.fake.settle()
    (failed,) = status(bench.deployer(), [artifact()])

    assert (back.status, back.stuck) == ("UPDATE_ROLLBACK_COMPLETE", False)
    assert "archlib deploy" in back.next
    assert (failed.status, failed.stuck) == ("DELETE_FAILED", True)


def test_a_busy_stack_says_what_it_waits_for(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("Jobs", "DELETE", takes=100.0)
    bench.fake.call("DeleteStack", {"StackName": NAME})
    bench.clock.sleep(5.0)

    (busy,) = status(bench.deployer(), [artifact()])

    assert (busy.status, busy.waiting) == ("DELETE_IN_PROGRESS", ("Jobs",))


def test_events_are_the_last_ones_oldest_first(bench: Bench) -> None:
    bench.deploy(artifact())
    fail(bench)

    everything = events(bench.run(), NAME)
    last = events(bench.run(), NAME, limit=2)
    failed = events(bench.run(), NAME, failed_only=True)

    assert everything[0].status == "REVIEW_IN_PROGRESS" or everything[0].status == "CREATE_IN_PROGRESS"
    assert last == everything[-2:]
    assert [(event.resource, event.reason) for event in failed] == [("More", "no more queues")]
    with pytest.raises(AwsError, match="does not exist"):
        events(bench.run(), "nobody")


def test_outputs_without_secrets(bench: Bench) -> None:
    stack = artifact(
        parameters={"Pin": {"Type": "String", "NoEcho": True, "Default": "planted-value"}},
        outputs={"ApiUrl": "https://x.test", "AdminPassword": "planted-word", "Shown": {"Fn::Sub": "pin ${Pin}"}},
    )
    bench.deploy(stack)

    found = outputs(bench.deployer(), [stack, StackName("nobody")])

    assert found.to_data() == {NAME: {"AdminPassword": "****", "ApiUrl": "https://x.test", "Shown": "****"}}
    assert "SHOP_DEV_DATA_API_URL=https://x.test\n" in found.to_env()
    assert "planted" not in found.to_env() + str(found)


def test_the_env_file_survives_a_shell() -> None:
    value = 'it\'s $HOME `id` "x"\nsecond line'
    text = Outputs((Output("shop-dev-app", "HTTPUrlV2", value),)).to_env()

    ran = subprocess.run(
        ["/bin/sh", "-c", f'{text}printf %s "$SHOP_DEV_APP_HTTP_URL_V2"'], capture_output=True, text=True, check=True
    )

    assert ran.stdout == value


def test_the_last_failure_is_found_afterwards(bench: Bench) -> None:
    bench.deploy(artifact())
    fail(bench)
    bench.deploy(changed(artifact(), Good=queue()))
    origin = Origin("shop.py", 7)

    failure = explain_failure(bench.run(), NAME, origins={"More": origin})

    assert failure is not None
    assert (failure.resource, failure.reason, failure.origin) == ("More", "no more queues", origin)
    assert failure.state.startswith("UPDATE_ROLLBACK_COMPLETE")


def test_a_stack_that_was_deleted_because_it_failed_is_found_by_its_name(bench: Bench) -> None:
    bench.fake.script("Jobs", fails="no queues at all")
    with pytest.raises(DeployError):
        bench.deploy(artifact(), options=Options(on_failure="DELETE"))

    failure = explain_failure(bench.run(), NAME)

    assert failure is not None
    assert (failure.resource, failure.reason) == ("Jobs", "no queues at all")


def test_where_nothing_failed_there_is_nothing_to_explain(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.deploy(changed(artifact(), Good=queue()))

    assert explain_failure(bench.run(), NAME) is None


def test_secrets_are_masked_in_explanations(bench: Bench) -> None:
    bench.deploy(artifact())
    fail(bench, "password planted-word is too short")
    run = bench.run()
    run.redact.learn(["planted-word"])

    failure = explain_failure(run, NAME)

    assert failure is not None
    assert failure.reason == "password **** is too short"
