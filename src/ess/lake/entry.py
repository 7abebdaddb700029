"""One file of a datastore."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple, cast

from ess.lake.dates import NO_DATE, FileDate, date_text
from ess.lake.member import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ess.stores.store import Entry


@dataclass(frozen=True)
class FileKey:
    """A file's version: a changed file is another one."""

    datastore: str
    path: str
    version: str


class FileEntry(NamedTuple):
    """A file in a listing. A tuple, for the reason of :class:`ess.stores.store.Entry`.

    ``path`` is absolute, or an address in a store; bytes that are not UTF-8 stand in it as
    ``os.fsdecode`` leaves them, so it opens as it is. ``size`` counts bytes, ``modified`` seconds since 1970
    (with a fraction).
    ``date`` is the date in the name (1970-01-01 if there is none), without a zone; ``number``
    what ``[:%f:]`` found. ``datastore`` is the label of the datastore. A folder, which only
    ``ess ls`` lists, has ``folder=True`` and a path that ends in ``/``. ``version`` differs for any
    other content (see :class:`ess.stores.store.Entry`). A file in an archive has a ``member``; its ``path`` is that of
    the archive with the path inside, its ``size`` that of the file; ``version`` and time are those of the archive. An
    archive that cannot be read, or not to its end, stands for what is missing, with a ``member`` that tells the
    ``problem``.
    """

    path: str
    size: int
    modified: float
    date: datetime = NO_DATE
    datastore: str = "local"
    number: int | None = None
    folder: bool = False
    version: str = ""
    member: Member | None = None

    @property
    def problem(self) -> str:
        """The reason why nothing can be read of it; blank if nothing is known to be wrong."""
        return self.member.problem if self.member is not None else ""

    @property
    def stored_path(self) -> str:
        """The path of what is in the datastore: of a file in an archive, that of the archive."""
        if self.member is None or not self.member.name:
            return self.path
        return self.path.removesuffix(f"/{self.member.path}")

    def inside(self, member: Member, date: FileDate | None = None) -> FileEntry:
        """A file in this archive."""
        found = date or self.file_date
        return FileEntry(
            f"{self.path}/{member.path}",
            member.size,
            self.modified,
            found.date,
            self.datastore,
            found.number,
            version=self.version,
            member=member,
        )

    @property
    def modified_at(self) -> datetime:
        """The time of its last change, in UTC."""
        return datetime.fromtimestamp(self.modified, UTC)

    @property
    def file_date(self) -> FileDate:
        """The date or number in its name."""
        return FileDate(self.date, self.number)

    @property
    def date_text(self) -> str:
        """The date or number in its name as text for people."""
        return str(self.number) if self.number is not None else date_text(self.date)

    @property
    def file_key(self) -> FileKey:
        """The file in this version."""
        # A listing that tells no versions tells at least these two.
        return FileKey(self.datastore, self.path, self.version or f"{self.size}-{self.modified!r}")

    @property
    def order(self) -> tuple[datetime, int, str]:
        """The place of the file among others: by date, then number, then path."""
        return (self.date, -1 if self.number is None else self.number, self.path)


#: What a class of tuples does with its arguments, without the call of a function in Python.
_as_file = cast("Callable[[tuple[object, ...]], FileEntry]", partial(tuple.__new__, FileEntry))


def file_entries(
    paths: Sequence[str], entries: Sequence[Entry], dates: Sequence[FileDate], label: str
) -> Iterator[FileEntry]:
    """The files of many entries of a store: their paths, what the store tells, and the dates in their names."""
    _, sizes, modified, versions = zip(*entries, strict=True) if entries else ((), (), (), ())
    found = [date.date for date in dates]
    numbers = [date.number for date in dates]
    # the order of the attributes
    return map(
        _as_file,
        zip(paths, sizes, modified, found, repeat(label), numbers, repeat(False), versions, repeat(None), strict=False),
    )
