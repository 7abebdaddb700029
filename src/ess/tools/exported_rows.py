"""``aq_pp -exp`` and ``-cnt``: what ``aq_udb`` would print, as an input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Use
from ess.schema.columns import Column, valid_name
from ess.schema.types import ColumnType
from ess.tools.aq_udb import OPTIONS
from ess.udb.command.operations import plan

if TYPE_CHECKING:
    from ess.schema.batch import Batch


class ExportedRows:
    """The rows of an export or a count; the database is asked when the first batch is.

    The columns have the names that ``aq_udb`` labels them with, ``Vec.Col`` as ``Vec_Col``.

    Args:
        use: The option with the database and the options of ``aq_udb`` behind it.

    Raises:
        OptionError: If one of them is wrong.
    """

    def __init__(self, use: Use) -> None:
        words = [",".join((use.name, *use.attributes)), *use.arguments]
        try:
            uses = parse_command_line(OPTIONS, words)
        except OptionError as error:
            if not error.what.startswith("unknown option"):
                raise
            raise OptionError(error.what, where=use.where, hint="options of aq_pp go after --") from None
        for inner in uses:
            if inner.name in ("-o", "-test", "-verb", "-stat"):
                raise OptionError(f"{inner.name} has no place before --", where=use.where, hint="put it behind --")
        self._operation = plan(uses)
        if use.name == "-cnt":
            self._keys = ["field", "count"]
            self.columns = [Column("field", ColumnType.S), Column("count", ColumnType.L)]
        else:
            self._keys = [column.slot.key for column in self._operation.columns]
            self.columns = [
                Column(column.label.replace(".", "_"), column.slot.type) for column in self._operation.columns
            ]

        names = [column.key for column in self.columns]
        for column in self.columns:
            if names.count(column.key) > 1 or not valid_name(column.name):
                raise OptionError(
                    f"'{column.name}' cannot name a column of the rows",
                    where=use.where,
                    hint="give a -c with ColName:NewName",
                )

    def batches(self) -> Iterator[Batch]:
        """The rows, their columns named by the keys of ``columns``."""
        from ess.udb.client.pool import Pool
        from ess.udb.command.perform import counted, exported

        with Pool(self._operation.servers) as pool:
            pool.hello()
            found = iter([counted(self._operation, pool)]) if self._operation.name == "-cnt" else None
            for batch in found or exported(self._operation, pool):
                yield batch.select(
                    [
                        batch.get_column(key).alias(column.key)
                        for key, column in zip(self._keys, self.columns, strict=True)
                    ]
                )
