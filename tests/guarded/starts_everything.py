"""Not collected: ``test_guard.py`` runs it in a pytest of its own, and kills that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

import ess
from tests import guard
from tests.store_servers import store_server
from tests.udb.fault_processes import Servers
from tests.waiting import until


def test_starts_one_of_each_kind_and_waits(
    places: dict[str, str], port_base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ess.create_database("db")
    ess.udbd("start")
    ess.cluster_create(1)
    Servers((port_base + 5,)).start()
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    subprocess.Popen(
        [sys.executable, "-m", "ess.tools.warm.server"], env={**os.environ, "ESS_RUNTIME_DIR": str(runtime)}
    )
    until(lambda: any(runtime.glob("*.sock")))
    with ExitStack() as stack:
        for scheme in os.environ["STORES"].split():
            stack.enter_context(store_server(scheme))
        ready = Path(os.environ["READY"])
        ready.with_suffix(".part").write_text(os.environ[guard.VARIABLE])
        ready.with_suffix(".part").rename(ready)
        threading.Event().wait()
