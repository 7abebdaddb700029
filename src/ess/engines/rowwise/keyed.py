"""Rules over the keys of a database: one Python function that goes from key to key and from row to row.

The rows of a key lie together in every table. For each key the groups (``-pp``) run one after the
other, then the main section; each goes through its own table's rows of that key. Variables live
through all of it. Stored values are in the column's list before the next row begins, so the next
row, group and key see them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ess.engines.rowwise.expressions import ExpressionCompiler
from ess.engines.rowwise.runner import Value, to_series, to_values
from ess.engines.rowwise.statements import Statements
from ess.errors import EssError, OptionError
from ess.language.function import RecordError
from ess.language.program import (
    Conditional,
    Constantly,
    Destination,
    Evaluate,
    Filter,
    Goto,
    Program,
    Remove,
    Rule,
    Variable,
)
from ess.language.tree import Slot
from ess.language.values import wrap
from ess.language.walk import assigned_slots, read_slots, rules_of
from ess.schema.types import ColumnType

#: Where a section's loop went, as the generated code notes it; 0 is on to the next section.
_NEXT_KEY, _MAIN = 1, 2


@dataclass(frozen=True)
class Place:
    """The place of a slot's values: the column's number, and True if it has one value a key (else one a row)."""

    column: int
    by_key: bool = False


@dataclass(frozen=True)
class Section:
    """A ``-pp`` group, or the main part.

    Args:
        table: The number of the table that it goes through; -1 when it has one row a key (a vector, or the keys).
        rules: Done for each row.
        resets: Variables that start anew with each key.
        places: Of every slot that is no variable, by the slot's key.
        variables: The number of each variable's slot, by the slot's key.
        blanks: For the row of a vector: what deleting it sets, as column numbers and values.
        after: Where to go on when the rows are exhausted.
        filters_keys: A row that a filter stops takes its key with it.
    """

    table: int
    rules: tuple[Rule, ...]
    places: Mapping[str, Place]
    variables: Mapping[str, int]
    resets: tuple[Variable, ...] = ()
    blanks: tuple[tuple[int, Value], ...] = ()
    after: Destination = Destination.NEXT_GROUP
    filters_keys: bool = False

    def assigned(self) -> dict[str, Slot]:
        """The slots that its rules store into, without variables, by key."""
        return {key: slot for key, slot in assigned_slots(_bare(self.rules)).items() if key not in self.variables}

    @property
    def removes_rows(self) -> bool:
        """True if a rule deletes rows of its table."""
        return self.table >= 0 and any(isinstance(r, Remove) and not r.whole_key for r in rules_of(self.rules))


@dataclass(frozen=True)
class KeyedProgram:
    """Groups and main section over the same keys.

    Args:
        groups: In order.
        main: Its rows are what is counted or exported; None when only the groups matter.
        variables: Those that live through the whole run, with the values they start with.
        columns: The slots whose types the columns have, by column number.
        captured: Slots of the main section whose values are taken when a row passes.
        counts: The column that holds a table's number of rows of each key, by table number.
        hooks: Whether a module looks at keys and rows.
        random_seed: Where ``$Random`` starts.
    """

    groups: tuple[Section, ...]
    main: Section | None
    variables: tuple[Variable, ...]
    columns: tuple[Slot, ...]
    captured: tuple[Slot, ...] = ()
    counts: Mapping[int, int] = field(default_factory=dict)
    hooks: tuple[bool, bool] = (False, False)
    random_seed: int = 1

    @property
    def keeps_keys(self) -> bool:
        """True if all rows of a key that reaches the main section pass, so that only keys are noted."""
        return self.main is None or (not self.main.rules and not self.hooks[1])

    def changed(self) -> set[int]:
        """The columns that a run may change."""
        sections = (*self.groups, *([self.main] if self.main else []))
        stored = {section.places[key].column for section in sections for key in section.assigned()}
        blanked = {
            column
            for section in sections
            if any(isinstance(rule, Remove) and not rule.whole_key for rule in rules_of(section.rules))
            for column, _ in section.blanks
        }
        return stored | blanked


@dataclass(frozen=True)
class Chunk:
    """Some consecutive keys with all their rows.

    Args:
        keys: How many.
        first_key: How many keys come before.
        columns: By column number, the values of these keys or of their rows; None for one that is not needed.
        starts: By table, where each key's rows begin, and where the last one's end, counted in this chunk.
        first_rows: By table, how many rows come before.
    """

    keys: int
    first_key: int
    columns: Sequence[pl.Series | None]
    starts: Sequence[Sequence[int]]
    first_rows: Sequence[int]


@dataclass(frozen=True)
class ChunkResult:
    """The result of a chunk; keys and rows are counted in it from 0.

    Args:
        kept: The rows of the main section that passed, or the keys (``KeyedProgram.keeps_keys``).
        captured: The values of the captured slots, one for each of ``kept``.
        removed_rows: By table, a byte for each row, 1 where it was deleted.
        removed_keys: A byte for each key.
        columns: The columns that may have changed, by number.
    """

    kept: npt.NDArray[np.int64]
    captured: tuple[pl.Series, ...]
    removed_rows: tuple[bytearray, ...]
    removed_keys: bytearray
    columns: Mapping[int, pl.Series]


class Lists:
    """A chunk's columns as Python lists, made when first asked for. Modules read and change them."""

    def __init__(self, program: KeyedProgram, chunk: Chunk) -> None:
        self.chunk = chunk
        self.touched: set[int] = set()
        self._program = program
        self._lists: dict[int, list[Any]] = {}

    def column(self, number: int) -> list[Any]:
        """The values of a column; 64-bit unsigned ones as the signed numbers of the same bits."""
        found = self._lists.get(number)
        if found is None:
            series = self.chunk.columns[number]
            assert series is not None
            found = self._lists[number] = to_values(series, self._program.columns[number].type)
        return found


