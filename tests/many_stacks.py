"""A hundred stacks that depend on each other at random, on a service that takes its time."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archlib.core.artifact import StackArtifact
from archlib.deploy.limiter import AWS, Limiter
from archlib.deploy.run import Options
from deploying import Bench, artifact
from fakes import VirtualClock

TOPIC = {"Type": "AWS::SNS::Topic"}


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        seconds: how long it took.
        critical_path: how long it would take with infinitely many hands that never wait.
        busiest: most calls in any ten seconds.
        calls: how many calls there were.
    """

    seconds: float
    critical_path: float
    busiest: int
    calls: int


def random_stacks(number: int, seed: int) -> tuple[StackArtifact, ...]:
    """Return stacks, each of which needs up to three of those before it."""
    dice = random.Random(seed)  # noqa: S311  (the same at every run)
    stacks: list[StackArtifact] = []
    for index in range(number):
        needed = dice.sample(stacks[-20:], min(len(stacks), dice.randint(0, 3)))
        stacks.append(
            artifact(
                f"s{index}",
                outputs={"Out": {"Ref": "R0"}},
                needs={f"P{other.name}": (other.name, "Out") for other in needed},
                **{f"R{each}": TOPIC for each in range(dice.randint(1, 4))},
            )
        )
    return tuple(stacks)


def deploy(stacks: Sequence[StackArtifact], folder: Path, *, seed: int, rate: float = AWS) -> Outcome:
    """Deploy ``stacks`` in virtual time."""
    clock = VirtualClock()
    bench = Bench(folder, clock=clock)
    dice = random.Random(seed)  # noqa: S311
    for stack in stacks:
        for name in stack.template["Resources"]:
            bench.fake.script(name, stack=stack.name, takes=dice.uniform(20, 240))
    bench.fake.fault("*", "latency", times=None, seconds=0.2)
    limiters = {("123456789012", "eu-west-1"): Limiter(clock, rate=rate)}
    began = clock.now()
    bench.deploy(*stacks, options=Options(workers=100), limiters=limiters)
    took = clock.now() - began
    times = sorted(call.time for call in bench.fake.calls)
    busiest = max(bisect_left(times, time + 10) - index for index, time in enumerate(times))
    return Outcome(took, _critical_path(bench, stacks), busiest, len(times))


def _critical_path(bench: Bench, stacks: Sequence[StackArtifact]) -> float:
    """Return the longest way through the graph: of each stack only the time that CloudFormation works on it."""
    timing = bench.fake.world.timing
    done: dict[str, float] = {}
    for stack in stacks:
        events = bench.fake.call("DescribeStackEvents", {"StackName": stack.name})["StackEvents"]
        own = [
            event["Timestamp"]
            for event in events
            if event["LogicalResourceId"] == stack.name and event["ResourceStatus"].startswith("CREATE")
        ]
        takes = max(own) - min(own) + timing.change_set + timing.change_set_pending
        done[stack.name] = takes + max((done[need] for need in stack.depends_on), default=0.0)
    return max(done.values())
