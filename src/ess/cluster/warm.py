"""A tool server for the commands of one process: ``aq_*`` commands skip their start-up time.

Starting ``aq_pp`` takes longer than most files take to process. The server has the tools imported
and forks one process a command. It is this process's own, in a session that the reaper knows, and
not the one that a user's terminal may share: when this process ends, in whatever way, the server and the
commands it runs end as well.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ess.cluster.groups import Groups, has_ended

#: What commands get that shall not use a server, and shall not start one either.
WITHOUT = {"ESS_WARM": "0"}

#: A server that ended sooner than this after its start is not started again, in seconds.
_EARLY = 10.0

_IDLE_SECONDS = "60"


class WarmTools:
    """The tool server of this process, started when it is first wanted."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._useless = os.environ.get("ESS_WARM") == "0"

    def environment(self) -> dict[str, str]:
        """The variables that make a command use the server, or run directly while the server is not ready."""
        with self._lock:
            self._ensure()
            if self._folder is None or self._server is None or not any(self._folder.glob("*.sock")):
                # A command that finds no server starts one, which nobody would end.
                return dict(WITHOUT)
            return {"ESS_WARM": "1", "ESS_RUNTIME_DIR": str(self._folder)}

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
            self._useless = time.monotonic() - self._started < _EARLY
            self._groups.finish(self._server)
            self._server = None
        if self._server is not None or self._useless:
            return
        if self._folder is None:
            # Short, because the name of a socket is limited to 107 bytes.
            self._folder = Path(tempfile.mkdtemp(prefix="ess-"))
            self._groups.delete_at_end(self._folder)
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        self._started = time.monotonic()
        self._server = self._groups.start(
            f"exec {shlex.quote(sys.executable)} -m ess.tools.warm.server",
            environment=environment | {"ESS_RUNTIME_DIR": str(self._folder), "ESS_WARM_IDLE": _IDLE_SECONDS},
            folder="/",
            umask=0o077,
            stdin=None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
