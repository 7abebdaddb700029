"""Noticing that a server has stopped answering while something waits for it.

The work of a server may take any time, so there is no time limit. But a server that works answers short questions
meanwhile, on a connection of their own; one that leaves several of them unanswered is stopped, or the network is cut.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
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
        self._patience = Patience(answers)
        self._about = 0
        self._has_ended = False
        self._waits = 0
        self._is_waiting = False
        self.is_lost = False
        #: When it is looked at next, by the monotonic clock; never while somebody looks.
        self.due = time.monotonic() + ASK_EVERY_SECONDS

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
        self._has_ended = True

    def look(self) -> bool:
        """Ask once, if something waits; whether it is to be looked at again."""
        if self._is_waiting:
            if self._about != self._waits:  # what was waited for before has come
                self._patience, self._about = Patience(self._answers), self._waits
            about = self._about
            if self._patience.is_at_end() and self._is_waiting and about == self._waits and not self._has_ended:
                self.is_lost = True
                self._give_up()
        return not (self.is_lost or self._has_ended)


class _Clock:
    """One thread that has all watches of the process looked at when it is time; it ends when there is none for long.

    A thread for each would cost a small import more than its rows: it waits for its servers six times.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._wakes = math.inf

    @property
    def is_idle(self) -> bool:
        """True if its thread is there and has nothing to do."""
        with self._changed:
            return self._thread is not None and self._thread.is_alive() and not self._watches

    def add(self, watch: Watch) -> None:
        """Have a watch looked at from its time on."""
        with self._changed:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            elif watch.due < self._wakes:
                self._changed.notify_all()

    def remove(self, watch: Watch) -> None:
        """Look at it no more."""
        with self._changed:
            self._watches.discard(watch)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for watch in [each for each in self._watches if each.due <= now]:
                    watch.due = math.inf
                    # Not here: an answer may take long, and others wait for theirs.
                    threading.Thread(target=self._look, args=(watch,), daemon=True).start()
                self._wakes = min((each.due for each in self._watches), default=math.inf)
                self._wakes = min(self._wakes, now + ASK_EVERY_SECONDS)
                had_some = bool(self._watches)
                self._changed.wait(max(0.0, self._wakes - now))
                if not had_some and not self._watches and time.monotonic() >= self._wakes:
                    self._thread = None
                    return

    def _look(self, watch: Watch) -> None:
        goes_on = watch.look()
        with self._changed:
            if goes_on and watch in self._watches:
                watch.due = time.monotonic() + ASK_EVERY_SECONDS
                if watch.due < self._wakes:
                    self._changed.notify_all()


_clock = _Clock()


def _begin_anew() -> None:
    """A fork has no thread of its parent's."""
    global _clock
    _clock = _Clock()


os.register_at_fork(after_in_child=_begin_anew)


def is_idle() -> bool:
    """True if there is a thread of this module that has nothing to do."""
    return _clock.is_idle


@contextlib.contextmanager
def watched(answers: Callable[[float], bool], give_up: Callable[[], None]) -> Iterator[Watch]:
    """Have a server watched while this is open; see :class:`Watch`."""
    watch = Watch(answers, give_up)
    _clock.add(watch)
    try:
        yield watch
    finally:
        watch.end()
        _clock.remove(watch)
