"""Imports on a cluster: a worker that is killed in the middle changes no row, and nothing outlives the cluster."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import pytest

from ess.cluster import providers, state
from ess.cluster.execute import execute
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.udb.admin import admin
from tests.cluster.running import listening, make_files, marked, wait_until

ROWS = [[(f"key{row % 7}", 100 * number + row) for row in range(20)] for number in range(3)]


def rows(command: str) -> list[str]:
    out = io.BytesIO()
    assert execute(command, stdout=out, stderr=io.BytesIO()).exit_code == 0
    return sorted(out.getvalue().decode().splitlines())


@pytest.mark.usefixtures("places")
def test_killing_a_worker_while_it_imports(tmp_path: Path) -> None:
    assert providers.create(2) == []
    admin.create_database("db", nodes=[node.host for node in providers.nodes()])
    admin.create_table("table", ["s,pkey:k", "i:v"])
    list(admin.udbd("start"))
    contents = ["".join(f"{key},{value}\n" for key, value in part) + "key1,TBD\n" for part in ROWS]
    entries = make_files(tmp_path, [content.encode() for content in contents])
    before = state.read_daemon("worker-0")
    assert before is not None

    def kill() -> None:
        wait_until((tmp_path / "begun_0").exists)
        os.kill(before.process.pid, signal.SIGKILL)
        (tmp_path / "killed").touch()

    thread = threading.Thread(target=kill)
    thread.start()
    # All rows are on their way, the input has not ended: the worst moment.
    wait = f"until [ -e {tmp_path}/killed ]; do sleep 0.02; done"
    command = f"(cat; : > {tmp_path}/begun_%node_id; {wait}) | aq_pp -f,eok,qui - -d %cols -imp db:table"
    source = Source(entries, columns=("s:k", "i:v"), name=command)
    result = stream_source(source, command, stdout=io.BytesIO(), stderr=io.BytesIO(), options=StreamOptions())
    thread.join()
    assert state.read_daemon("worker-0") != before
    assert result.exit_code == 0
    (stage,) = result.stages
    assert (stage.counts.read, stage.counts.imported, stage.counts.rejected) == (63, 60, 3)
    expected = sorted(f'"{key}",{value}' for part in ROWS for key, value in part)
    assert rows("aq_udb -exp db:table -o,notitle -") == expected
    # Each node has a share of the keys, and the shares add up.
    assert rows("aq_udb -exp db:table -o,notitle - | cat") == expected
    assert len(listening(marked(str(tmp_path)))) == 5  # scheduler, two workers, two database servers
    assert providers.terminate()
    wait_until(lambda: not marked(str(tmp_path)))
