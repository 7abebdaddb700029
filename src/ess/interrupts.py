"""Ctrl-C, from the first moment of a command to its last.

Python turns Ctrl-C into a KeyboardInterrupt wherever it stands. Raised inside an import it may be swallowed or come out
as another error, and in a callback it is printed and forgotten. So a process of ours dies of the signal while it
imports, as any program without a handler does, and raises KeyboardInterrupt elsewhere. A second Ctrl-C always ends it.
The launchers start Python with the signal held back (``env --block-signal``), until :func:`take_over` is reached.
"""

from __future__ import annotations

# `signal` is this, wrapped in enums, and takes longer to import than a warm command has.
import _signal  # type: ignore[import-not-found]
import os
import sys
from types import FrameType
from typing import NoReturn

_IMPORTING = "<frozen importlib"


def take_over() -> None:
    """Make Ctrl-C what this module says, for this process; not where its caller has told it to ignore Ctrl-C.

    Raises:
        KeyboardInterrupt: If somebody has pressed it already.
    """
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _interrupted)
        sys.unraisablehook = _unraisable
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGINT,))


def let_go() -> None:
    """From now on Ctrl-C ends this process at once: it has nothing left to do but to end."""
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def end() -> NoReturn:
    """End this process by the signal of Ctrl-C, so that a shell that runs it in a loop ends the loop too."""
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    os.kill(os.getpid(), _signal.SIGINT)
    os._exit(128 + _signal.SIGINT)  # not reached unless the signal is blocked


def _interrupted(_number: int, frame: FrameType | None) -> None:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            end()
        frame = frame.f_back
    raise KeyboardInterrupt


def _unraisable(unraisable: object) -> None:
    """End on a Ctrl-C that Python cannot raise, in a callback; say nothing of anything else."""
    if isinstance(getattr(unraisable, "exc_value", None), KeyboardInterrupt):
        end()
