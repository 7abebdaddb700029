"""Rows of Python programs, as Polars frames or Arrow data, into a database."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import polars as pl

from ess.errors import OptionError
from ess.language.nearest import nearest
from ess.language.tree import Slot
from ess.language.values import parse_address
from ess.schema.batch import PHYSICAL, Batch, blank
from ess.schema.types import ColumnType
from ess.udb.client.import_claims import ImportIdentity
from ess.udb.client.importing import Import, ImportOptions
from ess.udb.spec.spec import TableColumn
from ess.udb.spec.target import chosen_servers, find_target

_MAKE_A_FRAME = "make a frame of them: polars.DataFrame(rows)"


def append_rows(target: str, rows: object, *, fill_missing: bool = False, identity: str = "") -> int:
    """Import rows: all of them count on all servers, or none.

    Args:
        target: ``DbName:TabName``.
        rows: A Polars frame, anything that Arrow data can be taken from (a pyarrow table, record batch or reader), or
            an iterable of such. Columns are found by name, in any case.
        fill_missing: Columns that the rows lack are 0 or blank, in place of an error.
        identity: What the import is recognised by, whatever its rows are; blank: by nothing.

    Returns:
        How many rows were added; 0 if an import of that identity has counted before.

    Raises:
        OptionError: If a column is missing, or is none of the table's, or its values do not fit.
        EssError: If a server is missing or refuses.
    """
    where = f"rows for {target}"
    found = find_target(target, where=where)
    columns = found.table.columns if found.table else found.spec.definition.key
    into: Import | None = None
    slots: list[Slot] = []
    name = ImportIdentity(f"python:{identity}" if identity else f"once:{secrets.token_hex(16)}")
    try:
        for piece in _frames(rows, where):
            names = _known_names(piece, columns, found.table.label if found.table else "the key", where)
            taken = [column for column in columns if column.key in names]
            for column in columns:
                if column.key not in names and not fill_missing:
                    hint = "name one so, or fill it with fill_missing=True"
                    raise OptionError(f"the rows have no column '{column.name}'", where=where, hint=hint)
            if into is None:
                slots = [Slot(column.key, column.name, column.type) for column in taken]
                options = ImportOptions(fill_missing=fill_missing)
                into = Import(found, chosen_servers(found.spec), slots, options, name, where=where)
            elif [column.key for column in taken] != [slot.key for slot in slots]:
                raise OptionError("the batches do not have the same columns", where=where)
            into.write(pl.DataFrame([_converted(piece[names[c.key]], c, where) for c in taken]))
        if into is None:
            return 0
        rows_sent = into.commit()
        return rows_sent if into.counted else 0
    except BaseException:  # also when the program is interrupted
        if into is not None:
            into.abort()
        raise


def _known_names(piece: Batch, columns: Sequence[TableColumn], label: str, where: str) -> dict[str, str]:
    """The spelling of each name in the rows, by the name in lower case.

    Raises:
        OptionError: If the table has no such column. It is not left out: a slip in a name would lose the values, and
            with ``fill_missing`` nothing else would tell.
    """
    names: dict[str, str] = {}
    known = {column.key for column in columns}
    for name in piece.columns:
        if name.lower() not in known:
            near = nearest(name, [column.name for column in columns])
            hint = f"did you mean '{near}'? " if near else ""
            raise OptionError(
                f"{label} has no column '{name}'", where=where, hint=f"{hint}else leave it out: rows.drop({name!r})"
            )
        if name.lower() in names:
            raise OptionError(f"the rows have both '{names[name.lower()]}' and '{name}'", where=where, hint="drop one")
        names[name.lower()] = name
    return names


def _frames(rows: object, where: str) -> Iterator[Batch]:
    if isinstance(rows, pl.DataFrame):
        yield rows
    elif isinstance(rows, pl.LazyFrame):
        yield rows.collect()
    elif hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__"):
        yield pl.DataFrame(cast("pl._typing.ArrowStreamExportable", rows))
    elif isinstance(rows, Iterable) and not isinstance(rows, str | bytes | dict):
        for piece in rows:
            if isinstance(piece, dict | str | bytes | int | float | tuple):
                break
            yield from _frames(piece, where)
        else:
            return
        raise OptionError(
            "these are not Arrow batches", where=where, hint="make a frame of them: polars.DataFrame(rows)"
        )
    else:
        raise OptionError(
            f"rows must be a Polars frame or Arrow data, not {type(rows).__name__}",
            where=where,
            hint="make a frame of them: polars.DataFrame(rows)",
        )


def _converted(values: pl.Series, column: TableColumn, where: str) -> pl.Series:
    """A column with the physical type of the table's; missing values become 0 or blank.

    Raises:
        OptionError: If a value does not fit.
    """
    place = f"{where}: column '{values.name}'"
    kind = column.type
    try:
        made = _as_text(values) if kind in (ColumnType.S, ColumnType.IP) else _as_number(values, kind)
        if made is None:
            raise OptionError(f"{values.dtype} does not fit type {kind.value}", where=place, hint="cast it")
        if kind is ColumnType.IP:
            made = _as_addresses(made, place)
    except pl.exceptions.PolarsError:
        raise OptionError(f"a value does not fit type {kind.value}", where=place) from None
    return made.fill_null(blank(kind)).alias(column.key)


def _as_text(values: pl.Series) -> pl.Series | None:
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    return values.cast(pl.Binary) if values.dtype in (pl.String, pl.Binary, pl.Null) else None


def _as_number(values: pl.Series, kind: ColumnType) -> pl.Series | None:
    if values.dtype == pl.Null or values.dtype.is_integer() or (kind is ColumnType.F and values.dtype.is_float()):
        return values.cast(PHYSICAL[kind], strict=True)
    return None


def _as_addresses(values: pl.Series, place: str) -> pl.Series:
    distinct = values.drop_nulls().unique()
    packed: list[bytes] = []
    for text in distinct.to_list():
        packed.append(parse_address(text))
        if text and not packed[-1]:
            raise OptionError(f"{text.decode('utf-8', 'replace')!r} is not an address", where=place)
    return values.replace_strict(distinct, pl.Series(packed, dtype=pl.Binary), default=None, return_dtype=pl.Binary)
