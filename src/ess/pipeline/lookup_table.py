"""Tables in memory that are asked about one value or one key at a time."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.pipeline.source import InputPlan
    from ess.schema.batch import Batch
    from ess.schema.columns import Column

Value = bytes | int | float
Row = tuple[Value, ...]

#: The tool that has look-ups.
_TOOL = "aq_pp"

#: How many records become Python values together.
_AT_ONCE = 4096

_WILD = re.compile(rb"\\(.)|([?*])|([^\\?*]+|\\)", re.DOTALL)


def load_rows(source: InputPlan, names: Sequence[str]) -> list[Row]:
    """The values of some columns, by key and in this order, of all records of the files.

    Raises:
        InputOpenError, InputReadError: As for any input.
        InputDataError: For a bad record, by the rules of ``eok``.
    """
    rows: list[Row] = []
    for file in source.files:
        rows += open_rows(source, file, names)
    return rows


def load_table(source: InputPlan, columns: Sequence[Column]) -> Batch:
    """The same as one batch."""
    from ess.schema.batch import complete, join_batches, make_batch

    found = [batch for file in source.files for batch in _batches(source, file)]
    typed = [(column.key, column.type) for column in columns]
    blank = make_batch([(key, kind, []) for key, kind in typed], 0)
    return join_batches([complete(batch, typed) for batch in [blank, *found]])


def open_rows(source: InputPlan, file: str, names: Sequence[str]) -> Iterator[Row]:
    """The values of some columns of one file, record by record; no more than a batch of it is in memory."""
    for batch in _batches(source, file):
        chosen = batch.select(list(names))
        for start in range(0, chosen.height, _AT_ONCE):
            yield from chosen.slice(start, _AT_ONCE).rows()


def _batches(source: InputPlan, file: str) -> Iterator[Batch]:
    """The good records of a file."""
    from ess.pipeline.rejections import RejectionPolicy
    from ess.pipeline.source import read_file

    policy = RejectionPolicy(source.attributes, lambda message: print(f"{_TOOL}: {message}", file=sys.stderr))
    for batch in read_file(source, file, None):
        for reject in batch.rejects:
            policy.reject(batch.file, reject.record, reject.column, reject.reason)
        yield batch.frame


class TextTable:
    """From a string to others: exact entries first, then patterns, each in the order of the file.

    Args:
        rows: (from,) or (from, to).
        ignore_case: Whether ASCII letters match in either case.
        patterns: Whether ``?`` and ``*`` in an entry are wild cards, and a backslash takes their meaning away.
    """

    def __init__(self, rows: Sequence[Row], *, ignore_case: bool, patterns: bool) -> None:
        self._ignore_case = ignore_case
        self._exact: dict[bytes, list[bytes]] = {}
        self._patterns: list[tuple[re.Pattern[bytes], bytes]] = []
        self._known: dict[bytes, list[bytes]] = {}
        for row in rows:
            source, result = row[0], row[-1]
            assert isinstance(source, bytes)
            assert isinstance(result, bytes)
            text, expression = _wild_expression(source) if patterns else (source, None)
            if expression is None:
                self._exact.setdefault(text.lower() if ignore_case else text, []).append(result)
            else:
                flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
                self._patterns.append((re.compile(expression, flags), result))

    def find(self, value: bytes) -> list[bytes]:
        """The values of all matching entries for a value, in order."""
        exact = self._exact.get(value.lower() if self._ignore_case else value, [])
        return exact + self._by_pattern(value) if self._patterns else exact

    def _by_pattern(self, value: bytes) -> list[bytes]:
        if value not in self._known:
            if len(self._known) >= 100_000:  # a bound on memory, not on what is found
                self._known.clear()
            self._known[value] = [result for pattern, result in self._patterns if pattern.fullmatch(value)]
        return self._known[value]


class KeyedTable:
    """From a key of one or more values to the rows that have it, in the order of the file.

    Args:
        rows: The key's values, then the others.
        width: How many values are the key.
        types: The type of each value.
        ignore_case: Whether ASCII letters of string keys match in either case.
    """

    def __init__(self, rows: Sequence[Row], width: int, types: Sequence[ColumnType], *, ignore_case: bool) -> None:
        self._folds = tuple(ignore_case and kind is ColumnType.S for kind in types[:width])
        self._rows: dict[Row, list[Row]] = {}
        wide = [n for n, kind in enumerate(types) if kind is ColumnType.L]
        for row in rows:
            signed = signed_row(row, wide) if wide else row
            self._rows.setdefault(self._key(signed[:width]), []).append(signed[width:])

    def find(self, key: Row) -> list[Row]:
        """The other values of the rows with this key."""
        return self._rows.get(self._key(key), [])

    def _key(self, values: Row) -> Row:
        if not any(self._folds):
            return values
        return tuple(
            value.lower() if fold and isinstance(value, bytes) else value
            for value, fold in zip(values, self._folds, strict=True)
        )


def _wild_expression(source: bytes) -> tuple[bytes, bytes | None]:
    """The text of an entry, and a regular expression if it has wild cards."""
    expression: list[bytes] = []
    text: list[bytes] = []
    wild = False
    for match in _WILD.finditer(source):
        escaped, sign, literal = match.groups()
        if sign is not None:
            wild = True
            expression.append(b"." if sign == b"?" else b".*")
        else:
            piece = literal if escaped is None else escaped
            text.append(piece)
            expression.append(re.escape(piece))
    return b"".join(text), b"".join(expression) if wild else None


def signed_row(row: Row, wide: Sequence[int]) -> Row:
    """64-bit unsigned values as the signed numbers of the same bits, as expressions have them."""
    values = list(row)
    for n in wide:
        value = values[n]
        if isinstance(value, int) and value >= 2**63:
            values[n] = value - 2**64
    return tuple(values)
