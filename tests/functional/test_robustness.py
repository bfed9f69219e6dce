"""A deployment while others meddle, answers come late or not at all, and users stop it."""

from __future__ import annotations

import copy
import pwd
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.aws import Aws
from archlib.deploy.clock import Stop, SystemClock
from archlib.deploy.deployer import Deployer
from archlib.deploy.recover import cancel
from archlib.deploy.reporter import Ended, Progress, Report
from archlib.deploy.run import Options
from archlib.errors import ArchlibError, CredentialsError, DeployError, InterruptError, RunningError
from archlib.workflow import deployment as workflow
from deploying import ACCOUNT, REGION, Bench, artifact, changed, queue, session
from fakes import ScriptedServices, ServiceError
from meddling import (
    NAME,
    SECRET,
    SLOWER,
    answering,
    before_ours,
    consumer,
    deaf,
    nested,
    others_begin,
    others_bring,
    place,
    producer,
    secretive,
    stopping,
    upload,
)

POLICY = '{"Statement": []}'
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def stack(bench: Bench) -> StackArtifact:
    """A stack that exists."""
    made = artifact()
    bench.deploy(made)
    return made


class TestLateAnswers:
    @pytest.mark.parametrize("takes", [35, 65])
    def test_success_is_success_although_its_events_are_late(
        self, bench: Bench, stack: StackArtifact, takes: float
    ) -> None:
        bench.fake.script("Jobs", "UPDATE", takes=takes)

        def delay(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
            if operation == "DescribeStackEvents":
                told = [each for each in answer["StackEvents"] if each["Timestamp"] <= bench.fake.time() - 40]
                answer["StackEvents"] = told
            return answer

        answering(bench, delay)

        assert bench.deploy(changed(stack, Jobs=SLOWER)).results[NAME].action == "updated"

    def test_outputs_of_a_late_read_are_not_passed_on(self, bench: Bench) -> None:
        bench.deploy(producer("30"), consumer())
        read: dict[str, dict[str, Any]] = {}

        def delay(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
            if operation != "DescribeStacks":
                return answer
            (now,) = answer["Stacks"]
            before = read.get(now["StackId"])
            read[now["StackId"]] = copy.deepcopy(answer)
            is_new = before is not None and before["Stacks"][0]["StackStatus"] != now["StackStatus"]
            return before if before is not None and is_new else answer

        answering(bench, delay)

        bench.deploy(producer("40", Jobs=SLOWER), consumer())

        assert bench.fake.stack("shop-dev-app").resources["Jobs"].properties["VisibilityTimeout"] == "40"

    def test_what_reads_outputs_inside_its_template_follows(self, bench: Bench) -> None:
        size = {"Fn::GetStackOutput": {"StackName": NAME, "OutputName": "Size"}}
        reader = replace(artifact("shop-dev-app", Jobs=queue(Tags=size)), depends_on=frozenset({NAME}))
        bench.deploy(producer("30"), reader)
        made = bench.fake.count("CreateChangeSet")

        bench.deploy(producer("40"), reader)

        assert bench.fake.count("CreateChangeSet") - made == 2


class TestNoAnswer:
    def test_a_start_that_nobody_knows_of_may_be_running(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.fault("ExecuteChangeSet", "lost_response")

        def go_silent(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
            if operation == "ExecuteChangeSet":
                bench.fake.fault("*", "timeout", times=20)
            return answer

        answering(bench, go_silent)

        with pytest.raises(RunningError, match="nobody knows whether the change began"):
            bench.deploy(changed(stack, Jobs=SLOWER))

    def test_a_cancellation_without_an_answer_is_looked_at(self, bench: Bench, stack: StackArtifact) -> None:
        bench.fake.script("Jobs", "UPDATE", takes=300)
        bench.fake.fault("CancelUpdateStack", "lost_response")

        with pytest.raises(DeployError, match="UPDATE_ROLLBACK_COMPLETE"):
            bench.deploy(changed(stack, Jobs=SLOWER), stop=stopping(bench), options=Options(on_interrupt="cancel"))

    def test_a_cancellation_that_comes_too_late_finds_an_update(self, bench: Bench, stack: StackArtifact) -> None:
        others_begin(bench, changed(stack, Jobs=SLOWER))
        bench.clock.sleep(1)
        before_ours(bench, lambda operation: operation == "CancelUpdateStack" and bench.clock.sleep(100))

        assert cancel(bench.run(), NAME).action == "updated"
        assert "too late" in bench.recorder.notes

    def test_names_that_are_always_taken_come_to_an_end(self, bench: Bench) -> None:
        asked: list[str] = []

        def refuse(operation: str) -> None:
            if operation == "CreateChangeSet":
                asked.append(operation)
                if len(asked) > 50:
                    pytest.fail("it goes on for ever")
                raise ServiceError("AlreadyExistsException", f"Stack [{NAME}] already exists")

        before_ours(bench, refuse)

        with pytest.raises(DeployError, match="already exists"):
            bench.deploy(artifact())


class TestCredentials:
    def test_expired_while_watching_ends_the_run_as_running(self, bench: Bench, stack: StackArtifact) -> None:
        def expire(report: Report) -> None:
            if isinstance(report, Progress) and not bench.fake.faults.planned:
                bench.fake.fault("*", "expired_token", times=None)

        bench.recorder.listener = expire

        with pytest.raises(RunningError):
            workflow.deploy(place(bench, changed(stack, Jobs=SLOWER)), lint=False)

    def test_expired_after_the_end_does_not_fail_a_good_stack(self, bench: Bench, stack: StackArtifact) -> None:
        def expire(report: Report) -> None:
            if isinstance(report, Ended):
                bench.fake.fault("*", "expired_token", times=None)

        bench.recorder.listener = expire

        _, done = workflow.deploy(place(bench, changed(stack, Jobs=SLOWER)), lint=False)

        assert done is not None
        assert done.results[NAME].action == "updated"

    def test_those_of_another_account_are_refused_when_they_are_renewed(self) -> None:
        class Changing(Aws):
            account = "111111111111"

            def client(self, service: str, region: str | None = None) -> Any:
                return ScriptedServices(account=self.account).attach(session().client(service))

        aws = Changing(region=REGION, endpoint="http://fake.test")
        assert aws.identity().account == "111111111111"
        aws.account = "222222222222"

        with pytest.raises(CredentialsError, match="of account 222222222222 now, not of 111111111111"):
            aws.renew()

        assert aws.identity().account == "111111111111"


class TestOthers:
    def test_a_stack_that_somebody_else_just_creates_is_waited_for(self, bench: Bench) -> None:
        began: list[str] = []

        def create(operation: str) -> None:
            if operation == "CreateChangeSet" and not began:
                began.append(operation)
                others_begin(bench, artifact(), kind="CREATE")

        before_ours(bench, create)

        assert bench.deploy(artifact()).results[NAME].action == "updated"

    def test_a_run_that_died_is_taken_up_although_its_first_event_is_on_another_page(self, bench: Bench) -> None:
        bench.fake.world.page_size = 10
        names = [f"Q{number}" for number in range(15)]
        stack = artifact()
        bench.deploy(changed(stack, **dict.fromkeys(names, queue())))
        slower = changed(stack, **dict.fromkeys(names, SLOWER))
        bench.fake.script("Q14", "UPDATE", takes=200)
        with pytest.raises(RunningError):
            bench.deploy(slower, stop=stopping(bench, at="UPDATE_COMPLETE"))
        bench.clock.sleep(20)
        deaf(bench)

        assert bench.deploy(slower).results[NAME].action == "updated"
        assert "somebody else" not in bench.recorder.notes

    def test_an_earlier_run_that_brings_another_secret_does_not_bring_this_one(self, bench: Bench) -> None:
        stack = secretive()
        bench.fake.world.timing.stack = 60.0
        bench.deploy(stack, target=Target(parameters={"Password": "first-one"}))
        bench.fake.script("Topic", "UPDATE", takes=300)
        with pytest.raises(RunningError):
            bench.deploy(stack, target=Target(parameters={"Password": "second-one"}), stop=stopping(bench))
        deaf(bench)

        bench.deploy(stack, target=Target(parameters={"Password": "third-one"}))

        assert bench.fake.stack(NAME).source.parameters == {"Password": "third-one"}

    def test_a_secret_that_was_given_once_is_not_reset_to_its_default(self, bench: Bench) -> None:
        stack = artifact(parameters={"Password": {**SECRET["Password"], "Default": "change-me"}})
        bench.deploy(stack, target=Target(parameters={"Password": "given-one"}))

        bench.deploy(changed(stack, More=queue()))

        assert bench.fake.stack(NAME).source.parameters == {"Password": "given-one"}


class TestTargets:
    @pytest.mark.parametrize("target", [Target(protected=True), Target(stack_policy=POLICY)])
    def test_protection_is_given_although_nothing_else_changes(
        self, bench: Bench, stack: StackArtifact, target: Target
    ) -> None:
        where = place(bench, stack, target=target, options=Options(confirmed=True))

        workflow.deploy(where, lint=False)

        made = bench.fake.stack(NAME)
        assert made.protected == target.protected
        assert (made.policy or None) == target.stack_policy

    def test_a_protected_environment_that_is_as_it_should_be_needs_no_name(
        self, bench: Bench, stack: StackArtifact
    ) -> None:
        target = Target(protected=True)
        bench.deploy(stack, target=target, options=Options(confirmed=True))

        _, done = workflow.deploy(place(bench, stack, target=target), lint=False)

        assert done is not None
        assert done.results[NAME].action == "unchanged"

    def test_a_rollback_alarm_that_is_no_longer_wanted_is_taken_away(self, bench: Bench, stack: StackArtifact) -> None:
        bench.deploy(stack, target=Target(rollback_alarms=(ALARM,)))
        assert ALARM in str(bench.fake.stack(NAME).source.rollback_configuration)

        bench.deploy(changed(stack, Jobs=SLOWER))

        assert ALARM not in str(bench.fake.stack(NAME).source.rollback_configuration)


class TestNothingIsLeft:
    @pytest.mark.parametrize("operation", ["ExecuteChangeSet", "DescribeStackEvents"])
    def test_when_a_right_is_missing(self, bench: Bench, operation: str) -> None:
        bench.fake.fault(operation, "access_denied", times=None)

        with pytest.raises(ArchlibError, match=f"allow cloudformation:{operation}"):
            bench.deploy(artifact())

        assert bench.left_behind() == []

    def test_when_the_user_stops_while_calls_are_throttled(self, bench: Bench) -> None:
        stop = Stop()

        def interrupt(operation: str, answer: dict[str, Any]) -> dict[str, Any]:
            if operation == "CreateChangeSet":
                stop.request()
                bench.fake.fault("DescribeChangeSet", "throttle")
            return answer

        answering(bench, interrupt)

        with pytest.raises(InterruptError):
            bench.deploy(artifact(), stop=stop)

        assert bench.left_behind() == []

    def test_tidying_up_that_is_denied_does_not_hide_the_cause(self, bench: Bench) -> None:
        bench.fake.world.validation_failures["Jobs"] = ("NAME_CONFLICT_VALIDATION", "/Resources/Jobs", "it is taken")
        bench.fake.fault("DeleteStack", "access_denied", times=None)

        with pytest.raises(DeployError, match="it is taken"):
            bench.deploy(artifact())


class TestNestedStacks:
    @pytest.mark.parametrize("who", ["us", "others"])
    def test_the_cause_is_of_this_operation(self, bench: Bench, who: str) -> None:
        for url, shown in (("first", "a"), ("second", "b"), ("third", "c")):
            upload(bench, url, Topic=topic("same", shown))
        stack = artifact(Inner=nested("first"))
        bench.deploy(stack)
        bench.fake.script("Topic", "UPDATE", fails="the cause of yesterday", times=1)
        if who == "others":
            others_bring(bench, changed(stack, Inner=nested("second")))
        else:
            with suppress(DeployError):
                bench.deploy(changed(stack, Inner=nested("second")))
        assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"
        bench.clock.sleep(86_400)
        bench.fake.script("Topic", "UPDATE", fails="the cause of today", times=1)

        with pytest.raises(DeployError, match="the cause of today"):
            bench.deploy(changed(stack, Inner=nested("third")))

    def test_what_was_told_before_is_not_told_again(self, bench: Bench) -> None:
        for url, shown in (("other", "a"), ("another", "b")):
            upload(bench, url, Topic=topic("other", shown))
        upload(bench, "first", Topic=topic("first", "a"))
        stack = artifact(Inner=nested("first"))
        bench.deploy(stack)
        bench.fake.script("Topic", "DELETE", fails="in use", times=3)
        bench.deploy(changed(stack, Inner=nested("other")))
        bench.clock.sleep(86_400)
        bench.recorder.reports.clear()
        began = bench.clock.now()

        done = bench.deploy(changed(stack, Inner=nested("another")))

        assert done.results[NAME].orphans == ()
        assert [event for event in bench.recorder.events() if event.time < began] == []


class TestMachines:
    def test_a_clock_that_is_set_back_does_not_stop_the_pace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = SystemClock()
        before = clock.now()

        monkeypatch.setattr(time, "time", lambda: before - 7200)

        assert before <= clock.now() < before + 60

    def test_a_user_without_a_home_can_deploy(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(number: int) -> Any:
            raise KeyError(number)

        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setattr(pwd, "getpwuid", unknown)

        assert Deployer(aws=bench.aws, clock=bench.clock).plan([artifact()]).stacks[0].action == "create"


def topic(name: str, shown: str) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, "DisplayName": shown}}
