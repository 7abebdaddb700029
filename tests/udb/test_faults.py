"""Clients and servers are killed at random moments, over and over: nothing that was acknowledged is lost, and nothing
is there in part. ``make fault FAULT_ROUNDS=300`` does more of it than a test run has time for."""

from __future__ import annotations

import os
from pathlib import Path

from tests.udb.fault_processes import Servers
from tests.udb.fault_rounds import Campaign

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "3"))
REAL_ROUNDS = int(os.environ.get("FAULT_REAL_ROUNDS", "1"))
SEED = os.environ.get("FAULT_SEED", "1")


def rounds(campaign: Campaign, count: int) -> None:
    done = 0
    try:
        campaign.begin()
        for done in range(1, count + 1):
            if done % 10 == 0:
                campaign.remove_checkpoints()
            campaign.round(done - 1)
    finally:
        campaign.servers.stop()
        print(
            f"{done} rounds, {campaign.done} things done, {campaign.refused} refused, "
            f"{campaign.doubtful} begun when killed, {campaign.loaded} checkpoints loaded"
        )
    assert campaign.done > 0
    assert campaign.done + campaign.refused + campaign.doubtful >= count


def test_what_was_acknowledged_is_there_whoever_is_killed(
    places: dict[str, str], tmp_path: Path, port_base: int
) -> None:
    rounds(Campaign(Servers((port_base, port_base + 1)), tmp_path, SEED), ROUNDS)


def test_the_same_of_the_installed_commands(places: dict[str, str], tmp_path: Path, port_base: int) -> None:
    rounds(Campaign(Servers((port_base, port_base + 1), real=True), tmp_path, f"real {SEED}"), REAL_ROUNDS)
