"""Server processes: started by ``udbd``, used by the tools, killed at bad moments."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ess.errors import InitializationError, OptionError, UdbCommunicationError, UdbConnectError
from ess.tools import aq_pp, aq_udb, udbd
from ess.tools.process import exit_code
from ess.udb.admin import admin, processes, service
from ess.udb.admin.ports import parse_ports
from ess.udb.spec.spec import Server
from ess.udb.wire import watch
from ess.udb.wire.access import access_folder, read_access, udb_folder
from ess.udb.wire.connection import Connection
from ess.udb.wire.protocol import DatabaseRequest
from ess.udb.wire.running import started
from tests.waiting import PATIENCE, stop, until


@pytest.fixture
def servers(places: dict[str, str], port_base: int) -> Iterator[int]:
    """Two servers of a database ``db`` with a table ``log`` and a vector ``sums``; the first port."""
    admin.create_database("db", ports=2)
    admin.create_table("log", ["s,pkey:user", "i,tkey:time", "f:price"])
    admin.create_vector("sums", ["s,pkey:user", "f,+add:price"])
    try:
        lines = list(admin.udbd("start"))
        assert [line.split(": ", 1)[1].split(" (")[0] for line in lines] == [
            f"Starting udbd-{port_base}.",
            f"Starting udbd-{port_base + 1}.",
            f"udbd-{port_base}",
            f"udbd-{port_base + 1}",
        ]
        yield port_base
    finally:
        list(admin.udbd("stop"))


def tool(name: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    code = f"from ess.tools.{name} import command; command()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], input=stdin, capture_output=True, check=False, timeout=PATIENCE
    )


def udb(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code and the output of ``aq_udb`` in this process, without the second that a new one takes."""
    capfd.readouterr()
    code = exit_code("aq_udb", functools.partial(aq_udb.main, list(arguments)))
    return (code, *capfd.readouterr())


def rows() -> bytes:
    return b"".join(b"u%d,%d,%d.5\n" % (n % 7, 100 - n, n) for n in range(50))


COLUMNS = ("-d", "s:user", "i:time", "f:price")
IMPORT = ("-f", "-", *COLUMNS)


