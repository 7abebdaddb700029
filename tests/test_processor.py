"""numpy is loaded without the instructions that are slow on some processors, and other programs are not told so."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ess import processor
from ess.cluster.user_environment import surroundings

ZEN_4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nflags\t\t: fpu avx avx2 avx512f avx512_vbmi2\n\n"


def test_only_zen_4_is_treated_so() -> None:
    assert processor.sorts_slowly(ZEN_4)
    assert not processor.sorts_slowly(ZEN_4.replace("AuthenticAMD", "GenuineIntel"))
    assert not processor.sorts_slowly(ZEN_4.replace("25", "26"))
    assert not processor.sorts_slowly(ZEN_4.replace(" avx512_vbmi2", ""))
    assert not processor.sorts_slowly("")


def test_numpy_knows_what_is_left_out() -> None:
    """Of a name that it does not know it warns."""
    program = (
        "import os, ess.processor as p; os.environ[p.VARIABLE] = p.FEATURES\n"
        "from numpy._core._multiarray_umath import __cpu_dispatch__ as known\n"
        "print(set(p.FEATURES.split()) - set(known))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n" or platform.machine() != "x86_64"


def test_a_choice_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(processor.VARIABLE, "AVX512_SPR")
    monkeypatch.setattr(processor, "_ours", set())
    processor.prepare()
    assert surroundings().environment[processor.VARIABLE] == "AVX512_SPR"


def test_what_else_runs_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setenv(processor.VARIABLE, processor.FEATURES)  # by the user
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    monkeypatch.setattr(processor, "_ours", set())
    processor.prepare()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    environment = surroundings().environment
    assert "OPENBLAS_NUM_THREADS" not in environment
    assert environment[processor.VARIABLE] == processor.FEATURES
    processor.restore()
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    assert os.environ[processor.VARIABLE] == processor.FEATURES


def test_no_threads_for_linear_algebra() -> None:
    program = "import os, ess, numpy; print(len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
