"""A checkpoint in an object store, laid out as in a folder, so that it can be copied from one to the other.

A store has no locks that we could take, and no rename. So the files of a save go under a prefix of their own, the
manifest comes last, in one request, and a save removes nothing that another one may be at work on: only the part that
the manifest named before, and parts that nobody had written to for a day when the new one was finished.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import BinaryIO

from ess.errors import EssError, InputOpenError, OutputWriteError
from ess.stores.store import Folder, NoSuchObject, Sink, Store, pieces
from ess.udb.checkpoint.location import MANIFEST

PART = re.compile(r"data-[0-9a-f]{16}\Z")

#: A part that nobody has written to for so long belongs to a save that was ended; by the clock of the store.
ABANDONED = timedelta(days=1)


class BucketLocation:
    """A location in a store; see :class:`ess.udb.checkpoint.location.Location`."""

    def __init__(self, store: Store, key: str) -> None:
        self.address = store.at(key)
        #: Whether a request whose answer was lost may still be carried out.
        self.late = store.late
        self._store = store
        self._key = key

    def at(self, *names: str) -> str:
        """The name of an entry as messages show it."""
        return "/".join((self.address, *names))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Check the bucket and our access at once, not after the first table."""
        self._store.require(writing=True)
        yield

    def loading(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: a store has no locks, so a load during a save may find a file missing."""
        return contextlib.nullcontext()

    def create(self, part: str, file: str) -> contextlib.AbstractContextManager[Sink]:
        """Write or replace a file."""
        return self._store.create(self._under(part, file))

    def settle(self, part: str, sizes: Mapping[str, int]) -> None:
        """See that the store has all files with their sizes."""
        found = {entry.key: entry.size for entry in self._store.entries(self._under(part, ""))}
        for file, size in sizes.items():
            if found.get(self._under(part, file)) != size:
                raise OutputWriteError(
                    "the store does not have what was written", where=self.at(part, file), hint="save again"
                )

    def manifest(self) -> bytes | None:
        """The manifest; None if there is none."""
        try:
            return b"".join(pieces(self._store.open(self._under(MANIFEST))))
        except NoSuchObject:
            self._store.require(writing=False)  # a bucket that is not there is another mistake
            return None

    def name(self, manifest: bytes) -> None:
        """Put the manifest there, in one step."""
        self._store.put(self._under(MANIFEST), manifest)

    def remove(self, part: str) -> None:
        """Remove a part, as far as that can be done."""
        with contextlib.suppress(EssError):
            self._store.remove(self._under(part))

    def remove_others(self, part: str, before: str | None) -> None:
        """Remove what was named before, and what was abandoned."""
        if before not in (None, part):
            self.remove(str(before))
        with contextlib.suppress(EssError):
            found = [name for name in self._parts() if name != part]
            if not found:
                return
            now = max(entry.modified for entry in self._store.entries(self._under(part, "")))
            for name in found:
                written = self._store.entries(self._under(name, ""))
                if all(now - entry.modified > ABANDONED.total_seconds() for entry in written):
                    self.remove(name)

    @contextlib.contextmanager
    def open(self, part: str, file: str) -> Iterator[BinaryIO]:
        """Open the file; in a store, a nameless copy of it.

        The checked bytes must be the ones that are read, and Parquet is not read in order.
        """
        where = self.at(part, file)
        try:
            opened = self._store.open(self._under(part, file))
        except NoSuchObject:
            raise _missing(where) from None
        if opened.seekable():
            with opened:
                yield opened
            return
        with tempfile.TemporaryFile() as copy:
            try:
                for piece in pieces(opened):
                    copy.write(piece)
                copy.seek(0)
            except NoSuchObject:
                raise _missing(where) from None
            except OSError as error:
                raise InputOpenError(
                    f"there is no room for a copy in {tempfile.gettempdir()} ({error.strerror})",
                    where=where,
                    hint="name another folder with TMPDIR",
                ) from error
            yield copy

    def _parts(self) -> list[str]:
        """The parts that are there, whether or not the manifest names them."""
        folders = (item.key for item in self._store.level(self._under("")) if isinstance(item, Folder))
        names = (key.removesuffix("/").rpartition("/")[2] for key in folders)
        return [name for name in names if PART.match(name)]

    def _under(self, *names: str) -> str:
        return "/".join((self._key, *names) if self._key else names)


def _missing(where: str) -> InputOpenError:
    return InputOpenError(
        "a file of the checkpoint is missing", where=where, hint="if another -save has replaced it meanwhile, try again"
    )
