"""For tests and docstring examples alike: nothing that runs here touches the user's state, or outlives the run."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule

from tests import guard, order, shared_servers
from tests.waiting import until

#: So long may what a test has stopped take to end, in seconds.
ENDS_WITHIN = float(os.environ.get("ESSENTIA_TEST_ENDS_WITHIN", "60"))


def pytest_configure() -> None:
    """Let a guard end whatever this run starts, however the run ends."""
    guard.start()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell has begun the run in its background. What tests start would ignore Ctrl-C too, which some tests press.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Leave out the examples of files that have none: to look for them loads the file, in each process of a run."""
    collectors = yield
    if b">>>" in file_path.read_bytes():
        return collectors
    return [collector for collector in collectors if not isinstance(collector, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage meanwhile: nearly all that is made stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


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
def _shared_servers(_nothing_is_left: None) -> Iterator[None]:
    """The servers that this process has shared with others end with the last of them."""
    yield
    shared_servers.let_go()


@pytest.fixture(scope="session", autouse=True)
def _no_state_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """State and settings in a temporary folder, for what does not ask for places of its own."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_CACHE_DIR", str(folder / "ess"))
        patch.setenv("ESS_WORK_DIR", str(folder / "conf"))
        for variable in ("ESS_COUNTS", "ESS_IMPORT_ID", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_NODE_ID", "ESS_ENGINE"):
            patch.delenv(variable, raising=False)
        patch.setenv("ESS_WARM", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands_start_warm(_nothing_is_left: None, _no_state_of_the_user: None) -> Iterator[None]:
    """A tool server for the commands that the tests start, as a user has one: they start in no time."""
    with tempfile.TemporaryDirectory(prefix="ess-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_RUNTIME_DIR", folder)  # the path of a socket must be short
        patch.setenv("ESS_WARM", "1")
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "ess.tools.warm.server"], env={**os.environ, "ESS_WARM_IDLE": "86400"}
        )
        try:
            until(lambda: any(Path(folder).glob("*.sock")))
            yield
        finally:
            server.terminate()
            server.wait()
