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
KEYS = 500_000
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
        number = pl.int_range(KEYS, dtype=pl.UInt32, eager=True).sample(fraction=1.0, shuffle=True, seed=1)
        rows = pl.DataFrame({"time": number}).with_columns(
            user=pl.format("u{}", pl.col("time").cast(pl.String).str.zfill(7)),
            price=pl.col("time") / 2,
            item=pl.format("i{}", pl.col("time").cast(pl.String).str.zfill(7)),
            page=pl.format("/a/path/of/30/bytes/00{}", pl.col("time").cast(pl.String).str.zfill(8)),
        )
        table = ess.udb("db").table("log")
        table.append(rows.head(10))
        assert table.count() == 10  # what comes with the first requests has come
        before = server.memory_info().rss
        assert before < taken("a server without rows") << 20
        table.append(piece for _ in range(4) for piece in rows.iter_slices(50_000))
        assert table.count() == ROWS + 10
        time.sleep(3)  # what working in has taken goes back to the system some seconds later
        deadline = time.monotonic() + 30
        while abs((held := server.memory_info().rss - before) - says) > says / 4:
            assert time.monotonic() < deadline, (held, says)
            time.sleep(0.2)
    finally:
        list(admin.udbd("stop"))
