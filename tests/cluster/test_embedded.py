"""stream and exec without a cluster."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ess.cluster import ledger, opening
from ess.cluster.commands import _oldest
from ess.cluster.execute import execute
from ess.cluster.groups import Groups, Running
from ess.cluster.reaper import session_members
from ess.cluster.report import StreamResult, reconciliation
from ess.cluster.stream import Progress, Source, StreamOptions, stream_source
from ess.cluster.work import Outcome, run_bundle
from ess.errors import OptionError
from ess.lake.entry import FileEntry
from ess.pipeline.counts import Counts, leave_counts
from tests.cluster.running import make_files, marked, wait_until
from tests.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("places")


DEFAULT = StreamOptions()


def run(entries: list[FileEntry], command: str, options: StreamOptions = DEFAULT) -> tuple[StreamResult, bytes, str]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    whole = Source(entries, name=command, columns=("s:a", "i:b"))
    result = stream_source(whole, command, stdout=stdout, stderr=stderr, options=options)
    return result, stdout.getvalue(), stderr.getvalue().decode()


def test_output_comes_in_file_order_also_with_threads(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x" * n for n in (5, 4, 3, 2, 1, 0)])
    command = "n=$(wc -c); sleep 0.0$n; echo $n %file %thread_id/%num_threads"
    for threads in (1, 3):
        result, out, _ = run(entries, command, StreamOptions(threads=threads))
        lines = out.decode().split("\n")[:-1]
        assert [line.split()[:2] for line in lines] == [[str(5 - i), f"file_{i:02}"] for i in range(6)]
        assert {line.split()[2] for line in lines} <= {f"{i}/{threads}" for i in range(threads)}
        assert (result.exit_code, result.files) == (0, 6)


def test_failures_are_named_and_the_others_run(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b", b"c", b"d"])
    result, out, err = run(
        entries, 'x=$(cat); echo "$x"; echo "bad $x" >&2; [ "$x" != b ] && [ "$x" != c ]; exit $(($? * 7))'
    )
    assert out == b"a\nb\nc\nd\n"
    assert err == "".join(f"file_0{number}.gz: bad {letter}\n" for number, letter in enumerate("abcd"))
    assert result.exit_code == 7
    assert [(failure.name, failure.exit_code) for failure in result.failures] == [(e.path, 7) for e in entries[1:3]]


def test_messages_of_files_that_went_well_are_cut_short(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x"] * 6)
    command = "for i in 1 2 3 4 5; do echo line $i >&2; done; printf end >&2; [ %file != file_05 ]"
    result, _, err = run(entries, command, StreamOptions(all_messages=False))
    lines = err.splitlines()
    assert lines[:4] == [f"file_00.gz: line {i}" for i in (1, 2, 3)] + ["file_01.gz: line 1"]
    assert len(lines) == 12 + 6
    assert lines[12:] == [f"file_05.gz: line {i}" for i in range(1, 6)] + ["file_05.gz: end"]  # it failed
    assert result.messages_left_out == 5 * 6 - 12
    result, _, err = run(entries, command)
    assert (len(err.splitlines()), result.messages_left_out) == (36, 0)


def test_quit_on_error_runs_nothing_after_the_failure(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b", b"c"])
    result, out, _ = run(entries, 'read x; echo "$x"; [ "$x" = a ]', StreamOptions(quit_on_error=True))
    assert (result.exit_code, result.files, result.not_run, out) == (1, 2, 1, b"a\nb\n")


def test_a_command_that_does_not_read_its_input(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"x" * 3_000_000])
    assert run(entries, "true")[0].exit_code == 0
    assert run(entries, "head -c 2")[1] == b"xx"


def test_damaged_and_missing_files_give_no_output_but_an_error(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", os.urandom(3_000_000), b"c", b"d"])
    damaged = Path(entries[1].path)
    damaged.write_bytes(damaged.read_bytes()[:1_000_000])
    Path(entries[2].path).unlink()
    result, out, _ = run(entries, f"wc -c; touch {tmp_path}/ended_%file")
    assert out == b"1\n1\n"
    # The command must not take the part for the whole file and come to its regular end.
    assert not (tmp_path / "ended_file_01").exists()
    assert [failure.exit_code for failure in result.failures] == [12, 11]
    assert all(entries[i + 1].path in str(failure) for i, failure in enumerate(result.failures))
    assert str(result.failures[0]).endswith("nothing of this file was output or imported")
    assert result.exit_code == 12


def test_signals_exit_codes_and_what_commands_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SETTING", "seen")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.chdir(tmp_path)
    entries = make_files(tmp_path, [b"a"])
    assert run(entries, "kill -9 $$")[0].exit_code == 137
    _, out, _ = run(
        entries, "cat >/dev/null; pwd; umask; echo $MY_SETTING-$AWS_SECRET_ACCESS_KEY- $ESS_NODE_ID $ESS_IMPORT_SEQ"
    )
    umask = os.umask(0)
    os.umask(umask)
    assert out.decode().split() == [str(tmp_path), f"{umask:04o}", "seen--", "0", "0"]
    first, second = (run(entries, "echo $ESS_IMPORT_ID")[1] for _ in range(2))
    assert first.count(b":") == 1
    assert first != second  # another job


def test_counts_are_summed_and_reported_failures_are_seen(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a\nb\n", b"c\n"])
    line = {"tool": "aq_pp", "argv": [], "read": 3, "out": 2, "filtered": 0, "rejected": 1, "imported": 2}
    result, _, _ = run(entries, f"cat > /dev/null; echo '{json.dumps(line)}' >> $ESS_COUNTS")
    assert result.stages[0].counts.read == 6
    assert result.adds_up
    failing, _, _ = run(entries, "aq_pp -f - -d i:a | cat")
    assert failing.exit_code == 13  # although the pipeline's last command ended well


def test_the_rows_of_failed_files_are_not_counted(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a\n", b"b\n", b"c\n"])
    line = {"tool": "aq_pp", "argv": [], "read": 3, "out": 2, "filtered": 0, "rejected": 1, "imported": 2}
    command = f"cat > /dev/null; echo '{json.dumps(line | {'imports': True})}' >> $ESS_COUNTS; [ %file != file_01 ]"
    result, _, _ = run(entries, command)
    assert reconciliation(result) == ["2 of 3 files (1 failed): 6 rows read = 4 imported + 0 filtered + 2 rejected"]
    again, _, _ = run(entries, command, StreamOptions(resume=True))
    assert (again.resumed, reconciliation(again)) == (2, reconciliation(result))


@pytest.mark.parametrize(("words", "kept"), [("-imp no:where", "0 imported"), ("-o -", "0 out")])
def test_the_counts_that_a_tool_leaves_say_whether_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, kept: str
) -> None:
    left = tmp_path / "counts"
    monkeypatch.setenv("ESS_COUNTS", str(left))
    leave_counts("aq_pp", ["-f", "-", "-d", "i:a", *words.split()], Counts(1, 0, 0, 1, 0))
    monkeypatch.delenv("ESS_COUNTS")
    result, _, _ = run(make_files(tmp_path, [b"x"]), f"cat {left} >> $ESS_COUNTS")
    assert reconciliation(result) == [f"1 file: 1 rows read = {kept} + 0 filtered + 1 rejected"]


def test_what_is_left_of_a_command_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.cluster.commands.LEFTOVER_SECONDS", 0.3)
    result, out, _ = run(make_files(tmp_path, [b"a"]), "sleep 600 & echo $$")
    assert result.exit_code == 0
    assert session_members(int(out)) == []


def test_what_a_command_left_behind_may_write_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.cluster.commands.LEFTOVER_SECONDS", PATIENCE)
    result, out, _ = run(make_files(tmp_path, [b"a"]), "cat > >(sleep 0.1; cat)")
    assert (result.exit_code, out) == (0, b"a")


def test_progress_and_trace(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b"])
    seen: list[Progress] = []
    lines: list[str] = []
    run(entries, "cat", StreamOptions(progress=seen.append, trace=lines.append))
    assert [(each.files, each.all_files) for each in seen] == [(0, 2), (1, 2), (2, 2)]
    assert seen[-1].bytes == seen[-1].all_bytes > 0
    assert len(lines) == 2
    assert "exit code 0" in lines[1]


def test_the_ledger_and_resume(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b", b"c"])
    command = f'read x; echo "$x $ESS_IMPORT_ID"; [ "$x" != b ] || [ -e {tmp_path}/mended ]'
    first, out, _ = run(entries, command)
    assert first.exit_code == 1
    (history,) = ledger.histories()
    assert [done.exit_code for done in history.done.values()] == [0, 1, 0]
    (tmp_path / "mended").touch()
    again, out_again, _ = run(entries, command, StreamOptions(resume=True))
    assert (again.exit_code, again.files, again.resumed) == (0, 1, 2)
    assert out_again in out  # the same file with the same import identity
    assert [path.name for path in history.folder.iterdir()] == ["ledger.jsonl"]
    with pytest.raises(OptionError):
        run(entries, command, StreamOptions(resume=True))


def test_a_changed_file_is_another_file_on_resume(tmp_path: Path) -> None:
    entries = make_files(tmp_path, [b"a", b"b"])
    run(entries, "cat; exit 1")
    done = run(entries, "cat", StreamOptions())[0]
    assert done.exit_code == 0
    history = next(iter(ledger.histories()))
    changed = make_files(tmp_path, [b"a", b"bb"])
    assert entries[0].file_key in history.done
    assert changed[1].file_key not in history.done


def test_bad_threads(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="threads"):
        run(make_files(tmp_path, [b"a"]), "cat", StreamOptions(threads=0))


def test_exec_runs_once() -> None:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    result = execute('echo "%node_id of %num_nodes" "${ESS_UDB_NODE-unset}"; cat; exit 5', stdout=stdout, stderr=stderr)
    assert stdout.getvalue() == b"0 of 1 unset\n"
    assert (result.exit_code, result.nodes) == (5, 1)


PROGRAM = """
import sys
from ess.cluster.stream import Source, StreamOptions, stream_source
from ess.lake.entry import FileEntry
import os
entries = [FileEntry(path, 1, 1.0) for path in sys.argv[2:]]
out = os.fdopen(1, "wb", buffering=0, closefd=False)
err = os.fdopen(2, "wb", buffering=0, closefd=False)
try:
    stream_source(Source(entries, name="p"), sys.argv[1], stdout=out, stderr=err, options=StreamOptions(threads=2))
