"""Facts about the processor that numpy must know before it is loaded.

On processors of the kind AMD Zen 4, numpy sorts with AVX-512 instructions that are very slow there: 56 ns a row for 2.5
million 64-bit numbers, and 11 ns with AVX2 (numpy 2.4; its makers know: numpy/numpy#32690, numpy/x86-simd-sort#6).

Its library for linear algebra, which nothing here uses, starts a thread for each further core. They wait busily, which
costs every start 0.07 s of processor time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

#: The variable by which numpy leaves out instructions, and those that it must not use.
VARIABLE = "NPY_DISABLE_CPU_FEATURES"
FEATURES = "X86_V4 AVX512_ICL"

_THREADS = "OPENBLAS_NUM_THREADS"

#: The variables that this process has set, which its user had not.
_ours: set[str] = set()

#: Enough for what the first processor says of itself.
_LENGTH = 8192


def sorts_slowly(description: str) -> bool:
    r"""True if a processor, as ``/proc/cpuinfo`` describes it, is of that kind.

    Of AMD's family 25 only Zen 4 has AVX-512; Zen 5, of family 26, is fast.

    >>> sorts_slowly("vendor_id\t: AuthenticAMD\ncpu family\t: 25\nflags\t\t: fpu avx2 avx512_vbmi2")
    True
    >>> sorts_slowly("vendor_id\t: AuthenticAMD\ncpu family\t: 26\nflags\t\t: fpu avx2 avx512_vbmi2")
    False
    """
    facts: dict[str, list[str]] = {}
    for line in description.split("\n\n")[0].split("\n"):
        name, _, value = line.partition(":")
        facts[name.strip()] = value.split()
    zen = facts.get("vendor_id") == ["AuthenticAMD"] and facts.get("cpu family") == ["25"]
    return zen and "avx512_vbmi2" in facts.get("flags", ())


def prepare() -> None:
    """Tell numpy, unless it is loaded already or the user has told it something else."""
    if "numpy" in sys.modules:
        return
    _set(_THREADS, "1")
    if VARIABLE in os.environ:
        return
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - pathlib costs each start
            description = file.read(_LENGTH)
    except OSError:
        return
    if sorts_slowly(description):
        _set(VARIABLE, FEATURES)


def restore() -> None:
    """Restore the environment that the user set, for other work in this process."""
    while _ours:
        os.environ.pop(_ours.pop(), None)


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for other programs, which may have another numpy."""
    return {name: value for name, value in environment.items() if name not in _ours}


def _set(name: str, value: str) -> None:
    if name not in os.environ:
        os.environ[name] = value
        _ours.add(name)