@dataclass
class KeyedFailure(Exception):
    """A rule could not process a row: the number of its section (that of the main one is last), row, reason."""

    section: int
    key: int
    row: int
    reason: str


class Hooks:
    """The hooks of a module; those of the base class do nothing."""

    def begin(self, lists: Lists, variables: list[Value], removed: Sequence[bytearray]) -> None:
        """A chunk begins.

        Args:
            lists: Its columns.
            variables: Holds the variables' values whenever a hook is called.
            removed: By table, a byte for each row, 1 where it was deleted.
        """

    def key(self, key: int) -> bool:
        """Look at a key of the chunk before its main rows; False to pass it over."""
        return key >= 0

    def row(self, key: int, row: int) -> bool:
        """Look at a row of the main section that passed its rules; False to pass it over."""
        return key >= 0 and row >= 0


class KeyedRunner:
    """A compiled program. It keeps the variables from chunk to chunk, so chunks go to it in order.

    Raises:
        OptionError: If the program nests deeper than Python can express.
    """

    def __init__(self, program: KeyedProgram, hooks: Hooks | None = None) -> None:
        self._program = program
        self._hooks = hooks or Hooks()
        self._changed = sorted(program.changed())
        self._state: tuple[Value, ...] = tuple(
            wrap(v.initial) if isinstance(v.initial, int) else v.initial for v in program.variables
        )
        compiler = _Compiler(program)
        self.source = compiler.source()
        self._loaded = compiler.loaded
        namespace = compiler.namespace
        try:
            exec(compile(self.source, "<keyed rows>", "exec"), namespace)  # noqa: S102 - made from a checked tree only
        except (SyntaxError, RecursionError, MemoryError):
            raise OptionError(
                "an expression is nested too deeply", where="-eval", hint="split it over several options"
            ) from None
        self._function: Callable[..., Any] = namespace["run"]  # type: ignore[assignment]

    @property
    def needed(self) -> set[int]:
        """The columns that a chunk must have for the rules; a module may need others."""
        return self._loaded | set(self._changed) | set(self._program.counts.values())

    def run(self, chunk: Chunk) -> ChunkResult:
        """Go through a chunk.

        Raises:
            KeyedFailure: If a rule cannot process a row. Nothing the caller holds has changed then.
        """
        lists = Lists(self._program, chunk)
        shared = list(self._state)
        columns = [lists.column(n) if n in self.needed else None for n in range(len(self._program.columns))]
        removed_rows = tuple(bytearray(starts[-1]) for starts in chunk.starts)
        removed_keys = bytearray(chunk.keys)
        self._hooks.begin(lists, shared, removed_rows)
        kept, captured, self._state = self._function(
            chunk.keys,
            chunk.first_key,
            columns,
            chunk.starts,
            chunk.first_rows,
            removed_rows,
            removed_keys,
            self._state,
            shared,
            self._hooks,
        )
        changed = {n: to_series(self._program.columns[n], lists.column(n)) for n in {*self._changed, *lists.touched}}
        series = tuple(to_series(slot, values) for slot, values in zip(self._program.captured, captured, strict=True))
        return ChunkResult(np.array(kept, dtype=np.int64), series, removed_rows, removed_keys, changed)

    def variables(self) -> tuple[Value, ...]:
        """The variables' values now."""
        return tuple(
            value % 2**64 if variable.slot.type is ColumnType.L and isinstance(value, int) else value
            for variable, value in zip(self._program.variables, self._state, strict=True)
        )


