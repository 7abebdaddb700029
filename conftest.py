"""For tests and docstring examples alike: nothing that runs here touches the user's state, or outlives the run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests import guard, order

#: So long may what a test has stopped take to end, in seconds.
ENDS_WITHIN = float(os.environ.get("ESSENTIA_TEST_ENDS_WITHIN", "60"))


def pytest_configure() -> None:
    """Let a guard end whatever this run starts, however the run ends."""
    guard.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first."""
    items.sort(key=lambda item: order.place(item.nodeid))


def _left() -> list[guard.Process]:
    """The processes that the tests of this process have started and left, without those of Python itself."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return [
        process
        for process in guard.processes(os.environ[guard.VARIABLE])
        if process.variables.get("PYTEST_XDIST_WORKER") == worker
        # Python's own: they end with this process.
        and not (process.parent == os.getpid() and "multiprocessing." in process.words)
    ]


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Fail if the tests of this process have left processes, and name the tests; the guard ends what is left."""
    yield
    deadline = time.monotonic() + ENDS_WITHIN
    while left := _left():
        if time.monotonic() > deadline:
            pytest.fail("\n".join(["left behind:", *(f"{each.test}: {each}" for each in left)]), pytrace=False)
        time.sleep(0.1)


@pytest.fixture(scope="session", autouse=True)
def _no_state_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """State and settings in a temporary folder, for what does not ask for places of its own."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_CACHE_DIR", str(folder / "ess"))
        patch.setenv("ESS_WORK_DIR", str(folder / "conf"))
        for variable in ("ESS_COUNTS", "ESS_IMPORT_ID", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_NODE_ID", "ESS_ENGINE"):
            patch.delenv(variable, raising=False)
        patch.setenv("ESS_WARM", "0")  # the tests of the tool server start one themselves
        yield
