"""The changes of an operation in a shard, as data: logged before they count, and done again at a restart.

A change says what is to be stored, not how that was found, so that doing it again gives the same
whatever an expression, a random sequence or a clock would say then. Rows and keys are named by
their place, so a change means something only on the very state that it was made on.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ess.errors import UdbRequestError
from ess.schema.batch import Batch

#: A column that holds places.
PLACE = "#place"


@dataclass(frozen=True)
class Replace:
    """New values of a table's columns: for all rows of its view, or for those at the places of a column ``PLACE``."""

    table: str
    columns: Batch


@dataclass(frozen=True)
class Clear:
    """A table without rows, or a vector without values."""

    table: str


@dataclass(frozen=True)
class DeleteRows:
    """Rows of a table's view that are removed; ``places`` has one column."""

    table: str
    places: Batch


@dataclass(frozen=True)
class DeleteKeys:
    """Keys that are removed with everything that hangs on them; ``places`` has one column."""

    places: Batch


@dataclass(frozen=True)
class OrderRows:
    """Rows of each key are sorted."""

    table: str
    columns: tuple[str, ...]
    descending: bool
    ignore_case: bool


@dataclass(frozen=True)
class OrderKeys:
    """Keys are sorted."""

    columns: tuple[str, ...]
    descending: bool
    ignore_case: bool


@dataclass(frozen=True)
class RearrangeRows:
    """Rows of a table's view in another order; each stays with its key."""

    table: str
    places: Batch


@dataclass(frozen=True)
class RearrangeKeys:
    """Keys in another order."""

    places: Batch


@dataclass(frozen=True)
class Append:
    """Rows that are put behind a table's (``table`` blank: keys), as an import does."""

    table: str
    rows: Batch


@dataclass(frozen=True)
class Alter:
    """Another definition, as the text of a spec. Tables that it defines differently must be empty, but for Var."""

    definition: str


@dataclass(frozen=True)
class Forget:
    """The whole database is gone."""


Change = (
    Replace
    | Clear
    | DeleteRows
    | DeleteKeys
    | OrderRows
    | OrderKeys
    | RearrangeRows
    | RearrangeKeys
    | Append
    | Alter
    | Forget
)

_KINDS: dict[str, type[Change]] = {
    kind.__name__: kind
    for kind in (
        Replace,
        Clear,
        DeleteRows,
        DeleteKeys,
        OrderRows,
        OrderKeys,
        RearrangeRows,
        RearrangeKeys,
        Append,
        Alter,
        Forget,
    )
}


def encode_changes(changes: Sequence[Change]) -> bytes:
    """Changes as bytes: a line of JSON, then the batches one after the other as Arrow IPC.

    >>> decode_changes(encode_changes([Clear("log"), Forget()]))
    [Clear(table='log'), Forget()]
    """
    described: list[dict[str, object]] = []
    batches: list[bytes] = []
    for change in changes:
        fields: dict[str, object] = {"kind": type(change).__name__}
        for field in dataclasses.fields(change):
            value = getattr(change, field.name)
            if isinstance(value, pl.DataFrame):
                batches.append(encode_batch(value))
                value = len(batches[-1])
            fields[field.name] = value
        described.append(fields)
    return b"".join((json.dumps(described).encode(), b"\n", *batches))


def decode_changes(data: bytes) -> list[Change]:
    """The changes that :func:`encode_changes` made into bytes.

    Raises:
        UdbRequestError: If it is something else.
    """
    line, _, rest = data.partition(b"\n")
    changes: list[Change] = []
    position = 0
    try:
        for described in json.loads(line):
            kind = _KINDS[described.pop("kind")]
            values: dict[str, Any] = {}
            for field in dataclasses.fields(kind):
                value = described[field.name]
                if field.type == "Batch":
                    values[field.name] = decode_batch(rest[position : position + value])
                    position += value
                else:
                    values[field.name] = tuple(value) if isinstance(value, list) else value
            changes.append(kind(**values))
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise UdbRequestError("a logged change cannot be read", hint="it is of another version of Essentia") from error
    return changes


def encode_batch(batch: Batch) -> bytes:
    """A batch as Arrow IPC."""
    buffer = io.BytesIO()
    batch.write_ipc(buffer, compat_level=pl.CompatLevel.newest())
    return buffer.getvalue()


def decode_batch(data: bytes) -> Batch:
    """A batch that :func:`encode_batch` made."""
    return pl.read_ipc(io.BytesIO(data))