def _bare(rules: tuple[Rule, ...]) -> Program:
    return Program((), (), (), rules)


class _Compiler:
    """Writes the function."""

    def __init__(self, program: KeyedProgram) -> None:
        self.loaded: set[int] = set()
        self.namespace: dict[str, object] = {"RecordError": RecordError, "EssError": EssError, "Failure": KeyedFailure}
        self._program = program
        self._lines: list[str] = []

    def source(self) -> str:
        program = self._program
        sections = [*program.groups, *([program.main] if program.main else [])]
        state = "".join(f"v{n}, " for n in range(len(program.variables)))
        body: list[str] = []
        for number, section in enumerate(sections):
            is_main = section is program.main
            lines = _SectionCompiler(program, section, number, self.namespace, self.loaded, is_main=is_main).lines()
            inner = ["        if not jump:", *("    " + line for line in lines)] if number and not is_main else lines
            body += [*inner, "        if jump == 1: continue"] if not is_main else inner
        if program.main is None:
            body.append("        keep(k)")
        tables = max((section.table for section in sections), default=-1) + 1
        captured = "".join(f"o{n}, " for n in range(len(program.captured)))
        head = [
            "def run(keys, first_key, columns, starts, first_rows, removed, dead, state, shared, hooks):",
            *([f"    {state}= state"] if state else []),
            "    kept = []",
            "    keep = kept.append",
        ]
        for n in range(len(program.captured)):
            head += [f"    o{n} = []", f"    a{n} = o{n}.append"]
        for n in range(len(program.columns)):
            head.append(f"    c{n} = columns[{n}]")
        for n in range(tables):
            head += [f"    start{n} = starts[{n}]", f"    base{n} = first_rows[{n}]", f"    gone{n} = removed[{n}]"]
        head += ["    key_hook, row_hook = hooks.key, hooks.row", "    g = i = k = -1", "    try:"]
        loop = ["    for k in range(keys):", "        jump = 0", *body]
        foot = [
            "    except RecordError as error:",
            "        raise Failure(g, k, i, error.reason) from None",
            f"    return kept, ({captured}), ({state})",
        ]
        return "\n".join([*head, *("    " + line for line in loop), *foot]) + "\n"


