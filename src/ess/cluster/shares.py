"""The files that go through one command: each by itself, or with ``--bulk`` those of a node together.

A share is what is run, imported, noted and repeated as a whole. So it must stay what it is when a job is resumed, also
on other nodes: the ledger has its files.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ess.cluster.bundles import bundle
from ess.cluster.import_places import mark
from ess.errors import OptionError, printable
from ess.lake.entry import FileEntry, FileKey

_OF_ONE_FILE = re.compile(r"(?<!\\)%(path|file|FILE)")


@dataclass(frozen=True)
class Share:
    """The files of one command, in order; none in place of a share that is not run any more."""

    files: tuple[FileEntry, ...]

    @property
    def key(self) -> FileKey:
        """All of it, by the versions of its files."""
        return key_of([file.file_key for file in self.files])

    @property
    def size(self) -> int:
        """The bytes of its files, as they are stored."""
        return sum([file.size for file in self.files])

    @property
    def name(self) -> str:
        """Its files, for a person."""
        first, last = self.files[0].path, self.files[-1].path
        return first if len(self.files) == 1 else f"{first} to {last} ({len(self.files):,} files)"

    @property
    def short_name(self) -> str:
        """The words before its messages."""
        first = Path(self.files[0].path).name
        return first if len(self.files) == 1 else f"{first} and {len(self.files) - 1:,} more"


def key_of(files: Sequence[FileKey]) -> FileKey:
    """The key of a share of these files: of one its own."""
    if len(files) == 1:
        return files[0]
    text = "\0".join(f"{file.path}\0{file.version}" for file in files)
    version = hashlib.sha256(os.fsencode(text)).hexdigest()
    return FileKey(files[0].datastore, files[0].path, f"{len(files)} files {version[:40]}")


def one_by_one(entries: Sequence[FileEntry]) -> list[Share]:
    """Each file by itself."""
    return [Share((entry,)) for entry in entries]


def together(entries: Sequence[FileEntry], parts: int) -> list[Share]:
    """Shares of neighbours, of about equal bytes, one for each place where a command runs."""
    return [Share(tuple(entries[i] for i in part)) for part in bundle([entry.size for entry in entries], max(parts, 1))]


def together_again(
    entries: Sequence[FileEntry],
    parts: int,
    *,
    before: Sequence[Sequence[FileKey]],
    done: Collection[FileKey],
    imports: bool,
) -> list[Share]:
    """The shares of a job that is resumed: those it had, in their places, and behind them those of files that are new.

    Args:
        entries: The files that there are now.
        parts: As for :func:`together`.
        before: The shares as the ledger has them.
        done: The keys of those that are done.
        imports: Whether the command imports rows.

    Raises:
        OptionError: If the rows of a share may be imported, and some of its files are not what they were.
    """
    now = {entry.file_key: entry for entry in entries}
    shares: list[Share] = []
    taken: set[FileKey] = set()
    for keys in before:
        gone = next((key for key in keys if key not in now), None)
        if gone is None:
            shares.append(Share(tuple(now[key] for key in keys)))
        elif key_of(keys) in done:
            shares.append(Share(()))  # its files that are still the same are through
        elif imports:
            raise OptionError(
                "it has changed since, and rows of the files that went through one command with it may be imported",
                where=printable(gone.path),
                hint="put it back, or clear what was imported and leave out --resume",
            )
        else:
            shares.append(Share(()))
            continue
        taken.update(keys)
    rest = [entry for entry in entries if entry.file_key not in taken]
    return [*shares, *(together(rest, parts) if rest else [])]


def require_no_file(command: str, preprocess: str) -> None:
    """Make sure that a command of several files asks for nothing that only one file has.

    Raises:
        OptionError: If it does.
    """
    if found := _OF_ONE_FILE.search(command):
        raise OptionError(
            f"{found.group()} has no value with --bulk, where one command gets all files of a node",
            where="command",
            hint="use %node_id, or leave out --bulk",
        )
    if mark(preprocess).places:
        raise OptionError(
            "with --bulk the preprocess command of a category cannot import",
            where="--bulk",
            hint="leave out --bulk",
        )
