"""``-mod``: a Python file whose functions see each key with all its rows.

``key(key)`` gets each key before its rows of the target are gone through, ``row(row)`` each row of
the target that passed the rules. Their changes are stored as if rules had made them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ess.engines.rowwise.keyed import Hooks, Lists
from ess.language.row_module import ModuleColumn, Row, RowError, RowModule, Value


@dataclass(frozen=True)
class Layout:
    """The columns of a table, as a module sees them.

    Args:
        columns: Their names and types.
        numbers: The number of each in a chunk; for the Var vector, among the variables.
        by_key: Whether each has one value a key.
        table: The number of the table, -1 for a vector, the keys and Var.
    """

    columns: tuple[ModuleColumn, ...]
    numbers: tuple[int, ...]
    by_key: tuple[bool, ...]
    table: int

    @property
    def positions(self) -> dict[str, int]:
        """The position of each name among the columns."""
        return {column.name.lower(): n for n, column in enumerate(self.columns)}


class _Cells:
    """The values of one row, in the lists of a chunk."""

    __slots__ = ("_key", "_layout", "_lists", "_row")

    def __init__(self, lists: Lists, layout: Layout, key: int, row: int) -> None:
        self._lists = lists
        self._layout = layout
        self._key = key
        self._row = row

    def __getitem__(self, position: int) -> Value:
        layout = self._layout
        found: Value = self._lists.column(layout.numbers[position])[self._key if layout.by_key[position] else self._row]
        return found

    def __setitem__(self, position: int, value: Value) -> None:
        layout = self._layout
        number = layout.numbers[position]
        self._lists.touched.add(number)
        self._lists.column(number)[self._key if layout.by_key[position] else self._row] = value


class KeyRow(Row):
    """A row of the target; ``key`` is the key it belongs to."""

    __slots__ = ("key",)

    key: Key


class Key:
    """One key, as the functions of a module see it.

    ``key["Name"]`` is the value of a column of the key; ``rows("Table")`` gives its rows of a
    table, ``vector("Name")`` its row of a vector, and ``var`` the row of the Var vector. Rows are
    those of :class:`ess.language.row_module.Row`: reading and assigning by column name.
    """

    __slots__ = ("_hooks", "_number")

    def __init__(self, hooks: ModuleHooks, number: int) -> None:
        self._hooks = hooks
        self._number = number

    def __getitem__(self, name: str) -> str | int | float:
        """The value of a column of the key."""
        return self._hooks.row_of("", self._number, self._number)[name]

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table, in order.

        Raises:
            RowError: If there is no such table.
        """
        return self._hooks.rows_of(table, self._number)

    def vector(self, name: str) -> Row:
        """The row of a vector.

        Raises:
            RowError: If there is no such vector.
        """
        return self._hooks.row_of(name, self._number, self._number)

    @property
    def var(self) -> Row:
        """The row of the Var vector."""
        return self._hooks.var()


class ModuleHooks(Hooks):
    """Calls a module.

    Args:
        module: Loaded and not started.
        layouts: Of every table and vector, by name in lower case; of the key under ``""``.
        var: Of the Var vector.
        target: The name of the table that the rows of ``row`` are of.
    """

    def __init__(self, module: RowModule, layouts: Mapping[str, Layout], var: Layout, target: str) -> None:
        self._module = module
        self._layouts = layouts
        self._positions = {name: layout.positions for name, layout in layouts.items()}
        self._var = var
        self._target = target
        self._key_function = module.function("key")
        self._row_function = module.function("row")
        self._variables: list[Value] = []
        self._lists: Lists | None = None
        self._removed: Sequence[bytearray] = ()
        module.start()

    @property
    def looks(self) -> tuple[bool, bool]:
        """Two flags: it looks at keys, it looks at rows."""
        return self._key_function is not None, self._row_function is not None

    def begin(self, lists: Lists, variables: list[Value], removed: Sequence[bytearray]) -> None:
        """A chunk begins."""
        self._lists = lists
        self._variables = variables
        self._removed = removed

    def key(self, key: int) -> bool:
        """Call ``key(key)``."""
        assert self._key_function is not None
        with self._module.translated():
            return _verdict(self._key_function(Key(self, key)), "key")

    def row(self, key: int, row: int) -> bool:
        """Call ``row(row)``."""
        assert self._row_function is not None
        made = self._row(self._target, key, row)
        made.key = Key(self, key)
        with self._module.translated():
            return _verdict(self._row_function(made), "row")

    def finish(self) -> None:
        """Call ``done()``."""
        self._module.finish()

    def rows_of(self, table: str, key: int) -> Iterator[Row]:
        """The rows of a key, without those that were deleted."""
        name = table.lower()
        layout = self._layouts.get(name)
        if layout is None or layout.table < 0:
            known = [name for name, layout in self._layouts.items() if layout.table >= 0]
            raise RowError(f"there is no table '{table}'; known: {', '.join(known) or 'none'}")
        assert self._lists is not None
        starts = self._lists.chunk.starts[layout.table]
        removed = self._removed[layout.table]
        return (self._row(name, key, row) for row in range(starts[key], starts[key + 1]) if not removed[row])

    def row_of(self, vector: str, key: int, row: int) -> Row:
        """The row of a key in a vector, or the key itself."""
        layout = self._layouts.get(vector.lower())
        if layout is None or layout.table >= 0:
            known = [name for name, layout in self._layouts.items() if layout.table < 0 and name]
            raise RowError(f"there is no vector '{vector}'; known: {', '.join(known) or 'none'}")
        return self._row(vector.lower(), key, row)

    def var(self) -> Row:
        """The row of the Var vector."""
        return Row(self._var.columns, self._var.positions, self._variables)

    def _row(self, name: str, key: int, row: int) -> KeyRow:
        assert self._lists is not None
        layout = self._layouts[name]
        cells = cast("list[Value]", _Cells(self._lists, layout, key, row))
        return KeyRow(layout.columns, self._positions[name], cells)


def _verdict(answer: object, function: str) -> bool:
    if answer is None or isinstance(answer, bool):
        return answer is not False
    raise RowError(f"{function}() returned {answer!r}; return True or None to go on, False to pass over it")
