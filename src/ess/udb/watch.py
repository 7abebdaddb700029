"""Noticing that a server has stopped answering while something waits for it.

What a server does may take any time, so there is no time limit. But a server that works answers short questions
meanwhile, on a connection of their own; one that leaves several of them unanswered is stopped, or the network is cut.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

#: How long to wait before the first question, and from one to the next.
ASK_EVERY_SECONDS = 15.0

#: How long an answer may take.
ANSWER_SECONDS = 20.0

#: After so many questions in a row without an answer a server is given up.
QUESTIONS = 3


class Patience:
    """Counts the questions in a row that a server has left without an answer.

    Args:
        answers: Asks it; whether it has answered within so many seconds.
    """

    def __init__(self, answers: Callable[[float], bool]) -> None:
        self._answers = answers
        self._unanswered = 0

    def is_at_end(self) -> bool:
        """Ask once more; whether the server is to be given up."""
        self._unanswered = 0 if self._answers(ANSWER_SECONDS) else self._unanswered + 1
        return self._unanswered >= QUESTIONS


class Watch:
    """Asks a server now and then, and gives it up when it does not answer.

    Args:
        answers: Asks it; whether it has answered within so many seconds.
        give_up: Ends the waiting.
    """

    def __init__(self, answers: Callable[[float], bool], give_up: Callable[[], None]) -> None:
        self._patience = Patience(answers)
        self._give_up = give_up
        self._ended = threading.Event()
        self.is_lost = False

    def end(self) -> None:
        """The waiting has ended."""
        self._ended.set()

    def run(self) -> None:
        """Until it is ended, or the server is given up."""
        while not self._ended.wait(ASK_EVERY_SECONDS):
            if self._patience.is_at_end() and not self._ended.is_set():
                self.is_lost = True
                self._give_up()
                return


@contextlib.contextmanager
def watched(answers: Callable[[float], bool], give_up: Callable[[], None]) -> Iterator[Watch]:
    """Watch a server while this is open; see :class:`Watch`."""
    watch = Watch(answers, give_up)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
