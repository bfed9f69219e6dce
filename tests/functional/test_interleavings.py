"""Whatever the order in which things happen, and whatever goes wrong in between, some things always hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from archlib.core.artifact import StackArtifact
from archlib.deploy.models import COMPLETE
from archlib.deploy.run import Options
from archlib.errors import ArchlibError
from deploying import Bench, artifact, changed, queue
from fakes import Actor, Killed, Scheduler

NAME = "shop-dev-data"
TOPIC = {"Type": "AWS::SNS::Topic"}
KINDS = ("throttle", "lost_request", "lost_response", "error_500", "stale", "expired_token", "timeout", "truncated_xml")
OPERATIONS = (
    "DescribeStacks", "DescribeStackEvents", "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet",
    "DeleteChangeSet", "DeleteStack", "ListChangeSets", "GetTemplate",
)  # fmt: skip
NO_CAUSE = -1
ENDS = {0, 1, 12, 14, 20, 21, 75, 130}
SAFE = COMPLETE | {"UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"}


@dataclass
class World:
    """One service, several who use it, and what is drawn to go wrong."""

    choose: Callable[[int], int]
    folder: Path
    scheduler: Scheduler = field(init=False)
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.choose)
        self.bench = Bench(self.folder, clock=self.scheduler)

    def deploys(self, actor: Actor, stack: StackArtifact) -> Callable[[], int]:
        folder = self.folder / actor.name

        def work() -> int:
            deployer = self.bench.deployer(actor=actor, options=Options(wait_for_other=3600, workers=1))
            deployer._journal = folder
            try:
                deployer.deploy([stack])
            except ArchlibError as error:
                return error.exit_code if str(error) else NO_CAUSE
            return 0

        return work

    def executed(self, caller: str) -> int:
        return sum(
            call.operation == "ExecuteChangeSet" and call.caller == caller and not call.error
            for call in self.bench.fake.calls
        )


def versions() -> tuple[StackArtifact, StackArtifact]:
    stack = artifact(A=queue(), B=TOPIC)
    return changed(stack, C=queue(), B=TOPIC), changed(stack, D=TOPIC)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_invariants_hold_in_every_order(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        world = World(lambda count: data.draw(st.integers(0, count - 1)), Path(folder))
        fake = world.bench.fake
        first, second = versions()
        if data.draw(st.booleans(), "exists before"):
            world.bench.deploy(artifact(A=queue(), B=TOPIC))
            fake.calls.clear()
        for _ in range(data.draw(st.integers(0, 4), "faults")):
            fake.fault(
                data.draw(st.sampled_from(OPERATIONS)),
                data.draw(st.sampled_from(KINDS)),
                after=data.draw(st.integers(0, 3)),
                times=data.draw(st.integers(1, 3)),
            )
        for resource in ("A", "C"):
            if data.draw(st.integers(0, 5), f"{resource} fails") == 0:
                fake.script(resource, fails="no", times=1)
        kill_at = data.draw(st.one_of(st.none(), st.integers(1, 40)), "killed at")
        one = world.scheduler.actor("one", kill_at=kill_at)
        two = world.scheduler.actor("two")
        same = data.draw(st.booleans(), "the same change")
        outside = data.draw(st.booleans(), "somebody deletes")
        if outside:
            fake.outsider(world.scheduler.now() + data.draw(st.integers(1, 120)), delete(fake))

        world.scheduler.run({one: world.deploys(one, first), two: world.deploys(two, first if same else second)})

        fake.faults.planned.clear()
        fake.settle()
        for actor in (one, two):
            # Who is killed says nothing; all others end, with a cause.
            assert isinstance(actor.error, Killed) if actor.error else actor.result in ENDS, actor.error
            event(f"exit {actor.result}")
            # Looking again after IAM was not ready, or others were faster, may take another change set.
            assert world.executed(actor.name) <= 1, "one run executes once"
        deletes = [call for call in fake.calls if call.operation == "DeleteStack" and call.caller in {"one", "two"}]
        assert all(is_empty_shell(world, call.parameters["StackName"]) for call in deletes), "nothing alive is deleted"
        final = fake.stack(NAME).status if any(stack.name == NAME for stack in fake.world.store.stacks) else ""
        if not outside and one.error is None and {one.result, two.result} == {0}:
            assert final in COMPLETE
        assert final in SAFE | {"", "REVIEW_IN_PROGRESS"}
        if kill_at is None and not outside and all(actor.result in {0, 20} for actor in (one, two)):
            assert world.bench.left_behind() == []
        settle_everything(world, first)


def delete(fake: Any) -> Callable[[], object]:
    def do() -> object:
        try:
            return fake.call("DeleteStack", {"StackName": NAME})
        except Exception:  # noqa: BLE001  (an update that runs cannot be deleted)
            return None

    return do


def is_empty_shell(world: World, stack_id: str) -> bool:
    """Return whether a stack that was deleted never held anything that worked."""
    stack = world.bench.fake.stack(stack_id)
    return not any(
        event.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"} and event.logical_id == stack.name
        for event in stack.events
    )


def settle_everything(world: World, stack: StackArtifact) -> None:
    """Whatever happened: running it once more brings the stack to what it should be."""
    world.bench.fake.world.scripts.clear()
    actor = world.scheduler.actor("again")
    world.scheduler.run({actor: world.deploys(actor, stack)})
    assert actor.result == 0, actor.error
    assert set(world.bench.fake.stack(NAME).resources) == set(stack.template["Resources"])
