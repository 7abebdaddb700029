"""``make fault``: rounds of faults in streams with imports, on this machine alone and on a cluster of two workers."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.cluster.stream_rounds import CLUSTER, EMBEDDED, SHAPES, round_of
from tests.cluster.stream_site import Site

ROUNDS = int(os.environ.get("FAULT_STREAM_ROUNDS", "10"))
SEED = os.environ.get("FAULT_SEED", "1")


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("nodes", [0, 2])
@pytest.mark.parametrize("warm", ["1", "0", "served"])
def test_each_row_is_there_once_whoever_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: int, warm: str
) -> None:
    monkeypatch.setenv("ESS_WARM", "0" if warm == "0" else "1")
    if warm == "served":
        (tmp_path / "run").mkdir(mode=0o700)
        monkeypatch.setenv("ESS_RUNTIME_DIR", str(tmp_path / "run"))
        monkeypatch.setenv("ESS_WARM_IDLE", "5")
    generator = random.Random(f"{SEED}/{nodes}/{warm}")
    resumed = 0
    with Site(tmp_path, 12, nodes, served=warm == "served") as made:
        for number in range(ROUNDS):
            all_kinds = CLUSTER if nodes else EMBEDDED
            count = generator.choice([1, 1, 1, 2, 3, len(all_kinds)])
            kinds = tuple(generator.sample(all_kinds, count))
            shape = generator.choice(list(SHAPES))
            how = generator.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            where = f"seed {SEED} round {number}: {nodes} nodes, {kinds}, {how.name}, {shape}"
            resumed += round_of(made, kinds, shape, how, where, twice=generator.random() < 0.4) > 0
    print(f"{ROUNDS} rounds, {resumed} were resumed")
