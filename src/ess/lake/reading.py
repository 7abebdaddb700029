"""Reading the rows of a category by its own layout: delimiter, header line and columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ess.errors import InputDataError, OptionError
from ess.formats.attributes import InputAttributes, parse_input_attributes
from ess.formats.columns import InputColumns, parse_input_columns
from ess.formats.dialect import PARQUET
from ess.formats.reader import InputBatch, read_opened
from ess.lake.categories import Category, shown_delimiter
from ess.lake.content import keeping_archives, open_data, open_parquet
from ess.lake.datastores import datastore
from ess.lake.entry import FileEntry
from ess.lake.record_format import attributes_of, read_by_title
from ess.stores.kinds import Access


def input_columns(category: Category) -> InputColumns:
    """The columns of a category's records.

    Raises:
        OptionError: If the layout is not known.
    """
    if not category.columns:
        raise OptionError(
            "its columns are not known",
            where=f"category {category.name}",
            hint=f"give them: ess category change columnspec {category.name} 'S:name I:count ...'",
        )
    return parse_input_columns(category.columns, _attributes(category), where=f"category {category.name}")


def read_rows(category: Category, files: Sequence[FileEntry], *, eok: bool = False) -> Iterator[InputBatch]:
    """The rows of some files of a category, in batches, file by file.

    Args:
        category: Whose layout to read by.
        files: The files.
        eok: Leave bad records out (the batches tell of them) in place of an error.

    Raises:
        OptionError: If the layout is not known or asks for what is not available yet.
        InputDataError: At the first bad record, without ``eok``.
        InputOpenError: If a file cannot be opened.
        InputReadError: If a file is damaged.
    """
    where = f"category {category.name}"
    if category.preprocess:
        raise OptionError(
            "reading rows through a preprocess command is not available yet", where=where, hint="use ess stream"
        )
    columns = input_columns(category)
    with keeping_archives():
        yield from _read_each(category, files, columns, eok=eok)


def _read_each(
    category: Category, files: Sequence[FileEntry], columns: InputColumns, *, eok: bool
) -> Iterator[InputBatch]:
    for entry in files:
        for batch in _batches(entry, category, columns):
            if batch.rejects and not eok:
                bad = batch.rejects[0]
                raise InputDataError(
                    f"record {bad.record}, column {bad.column}: {bad.reason}",
                    where=entry.path,
                    hint="leave bad records out with eok=True",
                )
            yield batch


def _batches(entry: FileEntry, category: Category, columns: InputColumns) -> Iterator[InputBatch]:
    source = datastore(category.datastore).access
    with _opened(entry, category, source) as opened:
        yield from read_opened(
            opened, entry.path, _attributes(category), columns.columns, separators=columns.separators
        )


def _opened(entry: FileEntry, category: Category, source: Access) -> BinaryIO:
    """The content of a file."""
    plain = open_parquet(entry, source) if category.format == PARQUET else None
    return plain or open_data(entry, category.compression, source)


def input_words(category: Category) -> tuple[str, ...]:
    """The attributes of ``-f`` with which a tool reads the records."""
    if category.format:
        return (category.format,)
    # one column a line: a NUL in it is an error rather than the end of the column
    one_column = (r"sep=\x00", "nox")
    words = ("csv", f"sep={shown_delimiter(category.delimiter)}") if category.delimiter else one_column
    if not category.header:
        return words
    return (*words, "title" if read_by_title(category) else "+1")


def _attributes(category: Category) -> InputAttributes:
    where = f"category {category.name}"
    if category.format:
        return attributes_of(category.format, where=where)
    return parse_input_attributes([*input_words(category)], where=where)
