"""Whatever arrives at a server of the database: it lives, answers others, keeps what it has, and holds nothing on.

``make fuzzudb`` does more of it than a test run has time for.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.udb.fault_processes import Servers
from tests.udb.fuzz_wire import SILENT_SECONDS, Campaign

ATTACKS = int(os.environ.get("UDB_FUZZ_ATTACKS", "80"))
SEED = os.environ.get("UDB_FUZZ_SEED", "1")

#: Of so many attacks at the beginning it is not known what a server needs.
_WARM = 40


def test_whatever_is_sent_the_servers_live_and_keep_what_they_have(
    places: dict[str, str], tmp_path: Path, port_base: int
) -> None:
    servers = Servers((port_base, port_base + 1), silent_seconds=SILENT_SECONDS)
    campaign = Campaign(servers, SEED)
    try:
        campaign.begin()
        for number in range(ATTACKS):
            if number == _WARM:
                campaign.require_nothing_open()
                before = campaign.held()
            campaign.attack(number)
        campaign.require_nothing_open()
        time.sleep(2 * SILENT_SECONDS)
        after = campaign.held()
        print(before, after)
        for old, new in zip(before, after, strict=True):
            assert new.threads <= old.threads + 8, (old, new)
            assert new.files <= old.files + 8, (old, new)
            assert new.memory <= old.memory + (64 << 20), (old, new)
        campaign.require_same_after_restart()
        campaign.require_silent_log()
    finally:
        servers.stop()
        for said, count in sorted(campaign.answers.items(), key=lambda each: -each[1]):
            print(f"{count:6} {said}")
        print(campaign.where, campaign.counts)
