"""The commands as a user types them: options, errors in one line, exit codes, the terminal."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from ess import api
from ess.cli import app
from tests.cluster.running import marked, wait_until
from tests.waiting import PATIENCE

ESS = str(Path(sys.executable).with_name("ess"))


@pytest.fixture
def logs(places: dict[str, str], tmp_path: Path) -> Path:
    """A category ``log`` of three files of 1, 2 and 3 lines."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"log_2014090{day}.gz").write_bytes(gzip.compress(b"a,1\n" * day))
    api.select("local")
    api.category_add("log", f"{folder}/log*", columnspec="s:a i:b")
    return folder


Ess = Callable[..., tuple[str, str]]


@pytest.fixture
def ess(capfd: pytest.CaptureFixture[str]) -> Ess:
    """Runs a command line in this process, which spares the start of an interpreter."""

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        ended = app.run(list(words))
        sys.stdout.flush()
        out, err = capfd.readouterr()
        assert ended == code, err
        return out, err

    return run


def test_stream_options(logs: Path, ess: Ess) -> None:
    assert ess("stream", "log", "2014-09-02", "*", "wc -l") == ("2\n3\n", "")
    assert ess("stream", "log", "*", "*", "wc -l", "--limit", "1", "--exclude", "*01.gz", "--master")[0] == "2\n"
    assert ess("stream", "log", "*", "2014-09-01") == ("a,1\n", "")
    out, err = ess("stream", "log", "2013-01-01", "2013-02-01")
    assert (out, err) == (
        "",
        "ess: log: no files between 2013-01-01 and 2013-02-01; its files are from 2014-09-01 to 2014-09-03\n",
    )
    out, err = ess(
        "stream",
        "log",
        "*",
        "*",
        "[ %file != log_20140902 ]; x=$?; cat >/dev/null; exit $x",
        "--quitonerror",
        "--debug",
        code=1,
    )
    lines = err.splitlines()
    assert lines[0].startswith(f"ess: {logs}/log_20140901.gz: node 0, attempt 1, exit code 0, ")
    assert lines[2:] == [
        f"ess: {logs}/log_20140902.gz: the command failed with exit code 1",
        "ess: 1 file was not run because of --quitonerror; --resume continues",
    ]
    _, err = ess("stream", "log", "*", "*", "cat", "--progress", "--threads", "2")
    assert err.endswith("ess: 3 of 3 files, 100% of the bytes\n")


def test_what_fails_in_the_same_way_is_told_once(logs: Path, ess: Ess) -> None:
    first = f"{logs}/log_20140901.gz"
    out, err = ess("stream", "log", "*", "*", "echo out; aq_pp -f - -d s:a i:b -filtt x", code=2)
    assert out == "out\n" * 3
    assert err.splitlines() == [
        "log_20140901.gz: aq_pp: unknown option -filtt; did you mean -filt?",
        f"ess: {first}: the command failed with exit code 2 (and 2 files more)",
    ]
    # But for the name of the file; and another message, another code or none is another failure.
    command = "echo not %file.gz >&2; [ %file != log_20140902 ] || echo nor that >&2; exit 1"
    assert ess("stream", "log", "*", "*", command, code=1)[1].splitlines() == [
        "log_20140901.gz: not log_20140901.gz",
        "log_20140902.gz: not log_20140902.gz",
        "log_20140902.gz: nor that",
        f"ess: {first}: the command failed with exit code 1 (and 1 file more)",
        f"ess: {logs}/log_20140902.gz: the command failed with exit code 1",
    ]
    assert "log_20140903.gz: not log_20140903.gz" in ess("stream", "log", "*", "*", command, "--debug", code=1)[1]
    assert ess("stream", "log", "*", "*", "echo >&2; exit $((ESS_IMPORT_SEQ + 1))", code=1)[1].splitlines() == [
        "log_20140901.gz: ",
        f"ess: {first}: the command failed with exit code 1",
        f"ess: {logs}/log_20140902.gz: the command failed with exit code 2",
        f"ess: {logs}/log_20140903.gz: the command failed with exit code 3",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "stream log * * %FILE --bulk",
            "ess: command: %FILE has no value with --bulk, where one command gets all files",
        ),
        ("stream log 2014-09-01 2014-09-02 cat --archive='x", "ess: --archive: cannot read the pattern"),
        ("stream log * * cat --s3out=x", "ess: --s3out: it is not a label and a path; give LABEL:PATH, e.g."),
        ("exec date --s3out=x:y", "ess: --s3out: no datastore 'x'; the labels are: local; see ess repository"),
        ("stream nolog * *", "ess: "),
        ("stream log 2014-09-40 *", "ess: "),
        ("stream log * * cat --threads 0", "ess: --threads: bad number of threads 0; give a number from 1 to 1000"),
        ("cluster create --number 0", "ess: --number: bad number of workers 0; give a number from 1 to 64"),
        (
            "cluster create --type m3.medium",
            "ess: ess cluster create: the next cluster is not one of the cloud; run first:",
        ),
        (
            "cluster create --aws_access_key x",
            "ess: --aws_access_key, --aws_secret_access_key: one is missing; give both",
        ),
        ("cluster start", "ess: cluster: there is no cluster; run: ess cluster create --number 2"),
        ("cluster create --add --number 1", "ess: --add: there is no cluster to add to; leave out --add"),
        ("cluster terminate --all", "ess: --all: this has to be confirmed; add -y"),
        ("cluster add r-1", "ess: --hosts: only clusters of hosts have hosts; run first: ess cluster set custom"),
    ],
)
def test_wrong_use_is_one_line(logs: Path, ess: Ess, words: str, message: str) -> None:
    out, err = ess(*words.split(), code=2)
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_a_damaged_cluster_file_is_an_error_that_reset_mends(places: dict[str, str], ess: Ess) -> None:
    path = Path(places["ESS_CACHE_DIR"]) / "cluster" / "cluster.json"
    assert ess("cluster", "status")[0] == "There is no cluster: commands run on this machine (local).\n"
    ess("cluster", "set", "local")
    path.write_text("{")
    _, err = ess("exec", "date", code=3)
    assert err.count("\n") == 1
    assert str(path) in err
    ess("cluster", "reset")
    assert ess("exec", "echo fine") == ("fine\n", "")


