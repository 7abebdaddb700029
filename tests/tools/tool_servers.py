"""Tool servers that start in no time: forks of one process that has imported what a server imports."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.waiting import PATIENCE

#: For each line, which is an environment, a server; its process is printed.
_PROGRAM = """
import importlib, json, os, signal, sys
from ess import interrupts
from ess.tools.warm import server
interrupts.take_over()
for name in (*(f"ess.tools.{tool}" for tool in server.TOOLS), *server._PRELOADED):
    importlib.import_module(name)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.environ.clear()
        os.environ.update(json.loads(line))
        server.main()
        os._exit(0)
    print(process, flush=True)
"""


@dataclass(frozen=True)
class Forked:
    """A running tool server."""

    pid: int
    _descriptor: int

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        try:
            signal.pidfd_send_signal(self._descriptor, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        """Kill it, and return when it is gone."""
        self.send_signal(signal.SIGKILL)
        assert select.select([self._descriptor], [], [], PATIENCE)[0]


class ToolServers:
    """Starts tool servers."""

    def __init__(self) -> None:
        self._imported = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @contextmanager
    def started(self) -> Iterator[Forked]:
        """A server with the environment of this moment, which is killed in the end; it may not listen yet."""
        assert self._imported.stdin is not None
        assert self._imported.stdout is not None
        self._imported.stdin.write(json.dumps(dict(os.environ)).encode() + b"\n")
        self._imported.stdin.flush()
        process = int(self._imported.stdout.readline())
        descriptor = os.pidfd_open(process)
        forked = Forked(process, descriptor)
        try:
            yield forked
        finally:
            forked.kill()
            os.close(descriptor)

    def close(self) -> None:
        """Start no more."""
        self._imported.communicate()
