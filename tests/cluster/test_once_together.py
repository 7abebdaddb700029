"""Rows are imported once where several files go through one command, and where an output cannot be written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.cluster import providers
from tests.cluster.stream_site import LOADED, Gate, Site, site_of_a_module, told_rows
from tests.waiting import until

IMPORT = "aq_pp -f - -d %cols -imp,ddef shop:t"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of_a_module(tmp_path_factory, files=4, served=True) as made:
        yield made


@pytest.fixture(autouse=True)
def empty(site: Site) -> None:
    site.clear()


def held(gate: Gate) -> str:
    """A command that imports, and is held when its rows are in."""
    return f"{IMPORT}; {gate.words}".replace("%FILE", "bulk")


def test_the_files_of_a_command_are_imported_once(site: Site) -> None:
    gate = site.gate()
    first = site.start(held(gate), "--bulk", direct=True)
    gate.await_somebody()
    first.send_signal(signal.SIGKILL)
    assert site.end(first).code != 0
    assert site.stored() == site.keys
    # A file that was changed: nobody can tell its rows from the others'.
    path = next((site.folder / "logs").glob("log_2014-09-02*"))
    kept = path.rename(site.folder / "kept")
    path.write_bytes(b"c,1\n")
    told = site.stream(held(gate), "--bulk", "--resume")
    assert told.code == 2
    assert told.err.startswith(
        f"ess: {path}: it has changed since, and rows of the files that went through one command"
    )
    # The advice: to put it back ...
    kept.rename(path)
    gate.open()
    told = site.stream(held(gate), "--bulk", "--resume", "--threads", "4")
    assert (told.code, site.stored()) == (0, site.keys)
    assert told_rows(told.err) == (site.rows, 0, site.rows)
    # ... or to clear, and leave out --resume.
    site.clear()
    assert site.stream(held(gate), "--bulk").code == 0
    assert site.stored() == site.keys


def test_a_file_whose_output_cannot_be_written_is_done_again(site: Site) -> None:
    target = site.folder / "out"
    target.touch()  # so that there can be no folder
    words = (f"{IMPORT}; echo done", "--s3out", f"local:{target}/")
    told = site.stream(*words)
    assert told.code == 22
    assert f"{target}/log_2014-09-01.csv.gz: cannot write it (" in told.err
    assert "ess: 0 objects written to local:" in told.err
    assert told_rows(told.err) == (0, 0, 0)
    target.unlink()
    told = site.stream(*words, "--resume")
    assert (told.code, site.stored()) == (0, site.keys)
    assert told_rows(told.err) == (site.rows, 0, site.rows)
    assert len(list(Path(target).iterdir())) == 4


def test_a_lost_node_and_another_number_of_nodes_import_nothing_twice(site: Site) -> None:
    assert providers.create(2) == []
    site.nodes = 2
    for resumed in (False, True):
        site.clear()
        gate = site.gate()
        command = held(gate).replace("-imp,ddef", f"{LOADED} -imp,ddef")  # each run has other values
        stream = site.start(command, "--bulk", direct=True)
        until(lambda: site.stored() == site.keys)  # those of both nodes, which are held
        if resumed:
            site.kill(["client"], stream)
            site.end(stream)
            gate.open()
            told = site.stream(command, "--bulk", "--resume", "--master")
        else:
            site.kill(["worker"], stream)
            gate.open()
            told = site.end(stream)
        assert (told.code, site.stored()) == (0, site.keys), told.err
        assert sum(told_rows(told.err)[1:]) == site.rows
