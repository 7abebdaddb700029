"""Work beside the engine: reading ahead of it and printing behind it, each in a thread of its own.

Reading, computing and printing large batches release the interpreter lock most of the time, so two
cores are busy. Order is kept: both are queues of a few batches. Small inputs have no threads at all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

#: How many batches may wait between two threads. More would only cost memory.
_DEPTH = 2

#: How long an interrupted run waits for a batch that is being printed, in seconds.
_PATIENCE = 0.2


class _Queue(Generic[_Item]):
    """A bounded queue between two threads that either side can end."""

    def __init__(self) -> None:
        self._items: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._dropped = False

    def put(self, item: _Item) -> bool:
        """Hand over an item; False if nobody wants it any more."""
        with self._changed:
            while len(self._items) >= _DEPTH and not self._dropped:
                self._changed.wait()
            if not self._dropped:
                self._items.append(item)
            self._changed.notify_all()
            return not self._dropped

    def get(self) -> tuple[_Item, ...]:
        """The next item alone, or nothing at the end."""
        with self._changed:
            while not self._items and not (self._ended or self._dropped):
                self._changed.wait()
            taken = (self._items.popleft(),) if self._items else ()
            self._changed.notify_all()
            return taken

    def end(self) -> None:
        """No more items will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def drop(self) -> None:
        """Forget what waits; no more items are wanted."""
        with self._changed:
            self._dropped = True
            self._items.clear()
            self._changed.notify_all()


def read_ahead(items: Generator[_Item, None, None], is_large: Callable[[_Item], bool]) -> Iterator[_Item]:
    """The items of a generator, which runs ahead in a thread from the first large item on.

    Its exceptions are raised here, after the items before. When this iterator is closed the generator is closed too:
    in its thread and as soon as it gives its next item, because it may be waiting for input.
    """
    for item in items:
        yield item
        if is_large(item):
            break
    else:
        return
    queue: _Queue[_Item | _Failure] = _Queue()

    def work() -> None:
        try:
            for item in items:
                if not queue.put(item):
                    break
            items.close()
        except BaseException as error:  # whatever it is, it belongs to the thread that reads the queue
            queue.put(_Failure(error))
        queue.end()

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        while taken := queue.get():
            if isinstance(taken[0], _Failure):
                raise taken[0].error
            yield taken[0]
        thread.join()
    finally:
        queue.drop()


class _Failure:
    """An exception on its way to another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Behind(Generic[_Item]):
    """Does something with items in their order, in a thread from the first large item on.

    Args:
        work: What to do with an item. After it has raised, it gets no more.
        is_large: Whether an item is worth a thread.
    """

    def __init__(self, work: Callable[[_Item], None], is_large: Callable[[_Item], bool]) -> None:
        self._work = work
        self._is_large = is_large
        self._queue: _Queue[_Item] = _Queue()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def give(self, item: _Item) -> None:
        """Have an item worked on, now or soon.

        Raises:
            BaseException: What ``work`` has raised for this item or one before.
        """
        if self._thread is None and not self._is_large(item):
            self._work(item)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="work behind", daemon=True)
            self._thread.start()
        if not self._queue.put(item):
            self._raise()

    def finish(self) -> None:
        """Wait until all is done; raises as ``give`` does."""
        if self._thread is not None:
            self._queue.end()
            self._thread.join()
        self._raise()

    def drop(self) -> bool:
        """Forget what waits, without waiting long for what is being done; whether nothing is being done any more."""
        if self._thread is None:
            return True
        self._queue.drop()
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while taken := self._queue.get():
                self._work(taken[0])
        except BaseException as error:  # whatever it is, it belongs to the thread that gives
            self._failure = error
            self._queue.drop()

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
