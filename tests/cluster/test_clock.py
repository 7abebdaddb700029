"""The clock of the machine is set by years while a stream runs, on all its processes: nothing takes notice."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import Client

from ess.cluster import ledger, state
from ess.cluster.security import security
from tests.cluster.stream_site import LOADED, Site

#: Less than certificates are valid, which are made before the first jump.
FOUR_YEARS = 1461 * 24 * 3600


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock of all processes that are started from now on, so many seconds from the right time."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler (cc) on this machine")
    library, offset = tmp_path / "moved_clock.so", tmp_path / "clock"
    source = Path(__file__).with_name("moved_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)

    def move(seconds: int) -> None:
        with offset.open("r+b" if offset.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    move(0)
    monkeypatch.setenv("MOVED_CLOCK", str(offset))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return move


def _looked_at() -> list[str]:
    """The things that the scheduler looks after from time to time."""
    scheduler = state.read_daemon("scheduler")
    assert scheduler is not None
    client = Client(scheduler.address, security=security("client"), set_as_default=False)  # type: ignore[no-untyped-call]
    try:
        look = client.run_on_scheduler  # by a function of no module, as the scheduler cannot import this one
        return list(look(lambda dask_scheduler: list(dask_scheduler.periodic_callbacks)))  # type: ignore[no-untyped-call]
    finally:
        client.close()  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("places")
def test_a_clock_that_jumps_by_years_changes_nothing(tmp_path: Path, set_clock: Callable[[int], None]) -> None:
    """Files begin before a jump and end after it, and others begin after it."""
    with Site(tmp_path, 3, nodes=1) as site:
        before = [*site.pids("server"), *site.pids("scheduler"), *site.pids("workers")]
        assert len(before) == 4
        for number, jump in enumerate((FOUR_YEARS, 0), 1):
            gate = site.gate()
            year = f"{tmp_path}/year-%FILE-{number}"
            halves = f"(read x; echo $x; {gate.words}; date +%Y > {year}; cat)"
            stream = site.start(f"{halves} | aq_pp -f - -d %cols {LOADED} -imp shop:t", "--threads", "1")
            gate.await_somebody()
            set_clock(jump)
            gate.open()
            assert "worker-ttl" not in _looked_at()  # it ends workers by the clock of the day, after minutes
            told = site.end(stream)
            assert (told.code, told.err.count("\n")) == (0, 1), told.err
            assert f"{site.rows} rows read = {site.rows} imported + 0 filtered + 0 rejected" in told.err
            assert site.stored() == sorted(site.keys * number)
        # The latest job is the one that began last, not the one with the latest date.
        again = site.stream("[ -e mended ] && cat > /dev/null")
        assert again.code == 1
        assert [history.exit_code for history in ledger.histories()] == [1, 0, 0]
        years = [int(path.read_text()) for path in sorted(tmp_path.glob("year-*"))]
        assert [early - late for early, late in zip(years[::2], years[1::2], strict=True)] == [4] * site.files
        assert [*site.pids("server"), *site.pids("scheduler"), *site.pids("workers")] == before
