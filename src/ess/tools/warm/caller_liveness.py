"""The caller of a command that runs on the tool server: the command can ask whether it still lives.

A group of processes that is killed dies at one blow, so a filter in it never takes the death of the
one before it for the end of the input. A command on the tool server is not in its caller's group:
it could see that end, and commit a part as if it were the whole, before the server has noticed that
the caller is dead. So it asks the caller before it does what cannot be undone. A process with a
SIGKILL pending answers nothing.
"""

from __future__ import annotations

import os
import socket

from ess.errors import SystemFailure

_question: socket.socket | None = None


def meet(descriptor: int) -> None:
    """Called once by the tool server in the command's process: where the caller can be asked."""
    global _question
    _question = socket.socket(fileno=descriptor)


def leave() -> None:
    """Called by the tool server when the command has ended."""
    global _question
    if _question is not None:
        _question.close()
    _question = None


def make_sure_of_caller() -> None:
    """Return if the caller lives, or if this command was not started through the tool server.

    Raises:
        SystemFailure: If the caller is dead.
    """
    if _question is None:
        return
    try:
        _question.sendall(b"?")
        answer = _question.recv(1)
    except OSError:
        answer = b""
    if not answer:
        raise SystemFailure("the process that asked for this command is gone", where=f"process {os.getpid()}")
