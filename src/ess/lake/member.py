"""One file in an archive."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime

from ess.formats.archive_names import inner_path

_NO_TIME = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, its bytes, when it was changed (without a zone), and the way to its content.

    Attributes:
        name: The name as it stands in the archive. Bytes that are not UTF-8 stand in it as ``os.fsdecode`` leaves them.
        size: The bytes of the file, once it is taken out of the archive.
        modified: When it was changed.
        form: ``zip``, ``tar``, or the compression of a tar archive: ``gzip``, ``bzip2``, ``xz``, ``zstd``.
        at: The place of its header; of a tar archive, in what its compression is undone from.
        end: Tar: the place behind it.
        stored: Zip: the bytes that its content takes in the archive.
        header: Zip: the bytes of its header at most.
        method: Zip: the number of its compression.
        crc: Zip: the checksum of its content.
        flags: Zip: its flags.
        problem: Why nothing can be read of the archive, or of what is behind its last file; then there is no name.
    """

    name: str
    size: int = 0
    modified: datetime = _NO_TIME
    form: str = ""
    at: int = 0
    end: int = 0
    stored: int = 0
    header: int = 0
    method: int = 0
    crc: int = 0
    flags: int = 0
    problem: str = ""

    @property
    def path(self) -> str:
        """Its path in the archive, which leads nowhere else."""
        return inner_path(self.name)

    def dump(self) -> bytes:
        """The member as a line of text."""
        values = [getattr(self, item.name) for item in dataclasses.fields(self)]
        values[2] = self.modified.isoformat()
        return json.dumps(values).encode("ascii")

    @classmethod
    def load(cls, text: bytes | str) -> Member:
        r"""The member that :meth:`dump` was called of.

        >>> Member.load(Member("a\udcff", 3, form="zip").dump()) == Member("a\udcff", 3, form="zip")
        True
        """
        name, size, modified, *more = json.loads(text)
        return cls(name, size, datetime.fromisoformat(modified), *more)
