"""Processes of a stream are killed before and after its imports count: each row is there once in the end.

``make fault`` does more of it, at random, than a test run has time for (``tests/cluster/fault_streams.py``).
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cluster.stream_rounds import CLUSTER, SHAPES, round_of
from tests.cluster.stream_site import Site

#: Of the test run: who is killed, in which command, how a client ends, and whether its retry is killed too.
PLANNED = [
    (("client",), 0, signal.SIGKILL, True),
    (("tool server", "aq_pp"), 3, signal.SIGKILL, False),
    (("server",), 4, signal.SIGKILL, False),
    (("client", "server", "reaper", "command"), 2, signal.SIGINT, False),
]
PLANNED_ON_A_CLUSTER = [
    (("worker",), 0, signal.SIGKILL, True),
    (("scheduler", "server"), 5, signal.SIGKILL, False),
    (CLUSTER, 1, signal.SIGKILL, False),
]


@pytest.mark.usefixtures("places", "no_terminal")
@pytest.mark.parametrize("nodes", [0, 2])
def test_each_row_is_there_once_whoever_is_killed(tmp_path: Path, nodes: int) -> None:
    shapes = list(SHAPES)
    with Site(tmp_path, 4, nodes) as made:
        for kinds, shape, how, twice in PLANNED_ON_A_CLUSTER if nodes else PLANNED:
            round_of(made, kinds, shapes[shape], how, f"{kinds} {shape}", twice=twice)
