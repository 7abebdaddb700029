"""Work that Ctrl-C does not break in the middle: it takes effect behind it, if that is soon enough."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType

from ess.settings import answer_timeout

#: Makes what is open while Ctrl-C is to wait.
Unbroken = Callable[[], AbstractContextManager[object]]


@contextmanager
def holding_back() -> Iterator[Unbroken]:
    """Gives what holds a Ctrl-C back while it is open, for ``ESS_ANSWER_TIMEOUT`` seconds at most.

    A second one is not held. Another thread than the main one gets none, so there is nothing to hold then.

    Raises:
        KeyboardInterrupt: Where that is closed, or where the seconds are over, if Ctrl-C was pressed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield _nothing
        return
    held = _Held(before)
    signal.signal(signal.SIGINT, held.press)
    try:
        yield lambda: held
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class _Held:
    def __init__(self, handler: Callable[[int, FrameType | None], object]) -> None:
        self._frame: FrameType | None = None
        self._handler = handler
        self._is_open = False
        self._alarm: Callable[[int, FrameType | None], object] | int | None = None

    def press(self, number: int, frame: FrameType | None) -> None:
        """Remember the first one, and let a second one through, which comes by itself in the end."""
        if not self._is_open:
            self._handler(number, frame)
            return
        if self._frame is not None:
            self._handler(number, frame)
        self._frame = frame
        self._alarm = signal.signal(signal.SIGALRM, self._handler)
        signal.setitimer(signal.ITIMER_REAL, answer_timeout())

    def __enter__(self) -> None:
        self._is_open = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._is_open = False  # nothing is lost: one that comes now is told at once, one that was held below
        finally:
            frame, self._frame = self._frame, None
            if frame is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, self._alarm)
        if frame is not None and kind is None:
            self._handler(signal.SIGINT, frame)
