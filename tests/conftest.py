"""What all tests share: the published data, places of their own, and what a skip means."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ESS_SHARED", ROOT.parent / "shared"))
NO_SHARED = "the published data (../shared, or ESS_SHARED) is not on this machine"

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


@pytest.fixture
def port_base() -> int:
    """The first of twelve TCP ports in a row that are free now, in a range of this test process alone.

    The ranges lie below those from which Linux takes ports for outgoing connections (32768 and up).
    """
    worker_id = os.environ.get("PYTEST_XDIST_WORKER", "")
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 15
    first = 12000 + 1200 * number
    start = first + 12 * (os.getpid() % 50)
    for base in [*range(start, first + 1200, 12), *range(first, start, 12)]:
        if all(is_free(port) for port in range(base, base + 12)):
            return base
    pytest.fail("no twelve free ports in a row")


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def places(tmp_path: Path, port_base: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment whose state, settings and ports belong to this test; also set in this process."""
    own = {
        "ESS_CACHE_DIR": str(tmp_path / "ess"),
        "ESS_WORK_DIR": str(tmp_path / "conf"),
        "ESS_UDB_PORT": str(port_base),
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)
