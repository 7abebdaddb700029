"""The location of a checkpoint: a folder on a local disk; :mod:`ess.udb.checkpoint.bucket` is the other kind.

A location holds ``manifest.json``, which is replaced in one step, and beside it a *part* for each save that it can
name: a folder of files. Only the manifest says which part is a checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from ess.errors import InputOpenError, OutputWriteError
from ess.settings import make_private_folder, open_private, write_private
from ess.stores.address import open_store, parse_address
from ess.stores.store import Sink

MANIFEST = "manifest.json"
LOCK = ".lock"


class Location(Protocol):
    """The operations that a save and a load need. A part is named ``data-`` and 16 hexadecimal digits."""

    #: As it stands in messages.
    address: str
    #: Whether a write that seems to have failed may still be carried out.
    late: bool

    def at(self, *names: str) -> str:
        """The name of an entry as messages show it."""

    def held(self) -> AbstractContextManager[None]:
        """Make it ready for a save."""

    def loading(self) -> AbstractContextManager[None]:
        """Keep what the manifest names, as far as that can be done."""

    def create(self, part: str, file: str) -> AbstractContextManager[Sink]:
        """Write a file, or write it anew; at the end it is safe."""

    def settle(self, part: str, sizes: Mapping[str, int]) -> None:
        """See that a part is there for good, with its files and their bytes."""

    def manifest(self) -> bytes | None:
        """The manifest; None if there is none."""

    def name(self, manifest: bytes) -> None:
        """Put the manifest there, in one step."""

    def remove(self, part: str) -> None:
        """Remove a part as far as that can be done; no error."""

    def remove_others(self, part: str, before: str | None) -> None:
        """Remove what a save makes useless, as far as that can be done; no error.

        Args:
            part: What the manifest names now.
            before: What it named before; None: nothing.
        """

    def open(self, part: str, file: str) -> AbstractContextManager[BinaryIO]:
        """Read a file; it can be read again from its beginning.

        Raises:
            InputOpenError: If it is not there or cannot be read.
        """


def checkpoint_location(text: str) -> Location:
    """The location that ``-save`` and ``-load`` are given: a folder, or an address of a store.

    Raises:
        OptionError: If it is neither, or the environment does not say how to get at the store.
    """
    if text.lower().startswith("file://"):
        return Folder(Path(text[len("file://") :]))
    address = parse_address(text)
    if address is None:
        return Folder(Path(text))
    from ess.udb.checkpoint.bucket import BucketLocation

    return BucketLocation(open_store(address), address)


class Folder:
    """A folder; see :class:`Location`."""

    late = False

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        self.address = str(self._path)

    def at(self, *names: str) -> str:
        """The name of an entry as messages show it."""
        return str(self._path.joinpath(*names))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock out other saves: the first to finish would remove what the other one writes."""
        make_private_folder(self._path)
        with _private(self._path / LOCK, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system frees it when this process ends, however
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
                handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_SH)  # waits for a save only while that removes what it has replaced
            yield

    @contextlib.contextmanager
    def create(self, part: str, file: str) -> Iterator[Sink]:
        """Write a file, or write it anew."""
        path = self._path / part / file
        make_private_folder(path.parent)
        with _private(path, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())

    def settle(self, part: str, sizes: Mapping[str, int]) -> None:
        """Make the names of a part safe; its files are."""
        handle = os.open(self._path / part, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def manifest(self) -> bytes | None:
        """The manifest; None if there is none."""
        path = self._path / MANIFEST
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputOpenError(f"cannot read the manifest ({error.strerror})", where=str(path)) from error

    def name(self, manifest: bytes) -> None:
        """Put the manifest there, in one step."""
        write_private(self._path / MANIFEST, manifest)

    def remove(self, part: str) -> None:
        """Remove a part, as far as that can be done."""
        shutil.rmtree(self._path / part, ignore_errors=True)

    def remove_others(self, part: str, before: str | None) -> None:
        """Remove all other parts, unless somebody loads: nobody else saves here."""
        with self._nobody_loads() as alone:
            for old in self._path.glob("data-*") if alone else ():
                if old.name != part:
                    shutil.rmtree(old, ignore_errors=True)

    @contextlib.contextmanager
    def _nobody_loads(self) -> Iterator[bool]:
        """True if files that the manifest no longer names can be removed; a load that begins now waits for that."""
        handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False  # the next save removes it
            except OSError:
                yield True  # no locks on this file system
            else:
                yield True
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def open(self, part: str, file: str) -> Iterator[BinaryIO]:
        """Read a file."""
        path = self._path / part / file
        try:
            opened = path.open("rb")
        except OSError as error:
            raise InputOpenError(f"cannot read a file of the checkpoint ({error.strerror})", where=str(path)) from error
        with opened:
            yield opened


def _private(path: Path, mode: str) -> BinaryIO:
    """Open a file to write; a new one is for its owner only, as the rows in memory are."""
    opened = open(path, mode, opener=lambda _name, flags: open_private(path, flags))  # noqa: SIM115
    assert isinstance(opened, io.BufferedWriter)
    return opened
