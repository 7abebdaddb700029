"""Freed memory that stays with the process for a while: the next batch needs as much again.

Columns of a batch are a few megabytes each, and the C library gives such pieces back to the system as soon as they are
free, so that each page of the next ones is made anew: a third of the processor time of a simple command (measured in
``docs/performance.md``).
"""

from __future__ import annotations

import contextlib

#: ``M_TRIM_THRESHOLD``, ``M_TOP_PAD`` and ``M_MMAP_THRESHOLD`` of ``mallopt(3)``, with their values. Free memory beyond
#: 64 MB is given back; the last is the largest value that is allowed.
_SETTINGS = ((-1, 64 << 20), (-2, 1 << 20), (-3, 32 << 20))


def keep() -> None:
    """Have this process, and its forks, keep some freed memory, if its C library can be told."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes  # not all Pythons have it

        tell = ctypes.CDLL(None).mallopt
        for name, value in _SETTINGS:
            tell(name, value)


def give_back() -> None:
    """Give what is free now back to the system, if the C library can be told."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
