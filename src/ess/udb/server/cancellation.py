"""Cancelling the work on a request whose client is gone: nobody waits for it, and a module may loop for ever.

The work is done in a thread of its own, in which nothing but this work can be hit by the exception that ends it. The
handler waits beside it and asks now and then whether somebody still wants the answer.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from ess.errors import UdbRequestError

log = logging.getLogger("udbd")

Answer = TypeVar("Answer")

#: How often to ask whether the client is still there.
ASK_EVERY_SECONDS = 0.25

#: How long the handler waits for the end of cancelled work.
END_SECONDS = 2.0

#: How long from one exception to the next, to code that goes on after it.
AGAIN_SECONDS = 0.1


class BrokenOff(BaseException):
    """Raised in the midst of the work. Not an Exception, so that a module does not catch it by chance."""


class _Work(Generic[Answer]):
    """Some work in a thread of its own."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self._work = work
        self._outcome: Callable[[], Answer] | None = None
        self._done = threading.Event()
        # Held while an exception is sent, so that it can never go to another thread that has got the same number.
        self._ending = threading.RLock()
        self._has_ended = False
        self.thread = threading.Thread(target=self._run, name="scan", daemon=True)

    def _run(self) -> None:
        try:
            try:
                answer = self._work()
                self._outcome = lambda: answer
            except BaseException as error:
                failure = error
                self._outcome = lambda: _raise(failure)
            self._done.set()
            with self._ending:
                self._has_ended = True
        except BrokenOff:  # it came after the work was done
            self._has_ended = True

    def wait(self, seconds: float) -> Callable[[], Answer] | None:
        """The result of the work, if it is done within so many seconds."""
        return self._outcome if self._done.wait(seconds) else None

    def break_off(self) -> None:
        """Raise an exception in it until it has ended."""
        while self.thread.is_alive():
            with self._ending:
                if self._has_ended:
                    return
                number = ctypes.c_ulong(self.thread.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(BrokenOff))
            self.thread.join(AGAIN_SECONDS)


def while_wanted(work: Callable[[], Answer], is_gone: Callable[[], bool]) -> Answer:
    """Do some work and return what comes of it, unless the client goes before.

    Args:
        work: Nobody else may depend on it, because it may end anywhere.
        is_gone: Whether nobody waits for it any more.

    Raises:
        UdbRequestError: If the client is gone; then the work has ended, or will as soon as it comes back to Python.

    >>> while_wanted(lambda: 6 * 7, lambda: False)
    42
    """
    doing = _Work(work)
    doing.thread.start()
    while (outcome := doing.wait(ASK_EVERY_SECONDS)) is None:
        if is_gone():
            ending = threading.Thread(target=doing.break_off, name="break off", daemon=True)
            ending.start()
            ending.join(END_SECONDS)
            if ending.is_alive():
                log.warning("what was begun for a client that is gone has not ended yet")
            raise UdbRequestError("cancelled, the client is gone")
    doing.thread.join()
    return outcome()


def _raise(error: BaseException) -> NoReturn:
    raise error
