"""Jobs that run in the background: begun, looked at, cancelled, and their result."""

from __future__ import annotations

import threading

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ess.api.results import StreamOutput
    from ess.cluster.stream import Progress

    class Stoppable(Protocol):
        """A verb that tells its progress, and asks from time to time if it shall end."""

        def __call__(self, *, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> StreamOutput:
            """Run to the end."""


__all__ = ["Job"]


class Job:
    """A stream that runs in a thread of its own, in the workspace of whoever began it.

    A program that ends does not wait for it; :func:`ess.stream` with ``resume`` continues what it has not done.
    """

    def __init__(self, verb: Stoppable) -> None:
        from ess.surroundings import carried

        self._verb = verb
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._progress: Progress | None = None
        self._result: StreamOutput | None = None
        self._failure: BaseException | None = None
        threading.Thread(target=carried(self._run), name="job", daemon=True).start()

    @property
    def progress(self) -> Progress | None:
        """The numbers of files and bytes done and of all; None as long as the files are looked for."""
        return self._progress

    @property
    def ended(self) -> bool:
        """True once it has come to its end, whichever that is."""
        return self._ended.is_set()

    @property
    def cancelled(self) -> bool:
        """True if somebody has asked for its end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask for its end: all that it runs is killed, and what is done stays done. Returns at once."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; False if it has not come within so many seconds."""
        return self._ended.wait(seconds)

    def result(self) -> StreamOutput | None:
        """Wait for its end, and return what :func:`ess.stream` returns; None if it was cancelled.

        Raises:
            EssError: What :func:`ess.stream` raises.
        """
        self._ended.wait()
        if self._failure is not None:
            raise self._failure
        return self._result

    def _note(self, progress: Progress) -> None:
        self._progress = progress

    def _run(self) -> None:
        try:
            self._result = self._verb(progress=self._note, cancelled=self._cancelled.is_set)
        except KeyboardInterrupt:
            pass  # so a cancelled job ends, when all that it ran is gone
        except BaseException as error:  # raised by result()
            self._failure = error
        finally:
            self._ended.set()
