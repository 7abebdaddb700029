"""A test run that is killed takes all that it has started with it, and one that leaves processes fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import guard
from tests.store_servers import AZURITE
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "a database server": "ess.udb.server.daemon",
    "a forked database server": "multiprocessing.forkserver",
    "a scheduler": "scheduler",
    "a worker": "worker",
    "a reaper": "cluster/reaper.py",
    "a tool server": "ess.tools.warm.server",
    "S3": "moto_server",
    "Azure Blob": "azurite",
}


def test_nothing_survives_a_killed_run() -> None:
    azurite = AZURITE.exists() or shutil.which("azurite-blob")
    kinds = {kind: word for kind, word in KINDS.items() if azurite or kind != "Azure Blob"}
    unmarked = {name: value for name, value in os.environ.items() if name != guard.VARIABLE and "PYTEST" not in name}
    with tempfile.TemporaryDirectory(prefix="ess-") as folder:  # the path of a socket must be short
        ready, said = Path(folder, "ready"), Path(folder, "said")
        options = ["-n", "1", "-p", "no:cacheprovider", "--basetemp", f"{folder}/run"]
        with said.open("wb") as sink:
            run = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, "tests/guarded/starts_everything.py"],
                cwd=ROOT,
                env={**unmarked, "READY": f"{ready}", "STORES": "s3 az" if azurite else "s3"},
                stdout=sink,
                stderr=sink,
            )
        until(lambda: ready.exists() or run.poll() is not None)
        assert ready.exists(), said.read_text()
        mark = ready.read_text()
        words = [process.words for process in guard.processes(mark)]
        run.kill()
        run.wait()
        until(lambda: not guard.processes(mark))
        assert [kind for kind, word in kinds.items() if not any(word in each for each in words)] == [], words


def test_a_run_that_leaves_a_process_fails_and_names_the_test() -> None:
    unmarked = {name: value for name, value in os.environ.items() if name != guard.VARIABLE and "PYTEST" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/guarded/leaves_something.py"],
        cwd=ROOT,
        env={**unmarked, "ESSENTIA_TEST_ENDS_WITHIN": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "1 passed, 1 error" in done.stdout
    told = r"left behind:\s+tests/guarded/leaves_something.py::test_that_stops_nothing: \d+ sleep 1000 "
    assert re.search(told, done.stdout), done.stdout
