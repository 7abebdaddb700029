"""Noticing that a server has stopped answering while something waits for it.

The work of a server may take any time, so there is no time limit. But a server that works answers short questions
meanwhile, on a connection of their own; one that leaves several of them unanswered is stopped, or the network is cut.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

#: How long to wait before the first question, and from one to the next.
ASK_EVERY_SECONDS = 10.0

#: So long after the look that found a server stopped another one must find it so.
AGAIN_SECONDS = 1.0

#: How long an answer may take.
ANSWER_SECONDS = 20.0

#: After this many questions in a row without an answer a server is given up.
QUESTIONS = 3


class ServerStopped(Exception):
    """The process of a server is stopped: it answers no further question either."""


class Patience:
    """Counts the questions in a row that a server has left without an answer.

    Args:
        answers: Asks it; whether it has answered within so many seconds. It may raise ServerStopped.
    """

    def __init__(self, answers: Callable[[float], bool]) -> None:
        self._answers = answers
        self._unanswered = 0

    def is_at_end(self) -> bool:
        """Ask once more; whether the server is to be given up."""
        try:
            self._unanswered = 0 if self._answers(ANSWER_SECONDS) else self._unanswered + 1
        except ServerStopped:
            return True
        return self._unanswered >= QUESTIONS


class Watch:
    """Asks a server now and then while something waits for it, and gives it up when it does not answer.

    Args:
        answers: Asks it; whether it has answered within so many seconds.
        give_up: Ends the waiting.
    """

    def __init__(self, answers: Callable[[float], bool], give_up: Callable[[], None]) -> None:
        self._answers = answers
        self._give_up = give_up
        self._ended = threading.Event()
        self._waits = 0
        self._is_waiting = False
        self.is_lost = False

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Ask the server now and then while this is open, because something waits for it."""
        self._waits += 1
        self._is_waiting = True
        try:
            yield
        finally:
            self._is_waiting = False

    def end(self) -> None:
        """Stop: nothing will wait any more."""
        self._ended.set()

    def run(self) -> None:
        """Ask until it is ended, or the server is given up."""
        patience, about = Patience(self._answers), 0
        while not self._ended.wait(ASK_EVERY_SECONDS):
            if not self._is_waiting:
                continue
            if about != self._waits:  # what was waited for before has come
                patience, about = Patience(self._answers), self._waits
            if patience.is_at_end() and self._is_waiting and about == self._waits:
                self.is_lost = True
                self._give_up()
                return


@contextlib.contextmanager
def watched(answers: Callable[[float], bool], give_up: Callable[[], None]) -> Iterator[Watch]:
    """Have a server watched while this is open; see :class:`Watch`."""
    watch = Watch(answers, give_up)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
