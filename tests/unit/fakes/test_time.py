from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import FakeCloudFormation, Killed, Scheduler, Stuck, VirtualClock, attach
from unit.fakes.conftest import client


class TestVirtualClock:
    def test_eight_workers_sleep_at_once(self) -> None:
        clock = VirtualClock()
        began = clock.now()

        def work(number: int) -> float:
            for _ in range(10):
                clock.sleep(number)
            return clock.now() - began

        with ThreadPoolExecutor(8) as pool:
            ends = list(pool.map(work, range(1, 9)))

        # On a busy machine a thread may begin only after the first jump.
        assert all(10 * number <= end <= 10 * number + 8 for number, end in enumerate(ends, 1))

    def test_a_busy_thread_is_not_overtaken(self) -> None:
        clock = VirtualClock()
        seen: list[float] = []

        def busy() -> None:
            began = clock.now()
            sum(range(3_000_000))
            seen.append(clock.now() - began)

        thread = threading.Thread(target=busy)
        thread.start()
        clock.sleep(5)
        thread.join()

        assert seen == [0.0]

    def test_a_lock_held_by_a_sleeper_is_no_deadlock(self) -> None:
        clock, lock = VirtualClock(), threading.Lock()

        def work(_: int) -> None:
            with lock:
                clock.sleep(1)

        began = clock.now()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))

        assert clock.now() == began + 3

    def test_no_end(self) -> None:
        with pytest.raises(TimeoutError, match="virtual time"):
            VirtualClock(limit=10).sleep(11)


class TestScheduler:
    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_one_at_a_time_in_the_chosen_order(self, data: st.DataObject) -> None:
        scheduler = Scheduler(lambda count: data.draw(st.integers(0, count - 1)))
        fake = FakeCloudFormation(scheduler)
        actors = [scheduler.actor(name) for name in "abc"]
        active: list[str] = []

        def work(index: int) -> int:
            actor = actors[index]
            aws = attach(client(), fake, actor)
            for _ in range(2):
                active.append(actor.name)
                assert len(active) == 1
                active.pop()
                aws.list_stacks()
                actor.sleep(1)
            return index

        scheduler.run({actor: lambda index=index: work(index) for index, actor in enumerate(actors)})  # type: ignore[misc]

        assert [actor.result for actor in actors] == [0, 1, 2]
        assert [fake.count("ListStacks", name) for name in "abc"] == [2, 2, 2]

    def test_workers_belong_to_their_actor(self) -> None:
        scheduler = Scheduler()
        actors = scheduler.actor("a"), scheduler.actor("b")

        def work() -> None:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(actors[0].sleep, 10).result()

        scheduler.run({actors[0]: work, actors[1]: lambda: actors[1].sleep(5)})

        assert actors[0].error is None
        assert [step for step in scheduler.steps if step == "b"]

    def test_killing(self) -> None:
        scheduler = Scheduler()
        actor = scheduler.actor("a", kill_at=3)
        done = []

        def work() -> None:
            for number in range(5):
                actor.pause()
                done.append(number)

        scheduler.run({actor: work})

        assert done == [0, 1]
        assert isinstance(actor.error, Killed)

    def test_no_end(self) -> None:
        scheduler = Scheduler(max_steps=50)
        actor = scheduler.actor("a")

        def work() -> None:
            while True:
                actor.sleep(1)

        with pytest.raises(Stuck, match="no end"):
            scheduler.run({actor: work})
