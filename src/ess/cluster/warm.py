"""A tool server for the commands of one process: ``aq_*`` commands skip their start-up time.

Starting ``aq_pp`` takes longer than most files take to process. The server has the tools imported
and forks one process a command. Without a cluster it is the one of the user's terminal, if that runs: it ends a command
as soon as the launcher that asks for it is gone, and the reaper ends the launchers. Otherwise it is this process's own,
in a session that the reaper knows: when this process ends, in whatever way, the server and the commands it runs end as
well.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ess import settings
from ess.cluster.groups import Groups, Running, has_ended
from ess.cluster.leftovers import new_folder
from ess.errors import EssError
from ess.surroundings import environment
from ess.tools.warm import client, protocol
from ess.tools.warm.circumstances import standing_of

#: The environment of commands that must neither use a server nor start one.
WITHOUT = {"ESS_WARM": "0"}

#: A server that ended sooner than this after its start is not started again, in seconds.
_EARLY = 10.0

_IDLE_SECONDS = "60"

#: How often it is seen whether a server that starts is ready, in seconds. Without it, a command takes as long.
_READY_PAUSE = 0.01

#: The server of the terminal is not asked more often whether it takes commands, in seconds.
_LOOK_SECONDS = 1.0

#: A command with such a word starts one of our tools itself.
_TOOL = re.compile(r"\b(aq_[a-z]|loginf\b)")

#: The most bytes of a socket's name, of which some are those of the process's folder.
_NAME_BYTES = 107 - len("/4194304.123456789012.abcd/")


def _parent() -> Path:
    """The folder of the socket folders: below our settings; if that name is too long, below the runtime folder."""
    ours = settings.cache_dir() / "run"
    fits = len(os.fsencode(ours)) + len(Path(protocol.socket_path()).name) <= _NAME_BYTES
    return ours if fits else Path(protocol.runtime_directory()).absolute() / "jobs"


@dataclass(frozen=True)
class ToolServer:
    """A tool server: its socket, and the variables for what its commands start."""

    socket: Path
    variables: Mapping[str, str]


def _resident() -> Path | None:
    """The socket of the server that the user's terminal has, as its environment and folders say."""
    folder = environment().get("ESS_RUNTIME_DIR") or protocol.runtime_directory()
    path = Path(folder) / Path(protocol.socket_path()).name
    if not protocol.is_private(folder):
        return None
    process = _process(path)
    # Limits of a control group must hold for what a stream in it runs.
    return path if process and standing_of(process) == standing_of(os.getpid()) else None


def _process(server: Path) -> int:
    """The process of the server with a socket; 0 if it takes no commands."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.connect(str(server))
        pid = int.from_bytes(asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), sys.byteorder)
        return 0 if client.is_stopped(pid) else pid
    return 0


class WarmTools:
    """The tool server of this process, started when it is first wanted.

    Args:
        groups: Watches over it.
        resident: Commands may go to the server that the user's terminal has, if it runs.
    """

    def __init__(self, groups: Groups, *, resident: bool = False) -> None:
        self._groups = groups
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._server: Running | None = None
        self._socket: Path | None = None
        self._started = 0.0
        self._abandoned = 0
        self._useless = environment().get("ESS_WARM") == "0"
        self._resident = _resident() if resident and not self._useless else None
        self._looked = -_LOOK_SECONDS
        self.resident_pid = 0
        self._starts = True

    def serves(self, *, many: bool) -> bool:
        """True if a job can have a server: that of the terminal, or if it has ``many`` files our own."""
        if self._resident is None:
            return many
        self._starts = many
        return True

    def environment(self, command: str = "", stop: Callable[[], bool] = lambda: False) -> dict[str, str]:
        """The variables that make the tools of a command use a server, or run directly where none is ready.

        A command that names a tool waits until our own server is ready, which takes as long as a tool takes that starts
        without. A true ``stop`` ends that.
        """
        resident = self._resident
        if resident is not None:
            now = time.monotonic()
            if now - self._looked > _LOOK_SECONDS:
                self._looked, self.resident_pid = now, _process(resident)
            if self.resident_pid:
                return {"ESS_WARM": "1", "ESS_RUNTIME_DIR": str(resident.parent)}
        while True:
            with self._lock:
                self._ensure()
                if self._folder is None or self._server is None:
                    return dict(WITHOUT)
                if any(self._folder.glob("*.sock")):
                    return {"ESS_WARM": "1", "ESS_RUNTIME_DIR": str(self._folder)}
            if stop() or not _TOOL.search(command):
                # A command that finds no server starts one, which nobody would end.
                return dict(WITHOUT)
            time.sleep(_READY_PAUSE)

    def servers(self, stop: Callable[[], bool]) -> Iterator[ToolServer]:
        """The servers that a command can be given to, the next one if one does not take it: the user's, and our own.

        The first answer may wait until our own is ready; a true ``stop`` ends that.
        """
        if self._resident is not None and self._resident.exists():
            yield ToolServer(self._resident, dict(WITHOUT))
            self._resident = None
        while True:
            with self._lock:
                self._ensure()
                if self._folder is None or self._server is None:
                    return
                if self._socket is None or not os.path.exists(self._socket):  # noqa: PTH110 - for each file
                    self._socket = next(self._folder.glob("*.sock"), None)
                found = self._socket
            if found is not None:
                yield ToolServer(found, {"ESS_WARM": "1", "ESS_RUNTIME_DIR": str(self._folder)})
                return
            if stop():
                return
            time.sleep(_READY_PAUSE)

    @property
    def server_pid(self) -> int:
        """The server's process; 0 if there is none."""
        server = self._server
        return server.pid if server is not None else 0

    @property
    def abandoned(self) -> int:
        """The number of servers given up so far; the commands that they ran have failed."""
        return self._abandoned

    def abandon(self) -> None:
        """End a server that does not answer, with what it runs, and start no other one."""
        self._useless = True
        self._abandoned += 1
        server = self._server
        if server is not None:
            self._groups.kill(server)

    def close(self) -> None:
        """End the server and what it runs."""
        with self._lock:
            if self._server is not None:
                self._groups.kill(self._server)
                self._groups.finish(self._server)
                self._server = None

    def _ensure(self) -> None:
        if self._server is not None and has_ended(self._server):
            # It ends when idle, and when the program's files have changed.
            self._useless = self._useless or time.monotonic() - self._started < _EARLY
            self._groups.finish(self._server)
            self._server = None
        if self._server is not None or self._useless or not self._starts:
            return
        if self._folder is None:
            try:
                self._folder = new_folder(_parent())
            except EssError:  # the same commands take longer, and that is all
                self._useless = True
                return
            self._groups.delete_at_end(self._folder)
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH")
        kept_environment = {name: value for name, value in environment().items() if name in kept}
        self._started = time.monotonic()
        self._server = self._groups.start(
            f"exec {shlex.quote(sys.executable)} -P -m ess.tools.warm.server",
            environment=kept_environment | {"ESS_RUNTIME_DIR": str(self._folder), "ESS_WARM_IDLE": _IDLE_SECONDS},
            folder="/",
            umask=0o077,
            stdin=None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