def test_resuming_what_was_killed_before_its_first_line_starts_it(logs: Path, ess: Ess) -> None:
    assert ess("stream", "log", "*", "*", "cat", "--resume")[0] == ess("stream", "log", "*", "*", "cat")[0]
    assert "has done all its files" in ess("stream", "log", "*", "*", "cat", "--resume", code=2)[1]
    ess(
        "stream", "log", "*", "*", "cat; exit 1", code=1
    )  # which is left to do: another command may be a slip of the finger
    error = ess("stream", "log", "*", "*", "cat; exit 2", "--resume", code=2)[1]
    assert error.startswith("ess: --resume: there is no job with this category, range and command")


def test_nobody_reads_the_output(logs: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{ESS} stream log '*' '*' 'yes | head -n 100000' | head -n 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("y\n141\n", "")


def test_the_bar_and_ctrl_c_on_a_terminal(logs: Path, tmp_path: Path) -> None:
    marker = f"{tmp_path}/begun"
    log = io.BytesIO()
    terminal = pexpect.spawn(
        ESS,
        ["stream", "log", "*", "*", f"cat; : > {marker}_%file; [ %file = log_20140901 ] || sleep 300"],
        timeout=PATIENCE,
    )
    terminal.logfile_read = log
    wait_until(Path(f"{marker}_log_20140902").exists)
    terminal.expect("1/3 files")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.signalstatus == signal.SIGINT  # so that a loop of the shell ends, too
    assert b"a,1\r\n" in log.getvalue()
    assert b"Traceback" not in log.getvalue()
    assert b"ess: interrupted: 1 of 3 files are done; the same command with --resume continues\r\n" in log.getvalue()
    wait_until(lambda: not marked(marker))
    jobs = Path(os.environ["ESS_CACHE_DIR"]) / "jobs"
    assert [path.name for path in jobs.rglob("*") if path.is_file()] == ["ledger.jsonl"]
    # What was done is not done again.
    command = terminal.args[-1]
    Path(f"{marker}_log_20140901").unlink()
    resumed = subprocess.Popen([ESS, "stream", "log", "*", "*", str(command), "--resume"], stdout=subprocess.PIPE)
    wait_until(Path(f"{marker}_log_20140902").exists)
    resumed.kill()
    resumed.communicate()
    assert not Path(f"{marker}_log_20140901").exists()
    wait_until(lambda: not marked(marker))


def test_a_lost_database_server_is_told_of_with_the_sum(logs: Path, ess: Ess) -> None:
    line = '{"tool": "aq_pp", "read": 2, "out": 2, "filtered": 0, "rejected": 0, "imported": 2, "imports": true}'
    command = f"cat >/dev/null; echo '{line}' >> $ESS_COUNTS; [ %file != log_20140902 ] || exit 32"
    _, err = ess("stream", "log", "*", "*", command, code=32)
    told = err.splitlines()
    assert told[1] == "ess: 2 of 3 files (1 failed): 4 rows read = 4 imported + 0 filtered + 0 rejected"
    assert told[2].startswith(
        "ess: a database server was missing. What was imported is on its disk: run: ess udbd start"
    )
