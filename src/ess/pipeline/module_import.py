"""``-imp ... -mod``: an import whose rows a module sees before they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ess.errors import InputDataError
from ess.language.row_module import DROP, GO_ON, ModuleColumn, ModuleFailure, ModuleSpec, RowModule, Value
from ess.language.tree import Slot
from ess.language.values import RecordError
from ess.pipeline.sinks import ImportSink
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.schema.batch import Batch


class ModuleImport:
    """An import behind a module, which may change, drop and multiply the rows that go to it.

    The module runs here, not on the servers. It sees the columns that the table takes.

    Args:
        into: The import.
        file: The module's Python file.
        spec: Its name and arguments.
        where: The option, for messages.

    Raises:
        OptionError: If the module cannot be loaded.
    """

    def __init__(self, into: ImportSink, file: str, spec: ModuleSpec, *, where: str) -> None:
        self._into = into
        self._where = f"{where} {file}"
        self._module = RowModule(file, spec, [ModuleColumn(s.name, s.type) for s in into.slots], where=where)

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots it takes, in order."""
        return self._into.slots

    def connect(self) -> None:
        """Reach the servers and start the module."""
        self._into.connect()
        self._module.start()

    def write(self, batch: Batch) -> None:
        """Stage what the module makes of the rows.

        Raises:
            InputDataError: If it fails on one, or rejects one.
        """
        from ess.schema.batch import make_batch

        rows = [new for values in batch.rows() for new in self._made(values)]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.slots)
        types = [slot.type for slot in self.slots]
        fresh = [
            (name, kind, [value % 2**64 if isinstance(value, int) else value for value in column])
            if kind is ColumnType.L
            else (name, kind, column)
            for name, kind, column in zip(batch.columns, types, columns, strict=True)
        ]
        self._into.write(make_batch(fresh, len(rows)))

    def commit(self) -> int:
        """Make the rows visible; how many they are."""
        self._module.finish()
        return self._into.commit()

    @property
    def counted(self) -> bool:
        """True if ``commit`` has added them."""
        return self._into.counted

    def abort(self) -> None:
        """Drop what was staged."""
        self._into.abort()

    def _made(self, values: Sequence[Value]) -> list[list[Value]]:
        try:
            outcomes = list(self._module.several(values)) if self._module.makes_rows else [self._module.one(values)]
        except ModuleFailure as failure:
            raise failure.error from None
        except RecordError as rejected:
            raise InputDataError(rejected.reason, where=self._where, hint="reject records with -pmod instead") from None
        for outcome, _ in outcomes:
            if outcome not in (DROP, GO_ON):
                raise InputDataError("the module of an import cannot stop the run", where=self._where)
        return [new for outcome, new in outcomes if outcome == GO_ON]
