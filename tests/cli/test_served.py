"""``ess`` through the tool server does what it does directly, byte by byte; what must run directly does."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pexpect
import pytest

from ess.cli import served
from ess.cli.app import PARTS
from ess.tools.warm.program import Program
from tests.waiting import PATIENCE, until

BIN = Path(sys.executable).parent
Result = tuple[int, bytes, bytes]


@pytest.fixture(scope="module")
def launcher(warm: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher ``ess`` without what it needs to run a command directly: the server runs it, or it fails with 99."""
    folder = tmp_path_factory.mktemp("bin")
    shutil.copy(BIN / "ess", folder / "ess")
    (folder / "ess-tool").write_text('#!/bin/sh\necho "this ran directly: $*" >&2\nexit 99\n')
    (folder / "ess-tool").chmod(0o755)
    runtime = Path(warm["ESS_RUNTIME_DIR"])
    place = folder.stat()
    (runtime / f"tools-{place.st_dev:x}-{place.st_ino:x}.sock").symlink_to(next(runtime.glob("*.sock")))
    return folder / "ess"


class Twins:
    """Two equal folders: commands run in one of them directly, and in the other through the server."""

    def __init__(self, folder: Path, launcher: Path, warm: dict[str, str], port: int) -> None:
        self._commands = {"direct": BIN / "ess", "served": launcher}
        self._folder = folder
        self._environment = {**os.environ, **warm, "ESS_CACHE_DIR": "ess", "ESS_WORK_DIR": "conf"}
        self._environment |= {"ESS_UDB_PORT": str(port), "LANG": "C.UTF-8", "COLUMNS": "90"}
        for name in self._commands:
            (folder / name / "logs").mkdir(parents=True)
            for day in range(1, 4):
                path = folder / name / "logs" / f"log_2014090{day}.csv"
                path.write_text(f"day,user\n{day},7\n")
                os.utime(path, (1_400_000_000, 1_400_000_000))

    def __getitem__(self, name: str) -> Path:
        return self._folder / name

    def environment(self, name: str, changes: dict[str, str]) -> dict[str, str]:
        return {**self._environment, "ESS_WARM": "0" if name == "direct" else "1", **changes}

    def shell(self, name: str, script: str, **changes: str) -> Result:
        """Run a script of bash in one of them; ``ess`` is the command there."""
        done = subprocess.run(
            ["bash", "-c", f'ess() {{ {shlex.quote(str(self._commands[name]))} "$@"; }}; {script}'],
            cwd=self._folder / name,
            env=self.environment(name, changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        out, err = (each.replace(f"/{name}/".encode(), b"/HERE/") for each in (done.stdout, done.stderr))
        return done.returncode, out, err

    def same(self, script: str, **changes: str) -> Result:
        """The result of a script that is the same in both."""
        direct = self.shell("direct", script, **changes)
        assert self.shell("served", script, **changes) == direct
        return direct


@pytest.fixture
def twins(tmp_path: Path, launcher: Path, warm: dict[str, str], port_base: int) -> Twins:
    return Twins(tmp_path, launcher, warm, port_base)


SESSION = [
    "select local",
    "select nowhere",
    "repository",
    "ls 'logs/*'",
    "ls 'logs/*' --limit x",
    "ls --nam 'logs/*'",
    "ls --no 'logs/*'",
    "category add logs 'logs/*'",
    "category add logs 'logs/*'",
    "category change comment none x",
    "category",
    "category add",
    "summary",
    "summary logs",
    "summary logs wrong",
    "cat logs/log_20140901.csv",
    "cat logs/none",
    "create database shop --ports 1",
    "create table sales s,pkey:user i,+add:n",
    "create table sales z:x",
    "server summary",
    "udbd status",
    "cluster status",
    "completion bash",
    "completion fish",
    "ls --help",
    "-v",
    "summary \udcff",
]


def test_a_session_is_the_same(twins: Twins) -> None:
    codes = {words: twins.same(f"ess {words}")[0] for words in SESSION}
    assert set(codes.values()) == {0, 2, 11}, codes
    assert codes["ls 'logs/*'"] == codes["summary logs"] == codes["create table sales s,pkey:user i,+add:n"] == 0


def test_streams_that_are_full(twins: Twins) -> None:
    twins.same("ess select local")
    for words in ("repository", "--help", "cat logs/log_20140901.csv", "ls --wrong"):
        twins.same(
            f"ess {words} >/dev/full; echo $?; ess {words} 2>/dev/full; echo $?; ess {words} >/dev/full 2>&1; echo $?"
        )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_streams_that_are_closed_are_left_to_a_direct_run(twins: Twins, closed: str) -> None:
    assert twins.shell("served", f"ess repository {closed}; exit $?")[0] == 99


def test_a_reader_that_has_gone(twins: Twins) -> None:
    for name in ("direct", "served"):
        (twins[name] / "logs" / "big").write_bytes(b"x" * (1 << 20))
    assert twins.same("ess select local; ess cat logs/big | head -c 1; echo ${PIPESTATUS[@]}")[1] == b"x141 0\n"


def test_the_environment_of_each_command_counts(twins: Twins) -> None:
    twins.same("ess select local; ess category add logs 'logs/*'")
    assert twins.same("ess summary", ESS_CACHE_DIR="other")[1] != twins.same("ess summary")[1]
    twins.same("ess ls 'logs/*'", TZ="Asia/Tokyo")
    widths = [twins.same("ess ls --help", COLUMNS=width)[1] for width in ("60", "120")]
    assert widths[0] != widths[1]
    coloured = twins.same("ess ls --help", FORCE_COLOR="1", COLUMNS="60")[1]
    assert b"\x1b[" in coloured
    assert twins.shell("served", "ess ls --help", COLUMNS="60")[1] == widths[0]


def test_folder_umask_and_limits_are_the_callers(twins: Twins) -> None:
    twins.same("umask 027; ess select local; stat -c %a ess ess/*; cd logs; ess ls 'log*'")
    twins.same("mkdir gone; cd gone; rmdir ../gone; ess ls 'x*'")
    twins.same("ulimit -f 0; ess category add logs 'logs/*'; echo $?")


@pytest.mark.parametrize(
    "start",
    [
        "ionice -c 3 {ess} exec true",
        "chrt --idle 0 {ess} exec true",
        "ess udbd start",
        "ess cluster create",
        "ess unknown",
        "env --block-signal=TERM {ess} repository",
        "LC_ALL=de_DE.ISO-8859-1 ess repository",
        "PYTHONIOENCODING=latin-1 ess repository",
        "TYPER_USE_RICH=0 ess --help",
        "ulimit -v 600000; ess repository",
    ],
)
def test_the_unusual_runs_directly(twins: Twins, launcher: Path, start: str) -> None:
    code, _, said = twins.shell("served", start.replace("{ess}", str(launcher)))
    assert code == 99
    assert b"this ran directly:" in said


def test_every_word_of_the_list_is_a_command() -> None:
    commands = {name for names in PARTS.values() for name in names}
    assert {word for word in served._WORDS if not word.startswith("-")} <= commands
    starting = ("cluster create", "cluster start", "udbd start", "udbd restart", "server restart")
    asking = ("cluster terminate --all",)
    assert not [words for words in (*starting, *asking) if served.is_served(words.split())]


JOBS = [
    "stream logs '*' '*' 'wc -l'",
    "stream logs '*' '*' 'cat; echo $FOO >&2; umask; nice; ulimit -n; exit 3'",
    "stream logs 2014-09-02 2014-09-02 'aq_pp -f,+1 - -d i:day i:user -o,notitle -'",
    "stream logs '*' '*' 'kill -9 $$' --quitonerror",
    "stream logs '*' '*'",
    "stream none '*' '*' cat",
    "stream logs '*' '*' cat --threads x",
    "stream logs",
    "exec 'echo $PWD/; cat; exit 7'",
    "exec 'head -c 100000 /dev/zero' | head -c 3 | wc -c; echo ${PIPESTATUS[0]}",
    "exec 'tty; ps -o ppid= -p $$ | wc -l'",
    "stream logs '*' '*' cat >/dev/full",
]


def test_jobs_are_the_same(twins: Twins) -> None:
    twins.same("ess select local; ess category add logs 'logs/*'")
    for words in JOBS:
        twins.same(f"export FOO=bar; umask 027; ulimit -S -n 300; echo input | ess {words}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_job_with_all_that_it_runs(twins: Twins, launcher: Path, number: int) -> None:
    twins.shell("served", "ess select local; ess category add logs 'logs/*'")
    command = 'echo $$ >> "$FOO"; sleep 300'
    pids = twins["served"] / "pids"
    job = subprocess.Popen(
        [launcher, "stream", "logs", "*", "*", command],
        cwd=twins["served"],
        env=twins.environment("served", {"FOO": str(pids)}),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: pids.exists() and pids.read_text().endswith("\n"))
    job.send_signal(number)
    assert job.wait(timeout=PATIENCE) == -number
    _, said = job.communicate()
    assert said.startswith(b"ess: interrupted: ") if number == signal.SIGINT else said == b""
    for pid in pids.read_text().split():
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists())  # type: ignore[misc]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_a_command_at_work(twins: Twins, launcher: Path, number: int, code: int) -> None:
    with (twins["served"] / "logs" / "big").open("wb") as file:
        file.truncate(1 << 24)
    environment = twins.environment("served", {})
    subprocess.run([launcher, "select", "local"], cwd=twins["served"], env=environment, check=True, capture_output=True)
    command = subprocess.Popen(
        [launcher, "cat", "logs/big"], cwd=twins["served"], env=environment, stdout=-1, stderr=-1, bufsize=0
    )
    assert command.stdout is not None
    assert command.stdout.read(10)  # it has begun, and waits for its reader
    command.send_signal(number)
    assert command.wait(timeout=PATIENCE) == code
    assert command.communicate()[1] == b""


def _at_a_terminal(command: list[str], folder: Path, environment: dict[str, str], width: int) -> tuple[int, bytes]:
    """The code of a command and what it writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 4096):
            said += part
    except OSError:  # the terminal's last user has gone
        pass
    os.close(ours)
    return process.wait(timeout=PATIENCE), said


@pytest.mark.parametrize("words", [["ls", "--help"], ["cat", "logs/log.gz"]])
def test_a_terminal_is_a_terminal(twins: Twins, launcher: Path, words: list[str]) -> None:
    results = []
    for name, command in (("direct", BIN / "ess"), ("served", launcher)):
        environment = twins.environment(name, {"TERM": "xterm-256color"})
        del environment["COLUMNS"]
        (twins[name] / "logs" / "log.gz").write_bytes(b"\x1f\x8b\x08\0")
        if "cat" in words:
            subprocess.run([command, "select", "local"], cwd=twins[name], env=environment, check=True)
        results.append([_at_a_terminal([str(command), *words], twins[name], environment, width) for width in (60, 100)])
    assert results[0] == results[1]
    if "--help" in words:
        assert results[0][0] != results[0][1]
        assert b"\x1b[" in results[0][0][1]


def test_ctrl_z_is_told_to_the_shell_as_the_terminal_does_it(twins: Twins, launcher: Path) -> None:
    environment = twins.environment("served", {"PS1": "> ", "TERM": "dumb"})
    shell = pexpect.spawn(
        "bash", ["--norc", "-i"], cwd=str(twins["served"]), env=environment, encoding="utf-8", timeout=PATIENCE
    )
    shell.sendline(f"{launcher} exec 'touch begun; sleep 300'")
    until((twins["served"] / "begun").exists)
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.sendline("echo code=$?")
    shell.expect("code=148")
    shell.sendline("kill %1; fg; echo code=$?")
    shell.expect("code=143")
    shell.close()


def test_no_secret_is_where_others_can_read_it(twins: Twins, launcher: Path, warm: dict[str, str]) -> None:
    secret = "squeamish-ossifrage-1234567"
    _code, _, said = twins.shell(
        "served",
        "ess select s3://bucket --label b --anonymous",
        AWS_SECRET_ACCESS_KEY=secret,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        ESS_STORE_TIMEOUT="1",
    )
    assert secret.encode() not in said
    runtime = Path(warm["ESS_RUNTIME_DIR"])
    assert not [path for path in runtime.iterdir() if path.is_file() and secret.encode() in path.read_bytes()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, user = (process / "cmdline").read_bytes(), process.stat().st_uid
        except OSError:
            continue
        assert secret.encode() not in words, user


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that the server takes for its own."""
    folder = tmp_path / "package"
    (folder / "part").mkdir(parents=True)
    (folder / "part" / "one.py").write_text("1\n")
    monkeypatch.setattr("ess.tools.warm.protocol.package_directory", lambda: str(folder))
    return folder


def test_a_program_is_known_by_its_content(package: Path) -> None:
    program = Program()
    file = package / "part" / "one.py"
    before = file.stat()
    os.utime(file)
    (package / "part" / "__pycache__").mkdir()
    (package / "part" / "__pycache__" / "one.pyc").write_text("compiled")
    file.rename(package / "aside")
    (package / "aside").rename(file)
    assert program.is_unchanged()
    file.write_text("2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert not program.is_unchanged()
    file.write_text("1\n")
    assert program.is_unchanged()
    (package / "part" / "two.py").touch()
    assert not program.is_unchanged()


def test_another_version_of_a_package_beside_it_is_another_program(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "site-packages"
    (beside / "typer-0.29.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(beside))
    program = Program()
    assert program.is_unchanged()
    (beside / "typer-0.29.0.dist-info").rename(beside / "typer-0.29.1.dist-info")
    assert not program.is_unchanged()


def test_the_first_command_starts_a_server_that_ends_when_idle(places: dict[str, str], tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {**places, "ESS_WARM": "1", "ESS_RUNTIME_DIR": str(runtime), "ESS_WARM_IDLE": "0.5"}
    subprocess.run([BIN / "ess", "repository"], env=environment, check=True, capture_output=True)
    until(lambda: any(runtime.glob("*.sock")))
    assert (
        subprocess.run([BIN / "ess", "repository"], env=environment, check=False, capture_output=True).returncode == 0
    )
    until(lambda: not any(runtime.glob("*.sock")))
