"""``ess stream --bulk``: all files of a node through one command, as one file would be."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import ess
from ess.cluster import ledger
from ess.cluster.report import StreamResult
from ess.cluster.shares import Share, together, together_again
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.cluster.substitution import column_words
from ess.errors import OptionError
from ess.lake.entry import FileEntry, FileKey
from tests.cluster.running import make_files

pytestmark = pytest.mark.usefixtures("places")


def run(
    entries: Sequence[FileEntry],
    command: str,
    *,
    threads: int | None = None,
    resume: bool = False,
    preprocess: str = "",
    columns: str = "s:a i:b",
) -> tuple[StreamResult, bytes, str]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    source = Source(entries, name=command, columns=column_words(columns), preprocess=preprocess)
    options = StreamOptions(bulk=True, threads=threads, resume=resume)
    result = stream_source(source, command, stdout=stdout, stderr=stderr, options=options)
    return result, stdout.getvalue(), stderr.getvalue().decode()


def test_one_command_gets_all_files_in_order_whatever_their_compression(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a,1\nb,2\n", b"c,3", b"", b"d,4\n", b"e,5"])
    (tmp_path / "file_03.gz").write_bytes(bz2.compress(b"d,4\n"))
    result, out, _ = run(entries, "echo $$; cat")
    assert out.split(b"\n", 1)[1] == b"a,1\nb,2\nc,3\nd,4\ne,5"
    assert (result.exit_code, result.files) == (0, 5)
    # Of files that are not known to hold lines, no byte is added.
    assert run(entries, "cat", columns="")[1] == b"a,1\nb,2\nc,3d,4\ne,5"
    assert run(entries, "wc -l")[1] == b"4\n"
    assert run(entries, "head -1")[1] == b"a,1\n"
    assert run(make_files(tmp_path, [b"x" * (1 << 20)] * 3), "wc -c; cat >/dev/null")[1] == b"3145730\n"


def test_with_threads_each_of_them_has_a_command(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"%d,%d\n" % (n, n) for n in range(6)])
    result, out, _ = run(entries, "echo %num_threads; cat", threads=3)
    assert out == b"3\n0,0\n1,1\n3\n2,2\n3,3\n3\n4,4\n5,5\n"
    assert result.files == 6
    assert run([], "cat")[0].files == 0


def test_the_counts_are_those_of_all_files(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x,1\ny,z\n", b"x,2\n", b"y,3"])
    result, out, _ = run(entries, "aq_pp -f,eok,qui - -d %cols -filt 'b > 1' -o,notitle - -c b")
    assert out == b"2\n3\n"
    assert result.reconciliation == ["3 files: 4 rows read = 2 out + 1 filtered + 1 rejected"]


def test_a_preprocess_command_runs_on_each_file(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"title\na,1\n", b"title\nb,2\nb,3", b"title\n"])
    result, out, err = run(entries, "cat", preprocess="tail -n +2; echo %FILE >&2")
    assert (out, result.exit_code) == (b"a,1\nb,2\nb,3", 0)
    assert sorted(err.splitlines()) == [f"file_0{n}.gz" for n in range(3)]
    result, out, _ = run(entries, "cat", preprocess="aq_pp -f,+1 - -d s:a -o,notitle -; true")
    assert (result.exit_code, out) == (0, b'"a"\n"b"\n"b"\n')
    result, out, _ = run(entries, "cat", preprocess="aq_pp -f,+1 - -d i:a -o,notitle -; true")
    assert (result.exit_code, out) == (12, b"")
    assert "file_00.gz: its preprocess command failed with exit code 13" in str(result.failures[0])


def test_a_damaged_file_is_to_blame_and_nothing_of_its_share_counts(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a,%d\n" % n * 50000 for n in range(4)])
    path = Path(entries[2].path)
    path.write_bytes(path.read_bytes()[:-20])
    for preprocess in ("", "cat"):
        result, out, _ = run(entries, f"cat; touch {tmp_path}/ended", threads=1, preprocess=preprocess)
        assert (result.exit_code, out, result.files) == (12, b"", 4)
        [failure] = result.failures
        assert str(failure).startswith(
            f"{entries[0].path} to {entries[3].path} (4 files): {path}: the gzip data breaks off"
        )
    result, out, _ = run(entries, "wc -l", threads=2)
    assert (result.exit_code, out) == (12, b"100000\n")
    assert result.reconciliation == []
    assert not (tmp_path / "ended").exists()
    path.unlink()
    assert f"{path}: cannot open it" in str(run(entries, "cat")[0].failures[0])


def test_a_command_that_fails_is_named_with_its_files(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a,1\n", b"b,x\n", b"c,3\n"])
    result, _, err = run(entries, "aq_pp -f - -d %cols -o -")
    assert str(result.failures[0]) == (
        f"{entries[0].path} to {entries[2].path} (3 files): the command failed with exit code 13; "
        "without --bulk each file has a command of its own, and is named if that fails"
    )
    assert err.startswith("aq_pp: ")
    # The advice is right.
    messages = io.BytesIO()
    whole = Source(entries, columns=("s:a", "i:b"))
    alone = stream_source(
        whole, "aq_pp -f - -d %cols -o -", stdout=io.BytesIO(), stderr=messages, options=StreamOptions()
    )
    assert [failure.name for failure in alone.failures] == [entries[1].path]


def test_what_only_one_file_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entries = make_files(tmp_path, [b"a,1\n"])
    for word in ("%path", "%file", "%FILE"):
        with pytest.raises(OptionError, match=f"{word} has no value with --bulk.*use %node_id"):
            run(entries, f"cat > out.{word}.csv")
    assert run(entries, "cat > out.%node_id.csv; cat out.0.csv")[1] == b"a,1\n"
    with pytest.raises(OptionError, match="the preprocess command of a category cannot import"):
        run(entries, "cat", preprocess="aq_pp -f - -d s:a -imp db:t")


def entry(name: str, version: str = "1", size: int = 10) -> FileEntry:
    return FileEntry(name, size, 0.0, version=version)


def keys(shares: Sequence[Share]) -> list[list[FileKey]]:
    return [[file.file_key for file in share.files] for share in shares]


def paths(shares: Sequence[Share]) -> list[str]:
    return ["".join(file.path for file in share.files) for share in shares]


def test_a_resumed_job_has_the_same_shares_on_any_number_of_nodes() -> None:
    files = [entry(name) for name in "abcdef"]
    first = together(files, 3)
    assert paths(first) == ["ab", "cd", "ef"]
    before, done = keys(first), {first[0].key}
    again = together_again([*files, entry("g")], 1, before=before, done=done, imports=True)
    assert paths(again) == ["ab", "cd", "ef", "g"]  # the new file by itself
    assert again[0].key == first[0].key
    # A file of a share that is done has changed: only that file is run again.
    again = together_again([entry("a", "2"), *files[1:]], 1, before=before, done=done, imports=True)
    assert paths(again) == ["", "cd", "ef", "a"]
    # One of a share that is not done: its rows may be imported, so nothing else can be told apart from them.
    with pytest.raises(OptionError, match="c: it has changed since, and rows of the files that went"):
        together_again([*files[:2], entry("c", "2"), *files[3:]], 1, before=before, done=done, imports=True)
    again = together_again([*files[:2], entry("c", "2"), *files[3:]], 1, before=before, done=done, imports=False)
    assert paths(again) == ["ab", "", "ef", "cd"]


def test_a_resumed_job_leaves_out_the_shares_that_are_done(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"%d,0\n" % n for n in range(4)])
    flag = tmp_path / "flag"
    command = f'x=$(cat); echo "$x"; echo "$x" >> {tmp_path}/ran; [ -e {flag} ] || ! echo "$x" | grep -q 2'
    result, out, _ = run(entries, command, threads=2)
    assert (result.exit_code, out) == (1, b"0,0\n1,0\n2,0\n3,0\n")
    flag.touch()
    result, out, _ = run(entries, command, threads=1, resume=True)
    assert (result.exit_code, result.files, result.resumed, out) == (0, 2, 2, b"2,0\n3,0\n")
    assert len((tmp_path / "ran").read_text().split()) == 6
    assert [len(share) for share in next(ledger.histories()).shares] == [2, 2]


def test_a_share_of_a_killed_job_is_resumed_as_it_was(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"%d,0\n" % n for n in range(4)])
    ess.select("local")
    ess.category_add("visits", f"{tmp_path}/file*", noprobe=True)
    command = f"cat; [ %thread_id = 0 ] || [ -e {tmp_path}/flag ] || kill -9 $ESS"
    # Directly: on the tool server the stream would end a moment after its client.
    script = f"ESS=$$ exec {Path(sys.executable).parent}/ess-main stream visits '*' '*' '{command}' --bulk "
    done = subprocess.run(
        ["bash", "-c", script + "--threads 2"], capture_output=True, env=dict(os.environ), check=False
    )
    assert done.returncode == -9
    (tmp_path / "flag").touch()
    done = subprocess.run(["bash", "-c", script + "--resume"], capture_output=True, env=dict(os.environ), check=True)
    assert b"2,0\n3,0\n" in done.stdout
    assert len(entries) == 4


def test_titles_are_in_the_way_and_the_advice_takes_them_out(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"sales_{number}.csv").write_text(f"user,price\nann,{number}\n")
    ess.select("local")
    ess.category_add("sales", f"{tmp_path}/sales*", dateregex="none")
    command = "aq_pp -f,+1,eok,qui - -d %cols -o,notitle -"
    done = ess.stream("sales", command=command, bulk=True)
    assert b"each of the 3 files has a title line; +1 skips only the first" in done.messages
    assert done.result.reconciliation == ["3 files: 5 rows read = 3 out + 0 filtered + 2 rejected"]
    ess.category_add("sales", f"{tmp_path}/sales*", dateregex="none", preprocess="tail -n +2", overwrite=True)
    done = ess.stream("sales", command="aq_pp -f,eok,qui - -d s:user i:price -o,notitle -", bulk=True)
    assert b"title" not in done.messages
    assert done.result.reconciliation == ["3 files: 3 rows read = 3 out + 0 filtered + 0 rejected"]


def test_objects_of_shares_have_their_numbers(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"visits_{number}.csv").write_bytes(b"%d\n" % number)
    ess.select("local")
    ess.category_add("visits", f"{tmp_path}/visits*", dateregex="none", noprobe=True)
    done = ess.stream("visits", command="cat", bulk=True, threads=2, s3out=f"local:{tmp_path}/out/").result
    assert done.objects == 2
    assert (tmp_path / "out/node-0").read_bytes() == b"0\n1\n"
    assert (tmp_path / "out/node-1").read_bytes() == b"2\n3\n"
    with pytest.raises(OptionError, match="node 0 and node 1 would both be .*; add %node_id"):
        ess.stream("visits", command="cat", bulk=True, threads=2, s3out=f"local:{tmp_path}/all")
    done = ess.stream("visits", command="sort -r", bulk=True, s3out=f"local:{tmp_path}/all.gz").result
    assert gzip.decompress((tmp_path / "all.gz").read_bytes()) == b"3\n2\n1\n0\n"
