"""``ess cluster status`` in the layout of the tutorial."""

from __future__ import annotations

from ess.cli.cluster import status_lines
from ess.cluster.lifecycle import Desired, Health
from ess.cluster.providers import ClusterStatus, NodeStatus
from ess.cluster.state import ClusterState


def test_a_rule_stands_below_the_headings() -> None:
    status = ClusterStatus(
        ClusterState("local", "my_id", Desired(2)),
        (
            NodeStatus("master", Health.RUNNING, "127.0.0.1", 4711, 120),
            NodeStatus("worker-1", Health.LOST, "127.0.0.1"),
        ),
    )
    assert status_lines(status) == [
        "Summary for cluster my_id",
        "",
        "ID        state    publicIP   privateIP  pid   mem",
        "--------  -------  ---------  ---------  ----  ------",
        "master    running  127.0.0.1  127.0.0.1  4711  120 MB",
        "worker-1  lost     127.0.0.1  127.0.0.1  -     -",
        "lost: worker-1; ess cluster start, or the next job, replaces them",
    ]
    assert status_lines(ClusterStatus(ClusterState())) == ["There is no cluster: commands run on this machine (local)."]
