"""Acting as another user of the machine, and a temporary folder that all users share."""

from __future__ import annotations

import contextlib
import encodings.ascii  # noqa: F401 - the other user may not be able to read the library of this Python
import os
import select
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

#: Numbers that no account needs to have: the attacker, and a victim who is not root.
MALLORY, VICTIM = 64007, 64011

ONLY_ROOT = "only root can act as other users"


def act_as(user: int, work: Callable[[], None]) -> None:
    """Do something as another user, in a process of its own; fails if that raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            os.close(reading)
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as words:
        said = words.read()
    os.waitpid(child, 0)
    assert not said, said


@contextlib.contextmanager
def shared_folder(mode: int) -> Iterator[Path]:
    """A temporary folder of all users of the machine: ``mode`` 0o1777 is that of ``/tmp``, 0o777 has no sticky bit."""
    if os.geteuid() != 0:
        pytest.skip(ONLY_ROOT)
    folder = Path(tempfile.mkdtemp(prefix="all-", dir="/tmp"))  # pytest's own is closed to others
    folder.chmod(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def silent_connections(port: int, number: int, first_bytes: bytes = b"") -> Iterator[Callable[[], bool]]:
    """Another user holds so many connections to a port of this machine, and says no more than their first bytes.

    Yields:
        Waits for the end of one of his connections; True as long as he has another one.
    """
    told, tell = os.pipe()
    holding, let_go = os.pipe()

    def hold() -> None:
        poll, held = select.poll(), {}
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", port))
            with contextlib.suppress(OSError):  # the server may have closed it already
                connection.sendall(first_bytes)
            held[connection.fileno()] = connection
            poll.register(connection, select.POLLIN)
        poll.register(holding, select.POLLIN)
        os.write(tell, b"h")
        while held:
            for descriptor, _ in poll.poll():
                if descriptor == holding:
                    return
                poll.unregister(descriptor)
                held.pop(descriptor).close()
                os.write(tell, b"c" if held else b"e")

    child = os.fork()
    if child == 0:
        try:
            os.close(let_go)
            act_as(MALLORY, hold)
        finally:
            os._exit(0)
    os.close(tell)
    os.close(holding)
    try:
        assert os.read(told, 1) == b"h"
        yield lambda: os.read(told, 1) == b"c"
    finally:
        os.close(let_go)
        os.waitpid(child, 0)
        os.close(told)
