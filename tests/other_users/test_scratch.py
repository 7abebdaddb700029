"""Another user of the machine is first to make what a cluster, Dask or the tool server would use in a shared folder."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from ess.cluster import providers, state
from ess.cluster.groups import Groups
from ess.cluster.leftovers import new_folder
from ess.cluster.security import security
from ess.cluster.warm import WITHOUT, WarmTools
from ess.tools.warm import protocol
from tests.cluster.running import marked, wait_until
from tests.other_users.users import MALLORY, act_as, shared_folder

PRECIOUS = "what the victim has written"


@pytest.fixture(params=[0o1777, 0o777])
def temporary(request: pytest.FixtureRequest, places: dict[str, str]) -> Iterator[Path]:
    """The temporary folder of all users, with and without its sticky bit; the victim is root."""
    with shared_folder(request.param) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setenv("ESS_WARM", "1")
        yield folder


def scratch_of_dask(folder: Path, victims: Path, kind: str) -> None:
    """Prepare Mallory's trap: Dask's scratch folder, with a lock that is a link, a pipe, or nothing."""
    scratch = folder / "dask-scratch-space"
    scratch.mkdir()
    scratch.chmod(0o777)
    for name in ("global.lock", "purge.lock"):
        if kind == "link":
            (scratch / name).symlink_to(victims)
        elif kind == "pipe":
            os.mkfifo(scratch / name, 0o666)


# Without the sticky bit the kernel follows links, and opens pipes, of others.
@pytest.mark.parametrize(
    ("temporary", "kind"), [(0o777, "link"), (0o777, "pipe"), (0o1777, "folder")], indirect=["temporary"]
)
def test_dasks_scratch_folder(temporary: Path, tmp_path: Path, kind: str) -> None:
    victims = tmp_path / "victims"
    victims.write_text(PRECIOUS)
    act_as(MALLORY, lambda: scratch_of_dask(temporary, victims, kind))
    before = {path: path.lstat().st_ctime_ns for path in temporary.rglob("*")}
    assert providers.create(1) == []
    try:
        assert victims.read_text() == PRECIOUS
        # Nothing of the cluster is there, nor on Python's path.
        assert {path: path.lstat().st_ctime_ns for path in temporary.rglob("*")} == before
        known = state.read_daemon("scheduler")
        assert known is not None
        with Client(known.address, security=security("client"), set_as_default=False) as dask:  # type: ignore[no-untyped-call]
            paths = [dask.run_on_scheduler(lambda: __import__("sys").path)]
            folders = [dask.run_on_scheduler(lambda dask_scheduler: dask_scheduler.local_directory)]
            paths += dask.run(lambda: __import__("sys").path).values()
            folders += dask.run(lambda dask_worker: dask_worker.local_directory).values()
        assert len(folders) == len(paths) == 2
        assert all(folder.startswith(str(state.scratch_folder())) for folder in folders)
        for folder in {folder for path in paths for folder in path}:
            assert not folder.startswith((str(temporary), str(state.scratch_folder())))
            assert not Path(folder).is_dir() or Path(folder).stat().st_mode & 0o002 == 0
        assert state.scratch_folder().stat().st_mode & 0o777 == 0o700
    finally:
        providers.terminate()


def test_what_killed_processes_left_is_removed_at_the_next_start(places: dict[str, str], tmp_path: Path) -> None:
    assert providers.create(1) == []
    try:
        first = [folder.name for folder in state.scratch_folder().iterdir()]
        for name in ("worker-0", "scheduler"):
            known = state.read_daemon(name)
            assert known is not None
            os.kill(known.process.pid, signal.SIGKILL)
        wait_until(lambda: not marked(f"--cluster={state.cluster_folder()}"))
        assert [folder.name for folder in state.scratch_folder().iterdir()] == first
        assert providers.start() == []
        assert len(first) == 2
        assert not {folder.name for folder in state.scratch_folder().iterdir()} & set(first)
    finally:
        providers.terminate()


def test_a_folder_is_removed_once_its_process_is_gone_and_not_before(tmp_path: Path) -> None:
    def killed() -> None:
        made = new_folder(tmp_path)
        (made / "file").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    (tmp_path / "something else").touch()
    (tmp_path / "1.2").mkdir()
    mine = new_folder(tmp_path)
    act_as(os.getuid(), killed)
    assert len(list(tmp_path.iterdir())) == 4
    assert new_folder(tmp_path) != mine
    left = sorted(folder.name.split(".")[0] for folder in tmp_path.iterdir())
    assert left == sorted([str(os.getpid()), str(os.getpid()), "1", "something else"])


@pytest.mark.parametrize("long", [False, True])
def test_the_folder_of_a_streams_tool_server(temporary: Path, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    """It is below the settings, or, where that name is too long for a socket, in the folder of the run time."""
    short = tempfile.TemporaryDirectory(prefix="e", dir="/tmp")
    monkeypatch.setenv("ESS_CACHE_DIR", short.name + "/long" * 20 * long)
    monkeypatch.delenv("ESS_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(temporary))
    act_as(MALLORY, lambda: (temporary / "essentia").mkdir(mode=0o777))
    groups = Groups()
    warm = WarmTools(groups)
    try:
        assert warm.environment() == WITHOUT
        if long:
            assert [path.name for path in temporary.iterdir()] == ["essentia"]
            assert list((temporary / "essentia").iterdir()) == []
        else:
            wait_until(lambda: warm.environment() != WITHOUT)
            folder = Path(warm.environment()["ESS_RUNTIME_DIR"])
            assert folder.parent == Path(os.environ["ESS_CACHE_DIR"]) / "run"
            assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    finally:
        warm.close()
        groups.close()
        short.cleanup()


def test_a_tool_server_is_sought_only_where_nobody_can_put_another(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes its place gets all commands, with what they have open."""
    sticky = bool(temporary.stat().st_mode & stat.S_ISVTX)
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(temporary / "mine"))
    act_as(0, lambda: (temporary / "mine").mkdir(mode=0o700))
    assert protocol.is_private(str(temporary / "mine")) == sticky
    act_as(MALLORY, lambda: (temporary / "his").mkdir(mode=0o700))
    act_as(MALLORY, lambda: (temporary / "link").symlink_to(temporary / "mine"))
    act_as(0, lambda: (temporary / "his" / "mine").mkdir(mode=0o700))
    for name in ("his", "link", "his/mine", "none"):
        assert not protocol.is_private(str(temporary / name)), name


@pytest.mark.parametrize("launcher", ["aq_pp", "ess-tool"])
def test_the_launchers_pass_by_a_folder_that_can_be_swapped(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    sticky = bool(temporary.stat().st_mode & stat.S_ISVTX)
    folder = temporary / "mine"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("ESS_RUNTIME_DIR", str(folder))
    commands = Path(sys.executable).parent
    words = [commands / "aq_pp"] if launcher == "aq_pp" else [commands / launcher, "aq_pp"]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(protocol.socket_path())
        listener.listen()
        listener.setblocking(False)
        command = [*words, "-f", "-", "-d", "i:a", "-o,notitle", "-"]
        done: list[bytes] = []

        def run() -> None:
            done.append(subprocess.run(command, input=b"41\n", stdout=subprocess.PIPE, check=True).stdout)

        if sticky:  # it is asked there; it does not take the command, which then runs directly
            thread = threading.Thread(target=run)
            thread.start()
            select.select([listener], [], [])
            while thread.is_alive():  # the launcher asks, and so does the program that it leaves the command to
                with contextlib.suppress(BlockingIOError):
                    listener.accept()[0].close()
                thread.join(0.05)
        else:
            run()
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert done == [b"41\n"]
