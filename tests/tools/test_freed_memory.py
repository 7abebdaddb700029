"""Freed memory is used again, and given back when that is asked for."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import resource, sys
from ess.tools import freed_memory
if "keep" in sys.argv:
    freed_memory.keep()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def resident():
    return int(open("/proc/self/statm").read().split()[1])
began = faults()
for _ in range(50):
    pieces = [bytearray(2 << 20) for _ in range(4)]
    for piece in pieces:
        piece[:] = bytes(len(piece))
    del piece, pieces
made = faults() - began
before = resident()
freed_memory.give_back()
print(made, before - resident())
"""


def _pages(*words: str) -> tuple[int, int]:
    """The pages that were made, and those that were given back."""
    done = subprocess.run([sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True)
    made, given_back = done.stdout.split()
    return int(made), int(given_back)


def test_pieces_of_some_megabytes_are_made_of_pages_that_are_there() -> None:
    made, given_back = _pages("keep")
    assert made * 4 < _pages()[0]
    assert given_back * 4096 >= 8 << 20
