"""Clients and servers are killed at random moments, over and over: nothing that was acknowledged is lost, and nothing
is there in part. ``make fault FAULT_ROUNDS=300`` does more of it than a test run has time for."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from tests.udb.faults import DEFINITION, Campaign, Pool

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "8"))
SEED = int(os.environ.get("FAULT_SEED", "1"))


def test_what_was_acknowledged_is_there_whoever_is_killed(
    access: Any, tmp_path: Path, port_base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = (port_base, port_base + 1)
    servers = "\n".join(f"@Server: 127.0.0.1:{port}" for port in ports)
    (tmp_path / "conf" / "db.spec").write_text(servers + DEFINITION)
    pool = Pool(tmp_path, ports)
    campaign = Campaign(pool, SEED)
    try:
        pool.start(random.Random(SEED), deadly=False)
        from tests.udb.faults import operation

        from ess.udb.perform import perform

        perform(operation("-crt", "db"))
        for number in range(ROUNDS):
            campaign.round(number)
    finally:
        pool.stop()
    print(f"{ROUNDS} rounds, {campaign.done} things done, {campaign.doubtful} begun when killed")
    assert campaign.done > 0
    assert campaign.done + campaign.doubtful >= ROUNDS
