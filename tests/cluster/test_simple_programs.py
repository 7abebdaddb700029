"""Programs that only read and write: started without a shell, their little output is never in a file of its own."""

from __future__ import annotations

import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ess.cluster import delivery
from ess.cluster.commands import Ended
from ess.cluster.delivery import Delivery
from ess.cluster.plain_pipelines import plain_program
from ess.cluster.report import Interrupted, StreamResult
from ess.cluster.spawning import spawn
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.cluster.used_again import LITTLE, UsedAgain
from ess.cluster.work import Outcome
from ess.lake.entry import FileEntry
from tests.cluster.running import make_files, marked

pytestmark = pytest.mark.usefixtures("places")


def plain_files(folder: Path, contents: list[bytes]) -> list[FileEntry]:
    """Files that are not compressed."""
    entries = []
    for number, content in enumerate(contents):
        path = folder / f"file_{number:02}"
        path.write_bytes(content)
        entries.append(FileEntry(str(path), len(content), path.stat().st_mtime))
    return entries


THREE = StreamOptions(threads=3)


def run(entries: list[FileEntry], command: str, options: StreamOptions = THREE) -> tuple[StreamResult, bytes, bytes]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    result = stream_source(Source(entries, name=command), command, stdout=stdout, stderr=stderr, options=options)
    return result, stdout.getvalue(), stderr.getvalue()


def test_output_of_our_tools_comes_whole_and_in_order(tmp_path: Path) -> None:
    sizes = [1, 30_000, 2, 3, 0, 40_000, 1, 5]  # rows
    entries = plain_files(tmp_path, [b"".join(b"%d,%d\n" % (n, row) for row in range(n)) for n in sizes])
    result, out, err = run(entries, "aq_pp -f - -d i:a i:b -eval i:c a+b -o,notitle - -c c")
    assert (result.exit_code, err) == (0, b"")
    assert out == b"".join(b"%d\n" % (n + row) for n in sizes for row in range(n))
    assert result.reconciliation == [
        f"8 files: {sum(sizes):,} rows read = {sum(sizes):,} out + 0 filtered + 0 rejected"
    ]
    result, out, err = run(entries, "aq_pp -f - -d i:a i:b -filt 'a <'")
    assert (len(result.failures), out) == (8, b"")
    assert [line.partition(b":")[0] for line in err.splitlines()] == [b"file_0%d" % number for number in range(8)]


#: Output of all sizes, in turn.
CONTENTS = [b"%d\n" % n + b"x" * (size - 2) for n, size in enumerate((2, LITTLE, 9, LITTLE + 1, 3, 3 << 20, 2, 7))]


@pytest.mark.parametrize("make", [plain_files, make_files])
@pytest.mark.parametrize("held", [100, 16 << 20])
def test_output_of_any_size_comes_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, list[bytes]], list[FileEntry]], held: int
) -> None:
    monkeypatch.setattr(delivery, "HELD", held)
    entries = make(tmp_path, CONTENTS)
    result, out, err = run(entries, "cat")
    assert (result.exit_code, err) == (0, b"")
    assert out == b"".join(CONTENTS)
    result, out, err = run(entries, "sort -o /dev/stdout")  # empties what it writes to
    assert (result.exit_code, err) == (0, b"")
    assert out == b"".join(b"".join(sorted((line + b"\n").splitlines(keepends=True))) for line in map(_cut, CONTENTS))


def _cut(content: bytes) -> bytes:
    return content.removesuffix(b"\n")


def test_failures_and_messages_are_those_of_each_file(tmp_path: Path) -> None:
    entries = plain_files(tmp_path, [b"yes\n", b"no\n", b"yes\n"])
    result, out, _ = run(entries, "grep yes")
    assert (out, [failure.exit_code for failure in result.failures]) == (b"yes\nyes\n", [1])
    result, out, err = run(entries, "wc --nosuch")
    assert (out, len(result.failures)) == (b"", 3)
    assert [line for line in err.splitlines() if b"unrecognized" in line] == [
        b"file_0%d: wc: unrecognized option '--nosuch'" % number for number in range(3)
    ]


def test_a_file_that_is_gone_or_no_file_fails_and_the_others_run(tmp_path: Path) -> None:
    entries = plain_files(tmp_path, [b"a\n", b"b\n", b"c\n"])
    Path(entries[1].path).unlink()
    result, out, _ = run(entries, "cat")
    assert (out, [failure.name for failure in result.failures]) == (b"a\nc\n", [entries[1].path])
    Path(entries[1].path).mkdir()
    result, out, _ = run(entries, "cat")
    assert (out, [failure.name for failure in result.failures]) == (b"a\nc\n", [entries[1].path])


