from __future__ import annotations

import pytest

from archlib import App, Stack


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep lint results of one test run together, and out of the user's cache."""
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def app() -> App:
    return App("shop", "test")


@pytest.fixture
def stack(app: App) -> Stack:
    return Stack(app, "main")
