"""The tool server: a command through it behaves as one that runs directly."""

from __future__ import annotations

import ast
import contextlib
import fcntl
import mmap
import os
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pytest

from ess.tools.warm import client, protocol
from ess.udb.admin import admin
from ess.udb.server.server import UdbServer
from ess.udb.wire.access import make_access, read_server_access
from tests.tools.tool_servers import Forked, ToolServers
from tests.waiting import PATIENCE, stop, until

LAUNCHER = [str(Path(sys.executable).with_name("aq_pp"))]
PYTHON = [sys.executable, "-c", "from ess.tools.launch import aq_pp; aq_pp()"]
SERVER = [sys.executable, "-m", "ess.tools.warm.server"]


def _workers(server: int) -> list[int]:
    text = Path(f"/proc/{server}/task/{server}/children").read_text()
    return [int(word) for word in text.split()]


def _commands(server: int) -> list[int]:
    """The processes that run a command now; one that waits for another command has no standard streams."""
    return [process for process in _workers(server) if Path(f"/proc/{process}/fd/2").exists()]


@pytest.fixture(params=[LAUNCHER, PYTHON], ids=["launcher", "python"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """``aq_pp`` as it is installed, and its client in Python, to which the launcher leaves the unusual."""
    chosen: list[str] = request.param
    return chosen


@pytest.fixture(scope="module")
def shared_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A runtime folder for the tests that leave their server alive."""
    folder = tmp_path_factory.mktemp("runtime")
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESS_RUNTIME_DIR", str(folder))
        patch.setenv("ESS_WARM", "1")
        yield folder


@pytest.fixture(scope="module")
def server(shared_runtime: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running tool server, which the tests leave alive."""
    process = subprocess.Popen(SERVER)
    until(lambda: Path(protocol.socket_path()).exists())
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def servers() -> Iterator[ToolServers]:
    """Starts the tool servers of single tests."""
    made = ToolServers()
    yield made
    made.close()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of one test's own."""
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("ESS_WARM", "1")
    return folder


@pytest.fixture
def own_server(runtime: Path, servers: ToolServers) -> Iterator[Forked]:
    """A running tool server for one test."""
    with servers.started() as forked:
        until(lambda: Path(protocol.socket_path()).exists())
        yield forked


def _reading(command: list[str]) -> subprocess.Popen[bytes]:
    """A command that has read a row, printed it, and waits for more."""
    pipe = subprocess.PIPE
    arguments = ["-d", "i:a", "-o,notitle,nodelay", "-"]
    client = subprocess.Popen([*command, *arguments], stdin=pipe, stdout=pipe, stderr=pipe)
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(b"1\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"1\n"
    return client


def _waiting_in(pipe: IO[bytes] | None) -> int:
    """The number of bytes that nobody has read yet."""
    assert pipe is not None
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _connections(path: str) -> int:
    """The number of sockets of this name."""
    return Path("/proc/net/unix").read_text().count(f" {path}\n")


def _run(command: list[str], *arguments: str, stdin: bytes = b"1,2\n", **changes: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [*command, *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **changes},
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


CASES = [
    ["-d", "i:a", "i:b", "-eval", "i:c", "a+b"],
    ["-d", "i:a", "-stat"],
    ["-d", "i:a", "-filt", "a >"],
    ["-f", "/nowhere/at/all", "-d", "i:a"],
    ["-d", "ip:a"],
    ["-h"],
    ["-d", "s:a", "-eval", "s:t", 'TimeToDate(0, "%H %Z")'],
]


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_same_as_direct(server: subprocess.Popen[bytes], arguments: list[str]) -> None:
    direct = _run(LAUNCHER, *arguments, TZ="Asia/Tokyo", ESS_WARM="0")
    assert [_run(command, *arguments, TZ="Asia/Tokyo") for command in (LAUNCHER, PYTHON)] == [direct] * 2
    assert _run(LAUNCHER, *arguments, TZ="UTC")[0] == direct[0]


def test_bytes_that_are_not_text_arrive(command: list[str], server: subprocess.Popen[bytes]) -> None:
    done = subprocess.run(
        [*command, "-d", "s:a", b"-filt", b'a == "\xff"', "-o,notitle", "-"],
        input=b"\xff\nb\n",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b'"\xff"\n')


def test_command_has_the_callers_folder_umask_and_descriptors(
    command: list[str], server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("7\n")
    script = 'umask 077; exec "$@" -f in.csv /dev/fd/9 -d i:a -o,notitle out.csv 9< <(echo 8)'
    done = subprocess.run(["bash", "-c", script, "bash", *command], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out.csv").read_text() == "7\n8\n"
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600


def test_limits_are_the_callers(command: list[str], server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    script = 'ulimit -f 1; yes 1 | head -100000 | "$@" -d i:a -o out.csv'
    done = subprocess.run(["bash", "-c", script, "bash", *command], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    assert (tmp_path / "out.csv").stat().st_size <= 1024


def test_closed_pipe_ends_both_quietly(command: list[str], server: subprocess.Popen[bytes]) -> None:
    script = 'yes 1 | "$@" -d i:a -o,notitle - | head -1; echo "${PIPESTATUS[1]}"'
    done = subprocess.run(["bash", "-c", script, "bash", *command], capture_output=True, timeout=PATIENCE, check=False)
    assert (done.stdout, done.stderr) == (b"1\n141\n", b"")
    until(lambda: not _commands(server.pid))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)])
def test_signals_reach_the_command(command: list[str], server: subprocess.Popen[bytes], number: int, code: int) -> None:
    client = _reading(command)
    assert _commands(server.pid)
    client.send_signal(number)
    assert client.wait(timeout=PATIENCE) == code
    client.communicate()
    assert not _commands(server.pid)


@pytest.mark.parametrize("columns", [["i:a"], ["i:a", "-var", "i:v", "0", "-eval", "v", "v * 2 + a"]])
def test_an_interruption_does_not_wait_for_who_does_not_read(
    tmp_path: Path, command: list[str], server: subprocess.Popen[bytes], columns: list[str]
) -> None:
    (tmp_path / "in.csv").write_bytes(b"1234567\n" * 1_500_000)
    client = subprocess.Popen(
        [*command, "-f", str(tmp_path / "in.csv"), "-d", *columns, "-o", "-"], stdout=subprocess.PIPE, bufsize=0
    )
    assert client.stdout is not None
    assert client.stdout.read(10)
    # The pipe is full when there is no room for another page.
    size = fcntl.fcntl(client.stdout, fcntl.F_GETPIPE_SZ) - 2 * mmap.PAGESIZE
    until(lambda: _waiting_in(client.stdout) >= size)
    client.send_signal(signal.SIGINT)
    assert client.wait(timeout=PATIENCE) == -signal.SIGINT
    client.stdout.close()
    assert not _commands(server.pid)


def test_killed_client_takes_its_command_with_it(command: list[str], server: subprocess.Popen[bytes]) -> None:
    client = subprocess.Popen([*command, "-d", "i:a"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    until(lambda: bool(_commands(server.pid)))
    client.kill()
    client.wait()
    until(lambda: not _commands(server.pid))
    assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"


def test_lost_server_is_an_error_and_leaves_no_command(command: list[str], own_server: Forked) -> None:
    client = _reading(command)
    (process,) = _commands(own_server.pid)
    own_server.kill()
    _, errors = client.communicate(timeout=PATIENCE)
    assert client.returncode == 4
    assert errors.count(b"\n") == 1
    until(lambda: not Path(f"/proc/{process}").exists())


@pytest.mark.parametrize(
    ("says", "outcome"), [(b"", (0, b"1\n")), (protocol.message(protocol.BEGUN, 1 << 22), (4, b""))]
)
def test_a_server_that_dies_before_the_command_begins_and_after_that(
    command: list[str], runtime: Path, says: bytes, outcome: tuple[int, bytes]
) -> None:
    """Before the command has said that it begins, nothing of it has been done, and the client does it all."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(protocol.socket_path())
        listener.listen()
        client = subprocess.Popen(
            [*command, "-d", "i:a", "-o,notitle", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        connection = listener.accept()[0]
        with connection.makefile("rb") as request:
            assert request.read(int.from_bytes(request.read(4), "big"))
        connection.sendall(says)
        listener.close()
        connection.close()
        out, errors = client.communicate(b"1\n", timeout=PATIENCE)
    assert (client.returncode, out) == outcome
    assert errors.count(b"\n") == (client.returncode != 0)


def test_a_server_that_is_killed_before_it_looks_at_the_command(command: list[str], own_server: Forked) -> None:
    stop(own_server.pid)
    client = subprocess.Popen(
        [*command, "-d", "i:a", "-o,notitle", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until(lambda: _connections(protocol.socket_path()) > 1)  # beside the one that listens
    own_server.kill()
    assert client.communicate(b"1\n", timeout=PATIENCE) == (b"1\n", b"")
    assert client.returncode == 0


@pytest.mark.parametrize("command", [LAUNCHER])
def test_dying_caller_commits_nothing(
    command: list[str], server: subprocess.Popen[bytes], places: dict[str, str]
) -> None:
    # A process that has been killed but is not gone yet neither runs nor is missed, like this stopped one. What fed it
    # may be gone before it, which a command in another process group must not take for the end of the input.
    def rows() -> bytes:
        counted = subprocess.run(
            [
                sys.executable,
                "-c",
                "from ess.tools.aq_udb import command; command()",
                "-exp",
                "db:t",
                "-o,notitle",
                "-",
            ],
            capture_output=True,
            check=True,
        )
        return counted.stdout

    admin.create_database("db")
    admin.create_table("t", ["s,pkey:user"])
    list(admin.udbd("start"))
    try:
        for killed in (True, False):
            client = subprocess.Popen([*command, "-d", "s:user", "-imp", "db:t"], stdin=subprocess.PIPE)
            until(lambda: bool(_commands(server.pid)))
            stop(client.pid)
            assert client.stdin is not None
            client.stdin.write(b"u1\nu2\n")
            client.stdin.close()
            assert rows() == b""  # which takes long enough for the command to read its end and to ask
            client.send_signal(signal.SIGKILL if killed else signal.SIGCONT)
            assert client.wait(timeout=PATIENCE) == (-signal.SIGKILL if killed else 0)
            until(lambda: not _commands(server.pid))
        assert rows() == b'"u1"\n"u2"\n'
    finally:
        list(admin.udbd("stop"))


def test_commands_do_not_wait_for_each_other(command: list[str], server: subprocess.Popen[bytes]) -> None:
    slow = subprocess.Popen([*command, "-d", "i:a"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    until(lambda: bool(_commands(server.pid)))
    assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"
    assert slow.poll() is None
    slow.communicate(b"")


def test_first_command_runs_directly_and_starts_a_server_that_ends_when_idle(
    command: list[str], runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESS_WARM_IDLE", "1")
    path = Path(protocol.socket_path())
    # Watched from the beginning: it may have ended when the command has.
    watching = threading.Thread(target=until, args=(path.exists,))
    watching.start()
    assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"
    watching.join()
    until(lambda: not path.exists())


def test_folder_of_others_is_not_trusted(command: list[str], runtime: Path, own_server: Forked) -> None:
    runtime.chmod(0o755)
    stranger = _reading(command)
    assert not _commands(own_server.pid)
    assert stranger.communicate(b"2\n", timeout=PATIENCE) == (b"2\n", b"")


@pytest.mark.parametrize("command", [LAUNCHER])
def test_changed_program_replaces_the_server(
    command: list[str], runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "program" / "ess"
    shutil.copytree(protocol.package_directory(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(copy.parent))
    server = subprocess.Popen(SERVER)
    try:
        until(lambda: any(runtime.glob("*.sock")))
        with (copy / "errors.py").open("a") as file:
            file.write("# an upgrade\n")
        assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"
        assert server.wait(timeout=PATIENCE) == 0
        assert not any(runtime.glob("*.sock"))
    finally:
        server.kill()
        server.wait()


def test_server_that_hangs_up_is_no_end_of_a_command(command: list[str], runtime: Path) -> None:
    def hang_up() -> None:
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    # As long as a request is sent, the server may be replaced.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(protocol.socket_path())
        listener.listen()
        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            for _ in range(3):
                assert _run(command, "-d", "i:a", "-o,notitle", "-", MANY="x" * 100_000) == (0, b"1\n", b"")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize("command", [LAUNCHER])
def test_request_that_is_garbage_is_refused(command: list[str], server: subprocess.Popen[bytes]) -> None:
    for request in (b"", b"\0", b"\0\0\0\4\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(protocol.socket_path())
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(10)
            assert peer.recv(8) == b""
    assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"


class _EndedConnection:
    """To a command that has ended as soon as it had its request."""

    def sendmsg(self, parts: list[bytes], _ancillary: object) -> int:
        return sum(len(part) for part in parts)

    def sendall(self, _data: bytes) -> None:
        raise BrokenPipeError


def test_command_that_ends_at_once_is_not_taken_for_one_that_has_not_begun() -> None:
    client._send(cast(socket.socket, _EndedConnection()), b"request", [])


def test_byte_that_is_no_signal_harms_no_command(server: subprocess.Popen[bytes]) -> None:
    code = (
        "from ess.tools.warm import client; follow = client._follow\n"
        "def broken(connection, *rest):\n    connection.send(b'\\xff')\n    return follow(connection, *rest)\n"
        "client._follow = broken; from ess.tools.launch import aq_pp; aq_pp()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-d", "i:a", "-o,notitle", "-"], input=b"1\n", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")
    assert server.poll() is None


def test_a_process_serves_commands_that_were_started_alike(
    command: list[str], own_server: Forked, tmp_path: Path
) -> None:
    for number in range(3):  # what changes with every command of a stream does not matter
        counts = str(tmp_path / f"counts{number}")
        assert _run(command, "-d", "i:a", "-o,notitle", "-", ESS_COUNTS=counts, OLDPWD=counts)[1] == b"1\n"
        assert Path(counts).read_text().count("\n") == 1
    assert len(first := _workers(own_server.pid)) == 1
    assert _run(command, "-d", "s:a", "-eval", "s:t", 'TimeToDate(0, "%H")', "-c", "t", TZ="Asia/Tokyo")[1].endswith(
        b'"09"\n'
    )
    assert len(_workers(own_server.pid)) == 2
    assert first[0] in _workers(own_server.pid)


@pytest.mark.parametrize(
    "arguments",
    [["-d", "i:a", "-filt", "a >"], ["-d", "i:a", "-pmod", "Own()", "own.py"], ["-d", "i:a", "-top", "x"]],
    ids=" ".join,
)
def test_a_process_that_failed_or_ran_foreign_code_serves_no_other(
    own_server: Forked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (tmp_path / "own.py").write_text("import threading\ndef row(row):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    _run(LAUNCHER, *arguments)
    until(lambda: not _workers(own_server.pid))


def test_a_process_with_something_left_open_serves_no_other() -> None:
    code = """
import _thread, os, socket, sys, threading, time
from ess.tools.warm import worker
worker._CLOSING_SECONDS = 30.0 if sys.argv[1] == "closing" else 0.05
ours, theirs = socket.socketpair()
for number in (int(name) for name in os.listdir("/proc/self/fd")):
    if number > 2 and number not in (ours.fileno(), theirs.fileno()):
        try: os.close(number)
        except OSError: pass
out = os.dup(1)
theirs.close()
left = {"file": lambda: os.open("/", os.O_RDONLY), "thread": lambda: threading.Thread(target=time.sleep, args=(9,),
        daemon=True).start(), "child": lambda: os.posix_spawn("/bin/sleep", ["sleep", "1"], {}),
        "foreign": lambda: sys.argv.append("-pmod"), "nothing": lambda: None,
        # As the transport closes the connections of a database client, in a thread that is not Python's.
        "closing": lambda: _thread.start_new_thread(lambda file: (time.sleep(0.002), os.close(file)),
        (os.open("/", os.O_RDONLY),))}[sys.argv[1]]
sys.argv = ["aq_pp"]
if os.fork() == 0:
    os.close(out)
    left()
    os._exit(worker._as_before(ours.fileno(), [0, 1, 2], worker._memory()))
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    for left, reusable in (("nothing", 1), ("closing", 1), ("file", 0), ("thread", 0), ("child", 0), ("foreign", 0)):
        done = subprocess.run([sys.executable, "-c", code, left], capture_output=True, check=True)
        assert (left, int(done.stdout)) == (left, reusable)


def test_offsets_are_shared_and_appending_appends(
    command: list[str], server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "in").write_text("skipped\n1\n")
    (tmp_path / "out").write_text("before\n")
    script = '{ read -r line; "$@" -d i:a -o,notitle -; echo after; "$@" -f in -d s:a -o,notitle -; } < in >> out'
    done = subprocess.run(["bash", "-c", script, "bash", *command], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out").read_text() == 'before\n1\nafter\n"skipped"\n"1"\n'


def test_niceness_processors_and_ignored_signals_are_the_callers(
    command: list[str], server: subprocess.Popen[bytes]
) -> None:
    processor = min(os.sched_getaffinity(0))
    script = f'trap "" HUP; exec nice -n 7 taskset -c {processor} "$@"'
    client = _reading(["bash", "-c", script, "bash", *command])
    (process,) = _commands(server.pid)
    assert os.getpriority(os.PRIO_PROCESS, process) == os.getpriority(os.PRIO_PROCESS, client.pid)
    assert os.sched_getaffinity(process) == {processor}
    client.send_signal(signal.SIGHUP)
    assert client.communicate(b"2\n", timeout=PATIENCE) == (b"2\n", b"")
    assert client.returncode == 0


def test_limit_on_processor_time_is_for_one_command(command: list[str], own_server: Forked) -> None:
    script = 'ulimit -t 60; "$@" -d i:a -o,notitle -'
    done = subprocess.run(["bash", "-c", script, "bash", *command], input=b"1\n", capture_output=True, check=True)
    assert done.stdout == b"1\n"
    until(lambda: not _workers(own_server.pid))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_closed(server: subprocess.Popen[bytes], tmp_path: Path, closed: str) -> None:
    (tmp_path / "in").write_text("1\n")
    script = f'"$@" -f in -d i:a -o out {closed}; echo $?'
    results = []
    for warm in "10":
        done = subprocess.run(
            ["bash", "-c", script, "bash", *LAUNCHER],
            cwd=tmp_path,
            env={**os.environ, "ESS_WARM": warm},
            capture_output=True,
            check=False,
        )
        results.append((done.stdout, done.stderr, (tmp_path / "out").read_text()))
        (tmp_path / "out").write_text("")
    assert results == [(b"0\n", b"", '"a"\n1\n')] * 2


def test_the_launcher_installed_is_the_one_here() -> None:
    source = Path(__file__).resolve().parents[2] / "launchers" / "bin"
    for launcher in source.iterdir():
        assert Path(sys.executable).with_name(launcher.name).read_bytes() == launcher.read_bytes(), "run: make setup"


def test_the_perl_of_the_launcher_is_strict() -> None:
    done = subprocess.run(["perl", "-Mstrict", "-c", "-x", LAUNCHER[0]], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, f"{LAUNCHER[0]} syntax OK\n".encode())


@pytest.mark.parametrize("locale", [None, "", "C.UTF-8"])
def test_the_environment_is_the_callers(
    server: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str | None
) -> None:
    (tmp_path / "own.py").write_text(
        "import os\ndef row(row):\n    print(sorted(os.environb.items()), file=open('seen', 'a'))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LC_ALL", raising=False)
    if locale is not None:
        monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setenv("ODD", "a=b\n\udcff")
    for command in (LAUNCHER, PYTHON):
        for warm in "10":
            assert _run(command, "-d", "i:a", "-pmod", "own", "own.py", "-o", "out", ESS_WARM=warm)[0] == 0
    lines = Path("seen").read_text().splitlines()
    seen = [dict(ast.literal_eval(line)) for line in lines]
    for environment in seen:
        assert environment.pop(b"ESS_WARM") in (b"0", b"1")
        environment.pop(b"_RJEM_MALLOC_CONF", None)  # of Polars, set when it is imported
    assert seen[0].get(b"LC_ALL") == (None if locale is None else locale.encode())
    assert seen[0][b"ODD"] == b"a=b\n\xff"
    assert (seen[0], seen[2]) == (seen[1], seen[3])


@pytest.mark.parametrize(
    "changes",
    [{"PERL5OPT": "-d"}, {"PERL_UNICODE": "SA"}, {"LANG": "xx_YY.UTF-8", "LC_ALL": "xx_YY.UTF-8"}, {"PERLIO": "x"}],
    ids=str,
)
def test_launcher_minds_no_setting_of_perl(server: subprocess.Popen[bytes], changes: dict[str, str]) -> None:
    arguments = ("-d", "s:a", "-eval", "a", 'a + "é"', "-o,notitle", "-")
    assert _run(LAUNCHER, *arguments, stdin=b"1,2\n", **changes) == (0, '"1é"\n'.encode(), b"")


def test_nothing_is_said_beside_the_error_about_a_foreign_server(
    server: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "theirs"))
    make_access()
    theirs = UdbServer("127.0.0.1", 0, read_server_access())
    try:
        monkeypatch.setenv("ESS_WORK_DIR", str(tmp_path / "mine"))
        make_access()
        spec = f"@Server: 127.0.0.1:{theirs.port}\n@Table:t s,pkey:k\n"
        (tmp_path / "mine" / "db.spec").write_text(spec)
        aq_udb = str(Path(LAUNCHER[0]).with_name("aq_udb"))
        done = subprocess.run([aq_udb, "-cnt", "db:t"], capture_output=True, check=False, timeout=PATIENCE)
    finally:
        theirs.shutdown()
    assert done.returncode == 33
    assert done.stderr.startswith(b"aq_udb: ") and done.stderr.count(b"\n") == 1, done.stderr


def test_imports_one_after_the_other_share_a_process_and_its_connections(
    own_server: Forked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ESS_IMPORT_ID", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_UDB_PORT", "ESS_COUNTS"):
        monkeypatch.delenv(variable, raising=False)
    own = [_OwnServer(tmp_path / "mine", monkeypatch), _OwnServer(tmp_path / "theirs", monkeypatch)]
    try:
        for mine_or_theirs in (0, 0, 1, 0, 1):
            assert own[mine_or_theirs].imports_a_row() == 0
        [process] = _workers(own_server.pid)
        assert [each.rows() for each in own] == [3, 2]
        own[0].start_again()
        assert own[0].imports_a_row() == 0
        assert own[0].rows() == 1
        assert _workers(own_server.pid) == [process]
        own[0].close()
        assert own[0].imports_a_row() == 31  # as without the tool server: nobody is there
        own[0].open()
        assert own[0].imports_a_row() == 0
        assert [each.rows() for each in own] == [1, 2]
    finally:
        for each in own:
            each.close()


class _OwnServer:
    """A database server in this process, of a working folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.setenv("ESS_WORK_DIR", str(folder))
        make_access()
        self._access = read_server_access()
        self._port = 0
        self.open()
        (folder / "db.spec").write_text(f"@Server: 127.0.0.1:{self._port}\n@Table:t s,pkey:k\n")

    def open(self) -> None:
        self._server = UdbServer("127.0.0.1", self._port, self._access)
        self._port = self._server.port

    def close(self) -> None:
        self._server.shutdown()

    def start_again(self) -> None:
        self.close()
        self.open()

    def imports_a_row(self) -> int:
        return self._run("aq_pp", "-d", "s:k", "-imp", "db:t")[0]

    def rows(self) -> int:
        code, out = self._run("aq_udb", "-exp", "db:t", "-o,notitle", "-")
        assert code == 0
        return out.count(b"\n")

    def _run(self, tool: str, *arguments: str) -> tuple[int, bytes]:
        launcher = str(Path(LAUNCHER[0]).with_name(tool))
        return _run([launcher], *arguments, stdin=b"a\n", ESS_WORK_DIR=str(self._folder))[:2]


def test_launcher_is_found_through_a_link(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(LAUNCHER[0])
    (tmp_path / "again").symlink_to("mine")
    for warm in "10":
        done = _run([str(tmp_path / "again")], "-d", "i:a", "-o,notitle", "-", ESS_WARM=warm)
        assert done == (0, b"1\n", b"")


def test_what_is_packed_comes_back() -> None:
    sections = [[b"", b"\0\xff"], [], [b"x" * 70000]]
    assert protocol.unpack(protocol.pack(sections)[4:]) == sections
    with pytest.raises(ValueError, match="cut short"):
        protocol.unpack(protocol.pack(sections)[4:-1])


def test_a_stopped_server_is_done_without(command: list[str], own_server: Forked) -> None:
    assert _run(command, "-d", "i:a", "-o,notitle", "-")[1] == b"1\n"
    stop(own_server.pid)
    assert _run(command, "-d", "i:a", "-o,notitle", "-") == (0, b"1\n", b"")
    own_server.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("which", ["server", "command"])
def test_a_process_that_is_stopped_under_a_command_is_named(command: list[str], own_server: Forked, which: str) -> None:
    client = subprocess.Popen(
        [*command, "-d", "i:a", "-o,notitle", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ESS_ANSWER_TIMEOUT": "1"},
    )
    assert client.stdin is not None
    assert client.stderr is not None
    until(lambda: bool(_commands(own_server.pid)))
    worker = _commands(own_server.pid)[0]
    until(lambda: _reads(worker))
    stopped = own_server.pid if which == "server" else worker
    stop(stopped)
    client.stdin.write(b"1\n")
    client.stdin.close()
    name = "the tool server" if which == "server" else "the command"
    line = client.stderr.readline().decode()
    assert line == f"aq_pp: {name} (process {stopped}) is stopped; kill -CONT {stopped} lets it go on\n"
    os.kill(stopped, signal.SIGCONT)
    assert client.wait(timeout=PATIENCE) == 0
    assert client.stdout is not None
    assert client.stdout.read() == b"1\n"
    client.stdout.close()
    client.stderr.close()


def _reads(process: int) -> bool:
    """True if a process waits for its standard input, and for nothing else."""
    reads, selects = "0 0x0 ", ("23 0x1 ", "270 0x1 ")  # read, or select of the first descriptor alone
    return Path(f"/proc/{process}/syscall").read_text().startswith((reads, *selects))
