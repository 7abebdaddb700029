"""The files in an archive: ``ess lsa``."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from ess.errors import InputReadError, OptionError
from ess.lake.content import THIS_DISK, compression_of, open_raw
from ess.lake.entry import FileEntry
from ess.lake.patterns import compile_exclude
from ess.stores.kinds import Access


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, its size in bytes, and when it was changed (without a zone)."""

    name: str
    size: int
    modified: datetime


def members(entry: FileEntry, pattern: str | None = None, source: Access = THIS_DISK) -> list[Member]:
    """The files in a zip or tar archive (also a compressed tar), in its order.

    Args:
        entry: The archive.
        pattern: A glob that their names must match, from any folder on.
        source: Where the archive is.

    Raises:
        OptionError: If the file is no archive.
        InputReadError: If it is damaged.
    """
    wanted = compile_exclude(pattern, where="--pattern")
    with open_raw(entry, source) as file:
        kind = compression_of(file.read(512))
    found = _zip_members(entry, source) if kind == "zip" else _tar_members(entry, kind, source)
    return [member for member in found if wanted is None or wanted.match("/" + member.name.lstrip("/"))]


def _zip_members(entry: FileEntry, source: Access) -> list[Member]:
    try:
        with open_raw(entry, source) as file, zipfile.ZipFile(file) as archive:
            return [
                Member(info.filename, info.file_size, _zip_time(info.date_time))
                for info in archive.infolist()
                if not info.is_dir()
            ]
    except (zipfile.BadZipFile, OSError) as error:
        raise InputReadError(
            f"the archive is damaged: {error}", where=entry.path, hint="try it with: unzip -t"
        ) from error


def _zip_time(parts: tuple[int, int, int, int, int, int]) -> datetime:
    try:
        return datetime(*parts)
    except ValueError:  # archives made by programs often hold a month or day 0
        return datetime(1980, 1, 1)


def _tar_members(entry: FileEntry, kind: str, source: Access) -> list[Member]:
    mode = {"gzip": "r:gz", "bzip2": "r:bz2", "xz": "r:xz", "tar": "r:"}.get(kind)
    problem = OptionError("the file is not a zip or tar archive", where=entry.path, hint="show it with: ess cat")
    if mode is None:
        raise problem
    try:
        with open_raw(entry, source) as raw, tarfile.open(fileobj=raw, mode=mode) as archive:  # type: ignore[call-overload]
            return [
                Member(info.name, info.size, datetime.fromtimestamp(info.mtime, UTC).replace(tzinfo=None))
                for info in archive
                if info.isfile()
            ]
    except tarfile.ReadError as error:
        raise problem from error
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputReadError(f"the archive is damaged: {error}", where=entry.path) from error
