"""Fixtures of all tests: the published data and places of their own; also the meaning of a skip."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.places import own_places, ports_in_a_row
from tests.store_servers import Moto, store_server

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ESS_SHARED", ROOT.parent / "shared"))
NO_SHARED = "the published data (../shared, or ESS_SHARED) is not on this machine"

#: Run by another Python, which has what it imports.
collect_ignore = ["swift_process.py"]

# A fork collects no garbage, not even while it begins: what other threads of pytest have made cannot be finalized
# there, for they are gone, and what they hold stays held.
os.register_at_fork(before=gc.disable, after_in_parent=gc.enable)

# Timing belongs to benchmarks: on a loaded machine a deadline fails tests that are right.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped because a part is missing fails; only the published data may be absent."""
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not (reason.endswith(NO_SHARED) and not SHARED.is_dir()):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason}"
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``../shared`` with the published data and the conformance cases."""
    if not SHARED.is_dir():
        pytest.skip(NO_SHARED)
    return SHARED


@pytest.fixture(scope="session")
def warm() -> dict[str, str]:
    """Variables with which our commands are found, and run on the tool server, as a user has it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"ESS_WARM": "1", "ESS_RUNTIME_DIR": os.environ["ESS_RUNTIME_DIR"], "PATH": path}


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No tool server of a terminal: a stream has one of its own."""
    with tempfile.TemporaryDirectory(prefix="ess-") as folder:  # the path of a socket must be short
        monkeypatch.setenv("ESS_RUNTIME_DIR", folder)
        yield


@pytest.fixture(scope="session")
def s3() -> Iterator[Moto]:
    """A server of S3 for tests that begin with emptying its bucket."""
    with store_server("s3") as found:
        assert isinstance(found, Moto)
        yield found


@pytest.fixture
def port_base() -> Iterator[int]:
    """The first of twelve TCP ports in a row that are this test's own; with ``places``, also ``ESS_UDB_PORT``."""
    with ports_in_a_row() as base:
        yield base


@pytest.fixture
def places(tmp_path: Path, port_base: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment whose state, settings and ports belong to this test; also set in this process."""
    for name, value in own_places(tmp_path, port_base).items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)
