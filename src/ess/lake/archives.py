"""Archives: what is in one, and the content of one of its files. Nothing is unpacked to a disk.

Of a zip archive its end, its directory and the wanted file are read, each with one request. Of a tar archive without
compression a file is read from its place; with compression the archive is read up to it
(:mod:`ess.lake.archive_passes`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, cast

from ess.errors import EssError, InputReadError, OptionError
from ess.formats import tar_archive, zip_archive, zip_recovery
from ess.formats.archive_names import inner_path, is_clutter
from ess.formats.codecs import DecodedStream, compression_of, open_decompressed
from ess.formats.tar_archive import TarStream, Trouble
from ess.formats.zip_archive import DamagedDirectory, NoZip, ZipFile
from ess.lake import archive_passes
from ess.lake.content import keeping_archives
from ess.lake.entry import FileEntry
from ess.lake.member import Member
from ess.lake.patterns import compile_exclude
from ess.stores.kinds import Access
from ess.stores.store import Store

_HEAD = 512
_BUFFER = 1 << 20
#: Of files that are left out, so many are kept by name.
_NAMED = 1000
_PACKED = ("gzip", "bzip2", "xz", "zstd")


@dataclass(frozen=True)
class Contents:
    """The files of an archive, and what is to be said of them.

    Attributes:
        form: As of :class:`ess.lake.member.Member`; blank if it is no archive.
        members: Its files in its order. Folders, and what an operating system adds for itself, are no files; of files
            with one path the last one counts, as after unpacking.
        others: The paths of links, devices and the like.
        repeated: The paths that stand in it more than once.
        notes: Sentences about it.
        problem: Why something in it cannot be read; blank if all can.
    """

    form: str
    members: tuple[Member, ...] = ()
    others: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""

    def dump(self) -> bytes:
        """The contents as text."""
        lists = [list(self.others), list(self.repeated), list(self.notes)]
        told = json.dumps([self.form, self.problem, *lists])
        return f"{told[:-1]},[{','.join(each.dump() for each in self.members)}]]".encode("ascii")

    @classmethod
    def load(cls, text: bytes) -> Contents:
        """The contents that :meth:`dump` was called of."""
        form, problem, others, repeated, notes, members = json.loads(text)
        found = tuple(map(Member.of, members))
        return cls(form, found, tuple(others), tuple(repeated), tuple(notes), problem)

    def matching(self, pattern: str | None, *, where: str) -> Contents:
        """Only what globs match, from any folder on; all without a pattern.

        Raises:
            OptionError: If the pattern is not valid.
        """
        wanted = compile_exclude(pattern, where=where)
        if wanted is None:
            return self
        return replace(
            self,
            members=tuple(each for each in self.members if wanted.match(f"/{each.path}")),
            others=tuple(path for path in self.others if wanted.match(f"/{path}")),
            repeated=tuple(path for path in self.repeated if wanted.match(f"/{path}")),
        )


def contents(entry: FileEntry, source: Access) -> Contents:
    """The contents of a file of a datastore, if it is an archive. Damage is told of in the result.

    Args:
        entry: The file.
        source: Where it is.

    Raises:
        EssError: If it cannot be opened, or the store does not answer.
    """
    store, key = _place(entry, source)
    size = entry.size
    if not size:
        return Contents("")
    with store.open(key, length=min(_HEAD, size), version=entry.version) as opened:
        head = opened.read(_HEAD)
    form = compression_of(head)
    if form == "none":  # something stands before a zip, a tar is of the oldest kind, or it is damaged
        suffix = entry.path[-4:].lower()
        form = "tar" if tar_archive.is_header(head) or suffix == ".tar" else "zip" if suffix == ".zip" else "none"
    if form == "zip":
        return _zip_contents(store, key, entry)
    if form == "none" or (form in _PACKED and not _is_tar_inside(store, key, entry)):
        return Contents("")
    with archive_passes.begin(entry, store, key, form) as stream:
        return _tar_contents(stream, form)


def _place(entry: FileEntry, source: Access) -> tuple[Store, str]:
    store = source.open()
    return store, entry.stored_path.removeprefix(store.at(""))


def _is_tar_inside(store: Store, key: str, entry: FileEntry) -> bool:
    try:
        with store.open(key, version=entry.version) as raw, open_decompressed(raw, archives=False) as opened:
            head = opened.read(_HEAD)
            return compression_of(head) == "tar" or tar_archive.is_header(head)
    except InputReadError:  # damaged before the first header
        return entry.path.lower().endswith(
            (".tgz", ".tbz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
        )


def _zip_contents(store: Store, key: str, entry: FileEntry) -> Contents:
    def read(at: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with store.open(key, offset=at, length=length, version=entry.version) as opened:
            return opened.read(length)

    found = _Found("zip")
    try:
        for file in zip_archive.directory(read, entry.size):
            found.add_zipped(file)
    except NoZip as error:
        found.problem = str(error)
        try:
            with archive_passes.begin(entry, store, key, "zip") as stream:
                for file in zip_recovery.recovered(stream):
                    found.add_zipped(file)
        except zip_recovery.Lost as lost:
            found.problem += f", nor the end of the file {inner_path(str(lost))}"
    except DamagedDirectory as error:
        found.problem = str(error)
    return found.contents()


def _tar_contents(stream: TarStream, form: str) -> Contents:
    found = _Found(form)
    try:
        for each in tar_archive.files(stream):
            if isinstance(each, Trouble):
                found.tell(each)
            elif each.kind == "file":
                found.add(Member(each.name, each.size, each.modified, form, each.at, each.end))
            elif each.kind != "folder":
                found.leave_out(each.name)
    except InputReadError as error:
        found.problem = error.what
    return found.contents()


class _Found:
    """The findings in an archive so far."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._members: dict[str, Member] = {}
        self._others: list[str] = []
        self._repeated: dict[str, None] = {}
        self._notes: list[str] = []
        self.problem = ""

    def add(self, member: Member) -> None:
        """A file."""
        if is_clutter(member.name):
            return
        path = member.path
        if self._members.pop(path, None) is not None and len(self._repeated) < _NAMED:
            self._repeated[path] = None
        self._members[path] = member

    def add_zipped(self, file: ZipFile) -> None:
        """An entry of a zip archive."""
        if file.kind == "file":
            self.add(
                Member(
                    file.name,
                    file.size,
                    file.modified,
                    "zip",
                    file.at,
                    stored=file.stored,
                    header=file.header,
                    method=file.method,
                    crc=file.crc,
                    flags=file.flags,
                )
            )
        elif file.kind != "folder":
            self.leave_out(file.name)

    def leave_out(self, name: str) -> None:
        """Something else."""
        if not is_clutter(name) and len(self._others) < _NAMED:
            self._others.append(inner_path(name))

    def tell(self, trouble: Trouble) -> None:
        """Something that is wrong."""
        if not trouble.lost:
            self._notes.append(trouble.what)
        elif not self.problem:
            self.problem = trouble.what

    def contents(self) -> Contents:
        """All of it."""
        return Contents(
            self._form,
            tuple(self._members.values()),
            tuple(self._others),
            tuple(self._repeated),
            tuple(self._notes),
            self.problem,
        )