except KeyboardInterrupt:
    sys.exit(130)
except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(141)
"""


def start_program(command: str, entries: list[FileEntry], marker: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, command, *(entry.path for entry in entries)],
        env={**os.environ, "TEST_MARKER": marker},
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_after_an_interruption(tmp_path: Path, number: signal.Signals) -> None:
    marker = f"marker-{tmp_path}"
    entries = make_files(tmp_path, [b"a" * 3_000_000, b"b" * 3_000_000])
    # The input ends for nobody: a command that sees the end of a cut input would take it for the whole.
    command = (
        f"(sleep 300 | cat) & touch {tmp_path}/begun_%file; head -c 100 >/dev/null; "
        f"sleep 300 | cat; cat; touch {tmp_path}/ended"
    )
    program = start_program(command, entries, marker)
    wait_until(lambda: len(list(tmp_path.glob("begun_*"))) == 2)
    program.send_signal(number)
    assert program.wait(60) == (130 if number == signal.SIGINT else -9)
    wait_until(lambda: not marked(marker))
    assert not (tmp_path / "ended").exists()
    assert program.stdout
    program.stdout.close()


def test_the_worker_killed_while_feeding_does_not_end_the_input(tmp_path: Path) -> None:
    marker = f"marker-{tmp_path}"
    entries = make_files(tmp_path, [b"a" * 30_000_000])
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # The command reads slowly; its feeder is killed in the middle of the file.
    program = start_program(
        f"head -c 1000000 >/dev/null; echo > {fifo}; until [ -e {tmp_path}/killed ]; do sleep 0.02; done; "
        f"wc -c > {tmp_path}/count",
        entries,
        marker,
    )
    fifo.read_bytes()
    program.kill()
    (tmp_path / "killed").touch()
    program.wait()
    wait_until(lambda: not marked(marker))
    assert not (tmp_path / "count").exists() or (tmp_path / "count").read_bytes() == b""
    assert program.stdout
    program.stdout.close()


def test_a_closed_output_stops_the_job(tmp_path: Path) -> None:
    marker = f"marker-{tmp_path}"
    entries = make_files(tmp_path, [b"a", b"b"])
    program = start_program("cat; echo; [ %file = file_00 ] || sleep 300", entries, marker)
    assert program.stdout
    program.stdout.close()
    assert program.wait(60) == 141
    wait_until(lambda: not marked(marker))


def test_groups_report_and_end_sessions(tmp_path: Path) -> None:
    groups = Groups()
    process = groups.start(
        "sleep 300 & sleep 300",
        environment=dict(os.environ),
        folder=str(tmp_path),
        umask=0o22,
        stdin=None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: len(session_members(process.pid)) >= 2)
    killer = threading.Thread(target=groups.kill_all)
    killer.start()
    assert groups.finish(process) == 137
    killer.join()
    assert session_members(process.pid) == []
    reaper = groups.reaper_pid
    groups.close()
    assert not Path(f"/proc/{reaper}").exists()


def test_another_reaper_takes_over_from_one_that_was_killed(tmp_path: Path) -> None:
    marker = f"marker-{tmp_path}"
    groups = Groups()

    def start(command: str) -> Running:
        return groups.start(
            command,
            environment={**os.environ, "TEST_MARKER": marker},
            folder=str(tmp_path),
            umask=0o22,
            stdin=None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    processes = [start(": > begun; sleep 300; true")]
    wait_until((tmp_path / "begun").exists)
    os.kill(groups.reaper_pid, signal.SIGKILL)
    os.waitpid(groups.reaper_pid, 0)
    processes.append(start("sleep 300"))
    wait_until(lambda: len(marked(marker)) == 3)
    groups._ours.close()  # as if this process had died
    wait_until(lambda: not marked(marker))
    assert [process.wait() for process in processes] == [-9, -9]
    groups.close()


def test_a_bundle_that_a_runtime_drops_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drop_at_first(*arguments: object) -> list[Outcome]:
        return run_bundle(*arguments) if arguments[3] == 2 else []  # type: ignore[arg-type]

    monkeypatch.setattr("ess.cluster.embedded.run_bundle", drop_at_first)
    assert run(make_files(tmp_path, [b"a", b"b"]), "cat")[1] == b"ab"
    monkeypatch.setattr("ess.cluster.embedded.run_bundle", lambda *_: [])
    result, out, _ = run(make_files(tmp_path, [b"a"]), "cat")
    assert (out, result.exit_code) == (b"", 4)


def test_files_run_at_the_same_time_without_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "usable_processors", lambda: 3)
    entries = make_files(tmp_path, [b"", b"", b""])
    # No command ends before all have begun.
    meet = f"cd {tmp_path}; mkdir -p here; : > here/%file; until [ $(ls here | wc -l) = 3 ]; do sleep 0.01; done"
    result, out, _ = run(entries, f"{meet}; echo %file %num_threads")
    assert (result.exit_code, out) == (0, b"file_00 3\nfile_01 3\nfile_02 3\n")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("aq_udb -exp a:b; echo %num_threads", DEFAULT),
        ("echo %num_threads # -cnt", DEFAULT),
        ("echo %num_threads", StreamOptions(quit_on_error=True)),
        ("echo %num_threads", StreamOptions(threads=1)),
    ],
)
def test_commands_that_need_what_is_before_them_run_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, options: StreamOptions
) -> None:
    monkeypatch.setattr(opening, "usable_processors", lambda: 3)
    _, out, _ = run(make_files(tmp_path, [b""]), command, options)
    assert out == b"1\n"


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, (1 << 20) + 1, 3 << 20])
def test_an_input_of_any_size_arrives_as_a_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    result, out, _ = run(make_files(tmp_path, [data, data]), "cat")
    assert (result.exit_code, out == data + data) == (0, True)


def test_what_a_command_leaves_running_is_found_at_any_process_number() -> None:
    assert _oldest(100, 0.0) == 100  # the numbers cannot have begun anew since
    assert _oldest(100, 1e9) == 0
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    assert _oldest(highest - 1, 0.1) == 0
