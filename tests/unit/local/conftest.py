from __future__ import annotations

from collections.abc import Iterator

import pytest

from archlib.local import LocalEngine
from local_stacks import Stacks


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """One engine for the tests that do not start or stop it."""
    engine = LocalEngine(tmp_path_factory.mktemp("engine"))
    engine.start()
    yield engine
    engine.reset()


@pytest.fixture
def stacks(running: LocalEngine) -> Stacks:
    stacks = Stacks(running.endpoint)
    stacks.forget_everything()
    return stacks
