"""Watching only reads, ends when the operation does, and says how to come back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from archlib.deploy.clock import Stop
from archlib.deploy.models import CLEANING, StackEvent
from archlib.deploy.reporter import Progress, Waiting
from archlib.deploy.run import Options
from archlib.deploy.watch import History, is_over, watch
from archlib.errors import InterruptError, RunningError
from deploying import Bench, artifact, changed, queue

NAME = "shop-dev-data"
ROOT, INNER = "arn:root", "arn:inner"


def event(
    number: int, resource: str, status: str, *, of: str = ROOT, physical_id: str = "", by: str = ""
) -> StackEvent:
    kind = "AWS::CloudFormation::Stack" if physical_id.startswith("arn:") else "AWS::SQS::Queue"
    return StackEvent(str(number), of, of[4:], resource, physical_id, kind, status, "", float(number), by)


@pytest.mark.parametrize(
    ("status", "over"),
    [
        ("", False), ("CREATE_IN_PROGRESS", False), ("UPDATE_ROLLBACK_IN_PROGRESS", False), (CLEANING, True),
        ("REVIEW_IN_PROGRESS", True), ("CREATE_COMPLETE", True), ("UPDATE_ROLLBACK_FAILED", True),
    ],
)  # fmt: skip
def test_what_ends_an_operation(status: str, *, over: bool) -> None:
    assert is_over(status) is over


def test_each_event_is_told_once() -> None:
    history = History(ROOT, seen={"1"})

    new = history.add([event(1, "A", "CREATE_COMPLETE"), event(2, "B", "CREATE_COMPLETE")])

    assert [each.resource for each in new] == ["B"]
    assert history.add([event(2, "B", "CREATE_COMPLETE")]) == []


def test_only_the_own_operation_decides() -> None:
    history = History(ROOT)
    history.add(
        [
            event(1, "root", "UPDATE_IN_PROGRESS", physical_id=ROOT, by="mine"),
            event(2, "root", "UPDATE_COMPLETE", physical_id=ROOT, by="mine"),
            event(3, "root", "DELETE_IN_PROGRESS", physical_id=ROOT, by="theirs"),
            event(4, "inner", "CREATE_COMPLETE", physical_id=INNER, of=INNER, by="mine"),
        ]
    )

    assert history.outcome("mine") == "UPDATE_COMPLETE"
    assert history.outcome("theirs") == "DELETE_IN_PROGRESS"
    assert history.outcome("nobodys") == ""
    assert [each.id for each in history.of_root()] == ["1", "2", "3"]


def test_nested_stacks_are_followed_until_they_have_told_their_end() -> None:
    history = History(ROOT)
    history.add([event(1, "Inner", "CREATE_IN_PROGRESS")])
    assert history.open() == (ROOT,)

    history.add([event(2, "Inner", "CREATE_IN_PROGRESS", physical_id=INNER)])
    assert history.open() == (ROOT, INNER)

    history.add([event(3, "Inner", "CREATE_COMPLETE", physical_id=INNER)])
    assert history.open() == (ROOT, INNER), "it has not told anything itself"

    history.add([event(4, "Deep", "CREATE_IN_PROGRESS", of=INNER)])
    assert history.open() == (ROOT, INNER)
    assert history.working() == ("Deep",)

    history.add([event(5, "inner", "CREATE_COMPLETE", of=INNER, physical_id=INNER)])
    assert history.open() == (ROOT,)


def test_whoever_is_asked_to_stop_before_the_start_changes_nothing(bench: Bench) -> None:
    stop = Stop()
    stop.request()

    with pytest.raises(InterruptError, match="stopped before anything was changed"):
        bench.deploy(artifact(), stop=stop)

    assert bench.fake.count("CreateChangeSet") == 0


def test_a_long_silence_is_broken_with_what_is_worked_on(bench: Bench) -> None:
    bench.fake.script("Jobs", takes=200)

    bench.deploy(artifact())

    waits = [report for report in bench.recorder.reports if isinstance(report, Waiting)]
    assert 3 <= len(waits) <= 7
    assert {wait.resources for wait in waits} == {("Jobs",)}
    assert [wait.seconds for wait in waits] == sorted(wait.seconds for wait in waits)
    assert all(later.seconds - earlier.seconds >= 30 for earlier, later in pairwise(waits))


def test_a_creation_cannot_be_cancelled_and_is_watched_on(bench: Bench) -> None:
    stop = Stop()
    bench.fake.script("Jobs", takes=60)
    bench.recorder.listener = lambda report: (
        stop.request() if isinstance(report, Progress) and report.event.resource == "Jobs" else None
    )

    done = bench.deploy(artifact(), stop=stop, options=Options(on_interrupt="cancel"))

    assert done.results[NAME].action == "created"
    assert "cannot be cancelled" in bench.recorder.notes


@pytest.mark.parametrize("settle", [False, True])
def test_the_clean_up_is_waited_for_only_when_that_is_asked(bench: Bench, *, settle: bool) -> None:
    stack = artifact(Topic={"Type": "AWS::SNS::Topic"})
    bench.deploy(stack)
    bench.fake.script("Topic", "DELETE", takes=300)
    stop = Stop()
    bench.recorder.listener = lambda report: stop.request() if "New" in str(report) else None
    with pytest.raises(RunningError):
        bench.deploy(changed(stack, Topic=None, New=queue()), stop=stop)
    bench.recorder.listener = lambda report: None
    run = bench.run()
    state = run.cloudformation.stack(NAME)
    assert state is not None

    final = watch(run, NAME, History(state.id), "", settle=settle)

    assert final.status == ("UPDATE_COMPLETE" if settle else CLEANING)


def test_a_stack_that_is_gone_is_told(bench: Bench) -> None:
    bench.deploy(artifact())
    run = bench.run()
    state = run.cloudformation.stack(NAME)
    assert state is not None
    bench.fake.fault("DescribeStacks", "access_denied", times=None)

    with pytest.raises(RunningError, match=rf"AWS cannot be read .*archlib attach {NAME} "):
        watch(run, NAME, History(state.id), "")