@pytest.fixture
def imports(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Imports the rows in this process; the exit code and what is said."""
    (tmp_path / "rows.csv").write_bytes(rows())
    command = ["-f", str(tmp_path / "rows.csv"), *COLUMNS]

    def run(*targets: str) -> tuple[int, str]:
        capfd.readouterr()
        words = [word for target in targets for word in ("-imp", target)]
        code = exit_code("aq_pp", functools.partial(aq_pp.main, [*command, *words]))
        return code, capfd.readouterr().err

    return run


def test_the_tools_work_together_and_nothing_is_left(servers: int, capfd: pytest.CaptureFixture[str]) -> None:
    title = '"user","time","price"\n'
    assert udb(capfd, "-exp", "db:log") == (0, title, "")  # defined by the start, and empty
    imported = tool("aq_pp", *IMPORT, "-imp", "db:log", "-imp", "db:sums", stdin=rows())
    assert (imported.returncode, imported.stderr) == (0, b"")
    assert tool("aq_udb", "-cnt", "db:log").stdout == b'"field","count"\n"pkey",7\n"row",50\n'
    assert udb(capfd, "-inf", "db")[1] == '"pkey","var","log","sums"\n7,0,50,7\n'
    assert udb(capfd, "-ord", "db:log")[0] == 0
    found = udb(
        capfd,
        "-exp",
        "db:log",
        "-filt",
        "sums.price > 150",
        "-sort,dec",
        "time",
        "-top",
        "2",
        "-c",
        "*",
        "sums.price:all+%.1f",
    )
    assert found[1] == '"user","time","price","all"\n"u0",100,0.5,200.0\n"u1",99,1.5,157.5\n'
    assert udb(capfd, "-probe", "db")[0] == 0
    assert udb(capfd, "-clr", "db:log")[0] == 0
    assert udb(capfd, "-exp", "db:log") == (0, title, "")
    pids = [processes.state(udb_folder(), port).pid for port in (servers, servers + 1)]
    assert all(os.getsid(pid) == pid for pid in pids)  # no terminal and no worker takes them along
    assert list(service.stop(udb_folder(), ()))[-1] == f"udbd-{servers + 1} stopped."
    assert not any(map(runs, pids))
    code, _, says = udb(capfd, "-exp", "db:log")
    assert (code, says.partition("the server cannot be reached; ")[2]) == (
        31,
        "start it with: ess udbd start\n",
    )


def test_a_client_killed_in_the_middle_of_an_import_leaves_nothing(
    servers: int, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "from ess.tools.aq_pp import command; command()"
    child = subprocess.Popen([sys.executable, "-c", code, *IMPORT, "-imp", "db:log"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(b"".join(b"u%d,%d,1\n" % (n % 1000, n) for n in range(800_000)))
    child.stdin.flush()
    until(lambda: any(udb_folder().rglob("rows-*")))  # a large import has a file of its own, from its first rows on
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert udb(capfd, "-cnt", "db:log")[1] == '"field","count"\n"pkey",0\n"row",0\n'


def test_a_server_killed_is_an_error_until_it_is_started_again_with_all_it_had(
    servers: int, imports: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert imports("db:log", "db:sums") == (0, "")
    assert udb(capfd, "-scn", "db:log", "-filt", "time > 90", "-eval", "price", "1")[0] == 0
    before = udb(capfd, "-exp", "db:log")
    os.kill(processes.state(udb_folder(), servers + 1).pid, signal.SIGKILL)
    server = f"server 127.0.0.1:{servers + 1}: the server"
    gone = f"aq_udb: {server} cannot be reached; start it with: ess udbd start\n"
    assert udb(capfd, "-exp", "db:log") == (31, "", gone)
    assert udb(capfd, "-cnt", "db") == (31, "", gone)
    assert imports("db:log") == (31, gone.replace("aq_udb", "aq_pp"))
    status = list(service.status(udb_folder(), [servers, servers + 1]))
    assert status[1] == f"(-) udbd-{servers + 1} not running."

    list(admin.udbd("start"))
    assert udb(capfd, "-exp", "db:log") == before
    list(admin.udbd("restart"))
    assert udb(capfd, "-exp", "db:log") == before
    list(admin.server_restart())
    assert udb(capfd, "-cnt", "db:log") == (0, '"field","count"\n"pkey",0\n"row",0\n', "")


def test_a_volatile_server_that_ended_has_lost_its_rows_and_that_is_said(
    places: dict[str, str],
    port_base: int,
    imports: Callable[..., tuple[int, str]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    admin.create_database("db", ports=2, volatile=True)
    admin.create_table("log", ["s,pkey:user", "i,tkey:time", "f:price"])
    try:
        list(admin.udbd("start"))
        assert imports("db:log") == (0, "")
        os.kill(processes.state(udb_folder(), port_base + 1).pid, signal.SIGKILL)
        server = f"server 127.0.0.1:{port_base + 1}: the server"
        code, _, says = udb(capfd, "-exp", "db:log")
        assert (code, says.partition(";")[0]) == (31, f"aq_udb: {server} cannot be reached")
        assert "its rows are lost" in says
        list(admin.udbd("start"))  # starts one empty server beside a half-full one, which must not look whole
        lost = (
            f"aq_udb: {server} does not have its part of database 'db'; "
            "clear the rest with aq_udb -clr db, then import all files again, without --resume\n"
        )
        for arguments in (("-exp", "db:log"), ("-cnt", "db"), ("-inf", "db"), ("-crt", "db"), ("-probe", "db")):
            assert udb(capfd, *arguments) == (34, "", lost), arguments
        assert imports("db:log") == (34, lost.replace("aq_udb:", "aq_pp:"))
        assert udb(capfd, "-clr", "db")[0] == 0
        assert udb(capfd, "-crt", "db")[0] == 0
        assert udb(capfd, "-cnt", "db:log") == (0, '"field","count"\n"pkey",0\n"row",0\n', "")
    finally:
        list(admin.udbd("stop"))


def test_what_runs_is_left_alone_knows_what_is_created_and_is_for_its_owner(
    servers: int, imports: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    assert imports("db:log") == (0, "")
    assert all("is running already" in line for line in list(admin.udbd("start")))
    assert '"row",50' in udb(capfd, "-cnt", "db:log")[1]
    assert " MB, databases: db" in next(iter(admin.udbd("ckmem")))
    admin.create_table("more", ["s,pkey:user", "i:n"])
    assert udb(capfd, "-exp", "db:more") == (0, '"user","n"\n', "")
    admin.create_database("other", ports=2)
    admin.create_variable(["i:n"])
    admin.create_vector("sums", ["s,pkey:user", "i:n"])
    assert udb(capfd, "-exp", "other:sums") == (0, '"user","n"\n', "")
    for path in [*udb_folder().rglob("*"), *access_folder().iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_occupied_port_is_a_clear_error(places: dict[str, str], port_base: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # somebody's connection may have had it before
        other.bind(("127.0.0.1", port_base))
        other.listen()
        says = rf"another program \(.*\) uses the port {port_base}; stop it, or choose another port with ESS_UDB_PORT$"
        with pytest.raises(InitializationError, match=says):
            list(admin.udbd("start"))
        admin.create_database("shop")
        way = "shop.spec, or drop database shop and create it again with ESS_UDB_PORT set$"
        with pytest.raises(InitializationError, match=f"stop it, or edit the @Server lines of .*{way}"):
            list(admin.udbd("start"))
    assert processes.known_ports(udb_folder()) == []


@pytest.mark.parametrize("port", ["abc", "99999", "0", "-1", "1" * 5000])
def test_a_wrong_first_port_is_never_passed_over(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    admin.create_database("shop")
    monkeypatch.setenv("ESS_UDB_PORT", port)
    for use in (
        lambda: list(admin.udbd("start")),
        lambda: list(admin.udbd("restart")),
        lambda: admin.create_database("other"),
        lambda: udbd.main(["status"]),
    ):
        with pytest.raises(OptionError, match=f"ESS_UDB_PORT: bad port '{port}'"):
            use()


def test_a_pid_file_of_another_process_is_not_believed(places: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "udbd-5.pid").write_text(f"{os.getpid()} {started(os.getpid())}\n")
    assert processes.state(folder, 5).pid == 0
    assert processes.stop(folder, 5) == 0  # and this process still lives


def test_what_is_wrong_on_the_command_line_is_one_line(
    places: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    admin.create_database("db")
    admin.create_table("log", ["s,pkey:user", "i:time"])
    admin.create_variable(["i:seen"])
    cases = {
        ("-exp", "db:nothing"): "there is no table or vector 'nothing'; known: log",
        ("-exp", "nothing"): "there is no database 'nothing'; known: db",
        ("-exp", "db:log", "-filt", "x > 1"): "unknown column 'x'",
        ("-exp", "db:log", "-sort", "x"): "unknown column 'x'",
        ("-exp", "db:log", "-c", "x"): "unknown column 'x'",
        ("-exp", "db:log", "-eval", "user", '"a"'): "a key cannot be changed",
        ("-exp", "db:log", "-eval", "i:new", "1"): "no room for a new column",
        ("-exp", "db:log", "-top", "many"): "bad number",
        ("-ord", "db:log"): "has no tkey column",
        ("-ord", "db:log", "-o", "-"): "has no output",
        ("-inf", "db:log"): "concerns a whole database",
        ("-stat",): "one operation is needed",
        ("-exp,seg=0/3", "db"): "selects no segment",
        ("-exp,seg=1/99999999999999999999", "db"): "a number in 'seg=1/99999999999999999999' is too large",
        ("-exp,dec", "db"): "unknown attribute 'dec'",
        ("-exp,seg=1/2", "db:var"): "variables belong to no key, and so to no segment",
        ("-cnt,seg=1/2", "db:var"): "variables belong to no key, and so to no segment",
        ("-ord", "db"): "no table has a tkey column; mark a column, as in i,tkey:time, or",
    }
    for arguments, says in cases.items():
        code = exit_code("aq_udb", functools.partial(aq_udb.main, list(arguments)))
        lines = capsys.readouterr().err.splitlines()
        assert (code, len(lines)) == (2, 1), (arguments, lines)
        assert says in lines[0], lines
    assert aq_udb.main(["-exp", "db:log", "-test"]) == 0
    assert exit_code("aq_udb", lambda: aq_udb.main(["-exp", "db:log"])) == 31


@pytest.mark.parametrize("word", ["seg=1/2", "nobnk", "nonew", "noold"])
@pytest.mark.usefixtures("places")
def test_an_import_of_variables_takes_no_attribute_about_keys(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    admin.create_database("db")
    admin.create_table("log", ["s,pkey:user"])
    admin.create_variable(["i:seen"])
    command = ["-f", os.devnull, "-d", "i:seen", f"-imp,{word}", "db:var"]
    assert exit_code("aq_pp", functools.partial(aq_pp.main, command)) == 2
    assert f"variables belong to no key, so {word.split('=')[0]}" in capsys.readouterr().err


def test_limits_of_memory_that_cannot_work_are_refused_before_anything_is_done(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, says in (
        (["-mem", "400000", "-memx", "400000"], "-memx: -mem and -memx exclude each other"),
        (["-mem", "10"], "-mem: 10 KB for each server is too little: one without rows holds 150 MB"),
        (["-memx", "400000"], "-memx: 133333 KB for each server is too little"),
        (["-mem", "-999999999999"], "-mem: no memory is left"),
    ):
        with pytest.raises(OptionError, match=says):
            udbd.main([*options, "start", "+3"])
    monkeypatch.setenv("UDBD_MEM", "10")
    with pytest.raises(OptionError, match="UDBD_MEM: 10 KB"):
        list(admin.udbd("start"))
    assert not running()
    monkeypatch.delenv("UDBD_MEM")
    assert service.start_options(1000).memory > 0  # of the machine's memory each gets what there is
    assert service.start_options(2, total=400_000).memory == 200_000


def runs(pid: int) -> bool:
    """True if a process has not ended; one that its parent has not asked after yet has."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def running() -> list[int]:
    """The servers that run in this test's folder."""
    return [processes.state(udb_folder(), port).pid for port in service.running_ports(udb_folder())]


def test_the_options_of_a_start_reach_the_server(places: dict[str, str], port_base: int) -> None:
    folder = udb_folder()
    try:
        assert udbd.main(["-q", "-volatile", "-maxfd", "-listen", "127.0.0.2", "start"]) == 0
        state = processes.state(folder, port_base)
        assert state.host == "127.0.0.2"
        soft, hard = psutil.Process(state.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert soft == hard
        assert not processes.data_folder(folder, port_base).exists()
    finally:
        assert udbd.main(["-q", "stop"]) == 0


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert udbd.main(["-v"]) == 0
    assert capfd.readouterr().out.startswith("udbd: essentia ")


def test_port_specs() -> None:
    assert parse_ports(["+3"], base=100, where="x") == ([100, 101, 102], "")
    assert parse_ports(["-102", "200-201", "./run"], base=100, where="x") == ([100, 101, 102, 200, 201], "./run")
    for words in (["a", "100"], ["200-100"], ["70000"], ["1-60000"], ["100-"], ["1x"]):
        with pytest.raises(OptionError):
            parse_ports(words, base=100, where="x")


def test_a_word_is_a_run_directory_only_if_it_looks_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("abc", "start"):
        with pytest.raises(OptionError, match=rf"bad port spec '{word}'.*Port, .*write \./{word}$"):
            parse_ports([word], base=100, where="udbd start")
    Path("abc").mkdir()
    assert parse_ports(["7", "abc"], base=100, where="x") == ([7], "abc")


def test_a_port_that_a_server_with_another_run_directory_uses(
    places: dict[str, str], port_base: int, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "else where"
    list(service.start(elsewhere, [port_base], processes.StartOptions()))
    try:
        ours = rf"one of our servers \(process \d+\) uses the port {port_base} already"
        says = rf"{ours}, its run directory is {elsewhere}; .*'{elsewhere}'$"
        with pytest.raises(InitializationError, match=says):
            list(service.start(udb_folder(), [port_base], processes.StartOptions()))
        with pytest.raises(InitializationError, match=says):
            list(admin.udbd("start"))
    finally:
        list(service.stop(elsewhere, [port_base]))


def test_a_server_whose_folder_was_removed_is_named_and_stopped(
    places: dict[str, str], port_base: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removed, other = tmp_path / "removed", tmp_path / "other"
    [server] = processes.start(removed, [port_base], processes.StartOptions(volatile=True))
    shutil.rmtree(removed)
    assert list(service.status(removed, [])) == [f"(+) udbd-{port_base} ({server.pid}) running."]
    ours = rf"our servers \(process {server.pid}\) uses the port {port_base} already"
    says = rf"{ours}, its run directory is {removed}, and was removed; to stop it: udbd stop --port {port_base}$"
    for folder in (removed, other):
        with pytest.raises(InitializationError, match=says):
            list(service.start(folder, [port_base], processes.StartOptions(volatile=True)))
    assert udbd.main(["stop", "--port", str(port_base)]) == 0
    assert capsys.readouterr().out == f"Stopping udbd-{port_base} ({server.pid}).\nudbd-{port_base} stopped.\n"
    assert not runs(server.pid)
    with pytest.raises(OptionError, match="no server of yours has this port"):
        list(service.stop_port(port_base))
    assert list(service.status(removed, [])) == ["No running server detected."]


def test_who_else_has_a_port_is_named_and_not_ended(places: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            InitializationError, match=rf"another program \(process {os.getpid()}, .*\) uses the port {port}"
        ):
            list(service.start(tmp_path / "run", [port], processes.StartOptions()))
        with pytest.raises(OptionError, match=rf"that of another program \(process {os.getpid()},"):
            list(service.stop_port(port))


def test_a_server_of_another_user_is_not_stopped(
    places: dict[str, str], port_base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    processes.start(folder, [port_base], processes.StartOptions(volatile=True))
    with monkeypatch.context() as patch:

        def deny(process: psutil.Process) -> None:
            raise psutil.AccessDenied(process.pid)

        patch.setattr(psutil.Process, "terminate", deny)
        with pytest.raises(InitializationError, match="another user has started it; let that user stop it"):
            processes.stop(folder, port_base)
    assert processes.stop(folder, port_base)


def test_a_server_of_this_machine_that_is_stopped_is_given_up_at_the_first_question(
    places: dict[str, str], port_base: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [server] = processes.start(tmp_path / "run", [port_base], processes.StartOptions(volatile=True))
    monkeypatch.setattr(watch, "ASK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(watch, "ANSWER_SECONDS", 3600.0)  # none is waited for
    monkeypatch.setattr(watch, "AGAIN_SECONDS", 0.1)
    connection = Connection(Server("127.0.0.1", port_base), read_access())
    connection.hello()
    stop(server.pid)
    try:
        go_on = f"let it go on: kill -CONT {server.pid}, or end it: ess udbd stop"
        told = rf"\(process {server.pid}\) is stopped and does not answer; {go_on}"
        with pytest.raises(UdbCommunicationError, match=told):
            connection.call("counts", DatabaseRequest("db", ""))
        later = Connection(connection.server, read_access())
        monkeypatch.setenv("ESS_ANSWER_TIMEOUT", "1")  # the rest of the seconds is not waited for
        with pytest.raises(UdbConnectError, match=told):
            later.hello(3600.0)
        later.close()
        [line] = service.status(tmp_path / "run", [])
        assert line == f"(+) udbd-{port_base} ({server.pid}) is stopped; {go_on}"
        [line] = service.start(tmp_path / "run", [port_base], processes.StartOptions())
        assert line == f"udbd-{port_base} ({server.pid}) is stopped; {go_on}"
    finally:
        os.kill(server.pid, signal.SIGCONT)
        connection.close()
    again = Connection(connection.server, read_access())
    again.hello()
    again.close()
    stop(server.pid)
    monkeypatch.setattr(psutil.Process, "kill", None)  # it ends as it always does
    assert processes.stop(tmp_path / "run", port_base)
