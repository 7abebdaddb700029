"""Probing: reading the beginnings of a few files to find out how a category's data is laid out."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ess.errors import EssError, InputReadError, OptionError
from ess.formats.attributes import PARQUET_MAGIC
from ess.formats.dialect import PARQUET, Dialect, find_dialect, first_record
from ess.formats.text_source import TextSource
from ess.lake.categories import shown_delimiter
from ess.lake.command_environment import command_environment
from ess.lake.content import COMPRESSIONS, THIS_DISK, compression_of, open_data, open_parquet, open_raw
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access
from ess.surroundings import current_folder, umask

#: How many bytes of content are read of each sample file.
SAMPLE_BYTES = 256 << 10
_SAMPLE_FILES = 3
#: How many further files' title lines are looked at, in how many bytes, and how many files are named.
_MORE_TITLES = 12
_TITLE_BYTES = 16 << 10
_MOST_NAMED = 5
_LONGEST_LINE = 200
_PREPROCESS_SECONDS = 60


@dataclass(frozen=True)
class ProbeResult:
    """The result of probing: the compression by name (or ``mixed``), the dialect, the file whose lines it shows.

    ``differing`` are the files that begin with another line than ``file``, where one of them is a title line; each
    with that line. ``looked_at`` is how many files were looked at.
    """

    compression: str
    dialect: Dialect
    file: FileEntry | None
    differing: tuple[tuple[str, str], ...] = ()
    looked_at: int = 0

    @property
    def shown_delimiter(self) -> str:
        """The delimiter as text for people, see :func:`shown_delimiter`."""
        return shown_delimiter(self.dialect.delimiter)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about files and format, without those about single columns."""
        return tuple(filter(None, (self.dialect.doubt, *self.dialect.notes, self._differing_titles())))

    def _differing_titles(self) -> str:
        if not self.differing:
            return ""
        if self.dialect.known:
            shown = ", ".join(path for path, _ in self.differing[:_MOST_NAMED])
            return f"the titles of {shown} are not those of the other sampled files; columns are found by title"
        shown = ", ".join(f"{path} ({titles})" for path, titles in self.differing[:_MOST_NAMED])
        more = f" and {len(self.differing) - _MOST_NAMED} more" if len(self.differing) > _MOST_NAMED else ""
        name = self.file.path if self.file else ""
        what = f"do not begin with the title line of {name}" if self.dialect.header else "begin with a title line"
        return (
            f"{len(self.differing)} of {self.looked_at} sampled files {what}: {shown}{more}; read by title, their"
            " columns are found all the same: aq_pp -f,eok - -d,title %cols"
        )


