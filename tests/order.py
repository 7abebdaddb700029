"""The order in which the files of tests begin."""

from __future__ import annotations

#: The files that take longest, which begin first: a file runs as a whole, and one that began late would end alone.
LONGEST = (
    "tests/test_demo.py",
    "tests/cluster/test_stream_faults.py",
    "tests/udb/test_faults.py",
    "tests/udb/test_machines.py",
    "tests/published/test_woodworking.py",
    "tests/cluster/test_frozen.py",
    "tests/cluster/test_exactly_once.py",
    "tests/udb/test_checkpoint_stores.py",
    "tests/cli/test_manual_cluster.py",
    "tests/cluster/test_store_streams.py",
    "tests/udb/test_processes.py",
    "tests/udb/test_network.py",
    "tests/differential/test_differential.py",
    "tests/tools/test_warm.py",
    "tests/udb/test_cancellation.py",
    "tests/cluster/test_full_disk.py",
    "tests/cluster/cloud/test_machines.py",
    "tests/cluster/cloud/test_crashes.py",
    "tests/cluster/test_cluster.py",
)


_PLACES = {name: place for place, name in enumerate(LONGEST)}


def place(test: str) -> int:
    """The place of a test, by its id, among the others; those of other files come last, as they were collected."""
    return _PLACES.get(test.partition("::")[0], len(_PLACES))
