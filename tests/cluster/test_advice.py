"""The advice of a cluster's errors, followed on one cluster after the other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ess.cli import app
from ess.cluster import asking, state
from tests.cluster.running import wait_until

Ess = Callable[..., str]


@pytest.fixture
def ess(places: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Ess:
    """Runs a command line of ``ess`` in this process; what it prints, on both streams."""

    def run(*words: str, code: int = 0) -> str:
        capfd.readouterr()
        ended = app.run(list(words))
        out, err = capfd.readouterr()
        assert ended == code, (words, err)
        return out + err

    return run


def test_what_is_advised_about_a_cluster(ess: Ess, tmp_path: Path) -> None:
    job = ("exec", "echo node %node_id")
    assert "run: ess cluster create --number 2" in ess("cluster", "start", code=2)
    ess("cluster", "create", "--number", "1")
    try:
        assert "there is a cluster of 1 workers; ess cluster terminate ends it" in ess("cluster", "set", "local")
        told = ess("cluster", "create", "--number", "1", code=2)
        assert "use --add for more workers, or run first: ess cluster terminate" in told

        worker = state.read_daemon("worker-0")
        assert worker is not None
        os.kill(worker.process.pid, signal.SIGKILL)
        wait_until(lambda: "lost: worker-0; ess cluster start, or the next job, replaces" in ess("cluster", "status"))
        ess("cluster", "start")
        assert ess(*job) == "node 0\n"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asking, "versions", lambda: {"essentia": "another"})
            assert "run: ess cluster stop, then: ess cluster start" in ess(*job, code=3)
        ess("cluster", "stop")
        assert "run: ess cluster start, or use --master" in ess(*job, code=3)
        assert ess(*job, "--master") == "node 0\n"
        ess("cluster", "start")
        assert ess(*job) == "node 0\n"

        path = state.cluster_folder() / "cluster.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "desired": {"workers": "many"}}))
        assert "ess cluster reset clears it" in ess(*job, code=3)
        ess("cluster", "reset")
        assert ess(*job) == "node 0\n"  # this machine
        assert "there is no cluster of hosts" in ess("cluster", "remove", "r", code=2)
        assert "there is no cluster" in ess("cluster", "terminate")
    finally:
        ess("cluster", "reset")
