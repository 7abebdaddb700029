"""The location of a checkpoint: the operations that a save and a load need, and which location an address means.

A location holds ``manifest.json``, which is replaced in one step, and beside it a *part* for each save that it can
name: a folder of files. Only the manifest says which part is a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ess.errors import OptionError
from ess.stores.address import open_store, parse_address
from ess.stores.kinds import KINDS
from ess.stores.store import Sink

if TYPE_CHECKING:
    from ess.stores.datastores import Datastore

MANIFEST = "manifest.json"


class Location(Protocol):
    """The operations that a save and a load need. A part is named ``data-`` and 16 hexadecimal digits."""

    #: Its name in messages.
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
        """Write or replace a file; at the end it is safe."""

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
    """The location that ``-save`` and ``-load`` are given: a folder, an address of a store, or ``LABEL:PATH``.

    Raises:
        OptionError: If it is none of them, or the environment does not say how to get at the store.
    """
    from ess.udb.checkpoint.bucket import BucketLocation
    from ess.udb.checkpoint.folder import FolderLocation

    if text.lower().startswith("file://"):
        return FolderLocation(Path(text[len("file://") :]))
    place, path = _labelled(text)
    if place is not None:
        if not KINDS[place.kind].named:
            return FolderLocation(Path(path))
        key = path.lstrip("/") if path.startswith("/") else place.prefix + path
        address = parse_address(f"{place.root}{key}")
        if address is not None:
            return BucketLocation(place.access.open(), address.key)
    address = parse_address(text)
    if address is None:
        return FolderLocation(Path(text))
    return BucketLocation(open_store(address), address.key)


def _labelled(text: str) -> tuple[Datastore | None, str]:
    """The datastore and the path that ``LABEL:PATH`` means; None if it is a folder or an address.

    Raises:
        OptionError: If there is no path.
    """
    label, colon, path = text.partition(":")
    if not colon or "/" in label or path.startswith("//"):
        return None, ""
    from ess.stores.datastores import repository  # no other command of the tool asks for it

    place = repository().datastores.get(label)
    if place is not None and not path:
        raise OptionError("the path is missing", where=text, hint="give LABEL:PATH, e.g. results:shop/daily")
    return place, path
