"""Files of the master's own disk on their way to a node that does not see it, over the cluster's own TLS connections.

The process that runs the job sends the files of a bundle to its worker, piece by piece and in their order, as they are
stored: nothing passes through the scheduler. The node keeps each until the one after the next is opened, and lets no
new one begin while :data:`AHEAD` bytes wait for their turn. All go with the bundle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from distributed import Client, Worker
from distributed.diagnostics.plugin import WorkerPlugin

from ess import errors
from ess.cluster.work import Job, Task
from ess.errors import EssError, InputOpenError, InputReadError, SystemFailure
from ess.lake.content import THIS_DISK
from ess.stores.disk import Disk
from ess.stores.kinds import Access
from ess.stores.store import Store, changed

#: Bytes that travel at a time, and so are held in memory on both sides.
PIECE = 1 << 20

#: Bytes of whole files that wait on a node, from which on no further file begins.
AHEAD = 64 << 20

#: How long a node lets a piece wait for its turn, in seconds; and how long it may take to answer.
_ROOM_SECONDS = 2.0
_ANSWER_SECONDS = 12.0

#: How long the sender waits before it tries again what failed, in seconds.
_PAUSE = 0.5
#: The same where a node has not taken a piece.
_LOOK = 0.02

_HANDLER = "ess_input"


@dataclass(frozen=True)
class Sent:
    """A file to send: its path, and the version that it must have (blank: any)."""

    path: str
    version: str = ""


def files_to_send(job: Job, tasks: Sequence[Task]) -> list[Sent]:
    """The files that the tasks of a bundle read, each once, in order; none if the node can read them itself."""
    if job.source != THIS_DISK:
        return []
    found: dict[str, Sent] = {}
    for task in tasks:
        for entry in task.files:
            version = entry.version if entry.member is not None else ""
            found.setdefault(entry.stored_path, Sent(entry.stored_path, version))
    return [*found.values()]


# The sender -----------------------------------------------------------------------------------------------------------


async def send(client: Client, address: str, key: str, files: Sequence[Sent], wanted: Callable[[], bool]) -> None:
    """Send the files of a bundle.

    Args:
        client: The connection to the cluster.
        address: That of the worker.
        key: The task that runs the bundle.
        files: What to send.
        wanted: Asked after each failure; false ends it: the bundle has ended, or its node is lost.
    """
    worker = client.rpc(address)
    for file in files:
        offset = 0
        while wanted():
            try:
                piece, problem = await asyncio.to_thread(_piece, file, offset)
                asked = worker.ess_input(
                    key=key, path=os.fsencode(file.path), offset=offset, piece=piece, problem=problem
                )
                taken = await asyncio.wait_for(asked, _ANSWER_SECONDS)
            except Exception:  # whatever breaks in Dask when a connection does
                await asyncio.sleep(_PAUSE)
                continue
            if taken and (problem or not piece):
                break
            if taken:
                offset += len(piece)
            else:
                await asyncio.sleep(_LOOK)


def _piece(file: Sent, offset: int) -> tuple[bytes, tuple[str, ...]]:
    """The next bytes of a file; with the reason why there are none."""
    try:
        if not offset and file.version and Disk().head(file.path.removeprefix("/")).version != file.version:
            raise changed(file.path)
        with Disk().open(file.path.removeprefix("/"), offset=offset) as opened:
            return opened.read(PIECE), ()
    except EssError as error:
        # Of the tree of errors, as the node makes it again: the class decides the exit code.
        kind = next(each.__name__ for each in type(error).__mro__ if each.__module__ == errors.__name__)
        return b"", (kind, error.what, error.where, error.hint)
    except OSError as error:
        return b"", (InputReadError.__name__, f"cannot read ({error.strerror})", file.path, "")


# The node -------------------------------------------------------------------------------------------------------------


@dataclass
class _Arrived:
    """A file on the node: its copy, its size so far, and whether it is complete, wanted, or cannot come."""

    copy: Path
    size: int = 0
    complete: bool = False
    opened: bool = False
    problem: tuple[str, ...] = ()


class Arrivals:
    """The files of one bundle, as they come.

    Args:
        folder: Takes them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Condition()
        self._files: dict[str, _Arrived] = {}
        self._closed = False

    def take(self, path: str, offset: int, piece: bytes, problem: tuple[str, ...]) -> bool:
        """Take a piece, an empty one at the end. False if there is no room yet."""
        with self._changed:
            if self._closed:
                return True  # nobody wants it any more
            file = self._files.get(path)
            if file is None:
                if not self._changed.wait_for(self._has_room, _ROOM_SECONDS):
                    return False
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = self._files[path] = _Arrived(self._folder / f"{len(self._files)}")
            if problem:
                file.problem = problem
            elif piece and not file.complete:
                try:
                    with open(file.copy, "r+b" if file.copy.exists() else "wb") as copy:  # noqa: PTH123
                        copy.seek(offset)
                        copy.write(piece)
                except OSError as error:
                    text = f"cannot keep a copy on the node ({error.strerror})"
                    file.problem = (SystemFailure.__name__, text, path, "check the space on its disk")
                file.size = offset + len(piece)
            else:
                file.copy.touch(0o600)
                file.complete = True
            self._changed.notify_all()
            return True

    def copy_of(self, path: str) -> Path:
        """The copy of a file, once it is here.

        Raises:
            EssError: If it could not be read where it is, or nobody waits for the bundle any more.
        """
        with self._changed:
            while not self._closed:
                file = self._files.get(path)
                if file is not None and file.problem:
                    raise _made_again(file.problem)
                if file is not None and file.complete:
                    if not file.opened:
                        file.opened = True
                        self._forget_before(path)
                        self._changed.notify_all()
                    return file.copy
                self._changed.wait(1.0)
        raise InputOpenError("nobody waits for it any more", where=path)

    def close(self) -> None:
        """Let nobody wait any more, and remove what is here."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _has_room(self) -> bool:
        waiting = [file.size for file in self._files.values() if not file.opened]
        return self._closed or sum(waiting) < AHEAD

    def _forget_before(self, path: str) -> None:
        """Remove what was opened before the file before this one: at most one is opened ahead."""
        opened = [file for name, file in self._files.items() if file.opened and name != path]
        for file in opened[:-1]:
            file.copy.unlink(missing_ok=True)


class NodeInputs(WorkerPlugin):
    """Takes the files that are sent, and gives them to the tasks."""

    def setup(self, worker: Worker) -> None:
        """Begin to take them."""
        self._worker = worker
        self._lock = threading.Lock()
        self._bundles: dict[str, Arrivals] = {}
        worker.handlers[_HANDLER] = self._take

    def of(self, key: str) -> Arrivals:
        """Those of a bundle."""
        with self._lock:
            found = self._bundles.get(key)
            if found is None:
                found = self._bundles[key] = Arrivals(Path(self._worker.local_directory) / "input" / Path(key).name)
            return found

    def transition(self, key: object, start: str, finish: str, **_more: object) -> None:
        """Remove the files of a bundle that was dropped."""
        if finish in ("released", "forgotten", "memory", "error"):
            self.end(str(key))

    def end(self, key: str) -> None:
        """Remove the files of a bundle."""
        with self._lock:
            found = self._bundles.pop(key, None)
        if found is not None:
            found.close()

    async def _take(self, key: str, path: bytes, offset: int, piece: bytes, problem: Sequence[str]) -> bool:
        task = self._worker.state.tasks.get(key)
        if task is None or task.state not in ("waiting", "ready", "executing", "long-running"):
            return False  # the task is on its way, or has ended: then the sender is about to learn that
        arrivals = self.of(key)
        return await asyncio.to_thread(arrivals.take, os.fsdecode(path), offset, bytes(piece), tuple(problem))


@dataclass(frozen=True)
class SentAccess(Access):
    """The way to files that are sent."""

    arrivals: Arrivals | None = field(default=None, compare=False)

    def open(self) -> Store:
        """The copies, under the names of the files."""
        assert self.arrivals is not None
        return _Copies(self.arrivals)


class _Copies(Disk):
    """The copies, as a store."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__()
        self._arrivals = arrivals

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The copy of a file; it has the right version, or it was not sent."""
        copy = self._arrivals.copy_of(self.at(key))
        return Disk().open(str(copy).removeprefix("/"), offset=offset, length=length)


def with_sent_files(job: Job, arrivals: Arrivals) -> Job:
    """A job on a node that does not see the master's disk."""
    return replace(job, source=SentAccess("sent", arrivals=arrivals)) if job.source == THIS_DISK else job


def _made_again(problem: tuple[str, ...]) -> EssError:
    """The error that the sender has met."""
    kind, what, where, hint = problem
    found: Any = getattr(errors, kind, None)
    made: EssError
    if isinstance(found, type) and issubclass(found, EssError):
        with contextlib.suppress(TypeError):
            made = found(what, where=where, hint=hint)
            return made
    return InputReadError(what, where=where, hint=hint)
