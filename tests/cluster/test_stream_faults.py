"""Processes of a stream are killed before and after its imports count: each row is there once in the end.

``make fault`` does more of it, at random, than a test run has time for (``tests/cluster/fault_streams.py``).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from ess.cluster import providers
from tests.cluster.stream_rounds import CLUSTER, SHAPES, round_of
from tests.cluster.stream_site import Site, site_of_a_module

#: Of the test run: who is killed, in which command, how a client ends, and whether its retry is killed too.
PLANNED = {
    0: [
        (("client",), 0, signal.SIGKILL, True),
        (("tool server", "aq_pp"), 3, signal.SIGKILL, False),
        (("one server",), 4, signal.SIGKILL, False),
        (("client", "server", "reaper", "command"), 2, signal.SIGINT, False),
    ],
    2: [
        (("worker",), 0, signal.SIGKILL, True),
        (("scheduler", "one server"), 5, signal.SIGKILL, False),
        (CLUSTER, 1, signal.SIGKILL, False),
    ],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of_a_module(tmp_path_factory, files=4) as made:
        yield made


@pytest.mark.usefixtures("no_terminal")
@pytest.mark.parametrize("nodes", PLANNED)
def test_each_row_is_there_once_whoever_is_killed(site: Site, nodes: int) -> None:
    if nodes:
        assert providers.create(nodes) == []
        site.nodes = nodes
    for kinds, shape, how, twice in PLANNED[nodes]:
        round_of(site, kinds, list(SHAPES)[shape], how, f"{kinds} {shape}", twice=twice)