def require_archive(found: Contents, entry: FileEntry) -> Contents:
    """The contents, if they are those of an archive.

    Raises:
        OptionError: If they are not.
    """
    if not found.form:
        raise OptionError("the file is not a zip or tar archive", where=entry.path, hint="show it with: ess cat")
    return found


def damage(found: Contents, entry: FileEntry) -> InputReadError:
    """The error for an archive of which something cannot be read."""
    return InputReadError(f"the archive is damaged: {found.problem}", where=entry.path, hint=_HINT)


_HINT = "the other files in it can be read; get it again"


def open_member(entry: FileEntry, source: Access) -> BinaryIO:
    """The content of a file in an archive, as it was put in; the caller closes it.

    Raises:
        InputOpenError: If the archive cannot be opened, or was replaced.
        InputReadError: If the file cannot be read; from ``read``, if it is damaged.
    """
    member = entry.member
    assert member is not None
    if member.problem:
        raise InputReadError(member.problem, where=entry.path, hint=_HINT)
    store, key = _place(entry, source)
    if member.form == "zip":
        return cast(BinaryIO, io.BufferedReader(_zip_member(store, key, entry, member), _BUFFER))
    if member.form == "tar":
        length = member.end - member.at
        stream = TarStream(store.open(key, offset=member.at, length=length, version=entry.version), member.at)
        return archive_passes.content(stream, member.at, entry.path, stream.close)
    return archive_passes.open_content(entry, store, key, member, source)


def _zip_member(store: Store, key: str, entry: FileEntry, member: Member) -> DecodedStream:
    file = ZipFile(
        member.name,
        "file",
        member.size,
        member.stored,
        member.at,
        member.header,
        member.modified,
        member.method,
        member.crc,
        member.flags,
    )
    zip_archive.refuse_unreadable(file.method, file.flags, entry.path)

    def part(at: int, length: int) -> BinaryIO:
        return store.open(key, offset=at, length=length, version=entry.version)

    pieces = zip_archive.content(file, part, entry.path)
    return DecodedStream(pieces, pieces.close)


def read_each(
    entry: FileEntry, pattern: str, source: Access, open_file: Callable[[FileEntry], BinaryIO]
) -> Iterator[bytes]:
    """The content of the files of an archive that globs match, one after the other, as ``unzip -p`` has it.

    Args:
        entry: The archive.
        pattern: Globs.
        source: Where it is.
        open_file: Opens one of its files.

    Raises:
        OptionError: If it is no archive, or nothing in it matches.
        EssError: If something cannot be read, behind what could be.
    """
    found = require_archive(contents(entry, source), entry).matching(pattern, where="--archive")
    if not found.members and not found.problem:
        raise OptionError("no file in it matches", where=entry.path, hint=f"see: ess lsa {entry.path}")
    failure: EssError | None = None
    with keeping_archives():
        for member in found.members:
            try:
                with open_file(entry.inside(member)) as opened:
                    while piece := opened.read(_BUFFER):
                        yield piece
            except EssError as error:
                failure = failure or error
    if failure is not None or found.problem:
        raise failure or damage(found, entry)