class _SectionCompiler(Statements):
    """The statements of one section, for the loop over keys (whose body is indented by 8)."""

    def __init__(
        self,
        program: KeyedProgram,
        section: Section,
        number: int,
        namespace: dict[str, object],
        loaded: set[int],
        *,
        is_main: bool,
    ) -> None:
        sections = [*program.groups, *([program.main] if program.main else [])]
        self._program = program
        self._section = section
        self._number = number
        self._is_main = is_main
        self._loaded = loaded
        table = section.table
        #: Whether rows of the table may be deleted by now.
        self._holes = table >= 0 and any(s.table == table and s.removes_rows for s in sections[: number + 1])
        row_number = "1" if table < 0 else "n" if self._holes else "i - low + 1"
        super().__init__(
            ExpressionCompiler(
                program.random_seed,
                names={key: f"v{n}" for key, n in section.variables.items()},
                prefix=f"g{number}_",
                namespace=namespace,
                row_number=row_number,
                random_row=f"base{table} + i + 1" if table >= 0 else "first_key + i + 1",
            )
        )
        touched = {**read_slots(_bare(section.rules)), **assigned_slots(_bare(section.rules))}
        self._touched = [slot for key, slot in touched.items() if key not in section.variables]
        self._assigned = list(section.assigned().values())

    def lines(self) -> list[str]:
        section = self._section
        self._indent = 2
        self._emit(f"g = {self._number}")
        self._reset()
        if self._is_main and self._program.hooks[0]:
            self._hook("key_hook(k)")
        if self._is_main and self._program.keeps_keys:
            self._keep("k")
            return self._lines
        # The number of rows changes on the way when rows are deleted.
        counts = self._program.counts.get(section.table, -1) if section.removes_rows else -1
        for slot in self._touched:
            place = section.places[slot.key]
            if place.by_key and place.column != counts:
                self._load(slot, place, "k")
        if section.table < 0:
            self._emit("for i in (k,):")
        else:
            self._emit(f"low = start{section.table}[k]")
            if self._holes:
                self._emit("n = 0")
            self._emit(f"for i in range(low, start{section.table}[k + 1]):")
        self._indent += 1
        if self._holes:
            self._emit(f"if gone{section.table}[i]: continue")
            self._emit("n += 1")
        for slot in self._touched:
            place = section.places[slot.key]
            if not place.by_key or place.column == counts:
                self._load(slot, place, "k" if place.by_key else "i")
        for rule in section.rules:
            self._rule(rule)
        self._flush()
        if self._is_main:
            if self._program.hooks[1]:
                self._hook("row_hook(k, i)")
            self._keep("i")
        elif not section.rules:
            self._emit("pass")
        self._indent -= 1
        if section.after in (Destination.NEXT_KEY, Destination.MAIN) and not self._is_main:
            self._emit("else:")
            self._emit(f"    jump = {_NEXT_KEY if section.after is Destination.NEXT_KEY else _MAIN}")
        return self._lines

    def _reset(self) -> None:
        for variable in self._section.resets:
            value = variable.initial
            shown = wrap(value) if isinstance(value, int) else value
            name = f"v{self._section.variables[variable.slot.key]}"
            self._emit(f"{name} = {f'float({str(shown)!r})' if isinstance(shown, float) else repr(shown)}")

    def _load(self, slot: Slot, place: Place, index: str) -> None:
        self._loaded.add(place.column)
        self._emit(f"{self._expressions.local(slot)} = c{place.column}[{index}]")

    def _flush(self) -> None:
        for slot in self._assigned:
            self._emit(f"c{self._section.places[slot.key].column}[i] = {self._expressions.local(slot)}")

    def _hook(self, call: str) -> None:
        state = "".join(f"v{n}, " for n in range(len(self._program.variables)))
        if state:
            self._emit(f"shared[:] = {state}")
        self._emit(f"passed = {call}")
        if state:
            self._emit(f"{state}= shared")
        self._emit("if not passed: continue")

    def _keep(self, index: str) -> None:
        self._emit(f"keep({index})")
        for n, slot in enumerate(self._program.captured):
            number = self._section.variables.get(slot.key)
            if number is not None:
                self._emit(f"a{n}(v{number})")
            else:
                place = self._section.places[slot.key]
                self._loaded.add(place.column)
                self._emit(f"a{n}(c{place.column}[{'k' if place.by_key else 'i'}])")

    # One method a rule

    def _rule(self, rule: Rule) -> None:
        match rule:
            case Evaluate():
                self._evaluate(rule)
            case Filter():
                self._filter(rule)
            case Constantly(value):
                if not value:
                    self._leave()
            case Conditional(branches):
                self._conditional(branches)
            case Goto(destination):
                self._flush()
                self._go(destination)
            case Remove():
                self._remove(rule)
            case _:
                raise OptionError(f"a rule of kind {type(rule).__name__} cannot stand here", where="aq_udb")

    def _leave(self) -> None:
        self._flush()
        self._go(Destination.NEXT_KEY if self._section.filters_keys else Destination.NEXT_ROW)

    def _go(self, destination: Destination) -> None:
        if destination is Destination.NEXT_ROW:
            self._emit("continue")
            return
        if destination is not Destination.NEXT_GROUP:
            self._emit(f"jump = {_NEXT_KEY if destination is Destination.NEXT_KEY else _MAIN}")
        self._emit("break")

    def _remove(self, rule: Remove) -> None:
        self._flush()
        if rule.whole_key:
            self._emit("dead[k] = 1")
        elif self._section.table >= 0:
            self._emit(f"gone{self._section.table}[i] = 1")
            counts = self._program.counts.get(self._section.table)
            if counts is not None:
                self._emit(f"c{counts}[k] -= 1")
        else:
            for column, value in self._section.blanks:
                self._emit(f"c{column}[i] = {value!r}")
        self._go(rule.then)
