"""Two database servers for a work: a folder and ports of their own, and what they hold in memory.

They log what is committed, on the same disk as everything else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.process import BenchError
from bench.work import tool

_PORT = "23710"
#: What is freed goes back to the system a second or two later.
_REST_SECONDS = 4.0
_PEAK = re.compile(r"VmHWM:\s+([0-9]+) kB")


@dataclass(frozen=True)
class Servers:
    """Two servers with a database ``shop`` of their own.

    Args:
        folder: Where their files are.
        tables: What ``ess create`` makes, e.g. ``table``, its name and its columns.
        fill: Shell commands that put in what all runs need, done once.
    """

    folder: Path
    tables: tuple[tuple[str, ...], ...]
    fill: str = ""
    _empty: list[float] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which our commands find them."""
        return {
            "ESS_WORK_DIR": str(self.folder.absolute()),
            "ESS_UDB_PORT": os.environ.get("BENCH_PORT", _PORT),
        }

    def begin(self) -> None:
        """Start them."""
        shutil.rmtree(self.folder, ignore_errors=True)
        ess = tool("ess")
        self._run([ess, "create", "database", "shop", "--ports", "2"])
        for words in self.tables:
            self._run([ess, "create", *words])
        self._run([ess, "udbd", "start"])
        self._empty[:] = [self._resident()]
        if self.fill:
            self._run(["bash", "-c", self.fill])

    def end(self) -> None:
        """Stop them, and remove what they have written."""
        self._run([tool("ess"), "udbd", "stop"])
        shutil.rmtree(self.folder, ignore_errors=True)

    def held(self) -> float:
        """The memory that is resident in both, in megabytes."""
        return self._resident()

    def held_for_rows(self) -> float:
        """The same after a rest, without what they held when they had just been started."""
        time.sleep(_REST_SECONDS)
        return self._resident() - self._empty[0]

    def peak_for_rows(self) -> float:
        """The most that was ever resident in both since their start, without what they held after it."""
        peaks = [_PEAK.search(Path(f"/proc/{pid}/status").read_text()) for pid in self._pids()]
        return sum(int(found[1]) * 1024 / 1e6 for found in peaks if found is not None) - self._empty[0]

    def _resident(self) -> float:
        return sum(float(psutil.Process(pid).memory_info().rss) for pid in self._pids()) / 1e6

    def _pids(self) -> list[int]:
        return [int(path.read_text().split()[0]) for path in (self.folder / "udb").glob("*.pid")]

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{' '.join(command)[:300]}: {done.stderr.strip()}")
