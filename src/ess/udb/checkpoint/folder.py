"""A checkpoint in a folder: as in a store, and with locks, so that two saves, or a save and a load, cannot meet."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from ess.errors import OutputWriteError
from ess.settings import open_private
from ess.stores.disk import Disk
from ess.surroundings import absolute
from ess.udb.checkpoint.bucket import BucketLocation

LOCK = ".lock"


class FolderLocation(BucketLocation):
    """A folder; see :class:`ess.udb.checkpoint.location.Location`. All in it is for its owner only, as rows in memory.

    Unlike a store it is locked while somebody saves, so all that the manifest does not name can be removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = absolute(path)
        super().__init__(Disk(self._path, private=True), "")
        self.address = str(self._path)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock out other saves: the first to finish would remove what the other one writes."""
        with super().held(), _closed(open_private(self._path / LOCK, os.O_WRONLY)) as handle:
            try:
                fcntl.flock(
                    handle, fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # the system frees it when this process ends, however
            except BlockingIOError:
                raise OutputWriteError(
                    "another -save into this folder is under way", where=self.address, hint="try again when it is done"
                ) from None
            yield

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Let nobody remove what the manifest names while this is open.

        The lock is one on the folder itself, so that it needs no right to write there.
        """
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # there is no folder, which the manifest's error says; or no locks on it
                handle = held.enter_context(_opened(self._path))
                fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a save only while that removes what it has replaced
            yield

    def settle(self, part: str, sizes: Mapping[str, int]) -> None:
        """Do nothing: each file is safe, and so is its name, as soon as it is written."""

    def manifest(self) -> bytes | None:
        """The manifest; None if there is none."""
        return super().manifest() if self._path.is_dir() else None

    def remove_others(self, part: str, before: str | None) -> None:
        """Remove all other parts, unless somebody loads: nobody else saves here."""
        with self._nobody_loads() as alone:
            for old in self._parts() if alone else ():
                if old != part:
                    self.remove(old)

    @contextlib.contextmanager
    def _nobody_loads(self) -> Iterator[bool]:
        """True if files that the manifest no longer names can be removed; a load that begins now waits for that."""
        with _opened(self._path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False  # the next save removes it
            except OSError:
                yield True  # no locks on this file system
            else:
                yield True


def _opened(folder: Path) -> AbstractContextManager[int]:
    return _closed(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


@contextlib.contextmanager
def _closed(handle: int) -> Iterator[int]:
    try:
        yield handle
    finally:
        os.close(handle)
