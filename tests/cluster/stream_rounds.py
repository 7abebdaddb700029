"""A round of faults: a stream, processes that are killed at a chosen moment, and streams that resume it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from ess.cluster import providers
from tests.cluster.stream_site import LOADED, Site

#: A stream that was killed is resumed so often at the most.
RESUMED = 4

_IMPORT = f"aq_pp -f - -d %cols {LOADED} -imp shop"

#: Commands, the tables that each fills, and where they stop: BEFORE an import counts, or AFTER it.
SHAPES = {
    f"{_IMPORT}:t; AFTER": "t",
    f"(cat; BEFORE) | {_IMPORT}:t; true": "t",
    f'while read -r line; do echo "$line" | {_IMPORT}:t; AFTER; done': "t",
    f'while read -r line; do (echo "$line"; BEFORE) | {_IMPORT}:t & done; wait': "t",
    f"tee >({_IMPORT}:u) | {_IMPORT}:t; AFTER": "tu",
    f"tee >((cat; BEFORE) | {_IMPORT}:u) | (cat; BEFORE) | {_IMPORT}:t": "tu",
}
#: When one of these is gone, another command comes to the gate.
RETRIED = frozenset({"client", "worker", "workers"})
EMBEDDED = ("client", "tool server", "aq_pp", "command", "server", "one server", "reaper")
SERVERS = frozenset({"server", "one server"})
CLUSTER = (*EMBEDDED, "worker", "workers", "scheduler")


def round_of(
    made: Site, kinds: Sequence[str], shape: str, how: signal.Signals, where: str, *, twice: bool = False
) -> int:
    """Stream, kill, mend what is broken, and resume until all is done.

    Args:
        made: Where; its tables are empty before and after.
        kinds: Of processes that are killed when commands have come to their gate.
        shape: One of ``SHAPES``.
        how: The signal for the client; the others are killed.
        where: What a failure is told with.
        twice: The same is done to the retry, in the same place.

    Returns:
        How often the stream was resumed.
    """
    gate = made.gate()
    command = shape.replace("BEFORE", gate.words).replace("AFTER", gate.words)
    client = made.start(command, "--threads", "2")
    gate.await_somebody()
    made.kill(kinds, client, how)
    if SERVERS.intersection(kinds):
        made.start_servers()
    if twice and RETRIED.intersection(kinds):
        if "client" in kinds:
            assert made.end(client).code != 0, where
            if made.nodes:
                assert providers.start() == []
            client = made.start(command, "--threads", "2", "--resume")
        gate.await_somebody()
        made.kill(kinds, client, how)
        if SERVERS.intersection(kinds):
            made.start_servers()
    gate.open()
    told = made.end(client)
    resumed = 0
    while told.code != 0:
        assert resumed < RESUMED, (where, told.err)
        resumed += 1
        made.start_servers()
        if made.nodes:
            assert providers.start() == []
        told = made.stream(command, "--threads", "2", "--resume")
    for table in SHAPES[shape]:
        assert made.stored(table) == made.keys, (where, table, told.err)
    assert f"{made.files:,} file" in told.err, (where, told.err)
    assert "failed" not in told.err, (where, told.err)
    made.clear()
    return resumed
