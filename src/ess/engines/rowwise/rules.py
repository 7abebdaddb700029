"""Rules to the statements of the loop over a batch's rows."""

from __future__ import annotations

from dataclasses import dataclass

from ess.engines.rowwise.expressions import ExpressionCompiler
from ess.engines.rowwise.statements import Statements
from ess.errors import OptionError
from ess.language.function import RecordError
from ess.language.program import (
    Conditional,
    Constantly,
    Evaluate,
    Expand,
    Filter,
    Goto,
    Program,
    Quit,
    Remove,
    Rule,
    Skip,
    Write,
)
from ess.language.tree import Slot
from ess.language.walk import assigned_slots, read_slots, rules_of
from ess.schema.batch import blank


@dataclass(frozen=True)
class Loop:
    """A compiled loop, and how to call it.

    ``function(columns, height, first, variables)`` takes a list of values for each slot of
    ``loaded`` and the variables' values, and returns a tuple:

    0. the rows that reached the end of the chain (None: all of them),
    1. for each slot of ``collected``, its values in those rows,
    2. for each sink, the rows written and the values of its changed slots (``sink_slots``),
    3. the rejections as (row, reason, error),
    4. the number of rows processed, and whether the run shall stop,
    5. the variables' values.

    Where ``expands``, the rows of 0 and 2 may come several times each. ``places`` tells the option that a line of
    ``source`` belongs to.
    """

    source: str
    namespace: dict[str, object]
    loaded: tuple[Slot, ...]
    collected: tuple[Slot, ...]
    variables: tuple[Slot, ...]
    sinks: dict[int, tuple[Slot, ...]]
    sink_slots: dict[int, tuple[Slot, ...]]
    expands: bool
    places: dict[int, str]


@dataclass(frozen=True)
class _Tail:
    """The continuation of a sequence of rules: the function of ``rules``, or without ``name`` the end of the chain."""

    name: str = ""
    rules: tuple[Rule, ...] = ()


def expands_in_group(rules: tuple[Rule, ...]) -> bool:
    """True if a rule inside a group makes several rows of one."""
    groups = [rule for rule in rules if isinstance(rule, Conditional)]
    return any(isinstance(rule, Expand) for rule in rules_of(groups))


def compile_loop(program: Program) -> Loop:
    """The Python source of a program's loop."""
    return _LoopCompiler(program).loop()


