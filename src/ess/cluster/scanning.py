"""The contents of a category's files, over all files: ``ess summary NAME --scan``.

Each file goes through ``loginf -pp_d`` as through any command of ``ess stream``, on as many processors or nodes as
there are. What it finds can be merged: counts, ranges, and sketches of how many values are different.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from ess.cluster import ledger
from ess.cluster.report import Failure, StreamResult, failure_lines
from ess.cluster.stream import Progress, Source, StreamOptions, stream_source
from ess.cluster.substitution import column_words
from ess.errors import OptionError
from ess.lake.categories import Category, shown_delimiter
from ess.lake.datastores import datastore
from ess.lake.record_format import read_by_title
from ess.lake.select import files_of
from ess.schema import parse_column
from ess.tools.loginf.profile import ColumnProfile, KindProfile, Profile, from_json

#: The bytes that a line may have, where lines are only counted.
_LONGEST_LINE = 64 << 20


@dataclass(frozen=True)
class ColumnContents:
    """The values of a column in all rows.

    ``distinct`` is an estimate of how many different values there are that are not blank, exact for a few; the error is
    below 2 % nearly always. ``kinds`` counts values that are whole numbers, other numbers, addresses and other text,
    whatever the type. ``least`` and ``most`` are the range of the numbers among them, None if there is none.
    ``shortest`` and ``longest`` count bytes. ``samples`` are a few values, of each form.
    """

    name: str
    type: str
    blank: int
    distinct: int
    integers: int
    floats: int
    addresses: int
    texts: int
    least: int | float | None
    most: int | float | None
    shortest: int
    longest: int
    samples: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, int]:
        """The number of values of each form; those that none has are left out."""
        found = {"integer": self.integers, "float": self.floats, "ip": self.addresses, "text": self.texts}
        return {name: count for name, count in found.items() if count}


@dataclass(frozen=True)
class Rejection:
    """Records that are rejected for the same reason: the column, the reason, a value that stands there, how many."""

    column: str
    reason: str
    value: str
    count: int


@dataclass(frozen=True)
class Contents:
    """The contents of a category's files. ``read = rows + rejected``, over the files that could be read to their end.

    ``failures`` are the others. ``lines`` is true if the columns are not known, so that records are lines.
    """

    files: int
    bytes: int
    rows: int
    rejections: tuple[Rejection, ...]
    columns: tuple[ColumnContents, ...]
    failures: tuple[Failure, ...] = ()
    lines: bool = False

    @property
    def rejected(self) -> int:
        """The number of records that are rejected."""
        return sum(each.count for each in self.rejections)

    @property
    def read(self) -> int:
        """The number of records."""
        return self.rows + self.rejected

    @property
    def failure_lines(self) -> list[str]:
        """The lines that name what failed, see :func:`ess.cluster.report.failure_lines`."""
        return failure_lines(self.failures)

    @property
    def exit_code(self) -> int:
        """That of the first file that failed, or 0."""
        return self.failures[0].exit_code if self.failures else 0


def scan_contents(
    category: Category,
    lower: str,
    upper: str,
    *,
    columns: tuple[str, ...] = (),
    threads: int | None = None,
    master: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda _text: None,
) -> Contents:
    """Read the files of a category; see :func:`ess.api.contents`."""
    chosen = _chosen(category, columns)
    known = bool(category.columns)
    command = _command(category, known=known)
    source = Source(
        files_of(category, lower, upper, tell=tell),
        column_words(category.columnspec),
        category.delimiter,
        category.compression,
        category.preprocess,
        f"ess summary {category.name} --scan",
        ledger.command_hash(category.datastore, category.name, lower, upper, command),
        datastore(category.datastore).access,
    )
    merged = _Merged()
    messages = io.BytesIO()
    options = StreamOptions(threads, master, progress=progress, cancelled=cancelled, all_messages=False)
    result = stream_source(source, command, stdout=merged, stderr=messages, options=options)
    return _contents(merged.profile, result, chosen, lines=not known)


def _chosen(category: Category, names: tuple[str, ...]) -> frozenset[str]:
    """The keys of the columns that are asked for.

    Raises:
        OptionError: If there is no such column.
    """
    specs = [spec for spec in category.columns if spec[:4].lower() != "sep:"]
    columns = [parse_column(spec, where=f"category {category.name}", with_path=True) for spec in specs]
    known = {column.key: column.name for column in columns if column.wanted}
    for name in names:
        if name.lower() not in known:
            raise OptionError(
                f"no column '{name}'",
                where=f"category {category.name}",
                hint=f"its columns are: {' '.join(known.values())}" if known else "its columns are not known",
            )
    return frozenset(name.lower() for name in names) or frozenset(known)


def _command(category: Category, *, known: bool) -> str:
    """The command for each file."""
    separators = any(spec.lower().startswith("sep:") for spec in category.columns)
    keys = any(":" in spec.partition(":")[2] for spec in category.columns if not spec.lower().startswith("sep:"))
    if category.format:
        words = [category.format]
    elif keys:
        words = ["jsn"]
    elif separators:
        words = ["div"]
    elif known and category.delimiter:
        words = ["csv", f"sep={shown_delimiter(category.delimiter)}"]
    else:  # one column a line
        words = [r"sep=\x00", "nox"] if known else [r"sep=\x00", f"bz={_LONGEST_LINE}"]
    if category.header:
        words.append("title" if read_by_title(category) else "+1")
    columns = "%cols" if known else "X"
    return f"loginf {shlex.quote(','.join(['-f', *words]))} - -pp_d {columns} -o_raw -"


class _Merged:
    """Takes what the commands print, a line for each file, and merges it as it comes."""

    def __init__(self) -> None:
        self.profile = Profile()
        self._begun: list[bytes] = []

    def write(self, data: bytes, /) -> object:
        """Take a piece."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            text = b"".join([*self._begun, line])
            self._begun = []
            self.profile.merge(from_json(json.loads(text), where="ess summary"), where="ess summary")
        if rest:
            self._begun.append(rest)
        return len(data)

    def flush(self) -> object:
        """Nothing waits here."""
        return None


def _contents(profile: Profile, result: StreamResult, chosen: frozenset[str], *, lines: bool) -> Contents:
    rejections = tuple(
        Rejection(column, reason, profile.rejected_values.get((column, reason), ""), count)
        for (column, reason), count in sorted(profile.rejected.items(), key=lambda each: (-each[1], each[0]))
    )
    return Contents(
        profile.files,
        profile.source_bytes,
        profile.rows.count,
        rejections,
        tuple(found for _, each in sorted(profile.columns.items()) if (found := _column(each)).name.lower() in chosen),
        result.failures,
        lines,
    )


def _column(column: ColumnProfile) -> ColumnContents:
    kinds = column.kinds
    numbers = [kinds[name] for name in ("Integer", "Float")]
    least = [kind.least for kind in numbers if kind.least is not None]
    most = [kind.most for kind in numbers if kind.most is not None]
    return ColumnContents(
        column.label.decode("utf-8", "replace"),
        column.declared,
        kinds["Blank"].rows,
        column.sketch.estimate() if column.lengths.count else 0,
        kinds["Integer"].rows,
        kinds["Float"].rows,
        kinds["IP"].rows,
        kinds["String"].rows,
        min(least, default=None),
        max(most, default=None),
        column.lengths.least,
        column.lengths.most,
        tuple(sample.decode("utf-8", "surrogateescape") for kind in kinds.values() for sample in _samples(kind)),
    )


def _samples(kind: KindProfile) -> list[bytes]:
    return kind.samples or ([kind.binary] if kind.binary is not None else [])
