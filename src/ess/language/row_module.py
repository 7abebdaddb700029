"""Modules of a user's own: a Python file whose functions work on rows.

A module is a file with some of these functions, all but ``row`` optional:

* ``init(*args)`` gets the arguments of ``ModName("Arg", ...)``, once, before the first row;
* ``row(row)`` gets each row as a ``Row``. Its result decides: False drops
  the row, None and True let it go on. As a generator it gives one row for each ``yield``, with
  the values the row has then;
* ``done()`` runs once, after the last row.

Whatever goes wrong inside is one EssError that names the file, the line and the exception.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ess import processor
from ess.errors import EssError, InputDataError, OptionError
from ess.language.lexer import TokenKind, tokens_of
from ess.language.nearest import nearest
from ess.language.values import RecordError, format_address, parse_address, wrap
from ess.schema.types import INTEGER_RANGES, ColumnType

Value = bytes | int | float
Argument = str | int | float

#: The fate of a row after ``row(row)``.
DROP, GO_ON, QUIT, QUIT_AFTER = range(4)


@dataclass(frozen=True)
class ModuleSpec:
    """``ModName(Arg1, Arg2, ...)``: strings are bytes, numbers are numbers."""

    name: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True)
class ModuleColumn:
    """A column as a module sees it; if ``writable`` is False, ``what`` says why it may only be read."""

    name: str
    type: ColumnType
    writable: bool = True
    what: str = "variable"


def parse_module_spec(spec: str, *, where: str) -> ModuleSpec:
    """The name and the constants of ``ModName`` or ``ModName(Arg1, ...)``.

    >>> parse_module_spec('unwrap("list", 2)', where="-pmod")
    ModuleSpec(name='unwrap', arguments=(b'list', 2))

    Raises:
        OptionError: If it is anything else.
    """
    first, *rest = tokens_of(spec, where=where)
    rest = rest[:-1]  # the last is the end
    kinds = (TokenKind.STRING, TokenKind.NUMBER)
    signs = [token.text for token in rest if token.kind not in kinds]
    values = tuple(token.value for token in rest if token.kind in kinds)
    expected = ["(", *[","] * (len(values) - 1), ")"] if rest else []
    in_turn = all((token.kind in kinds) == (n % 2 == 1) for n, token in enumerate(rest)) or signs == ["(", ")"]
    if first.kind is not TokenKind.NAME or signs != expected or not in_turn:
        raise OptionError("malformed module", where=where, hint='the form is ModName("Arg1", "Arg2", ...)')
    return ModuleSpec(first.text, values)


class ModuleFailure(RecordError):
    """A module failed on a record. ``error`` ends the run there, whatever ``eok`` says."""

    def __init__(self, error: EssError) -> None:
        super().__init__(error.what)
        self.error = error


class RowError(Exception):
    """A wrong use of a row by a module; its text is the whole message."""


class Row:
    """One row, as the functions of a module see it.

    ``row["Name"]`` is the value of a column, in any case: str for S (bytes that are not UTF-8 are
    kept as lone surrogates, so that they come out again as they were), int or float for numbers,
    and str for IP. Assigning stores a value of the column's type; S also takes bytes.
    """

    __slots__ = ("_columns", "_positions", "_values", "_verdict")

    def __init__(
        self, columns: Sequence[ModuleColumn], positions: dict[str, int], values: list[Value], verdict: int = GO_ON
    ) -> None:
        self._columns = columns
        self._positions = positions
        self._values = values
        self._verdict = verdict

    def __getitem__(self, name: str) -> str | int | float:
        """The value of a column."""
        position = self._find(name)
        value = self._values[position]
        if isinstance(value, bytes):
            if self._columns[position].type is ColumnType.IP:
                return format_address(value).decode()
            return value.decode("utf-8", "surrogateescape")
        if self._columns[position].type is ColumnType.L:
            return value % 2**64
        return value

    def __setitem__(self, name: str, value: str | bytes | int | float) -> None:
        """Store a value into a column.

        Raises:
            RowError: If the column's type cannot hold it.
        """
        position = self._find(name)
        column = self._columns[position]
        if not column.writable:
            raise RowError(f"'{column.name}' is a {column.what}, which a module may only read")
        self._values[position] = _stored(column, value)

    def __contains__(self, name: str) -> bool:
        """True if there is a column of that name."""
        return name.lower() in self._positions

    def __iter__(self) -> Iterator[str]:
        """The names of the columns, in order."""
        return (column.name for column in self._columns)

    def bytes(self, name: str) -> bytes:
        """The value of a string column as bytes."""
        value = self._values[self._find(name)]
        if not isinstance(value, bytes):
            raise RowError(f"'{name}' is not a string column")
        return value

    def quit(self) -> None:
        """Stop everything now, without this row."""
        self._verdict = QUIT

    def quit_after(self) -> None:
        """Stop everything once this row is through."""
        self._verdict = QUIT_AFTER

    def reject(self, reason: str) -> None:
        """Reject the record: it ends the run, or is left out and counted under ``eok``."""
        raise RecordError(reason)

    def _find(self, name: str) -> int:
        try:
            return self._positions[name.lower()]
        except KeyError:
            near = nearest(name, [column.name for column in self._columns])
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(self)}"
            raise RowError(f"unknown column '{name}'; {hint}") from None


def _stored(column: ModuleColumn, value: str | bytes | int | float) -> Value:
    kind = column.type
    if kind is ColumnType.S:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
        if isinstance(value, bytes):
            return value
    elif kind is ColumnType.IP:
        if isinstance(value, str):
            return parse_address(value.encode("utf-8", "surrogateescape"))
    elif kind is ColumnType.F:
        if isinstance(value, int | float):
            return float(value)
    elif isinstance(value, int):
        low, high = INTEGER_RANGES[kind]
        if not low <= value <= high:
            raise RowError(f"{value} does not fit '{column.name}', which is {kind.value}")
        return wrap(int(value))
    raise RowError(f"'{column.name}' is {kind.value} and cannot hold a value of type {type(value).__name__}")


class RowModule:
    """A loaded module. Its functions run in this process, with the rights of the user.

    Args:
        file: The Python file, as the user named it.
        columns: What a row has, in the order of the values of ``rows``.
        where: The option, for messages.
        functions: One of them must be there; the first that is gets the rows.

    Raises:
        OptionError: If the file cannot be loaded, or has none of ``functions``.
        InputDataError: If ``init`` fails.
    """

    def __init__(
        self,
        file: str,
        spec: ModuleSpec,
        columns: Sequence[ModuleColumn],
        *,
        where: str,
        functions: Sequence[str] = ("row",),
    ) -> None:
        self.file = file
        self._where = where
        self._columns = tuple(columns)
        self._positions = {column.name.lower(): n for n, column in enumerate(columns)}
        self._module = _load(file, where)
        found = [function for function in map(self.function, functions) if function is not None]
        if not found:
            names = " or ".join(functions)
            raise OptionError(f"'{file}' has no function {names}", where=where, hint=f"define {names}({functions[0]})")
        self._row = found[0]
        self._init = self.function("init")
        self._arguments = [a.decode("utf-8", "surrogateescape") if isinstance(a, bytes) else a for a in spec.arguments]
        if self._init is None and self._arguments:
            raise OptionError(f"'{file}' takes no arguments", where=where, hint="define init(...) in it to take them")
        self._started = False

    @property
    def makes_rows(self) -> bool:
        """True if ``row`` is a generator: it gives a row for each ``yield``."""
        return inspect.isgeneratorfunction(self._row)

    def function(self, name: str) -> Callable[..., object] | None:
        """A function of the file, or None if it has none of that name."""
        found = getattr(self._module, name, None)
        return found if callable(found) else None

    def start(self) -> None:
        """Call ``init``, once."""
        if not self._started and self._init is not None:
            with self.translated():
                self._init(*self._arguments)
        self._started = True

    def one(self, values: Sequence[Value]) -> tuple[int, list[Value]]:
        """The fate of a row, and its values after ``row``.

        Raises:
            RecordError: If the module rejects the record.
            ModuleFailure: If it fails.
        """
        row = Row(self._columns, self._positions, list(values))
        with self._on_a_record():
            kept = self._row(row)
            if kept is not None and not isinstance(kept, bool):
                raise RowError(f"row() returned {kept!r}; return True or None to go on, False to drop the row")
        if kept is False:
            return (DROP if row._verdict == GO_ON else QUIT), row._values
        return row._verdict, row._values

    def several(self, values: Sequence[Value]) -> Iterator[tuple[int, list[Value]]]:
        """The rows that a generator makes of one, as ``one`` would give them."""
        row = Row(self._columns, self._positions, list(values))
        with self._on_a_record():
            made = iter(self._row(row))  # type: ignore[call-overload]
        while True:
            with self._on_a_record():
                if next(made, self) is self:
                    if row._verdict == QUIT:
                        yield QUIT, row._values
                    return
            yield row._verdict, list(row._values)

    def finish(self) -> None:
        """Call ``done``, once all rows are through."""
        done = self.function("done")
        if done is not None:
            self.start()
            with self.translated():
                done()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the module raises into one line that names the place in the file."""
        try:
            yield
        except (EssError, RecordError):
            raise
        except RowError as error:
            raise InputDataError(str(error), where=self._place(error)) from None
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise InputDataError(text, where=self._place(error), hint="correct the module") from None

    @contextmanager
    def _on_a_record(self) -> Iterator[None]:
        try:
            with self.translated():
                yield
        except EssError as error:
            raise ModuleFailure(error) from None

    def _place(self, error: BaseException) -> str:
        """The last line of the file that took part."""
        line, trace = 0, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return f"{self._where}: {self.file} line {line}" if line else f"{self._where}: {self.file}"


def _load(file: str, where: str) -> types.ModuleType:
    """Run a Python file as a module of its own; two uses of one file do not share anything."""
    place = f"{where} {file}"
    if not file.endswith(".py"):
        raise OptionError("modules are Python files here", where=place, hint="see the manual page on modules")
    try:
        source = Path(file).read_bytes()
    except OSError as error:
        raise OptionError(error.strerror or "cannot be read", where=place) from None
    module = types.ModuleType(Path(file).stem)
    module.__file__ = file
    folder = str(Path(file).resolve().parent)
    processor.restore()
    sys.path.insert(0, folder)  # a module may import its neighbours
    try:
        exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - the user named this file to run it
    except SyntaxError as error:
        raise OptionError(f"SyntaxError: {error.msg}", where=f"{place} line {error.lineno}") from None
    except ValueError as error:  # a NUL byte in the source
        raise OptionError(str(error), where=place) from None
    except EssError:
        raise
    except (Exception, SystemExit) as error:
        line, trace = 0, error.__traceback__
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
            trace = trace.tb_next
        raise OptionError(f"{type(error).__name__}: {error}", where=f"{place} line {line}") from None
    finally:
        sys.path.remove(folder)
    return module
