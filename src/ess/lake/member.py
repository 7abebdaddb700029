"""One file in an archive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ess.formats.archive_names import inner_path

_quoted = json.encoder.encode_basestring_ascii
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

    def dump(self) -> str:
        """The member as a line of JSON."""
        places = f"{self.at},{self.end},{self.stored},{self.header},{self.method},{self.crc},{self.flags}"
        texts = f"{_quoted(self.form)},{places},{_quoted(self.problem)}"
        return f'[{_quoted(self.name)},{self.size},"{self.modified.isoformat()}",{texts}]'

    @classmethod
    def of(cls, values: list[Any]) -> Member:
        r"""The member whose JSON has these values.

        >>> Member.of(json.loads(Member("a\udcff", 3, form="zip").dump())) == Member("a\udcff", 3, form="zip")
        True
        """
        return cls(values[0], values[1], datetime.fromisoformat(values[2]), *values[3:])
