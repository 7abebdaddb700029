"""The memory of database servers: what was removed goes back to the system, and what clients do leaves nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import psutil
import pytest

import ess
from ess.udb.admin import processes, service
from ess.udb.command.perform import perform
from ess.udb.wire.access import udb_folder
from tests.udb.fault_processes import Servers
from tests.udb.faults import operation
from tests.udb.fuzz_wire import SILENT_SECONDS, Campaign
from tests.waiting import until

#: Of so many attacks at the beginning it is not known what a server needs.
WARM, ATTACKS = 20, 60


@pytest.mark.usefixtures("places")
def test_memory_goes_back_to_the_system() -> None:
    ess.create_database("db")
    ess.create_table("log", ["s,pkey:user", "s:text"])
    try:
        ess.udbd("start")
        (port,) = service.running_ports(udb_folder())
        server = psutil.Process(processes.state(udb_folder(), port).pid)
        empty = server.memory_info().rss
        table = ess.udb("db").table("log")
        number = pl.int_range(1_000_000, eager=True).rename("number") % 7
        text = pl.lit("some text that is longer than twelve bytes")
        table.append(number.to_frame().select(user=pl.format("u{}", "number"), text=text))
        assert table.count() == 1_000_000
        assert server.memory_info().rss - empty > 40 << 20
        perform(operation("-clr", "db:log"))
        # What the first request loads stays; of 70 MB of rows nothing does.
        until(lambda: server.memory_info().rss - empty < 60 << 20)
    finally:
        ess.udbd("stop")


@pytest.mark.usefixtures("places")
def test_attacks_leave_nothing_in_the_memory(port_base: int, tmp_path: Path) -> None:
    servers = Servers((port_base, port_base + 1), silent_seconds=SILENT_SECONDS)
    campaign = Campaign(servers, "memory")

    def resident() -> list[int]:
        campaign.require_nothing_open()
        campaign.held()
        return [psutil.Process(servers.pid(port)).memory_info().rss for port in servers.ports]

    try:
        campaign.begin()
        for number in range(WARM):
            campaign.attack(number)
        before = resident()
        for number in range(WARM, ATTACKS):
            campaign.attack(number)
        # What allocators keep.
        until(lambda: all(new <= old + (64 << 20) for old, new in zip(before, resident(), strict=True)))
    finally:
        servers.stop()
