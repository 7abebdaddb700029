"""Acting as another user of the machine, and a temporary folder that all users share."""

from __future__ import annotations

import contextlib
import os
import shutil
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
