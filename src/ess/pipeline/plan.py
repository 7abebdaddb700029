"""The plan: everything a run needs, checked, before the first byte is read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes, parse_input_attributes
from ess.language.program import Branch, Conditional, Evaluate, Expand, Program, Rule, Variable, Write
from ess.language.scope import Scope
from ess.language.tree import Arithmetic, ArithmeticOperator, Builtin, BuiltinName, Constant, Reference, Slot, ValueType
from ess.language.walk import assigned_slots, read_slots, rules_of
from ess.pipeline.builder import ChainBuilder, OpenedImport
from ess.pipeline.chain import build_chain
from ess.pipeline.options import Use
from ess.pipeline.selection import Selected
from ess.pipeline.sinks import STDOUT, ImportOpener, RowOutput, VariablesOutput
from ess.pipeline.source import (
    STDIN,
    InputPlan,
    RowSourceOpener,
    input_of_files,
    plan_input,
    plan_rows,
    single_use,
    with_used_columns,
)
from ess.schema.columns import Column
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.row_module import RowModule

#: Options that say where records come from or how the tool behaves; they may stand anywhere on the command line.
INPUT_OPTIONS = frozenset({"-f", "-d", "-cat", "-exp", "-cnt", "-seed", "-rx"})
GLOBAL_OPTIONS = frozenset({"-stat", "-verb", "-test"})

#: The number of a row, for outputs that share a target. No column of a user can have this key.
_ROW_SLOT = Slot("#row", "#row", ColumnType.LS)


@dataclass(frozen=True)
class Plan:
    """A checked command line.

    ``more_inputs`` are those of ``-cat``; where an input lacks a column of the chain, it is 0 or blank.
    ``row_slot``, where outputs share a target, is the slot that ends each batch for such an output:
    the row's number, by which the outputs interleave. ``modules`` are told when all rows are through.
    """

    input: InputPlan
    program: Program
    outputs: tuple[RowOutput, ...]
    variable_outputs: tuple[VariablesOutput, ...]
    imports: tuple[OpenedImport, ...]
    row_slot: Slot | None = None
    more_inputs: tuple[InputPlan, ...] = ()
    modules: tuple[RowModule, ...] = ()


def plan_chain(
    uses: Sequence[Use], *, open_import: ImportOpener | None, open_rows: RowSourceOpener | None = None
) -> Plan:
    """The plan of an ``aq_pp`` command line.

    Args:
        uses: Its options.
        open_import: What ``-imp`` means; None where there is no such option.
        open_rows: What ``-exp`` and ``-cnt`` mean; None where there are no such options.

    Raises:
        OptionError: For anything in it that is wrong or unknown.
        EssError: What ``open_import`` raises.
    """
    source = (plan_rows(uses, open_rows) if open_rows is not None else None) or plan_input(uses)
    more = tuple(_added_input(use) for use in uses if use.name == "-cat")
    _require_stdin_once((source, *more), uses)
    scope = Scope()
    for added in (source, *more):
        _add_columns(scope, added.columns)
    inputs = scope.columns()
    scope.default_regex = _default_regex(single_use(uses, "-rx"))
    builder = ChainBuilder(scope, open_import)
    rules = build_chain(builder, [use for use in uses if use.name not in INPUT_OPTIONS | GLOBAL_OPTIONS])
    if not (builder.outputs or builder.variable_outputs or builder.imports):
        selected = [Selected(slot, slot.name) for slot in scope.columns()]
        rules.append(builder.add_output(STDOUT, OutputAttributes(), selected))
    outputs = tuple(builder.outputs)
    _require_other_files((source, *more), [*outputs, *builder.variable_outputs])
    created = tuple(builder.created)
    variables = tuple(builder.variables)
    row_slot: Slot | None = None
    if shared := shared_targets(outputs):
        _require_text(outputs, shared)
        # A row that becomes several is counted once for each; that takes a variable, which costs more.
        several = any(isinstance(rule, Expand) for rule in rules_of(rules))
        row_slot = replace(_ROW_SLOT, is_variable=several)
        outputs, rules = _number_rows(outputs, rules, row_slot)
        if several:
            variables = (*variables, Variable(row_slot, 0))
        else:
            created = (*created, row_slot)
    if not builder.modules:  # a module may read whole rows
        inputs = _used(inputs, Program(inputs, created, variables, tuple(rules)))
        source, *more_used = [with_used_columns(each, {slot.key for slot in inputs}) for each in (source, *more)]
        more = tuple(more_used)
    program = Program(
        inputs,
        created,
        variables,
        tuple(rules),
        random_seed=_seed(single_use(uses, "-seed")),
        # A run that may end at a rejection must not have done more than the rows before it.
        stop_at_rejection=bool(builder.modules)
        or any(not added.attributes.errors_ok or added.attributes.error_limit is not None for added in (source, *more)),
    )
    return Plan(
        source,
        program,
        outputs,
        tuple(builder.variable_outputs),
        tuple(builder.imports),
        row_slot,
        more,
        tuple(builder.modules),
    )


def _used(inputs: tuple[Slot, ...], program: Program) -> tuple[Slot, ...]:
    """The inputs that something is done with; of a program that does nothing with any, the first one."""
    keys = read_slots(program).keys() | assigned_slots(program).keys()
    return tuple(slot for slot in inputs if slot.key in keys) or inputs[:1]


def _added_input(use: Use) -> InputPlan:
    attributes = parse_input_attributes(list(use.attributes), where=use.where)
    return input_of_files(use.arguments, attributes, where=use.where)


def _require_stdin_once(sources: Sequence[InputPlan], uses: Sequence[Use]) -> None:
    """Refuse a second reader of the standard input: it would find nothing there, which is no error by itself."""
    readers = [source.attributes.option for source in sources if source.rows is None and STDIN in source.files]
    for use in uses:
        if use.name in ("-cmb", "-sub", "-grep") and STDIN in use.arguments[use.name != "-cmb" :]:
            readers.append(use.name)
    if len(readers) > 1:
        hint = "give all but one of its readers a file; without -f the rows come from it"
        raise OptionError("the standard input is read twice", where=readers[1], hint=hint)


def _add_columns(scope: Scope, columns: Sequence[Column]) -> None:
    """Add an input's columns to the chain's; one that is there already must have the same type."""
    for column in columns:
        if not column.wanted:
            continue
        slot = scope.find(column.name)
        if slot is None:
            scope.add(column, where="-d")
        elif slot.type is not column.type:
            raise OptionError(
                f"'{column.name}' is {column.type.value} here, but {slot.type.value} in the input before it",
                where="-cat",
            )


def shared_targets(outputs: Sequence[RowOutput]) -> frozenset[str]:
    """The targets (see ``target_identity``) that more than one output of rows writes to."""
    counts = Counter(target_identity(output.target) for output in outputs if output.target_variable is None)
    return frozenset(target for target, count in counts.items() if count > 1)


def target_identity(target: str) -> str:
    """One text for all ways to write the same target."""
    return target if target == STDOUT or "@" in target else os.path.realpath(target)


def _require_other_files(inputs: Sequence[InputPlan], outputs: Sequence[RowOutput | VariablesOutput]) -> None:
    """An output must not be a file that is still to be read: opening it would empty it."""
    files = [file for added in inputs for file in added.files if file != STDIN]
    read = {os.path.realpath(file) for file in files if Path(file).is_file()}
    for output in outputs:
        if target_identity(output.target) in read:
            raise OptionError(
                f"'{output.target}' is an input too", where="-o", hint="write another file and rename it afterwards"
            )


def _require_text(outputs: Sequence[RowOutput], shared: frozenset[str]) -> None:
    """Only formats that are one record after the other can take turns."""
    for output in outputs:
        if not output.attributes.format.is_text and target_identity(output.target) in shared:
            raise OptionError(
                f"the format '{output.attributes.format.value}' cannot share '{output.target}' with another output",
                where="-o",
            )


def _seed(use: Use | None) -> int:
    if use is None:
        return 1
    text = use.arguments[0]
    if not (text.isascii() and text.isdigit()):
        raise OptionError(f"'{text}' is not a seed", where="-seed", hint="give a number from 0 up")
    return int(text)


def _default_regex(use: Use | None) -> tuple[str, ...]:
    """The attributes that ``-rx`` names."""
    if use is None:
        return ()
    from ess.language.nearest import nearest
    from ess.language.regex import REGEX_WORDS, RegexError, compile_regex

    words = tuple(word.strip().lower() for word in use.arguments[0].replace("|", ",").split(","))
    for word in words:
        if word not in REGEX_WORDS:
            near = nearest(word, REGEX_WORDS)
            hint = f"did you mean '{near}'?" if near else "e.g. -rx pcre"
            raise OptionError(f"unknown attribute '{word}' of regular expressions", where=use.where, hint=hint)
    try:
        compile_regex(b"", words)
    except RegexError as error:
        raise OptionError(str(error), where=use.where) from None
    return words


def _number_rows(
    outputs: tuple[RowOutput, ...], rules: list[Rule], row_slot: Slot
) -> tuple[tuple[RowOutput, ...], list[Rule]]:
    """Let the outputs that share a target get a number that grows from row to row as their last slot."""
    shared = shared_targets(outputs)
    numbered = tuple(
        replace(output, slots=(*output.slots, row_slot))
        if output.target_variable is None and target_identity(output.target) in shared
        else output
        for output in outputs
    )
    slots = {output.sink: output.slots for output in numbered}
    if not row_slot.is_variable:
        number = Evaluate(row_slot, Builtin(BuiltinName.ROW_NUMBER))
        return numbered, [number, *_with_slots(rules, slots, ())]
    one = Constant(ValueType.INTEGER, 1)
    reference = Reference(ValueType.INTEGER, row_slot)
    count = Evaluate(row_slot, Arithmetic(ValueType.INTEGER, ArithmeticOperator.ADD, reference, one))
    return numbered, [count, *_with_slots(rules, slots, (count,))]


def _with_slots(rules: Sequence[Rule], slots: dict[int, tuple[Slot, ...]], counted: tuple[Rule, ...]) -> Iterator[Rule]:
    """The rules, with other slots for the sinks that are named, and ``counted`` for each match of a row."""
    for rule in rules:
        yield _rule_with_slots(rule, slots, counted)
        if isinstance(rule, Expand):
            yield from counted


def _rule_with_slots(rule: Rule, slots: dict[int, tuple[Slot, ...]], counted: tuple[Rule, ...]) -> Rule:
    if isinstance(rule, Write):
        return replace(rule, slots=slots.get(rule.sink, rule.slots))
    if isinstance(rule, Conditional):
        return Conditional(
            tuple(
                Branch(
                    None if branch.check is None else _rule_with_slots(branch.check, slots, counted),
                    branch.negated,
                    tuple(_with_slots(branch.body, slots, counted)),
                )
                for branch in rule.branches
            )
        )
    return rule
