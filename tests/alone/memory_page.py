"""The numbers about memory in docs/manual/database.md hold for a real server."""

from __future__ import annotations

import re
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

import ess
from ess.udb.admin import admin, processes, service
from ess.udb.wire.access import udb_folder

PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "database.md"
KEYS = 250_000
ROWS = 4 * KEYS


def taken(what: str) -> int:
    """The number of bytes that a line of the table begins with."""
    found = re.search(rf"^\| {what}.*? \| (\d+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found is not None, what
    return int(found[1])


@pytest.mark.usefixtures("places")
def test_the_table_of_the_page_tells_what_a_server_holds() -> None:
    row = taken("a row of a table") + taken("a column `i`") + taken("a column `f`") + taken("a column `s`")
    row += taken("a longer column `s`") + 30
    says = KEYS * taken("a key: a string of up to 12 bytes") + ROWS * row
    admin.create_database("db")
    admin.create_table("log", ["s,pkey:user", "i:time", "f:price", "s:item", "s:page"])
    try:
        list(admin.udbd("start"))
        (port,) = service.running_ports(udb_folder())
        server = psutil.Process(processes.state(udb_folder(), port).pid)
        table = ess.udb("db").table("log")
        table.append(rows_of(0).head(10))
        assert table.count() == 10  # what comes with the first requests has come
        assert server.memory_info().rss < taken("a server without rows") << 20
        held = []
        for part in (1, 2):
            rows = rows_of(part)
            table.append(piece for _ in range(ROWS // KEYS) for piece in rows.iter_slices(50_000))
            assert table.count() == part * ROWS + 10
            held.append(settled(server))
        # The difference, because large imports as such leave some buffers, too.
        assert held[1] - held[0] == pytest.approx(says, rel=0.25)
    finally:
        list(admin.udbd("stop"))


def rows_of(part: int) -> pl.DataFrame:
    """Rows with keys of their own, in no order."""
    first = part * KEYS
    number = pl.int_range(first, first + KEYS, dtype=pl.UInt32, eager=True).sample(fraction=1.0, shuffle=True, seed=1)
    return pl.DataFrame({"time": number}).with_columns(
        user=pl.format("u{}", pl.col("time").cast(pl.String).str.zfill(7)),
        price=pl.col("time") / 2,
        item=pl.format("i{}", pl.col("time").cast(pl.String).str.zfill(7)),
        page=pl.format("/a/path/of/30/bytes/00{}", pl.col("time").cast(pl.String).str.zfill(8)),
    )


def settled(server: psutil.Process) -> int:
    """The resident memory, when what working in has taken has gone back to the system: so much for five seconds."""
    seen = [server.memory_info().rss]
    while len(seen) < 6 or max(seen[-6:]) - min(seen[-6:]) > 2 << 20:
        time.sleep(1)
        seen.append(server.memory_info().rss)
    return int(seen[-1])
