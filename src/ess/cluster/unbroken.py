"""Work that Ctrl-C does not break in the middle: it takes effect behind it, if that is soon enough."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ess.settings import answer_timeout


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold a Ctrl-C back while this is open, for ``ESS_ANSWER_TIMEOUT`` seconds at most; a second one is not held.

    Another thread than the main one gets none, so there is nothing to hold then.

    Raises:
        KeyboardInterrupt: At its end, or where the seconds are over, if Ctrl-C was pressed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    held = _Held(before)
    signal.signal(signal.SIGINT, held.hold)
    try:
        yield
    finally:
        # Nothing is lost in between: one that comes now is held, and told below.
        signal.signal(signal.SIGINT, before)
        held.end()
    if held.frame is not None:
        before(signal.SIGINT, held.frame)


class _Held:
    def __init__(self, handler: Callable[[int, FrameType | None], object]) -> None:
        self.frame: FrameType | None = None
        self._handler = handler
        self._alarm: Callable[[int, FrameType | None], object] | int | None = None

    def hold(self, number: int, frame: FrameType | None) -> None:
        """Remember the first one, and let a second one through, which comes by itself in the end."""
        if self.frame is not None:
            self._handler(number, frame)
        self.frame = frame
        self._alarm = signal.signal(signal.SIGALRM, self._handler)
        signal.setitimer(signal.ITIMER_REAL, answer_timeout())

    def end(self) -> None:
        """Nothing is to come any more."""
        if self.frame is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._alarm)
