"""This disk as a store: keys are paths below a folder, by default the root.

Links are followed. Sockets, pipes and devices are no objects. Bytes of names that are not UTF-8 stand in keys as
``os.fsdecode`` leaves them.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ess.errors import InputOpenError, OutputWriteError
from ess.settings import make_private_folder
from ess.stores.counting import count_request
from ess.stores.store import (
    Dangling,
    Entry,
    Folder,
    Item,
    NoSuchObject,
    Sink,
    Unreadable,
    all_names,
    changed,
    conflict,
    opened,
)
from ess.surroundings import umask

_HINT = "check that the file is there and readable"
_PIECE = 1 << 20
_GONE = (FileNotFoundError, NotADirectoryError)

#: The beginning of the name of a file that is not finished, and all of it.
_UNFINISHED = ".ess-write-"
_NAME = re.compile(re.escape(_UNFINISHED) + r"[a-z0-9_]{8}")

#: When a folder was last looked at for unfinished files, and how often that is done, in seconds.
_looked: dict[Path, float] = {}
_SECONDS = 60.0
_MOST_LOOKED = 1000


class Disk:
    """The files below a folder; see :class:`ess.stores.store.Store`.

    Args:
        root: The folder.
        private: Whether what is made here is for its owner only; else the umask says for whom.
    """

    flat = False
    ranged = False
    late = False

    def __init__(self, root: Path = Path("/"), *, private: bool = False) -> None:
        self._base = os.fspath(root).rstrip("/") + "/"
        self._private = private
        self.address = self._base.removesuffix("/")

    def at(self, key: str) -> str:
        """The path of a key."""
        return self._base + key

    def require(self, *, writing: bool) -> None:
        """See that the folder is there, and make it for writing."""
        folder = Path(self._base)
        if writing:
            with self._explained("", writing=True):
                self._make_folder(folder)
        elif not folder.is_dir():
            raise InputOpenError("there is no such folder", where=str(folder))

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """The files below, folder by folder; a circle of links is gone through once."""
        base = prefix[: prefix.rfind("/") + 1]
        after = os.fsencode(start_after)
        pending: list[tuple[str, Item | None, tuple[object, ...]]] = [(base, None, ())]
        while pending:
            key, item, above = pending.pop()
            if isinstance(item, Entry):
                if os.fsencode(key) > after:
                    yield item
                continue
            if isinstance(item, Dangling):
                continue
            if isinstance(item, Unreadable):
                raise InputOpenError("cannot read it", where=self.at(key), hint="check its rights")
            if isinstance(item, Folder):
                # All below comes before the bytes that follow the folder's own name.
                if item.identity in above or (os.fsencode(key) < after and not after.startswith(os.fsencode(key))):
                    continue
                above = (*above, item.identity)
            inside = [each for each in self.level(key) if each.key.startswith(prefix) or prefix.startswith(each.key)]
            inside.sort(key=lambda each: os.fsencode(each.key), reverse=True)
            pending += [(each.key, each, above) for each in inside]

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The files and folders directly in a folder."""
        try:
            count_request()
            with os.scandir(self.at(folder)) as entries:
                found = [*entries]
        except _GONE:
            return  # gone since its parent was read, or never there
        except OSError as error:
            where = self.at(folder)
            raise InputOpenError(f"cannot read the folder ({error.strerror})", where=where) from error
        for entry in found:
            key = folder + entry.name
            try:
                if entry.is_dir():
                    status = entry.stat()
                    yield Folder(key + "/", (status.st_dev, status.st_ino), status.st_mtime)
                elif entry.is_file() and wanted(entry.name):
                    yield _entry(key, entry.stat())
                elif entry.is_symlink() and not Path(entry.path).exists() and wanted(entry.name):
                    yield Dangling(key)
            except FileNotFoundError:
                continue  # deleted while we looked
            except OSError:
                yield Unreadable(key)

    def is_folder(self, key: str) -> bool:
        """True if it is one."""
        return os.path.isdir(self.at(key))  # noqa: PTH112 - a name that is too long is none, where pathlib raises

    def head(self, key: str) -> Entry:
        """The size, time and version of a file."""
        with self._explained(key, writing=False):
            status = Path(self.at(key)).stat()
        if not stat.S_ISREG(status.st_mode):
            raise NoSuchObject("it is not a file", where=self.at(key))
        return _entry(key, status)

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The file, open at its place."""
        with self._explained(key, writing=False):
            file = open(self.at(key), "rb")  # noqa: PTH123, SIM115 - the caller closes it
        try:
            if version and _entry(key, os.fstat(file.fileno())).version != version:
                raise changed(self.at(key))
            if offset:
                file.seek(offset)
        except BaseException:
            file.close()
            raise
        return file if length is None else opened(_part(file, length))

    @contextlib.contextmanager
    def create(self, key: str) -> Iterator[Sink]:
        """Write a file beside its place, and put it there at the end; then it is also safe from a power failure."""
        with self._beside(key) as (file, temporary):
            yield file
            with self._explained(key, writing=True):
                _sync(file)
                Path(temporary).replace(self.at(key))
                self._sync_folder(key)

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Write a file in one step."""
        with self._beside(key) as (file, temporary), self._explained(key, writing=True):
            file.write(content)
            _sync(file)
            if expected is None:
                Path(temporary).replace(self.at(key))
            elif not expected:
                try:
                    os.link(temporary, self.at(key))
                except FileExistsError:
                    raise conflict(self.at(key)) from None
            else:
                with self._folder_locked(key):
                    try:
                        found = self.head(key).version
                    except NoSuchObject:
                        found = ""
                    if found != expected:
                        raise conflict(self.at(key))
                    Path(temporary).replace(self.at(key))
            self._sync_folder(key)

    def delete(self, key: str) -> None:
        """Remove a file."""
        with self._explained(key, writing=True), contextlib.suppress(*_GONE):
            os.unlink(self.at(key))  # noqa: PTH108 - a path would lose a slash at its end

    def remove(self, folder: str) -> None:
        """Remove a folder with all in it."""
        with self._explained(folder, writing=True), contextlib.suppress(*_GONE):
            shutil.rmtree(self.at(folder))

    @contextlib.contextmanager
    def _beside(self, key: str) -> Iterator[tuple[io.BufferedWriter, str]]:
        """A new file in the folder of a key, which is removed unless it was put in its place."""
        path = Path(self.at(key))
        with self._explained(key, writing=True):
            self._make_folder(path.parent)
            handle, temporary = _new_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                assert isinstance(file, io.BufferedWriter)
                os.fchmod(handle, 0o600 if self._private else 0o666 & ~umask())
                yield file, temporary
        finally:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()

    def _make_folder(self, folder: Path) -> None:
        if self._private:
            make_private_folder(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _folder_locked(self, key: str) -> Iterator[None]:
        """Let no other process of ours replace a file of this folder on a condition meanwhile."""
        handle = os.open(Path(self.at(key)).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _sync_folder(self, key: str) -> None:
        handle = os.open(Path(self.at(key)).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _explained(self, key: str, *, writing: bool) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
            if writing:
                raise OutputWriteError(f"cannot write it ({error.strerror})", where=self.at(key)) from error
            raise NoSuchObject(
                f"cannot open it: {error.strerror}",
                where=self.at(key),
                hint="check that the file is there and readable",
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if writing:
                raise OutputWriteError(
                    f"cannot write it ({reason})", where=self.at(key), hint="check space and rights"
                ) from error
            raise InputOpenError(
                f"cannot open it: {reason}", where=self.at(key), hint="check that the file is there and readable"
            ) from error


def _new_file(folder: Path) -> tuple[int, str]:
    """A new file in a folder, locked: the lock says that somebody writes it still."""
    _remove_left(folder)
    while True:
        handle, path = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, path
        os.close(handle)  # somebody took it for one that is left, before it was locked


def _remove_left(folder: Path) -> None:
    """Remove from a folder what processes that were killed have not finished, from time to time."""
    now = time.monotonic()
    if now - _looked.get(folder, -_SECONDS) < _SECONDS:
        return
    if len(_looked) > _MOST_LOOKED:
        _looked.clear()
    _looked[folder] = now
    with os.scandir(folder) as entries:
        paths = [
            entry.path for entry in entries if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    for path in paths:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_uid == os.geteuid():
                    os.unlink(path)  # noqa: PTH108 - it is text already
            finally:
                os.close(handle)


def _entry(key: str, status: os.stat_result) -> Entry:
    version = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
    return Entry(key, status.st_size, status.st_mtime, version)


def _part(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next bytes of an open file, which is closed at last."""
    with file:
        while length > 0 and (piece := file.read(min(length, _PIECE))):
            length -= len(piece)
            yield piece


def _sync(file: io.BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())
