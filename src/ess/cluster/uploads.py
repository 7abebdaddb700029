"""The output of a command becomes an object of a store: whole or not at all, in parts, with bounded memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ess.cluster.commands import STOP_INTERVAL, Setting
from ess.errors import EssError, OutputWriteError, SystemFailure
from ess.stores.kinds import KINDS, Access
from ess.surroundings import Workspace, carried

#: How long an upload that is stopped may take to tell the store so, in seconds.
_FAREWELL = 3.0


@dataclass(frozen=True)
class Written:
    """An object that was written: its key, its bytes, and its version if it was asked for."""

    key: str
    size: int
    version: str = ""


class _Stopped(Exception):
    """The job is stopped."""


class _Upload:
    """One object. The work is done in a thread of its own, so that a store that is silent delays nobody who stops."""

    def __init__(self, path: Path, access: Access, key: str, setting: Setting, *, ask: bool) -> None:
        self._path, self._access, self._key, self._setting, self._ask = path, access, key, setting, ask
        self.stopped = False
        self.written: Written | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self._as_the_user():
                self._write()
        except BaseException as error:  # told to the thread that waits
            self.error = error

    @contextlib.contextmanager
    def _as_the_user(self) -> Iterator[None]:
        if KINDS[self._access.kind].named:
            yield
            return
        with Workspace(self._setting.folder, self._setting.environment, self._setting.umask).entered():
            yield

    def _write(self) -> None:
        from ess.formats.compressing import compressed  # loads the compressors

        store = self._access.open()
        where, size = store.at(self._key), 0
        try:
            with self._path.open("rb") as source, store.create(self._key) as sink:
                for piece in compressed(source, self._key, where=where):
                    if self.stopped:
                        raise _Stopped
                    sink.write(piece)
                    size += len(piece)
                if self.stopped:
                    raise _Stopped  # another node may have the task by now
        except OSError as error:
            raise OutputWriteError(
                f"cannot write it ({error.strerror or error})", where=where, hint="check space and rights"
            ) from error
        self.written = Written(self._key, size, store.head(self._key).version if self._ask else "")


def upload(
    path: Path, access: Access, key: str, setting: Setting, *, stop: Callable[[], bool], ask: bool = False
) -> Written | None:
    """Write the content of a file as an object, compressed if its name says so. None if it was stopped.

    Readers see the whole object, or what was there before. There is no condition on what is there: a request whose
    answer was lost is repeated, and would then find the object of the first.

    Args:
        path: The file.
        access: The store.
        key: The object.
        setting: The user, whose umask a file of this disk gets.
        stop: Asked from time to time; true stops the upload, and nothing is there then.
        ask: Whether to ask for the version of the object afterwards.

    Raises:
        EssError: If it cannot be written.
    """
    work = _Upload(path, access, key, setting, ask=ask)
    thread = threading.Thread(target=carried(work.run), daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(STOP_INTERVAL)
        if thread.is_alive() and stop():
            work.stopped = True
            thread.join(_FAREWELL)
            return None
    if isinstance(work.error, EssError):
        raise work.error
    if work.error is not None:
        raise SystemFailure(f"the upload has failed ({work.error})", where=access.open().at(key)) from work.error
    return work.written
