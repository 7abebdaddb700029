"""Files of the master's disk on their way to a node: what arrives, what waits, and what cannot be read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ess.cluster import inputs
from ess.cluster.commands import Setting
from ess.cluster.inputs import Arrivals, Sent, SentAccess, _piece, files_to_send, with_sent_files
from ess.cluster.work import Job, Task
from ess.errors import EssError, InputOpenError
from ess.lake.content import open_data
from ess.lake.entry import FileEntry
from ess.lake.member import Member
from ess.stores.kinds import Access

JOB = Job("j", "cat", Setting({}, "/", 0o022))


def sent(file: Sent, arrivals: Arrivals) -> None:
    """Send a file as a whole."""
    offset = 0
    while True:
        piece, problem = _piece(file, offset)
        assert arrivals.take(file.path, offset, piece, problem)
        offset += len(piece)
        if problem or not piece:
            return


def test_a_file_arrives_in_pieces_and_is_read_as_if_it_were_here(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"x" * (inputs.PIECE * 2 + 7))
    arrivals = Arrivals(tmp_path / "node")
    reader = threading.Thread(target=lambda: found.append(open_data(entry, "", access).read()))
    found: list[bytes] = []
    entry = FileEntry(str(source), source.stat().st_size, 0.0)
    access = with_sent_files(JOB, arrivals).source
    assert isinstance(access, SentAccess)
    reader.start()  # waits for it
    sent(Sent(str(source)), arrivals)
    reader.join()
    assert found == [source.read_bytes()]
    assert (tmp_path / "node").stat().st_mode & 0o077 == 0
    arrivals.close()
    assert not (tmp_path / "node").exists()


def test_what_cannot_be_read_here_is_the_error_there(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "node")
    sent(Sent(str(tmp_path / "gone")), arrivals)
    with pytest.raises(InputOpenError) as here:
        open_data(FileEntry(str(tmp_path / "gone"), 1, 0.0))
    with pytest.raises(InputOpenError) as there:
        arrivals.copy_of(str(tmp_path / "gone"))
    assert str(there.value) == str(here.value)
    (tmp_path / "changed").write_text("new")
    sent(Sent(str(tmp_path / "changed"), "3-17-4"), arrivals)
    with pytest.raises(EssError, match="it has been replaced since it was listed"):
        arrivals.copy_of(str(tmp_path / "changed"))


def test_no_file_begins_while_too_much_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "AHEAD", 10)
    monkeypatch.setattr(inputs, "_ROOM_SECONDS", 0.01)
    arrivals = Arrivals(tmp_path / "node")
    assert arrivals.take("/a", 0, b"x" * 10, ())
    assert arrivals.take("/a", 10, b"", ())
    assert not arrivals.take("/b", 0, b"y", ())
    assert arrivals.copy_of("/a").read_bytes() == b"x" * 10
    assert arrivals.take("/b", 0, b"y", ())


def test_copies_go_when_those_after_the_next_are_opened(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "node")
    for name in ("/a", "/b", "/c"):
        arrivals.take(name, 0, name.encode(), ())
        arrivals.take(name, 2, b"", ())
    first = arrivals.copy_of("/a")
    arrivals.copy_of("/b")
    assert first.read_bytes() == b"/a"  # its command may still run, or be run again
    arrivals.copy_of("/c")
    assert not first.exists()


def test_nobody_waits_for_a_bundle_that_was_dropped(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path / "node")
    arrivals.close()
    with pytest.raises(InputOpenError, match="nobody waits"):
        arrivals.copy_of("/a")
    assert arrivals.take("/a", 0, b"x", ())
    assert not (tmp_path / "node").exists()


def test_each_stored_file_is_sent_once_and_those_of_stores_never(tmp_path: Path) -> None:
    whole = FileEntry("/two.zip", 100, 0.0, version="1-2-3")
    plain = FileEntry("/b", 1, 0.0, version="4-5-6")
    members = [whole.inside(Member(name, form="zip")) for name in ("one", "in/two")]
    tasks = [Task(0, members[0]), Task(1, members[1], others=(plain,))]
    assert files_to_send(JOB, tasks) == [Sent("/two.zip", "1-2-3"), Sent("/b")]
    cloud = Job("j", "cat", JOB.setting, source=Access("s3", "bucket"))
    assert files_to_send(cloud, tasks) == []
    assert with_sent_files(cloud, Arrivals(tmp_path)) is cloud