class _LoopCompiler(Statements):
    def __init__(self, program: Program) -> None:
        super().__init__(ExpressionCompiler(program.random_seed))
        self._program = program
        self._assigned = assigned_slots(program)
        self._input_keys = {slot.key for slot in program.inputs}
        rules = list(rules_of(program.rules))
        self._quits_after = any(isinstance(rule, Quit) and rule.after_row for rule in rules)
        self._can_drop = any(
            isinstance(rule, Filter | Skip | Quit | Expand) or (isinstance(rule, Constantly) and not rule.value)
            for rule in rules
        )
        self._expands = any(isinstance(rule, Expand) for rule in rules)
        self._quits_at_once = any(isinstance(rule, Quit) and not rule.after_row for rule in rules)
        self._loops: list[int] = []  # where the loops over the matches of a row begin, in this function
        # With several rows of one inside of a group, what follows the group runs at several places. Then the chain
        # is a function, and what follows such a group is another; all share the locals of the loop.
        self._in_functions = expands_in_group(program.rules)
        self._functions: list[tuple[str, list[str]]] = []
        self._sinks = {rule.sink: rule.slots for rule in rules if isinstance(rule, Write)}
        self._sink_slots = {
            sink: tuple(dict.fromkeys(slot for slot in slots if self._changes(slot)))
            for sink, slots in self._sinks.items()
        }

        self._variables = tuple(variable.slot for variable in program.variables)
        self._collected = tuple(slot for slot in (*program.inputs, *program.created) if self._changes(slot))
        self._rejects = False

    def _changes(self, slot: Slot) -> bool:
        """True if a slot's value in the loop may differ from the batch's."""
        return slot.key in self._assigned or slot.key not in self._input_keys

    def loop(self) -> Loop:
        body = self._body()
        touched = {*self._assigned, *self._expression_slots()}
        loaded = tuple(slot for slot in self._program.inputs if slot.key in touched)
        self._lines = []
        self._head(loaded)
        self._lines += body
        self._foot()
        namespace = {**self._expressions.namespace, "RecordError": RecordError}
        source = "\n".join(self._lines) + "\n"
        return Loop(
            source,
            namespace,
            loaded,
            self._collected,
            self._variables,
            self._sinks,
            self._sink_slots,
            self._expands,
            self.places(self._lines),
        )

    def _expression_slots(self) -> dict[str, Slot]:
        """The slots that expressions read; one that is only written out is taken from the batch."""
        rules = tuple(rule for rule in rules_of(self._program.rules) if isinstance(rule, Evaluate | Filter | Expand))
        return read_slots(Program((), (), (), rules))

    # The parts of the function

    def _head(self, loaded: tuple[Slot, ...]) -> None:
        local = self._expressions.local
        self._lines = [
            "def run(columns, height, first, variables):",
            *(f"    {local(slot)} = variables[{n}]" for n, slot in enumerate(self._variables)),
            "    rejected = []",
            "    rows = []",
            "    kept = rows.append",
            "    i = -1",
            "    processed = height",
            "    stopped = last = False",
        ]
        for n in range(len(self._collected)):
            self._lines += [f"    c{n} = []", f"    a{n} = c{n}.append"]
        for sink, slots in self._sink_slots.items():
            self._lines += [f"    w{sink} = []", f"    x{sink} = w{sink}.append"]
            for n in range(len(slots)):
                self._lines += [f"    w{sink}_{n} = []", f"    x{sink}_{n} = w{sink}_{n}.append"]
        self._lines += self._definitions()
        names = "".join(f", {local(slot)}" for slot in loaded)
        self._lines.append(f"    for i{names or ','} in zip(range(height), *columns):")

    def _body(self) -> list[str]:
        """The statements inside the loop."""
        local = self._expressions.local
        self._lines, self._indent = [], 3
        if self._in_functions:
            end = self._function((), _Tail())
            self._emit(f"{self._function(self._program.rules, _Tail(end))}()")
            if self._quits_at_once:
                self._emit("if stopped: break")
        else:
            self._sequence(self._program.rules, _Tail())
        self._rejects = self._expressions.can_reject
        if self._quits_after:
            self._emit("if last: break")
        statements = self._lines or ["            pass"]
        resets = [f"        {local(slot)} = {blank(slot.type)!r}" for slot in self._program.created]
        if not self._rejects:
            return resets + [line[4:] for line in statements]
        changing = [slot for slot in self._variables if slot.key in self._assigned]
        saved = [f"        b{n} = {local(slot)}" for n, slot in enumerate(changing)]
        return [*resets, *saved, "        try:", *statements, *self._handler(changing)]

    def _handler(self, changing: list[Slot]) -> list[str]:
        """The handler of a rejected record, which leaves no trace in variables or in what was written."""
        self._lines, self._indent = [], 2
        self._emit("except RecordError as error:")
        self._indent = 3
        self._emit("rejected.append((i, error.reason, error))")
        for n, slot in enumerate(changing):
            self._emit(f"{self._expressions.local(slot)} = b{n}")
        for sink, slots in self._sink_slots.items():
            lists = [f"w{sink}", *(f"w{sink}_{n}" for n in range(len(slots)))]
            self._emit(f"while w{sink} and w{sink}[-1] == i: " + "; ".join(f"{name}.pop()" for name in lists))
        if self._expands:
            lists = ["rows", *(f"c{n}" for n in range(len(self._collected)))]
            self._emit("while rows and rows[-1] == i: " + "; ".join(f"{name}.pop()" for name in lists))
        if self._program.stop_at_rejection:
            self._emit("processed = i + 1")
            self._emit("last = False")
            self._emit("break")
        elif self._quits_after:
            self._emit("if last: break")
        return self._lines

    def _foot(self) -> None:
        local = self._expressions.local
        if self._quits_after:
            self._lines += ["    if last:", "        processed = i + 1", "        stopped = True"]
        rows = "rows" if self._can_drop or self._rejects else "None"
        values = "".join(f"c{n}, " for n in range(len(self._collected)))
        sinks = "".join(
            f"{sink}: (w{sink}, ({''.join(f'w{sink}_{n}, ' for n in range(len(slots)))})), "
            for sink, slots in self._sink_slots.items()
        )
        state = "".join(f"{local(slot)}, " for slot in self._variables)
        self._lines.append(f"    return {rows}, ({values}), {{{sinks}}}, rejected, processed, stopped, ({state})")

    # Sequences of rules

    def _sequence(self, rules: tuple[Rule, ...], tail: _Tail) -> None:
        """Rules and what follows them. The rest after an ``Expand`` is inside its loop."""
        for number, rule in enumerate(rules):
            rest = rules[number + 1 :]
            self._at(rule)
            if isinstance(rule, Expand):
                self._expand(rule, rest, tail)
                return
            if isinstance(rule, Conditional) and expands_in_group((rule,)):
                after = _Tail(self._function(rest, tail), (*rest, *tail.rules)) if rest else tail
                self._conditional(rule.branches, lambda body, after=after: self._sequence(body, after))  # type: ignore[misc]
                return
            self._rule(rule)
        self._at(None)
        if tail.name:
            self._emit(f"{tail.name}()")
            if self._quits_at_once and self._loops:
                self._emit("if stopped: return")
            return
        if self._can_drop or self._expressions.can_reject:
            self._emit("kept(i)")
        for n, slot in enumerate(self._collected):
            self._emit(f"a{n}({self._expressions.local(slot)})")

    def _function(self, rules: tuple[Rule, ...], tail: _Tail) -> str:
        """Define a function of some rules and what follows them; its name."""
        outside = self._lines, self._indent, self._loops
        self._lines, self._indent, self._loops = [], 2, []
        self._sequence(rules, tail)
        body = self._lines
        self._lines, self._indent, self._loops = outside
        name = f"k{len(self._functions)}"
        self._functions.append((name, body))
        return name

    def _definitions(self) -> list[str]:
        """The functions, which share the locals of the loop."""
        if not self._functions:
            return []
        slots = (*self._program.inputs, *self._program.created)
        names = [self._expressions.local(slot) for slot in slots]
        shared = ", ".join([*names, *(self._expressions.local(slot) for slot in self._variables)])
        lines = [f"    {name} = None" for name in names]
        for name, body in self._functions:
            lines += [
                f"    def {name}():",
                f"        nonlocal processed, stopped, last, {shared}",
                *(body or ["        pass"]),
            ]
        return lines

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
            case Write():
                self._write(rule)
            case Skip():
                self._leave()
            case Quit(after_row):
                self._quit(after_row)
            case Conditional(branches):
                self._conditional(branches)
            case Expand():
                raise OptionError("several rows of one cannot be checked", where=rule.where)
            case Goto() | Remove():
                raise OptionError("only rows of a database belong to keys", where="-goto")

    def _leave(self) -> None:
        """The row goes no further."""
        if self._in_functions and not self._loops:
            self._emit("return")
            return
        if self._quits_after and not self._loops:  # within a row's matches, the others still have their turn
            self._emit("if last: break")
        self._emit("continue")

    def _quit(self, after_row: bool) -> None:
        if after_row:
            self._emit("last = True")
            return
        self._emit("stopped = True")
        lists = [f"w{sink}" for sink in self._sink_slots] + (["rows"] if self._expands else [])
        written = " or ".join(f"({name} and {name}[-1] == i)" for name in lists)
        self._emit(f"processed = i + 1 if {written} else i" if written else "processed = i")
        self._emit("last = False")
        self._emit("return" if self._in_functions else "break")

    def _expand(self, rule: Expand, rest: tuple[Rule, ...], tail: _Tail) -> None:
        """The loop over a row's matches, with the rest of the chain in it."""
        depth = len(self._loops)
        variables = {slot.key for slot in self._variables}
        own = {slot.key for slot in rule.targets}
        changed = assigned_slots(Program((), (), (), (*rest, *tail.rules))).values()
        names = [self._expressions.local(slot) for slot in changed if slot.key not in variables | own]
        for n, name in enumerate(names):
            self._emit(f"s{depth}_{n} = {name}")
        matches = self._expressions.value(rule.matches).text
        self._loops.append(self._indent)
        self._emit(f"for m{depth} in {matches}:")
        self._indent += 1
        for n, name in enumerate(names):
            self._emit(f"{name} = s{depth}_{n}")
        for n, slot in enumerate(rule.targets):
            self._emit(f"{self._expressions.local(slot)} = {self._expressions.store_function(slot)}(m{depth}[{n}])")
        self._sequence(rest, tail)
        self._indent = self._loops.pop()
        if self._quits_at_once and not self._in_functions:
            self._emit("if stopped: break")

    def _write(self, rule: Write) -> None:
        self._emit(f"x{rule.sink}(i)")
        for n, slot in enumerate(self._sink_slots[rule.sink]):
            self._emit(f"x{rule.sink}_{n}({self._expressions.local(slot)})")