def test_a_file_is_given_as_it_is_but_cannot_be_changed(tmp_path: Path) -> None:
    [entry] = plain_files(tmp_path, [b"12\n34\n"])
    assert run([entry], "cat - /dev/stdin")[1] == b"12\n34\n12\n34\n"
    assert run([entry], "head -1")[1] == b"12\n"
    assert run([entry], "tac")[1] == b"34\n12\n"
    assert Path(entry.path).read_bytes() == b"12\n34\n"


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A command that looks simple and does not end by itself."""
    (tmp_path / "bin").mkdir()
    shutil.copy(shutil.which("sleep") or "", tmp_path / "bin" / "cat")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    return "cat 3600"


def test_a_job_that_is_cancelled_ends_its_programs(tmp_path: Path, slow: str) -> None:
    marker = f"ESS_PATH={tmp_path}"
    options = StreamOptions(threads=2, cancelled=lambda: len(marked(marker)) == 2)
    with pytest.raises(Interrupted):
        run(plain_files(tmp_path, [b"", b"", b"", b""]), slow, options)
    assert marked(marker) == []


def test_after_a_failure_no_file_is_begun_that_waits(tmp_path: Path) -> None:
    entries = plain_files(tmp_path, [b"yes\n", b"no\n", *[b"yes\n"] * 20])
    result, out, _ = run(entries, "grep yes", StreamOptions(quit_on_error=True))
    assert (out, result.exit_code, result.files, result.not_run) == (b"yes\n", 1, 2, 20)


def test_what_waits_for_its_turn_is_held_in_memory_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HELD", 5)
    stdout, stderr = io.BytesIO(), io.BytesIO()
    seen: list[int] = []
    delivered = Delivery(
        tmp_path, stdout, stderr, name=lambda outcome: str(outcome.index), all_messages=True,
        delivered=lambda outcome: seen.append(outcome.index),
    )  # fmt: skip
    ended = Ended(0, 0.0)
    outcomes = [Outcome(n, ended, 0, 1, f"{n}.out", f"{n}.err", text=(b"%d\n" % n, b"m" * (n % 2))) for n in range(6)]
    for outcome in outcomes[:0:-1]:
        delivered.take(outcome)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}.{kind}" for n in range(1, 4) for kind in _BOTH]
    delivered.take(outcomes[0])
    assert stdout.getvalue() == b"0\n1\n2\n3\n4\n5\n"
    assert stderr.getvalue() == b"1: m\n3: m\n5: m\n"
    assert (seen, list(tmp_path.iterdir())) == ([*range(6)], [])


_BOTH = ("err", "out")


def test_files_are_used_again_until_there_is_much_in_them(tmp_path: Path) -> None:
    files = UsedAgain(tmp_path, "mine")
    first = files.descriptors()
    os.write(first[0], b"out")
    assert files.take("1") == (b"out", b"")
    assert files.descriptors() == first
    os.write(first[1], b"err")
    assert files.take("2") == (b"", b"err")
    os.write(first[0], b"x" * LITTLE)
    os.write(first[1], b"y")
    assert files.take("3.4") is None
    assert (tmp_path / "3.4.out").read_bytes() == b"x" * LITTLE
    assert (tmp_path / "3.4.err").read_bytes() == b"y"
    os.write(files.descriptors()[0], b"more")
    assert files.take("5") == (b"more", b"")
    files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3.4.err", "3.4.out"]


def said_by(folder: Path, words: list[str], environment: list[bytes]) -> tuple[int, bytes]:
    """The process of a program, and its output."""
    out = os.open(folder / "said", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    process = spawn(shutil.which(words[0]) or "", words, environment, (nothing, out, out))
    assert os.waitpid(process, 0)[1] == 0
    os.close(nothing)
    os.close(out)
    return process, (folder / "said").read_bytes()


def test_a_program_is_started_as_the_library_does(tmp_path: Path) -> None:
    given = [b"A=1", b"B=\xff =\n", b"C="]
    assert said_by(tmp_path, ["cat", "/proc/self/environ"], given)[1] == b"A=1\0B=\xff =\n\0C=\0"
    process, said = said_by(tmp_path, ["cat", "/proc/self/stat"], [])
    assert int(said.rpartition(b")")[2].split()[3]) == process  # its session
    ignored = int(said_by(tmp_path, ["grep", "SigIgn", "/proc/self/status"], [])[1].split()[1], 16)
    assert ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)) == 0


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(str(tmp_path / "none"), ["none"], [], (0, 1, 2))
    with pytest.raises(OSError, match="byte 0"):
        spawn("/bin/true", ["true"], [b"A=\0B=1"], (0, 1, 2))


def test_a_script_is_no_simple_program(tmp_path: Path) -> None:
    for name, content in (("cat", b"#!/bin/sh\n"), ("wc", Path(shutil.which("wc") or "").read_bytes())):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o700)
    found = [plain_program(name, {"PATH": str(tmp_path)}) for name in ("cat", "wc")]
    assert [program is not None and program.is_simple for program in found] == [False, True]