def probe_files(
    files: Sequence[FileEntry],
    *,
    compression: str | None = None,
    delimiter: str | None = None,
    preprocess: str = "",
    by_name: bool = True,
    named: str = "",
    sample_bytes: int = SAMPLE_BYTES,
    source: Access = THIS_DISK,
) -> ProbeResult:
    """Probe the first, the last and a middle one of ``files`` (those with content).

    Args:
        files: In their order.
        compression: The compression the files must have (``none``: take the bytes as they are).
        delimiter: The delimiter, if it is known.
        preprocess: A shell command that the data goes through first.
        by_name: Whether formats that have a name are recognised.
        named: The name of the format, if it is known.
        sample_bytes: How much of each file's content to read.
        source: Where the files are.

    Raises:
        OptionError: If the preprocess command fails.
        InputReadError: If none of the files can be read, or they have another compression.
    """
    filled = [entry for entry in files if entry.size > 0]
    chosen = [filled[index] for index in sorted({0, len(filled) // 2, len(filled) - 1})] if filled else []
    samples: list[_Sample] = []
    sampled: list[FileEntry] = []
    failure: EssError | None = None
    for entry in chosen[:_SAMPLE_FILES]:
        try:
            samples.append(_sample(entry, compression, sample_bytes, source))
            sampled.append(entry)
        except EssError as error:
            failure = failure or error
    if failure is not None and not samples:
        raise failure
    if not samples:
        return ProbeResult(compression or "none", find_dialect([]), None)
    found = {_compression_of(entry, source) for entry in sampled}
    name = compression or (found.pop() if len(found) == 1 else "mixed")
    ends = [sample.complete(preprocess) for sample in samples]
    dialect = _parquet(sampled, source) if _are_parquet(samples, preprocess) else None
    dialect = dialect or find_dialect(ends, delimiter=delimiter, by_name=by_name, named=named)
    differing = {sampled[number].path: titles for number, titles in dialect.differing}
    others = [] if preprocess else _between([entry for entry in filled if entry not in sampled])
    differing |= {
        entry.path: titles for entry in others if (titles := _other_titles(entry, compression, source, dialect))
    }
    return ProbeResult(
        name,
        dialect,
        sampled[0],
        tuple((path, _joined(titles, dialect)) for path, titles in differing.items()),
        len(sampled) + len(others),
    )


def _are_parquet(samples: Sequence[_Sample], preprocess: str) -> bool:
    return not preprocess and all(sample.content.startswith(PARQUET_MAGIC) for sample in samples)


def _parquet(files: Sequence[FileEntry], source: Access) -> Dialect | None:
    """The columns of some Parquet files together; None if they are compressed as a whole, too."""
    from ess.formats.parquet import ParquetInput, columns_of  # loads pyarrow

    types = []
    for entry in files:
        opened = open_parquet(entry, source)
        if opened is None:
            return None
        with opened:
            types.append(ParquetInput(opened, entry.path).types)
    specs = tuple(f"{column.type.name}:{column.name}:{column.path}" for column in columns_of(types))
    return Dialect(PARQUET, "", False, specs, known=PARQUET)


def _between(files: Sequence[FileEntry]) -> list[FileEntry]:
    """Some of the files, evenly spread."""
    step = max(1, -(-len(files) // _MORE_TITLES))
    return list(files[::step])


def _other_titles(entry: FileEntry, compression: str | None, source: Access, dialect: Dialect) -> tuple[str, ...]:
    """The first record of a file, if it is not the title line of that dialect."""
    if not dialect.titles or dialect.known:
        return ()
    try:
        first = first_record(_sample(entry, compression, _TITLE_BYTES, source).complete(""), dialect)
    except EssError:
        return ()
    return first if first != dialect.titles else ()


def _joined(titles: Sequence[str], dialect: Dialect) -> str:
    line = (dialect.delimiter or " ").join(titles).encode("latin-1").decode("utf-8", "replace")
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."


def _compression_of(entry: FileEntry, source: Access) -> str:
    with open_raw(entry, source) as file:
        return compression_of(file.read(512))


def check_compression(name: str) -> str:
    """The compression of that name, in lower case; blank for ``auto``: the first bytes of each file tell.

    Raises:
        OptionError: If there is none.
    """
    if name.lower() in ("", "auto"):
        return ""
    if name.lower() not in COMPRESSIONS:
        raise OptionError(
            f"unknown compression '{name}'", where="--compression", hint=f"known: auto {' '.join(COMPRESSIONS)}"
        )
    return name.lower()


@dataclass(frozen=True)
class _Sample:
    """The beginning of a file as it is; ``whole`` if that is all of it."""

    content: bytes
    whole: bool

    def complete(self, preprocess: str) -> bytes:
        """The whole lines of the beginning, of what the command makes of it if there is one."""
        content = _text(_preprocessed(self, preprocess) if preprocess else self.content)
        if not self.whole and b"\n" in content:
            return content[: content.rindex(b"\n") + 1]
        # a whole file's last line is complete, also without a line end
        return content + b"\n" if content and self.whole else content


def _sample(entry: FileEntry, compression: str | None, size: int, source: Access) -> _Sample:
    pieces: list[bytes] = []
    got = 0
    with open_data(entry, compression or "", source) as file:
        try:
            while got < size and (piece := file.read(min(size - got, 1 << 16))):
                pieces.append(piece)
                got += len(piece)
        except InputReadError:
            if not got:  # the part before the damage is a good sample
                raise
    return _Sample(b"".join(pieces), whole=got < size)


def _text(sample: bytes) -> bytes:
    """The sample as the readers see it: without a byte order mark, as UTF-8, with LF."""
    source = TextSource(io.BytesIO(sample), "sample")
    pieces: list[bytes] = []
    # It may end in the middle of a character.
    with suppress(InputReadError):
        while piece := source.read(SAMPLE_BYTES):
            pieces.append(piece)
    return b"".join(pieces)


def output_of_sample(
    entry: FileEntry, command: str, *, compression: str | None, preprocess: str, sample_bytes: int, source: Access
) -> bytes:
    """The output of a shell command that gets the beginning of a file, after ``preprocess``; see :func:`probe_files`.

    Raises:
        OptionError: If a command fails.
        InputReadError: If the file cannot be read.
    """
    sample = _sample(entry, compression, sample_bytes, source)
    content = _preprocessed(sample, preprocess) if preprocess else sample.content
    return _preprocessed(_Sample(content, sample.whole), command, where="--pcmd")


def _preprocessed(sample: _Sample, command: str, *, where: str = "--preprocess") -> bytes:
    with subprocess.Popen(
        ["bash", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command_environment(),
        cwd=current_folder(),
        umask=umask(),
        start_new_session=True,
    ) as process:
        try:
            output, messages = process.communicate(sample.content, _PREPROCESS_SECONDS)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what the shell has started would go on
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise OptionError(
                f"the command ran for more than {_PREPROCESS_SECONDS} seconds",
                where=where,
                hint="try it on a file",
            ) from None
    # of a beginning that is cut, the command may miss the rest
    if process.returncode and not (output and not sample.whole):
        lines = messages.decode("utf-8", "replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
        raise OptionError(f"the command fails with exit code {process.returncode}{reason}", where=where)
    return output
