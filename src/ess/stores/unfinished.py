"""Uploads in parts that have begun are noted on this machine until they end, so that the next removes what is left.

A store keeps the parts of an upload that nobody ends, out of sight, and lets somebody pay for them. A note is a file
that the process of the upload holds locked: the lock goes with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from ess.errors import EssError
from ess.settings import cache_dir, make_private_folder, open_private

#: A note without words that is older belongs to nobody who is about to write them.
_SECONDS = 60.0


class Note:
    """The note of an upload: the place of its bucket, its key, and the store's name for it."""

    def __init__(self, path: Path, handle: int, place: str, key: str, upload: str) -> None:
        self.place, self.key, self.upload = place, key, upload
        self._path, self._handle = path, handle

    def remove(self) -> None:
        """The upload has come to an end."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.keep()

    def keep(self) -> None:
        """Let go of it."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def note(place: str, key: str, upload: str) -> Note | None:
    """Note an upload that has begun; None if that cannot be done here."""
    try:
        folder = make_private_folder(make_private_folder(cache_dir()) / "uploads")
        path = folder / secrets.token_hex(8)
        handle = open_private(path, os.O_RDWR | os.O_EXCL)
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, json.dumps({"place": place, "key": key, "upload": upload}).encode("ascii"))
    except (EssError, OSError):
        return None  # that must not keep anybody from writing
    return Note(path, handle, place, key, upload)


def left(place: str) -> Iterator[Note]:
    """The uploads to a place whose processes are gone. Nobody else gets them meanwhile; see to each."""
    try:
        paths = list((cache_dir() / "uploads").iterdir())
    except (EssError, OSError):
        return
    for path in paths:
        with contextlib.suppress(EssError, OSError):
            found = _of_nobody(path)
            if found is not None and found.place == place:
                yield found
            if found is not None:
                found.keep()


def _of_nobody(path: Path) -> Note | None:
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        text = os.pread(handle, 1 << 20, 0)
        if not text:
            if time.time() - os.fstat(handle).st_mtime > _SECONDS:
                path.unlink()
            raise ValueError
        values = json.loads(text)
        return Note(path, handle, str(values["place"]), str(values["key"]), str(values["upload"]))
    except (OSError, ValueError, KeyError, TypeError):
        os.close(handle)
        return None
