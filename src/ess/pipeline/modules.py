"""``-pmod``: the modules that come with the program, and Python files of a user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ess.errors import OptionError
from ess.language.program import Branch, Conditional, Evaluate, Expand, Filter, Quit, Rule
from ess.language.tree import (
    Attributes,
    Call,
    Compare,
    CompareOperator,
    Constant,
    Reference,
    Slot,
    Target,
    ValueType,
    value_type,
)
from ess.pipeline.options import Use
from ess.schema.types import ColumnType

if TYPE_CHECKING:
    from ess.language.function import Argument, RowFunction
    from ess.language.row_module import RowModule, Value
    from ess.pipeline.builder import ChainBuilder


def run_module(builder: ChainBuilder, use: Use, *, checked: bool = False) -> tuple[Rule, ...]:
    """``-pmod ModName("Arg", ...) [ModSrc]``.

    Args:
        builder: The chain so far.
        use: The option.
        checked: Whether it stands behind ``-if``; then the last rule of the result is the check.
    """
    from ess.language.row_module import parse_module_spec

    where = f"{use.where} {use.arguments[0]}"
    spec = parse_module_spec(use.arguments[0], where=where)
    if len(use.arguments) > 2:
        raise OptionError(
            f"'{use.arguments[2]}' is one word too many", where=where, hint="give one module and one file"
        )
    if len(use.arguments) == 2:
        from ess.language.row_module import ModuleColumn, RowModule

        slots = _visible(builder)
        module = RowModule(
            use.arguments[1],
            spec,
            [ModuleColumn(name, slot.type, not slot.is_variable) for name, slot in slots],
            where=use.where,
        )
        builder.modules.append(module)
        return _own_module(builder, module, [slot for _, slot in slots], checked=checked)
    if spec.name not in MODULES:
        from ess.language.nearest import nearest

        near = nearest(spec.name, MODULES)
        known = f"known: {' '.join(MODULES)}; for one of your own, give its Python file too"
        hint = f"did you mean '{near}'?" if near else known
        raise OptionError(f"unknown module '{spec.name}'", where=use.where, hint=hint)
    rule = MODULES[spec.name](builder, spec.arguments, f"{use.where} {spec.name}")
    return match_rules(builder, rule) if checked else (rule,)


def _visible(builder: ChainBuilder) -> list[tuple[str, Slot]]:
    """Every slot that has a name here, once: variables, then columns."""
    found = {slot.key: (name, slot) for name, slot in reversed(builder.scope.names())}
    ordered = [found[key] for key in reversed(found)]
    return sorted(ordered, key=lambda named: not named[1].is_variable)


def _own_module(builder: ChainBuilder, module: RowModule, slots: Sequence[Slot], *, checked: bool) -> tuple[Rule, ...]:
    """The rules that call a user's module and do what it says."""
    from ess.language.row_module import DROP, QUIT, QUIT_AFTER

    variables = [slot for slot in slots if slot.is_variable]
    columns = [slot for slot in slots if not slot.is_variable]
    count = len(variables)
    verdict = builder.hidden("module", ColumnType.LS)

    def one() -> RowFunction:
        module.start()

        def called(*values: Value) -> tuple[Any, ...]:
            outcome, new = module.one(values)
            return (outcome, *new[count:])

        return called

    def several() -> RowFunction:
        module.start()

        def rows(*values: Value) -> Iterator[tuple[Any, ...]]:
            made = False
            for outcome, new in module.several(values):
                made = True
                yield (*new[count:], outcome)
            if not made and checked:
                yield (*values[count:], DROP)

        return rows

    references = [Reference(value_type(slot.type), slot) for slot in variables]
    call: Rule
    if module.makes_rows:
        current = [Reference(value_type(slot.type), slot) for slot in columns]
        call = Expand(own_call(builder, several, [*references, *current]), (*columns, verdict), f"-pmod {module.file}")
    else:
        targets = [Target(slot) for slot in columns]
        call = Evaluate(verdict, own_call(builder, one, [*references, *targets]), f"-pmod {module.file}")
    quits = Conditional(
        (
            Branch(_equal(verdict, QUIT), False, (Quit(),)),
            Branch(_equal(verdict, QUIT_AFTER), False, (Quit(after_row=True),)),
        )
    )
    goes_on = Filter(Reference(ValueType.INTEGER, verdict))
    always = module.makes_rows and not checked  # a generator that gives no row drops it by that
    return (call, quits) if always else (call, quits, goes_on)


def _equal(slot: Slot, value: int) -> Filter:
    left, right = Reference(ValueType.INTEGER, slot), Constant(ValueType.INTEGER, value)
    return Filter(Compare(CompareOperator.EQUAL, left, right))


def match_rules(builder: ChainBuilder, expand: Expand) -> tuple[Rule, ...]:
    """An ``Expand`` as a check: it holds for each match, and a row without one stays as it is."""
    matched = builder.hidden("matched", ColumnType.LS)
    inner = expand.matches
    width = len(inner.function.evaluated(inner.arguments))
    current = [Reference(value_type(slot.type), slot) for slot in expand.targets]

    def load() -> RowFunction:
        find = inner.function.bind(inner.arguments)

        def matches(*values: Any) -> list[tuple[Any, ...]]:
            found = [(*match, 1) for match in find(*values[:width])]
            return found or [(*values[width:], 0)]

        return matches

    evaluated = [*inner.function.evaluated(inner.arguments), *current]
    call = own_call(builder, load, evaluated)
    return (Expand(call, (*expand.targets, matched), expand.where), Filter(Reference(ValueType.INTEGER, matched)))


def own_call(
    builder: ChainBuilder, load: Callable[[], RowFunction], arguments: Sequence[Any], *, pure: bool = False
) -> Call:
    """A call of a function that is made when the chain is compiled; each has a name of its own.

    It is made once, also where the columnar engine leaves the chain to the row engine after it has begun to compile:
    a table that comes through a pipe can be read once.
    """
    from ess.language.function import Function, anything, target

    builder.lookups += 1
    made = functools.cache(load)
    function = Function(
        f"Lookup{builder.lookups}",  # a name of its own: two tables are two functions
        tuple(target("Col") if isinstance(argument, Target) else anything("Val") for argument in arguments),
        ValueType.INTEGER,
        "",
        specialize=lambda _arguments: made(),
        pure=pure,
    )
    return Call(ValueType.INTEGER, function, tuple(arguments))


def _unwrap(builder: ChainBuilder, arguments: Sequence[Value], where: str) -> Expand:
    """``unwrap_strv("From_Col", "From_Sep", "To_Col" [, "AtrLst"])``: a row for each part of a string."""
    from ess.language.function import Function, attributes, constant, text
    from ess.language.nearest import choice_hint

    given = [argument for argument in arguments if isinstance(argument, bytes)]
    if len(given) not in (3, 4) or len(given) != len(arguments):
        raise OptionError(
            f"{len(arguments)} arguments" if len(given) == len(arguments) else "an argument is not a string constant",
            where=where,
            hint='the form is unwrap_strv("From_Col", "From_Sep", "To_Col" [, "AtrLst"])',
        )
    source = _text_column(builder, given[0], where)
    target = _text_column(builder, given[2], where)
    if len(given[1]) != 1:
        raise OptionError("the separator is not one byte", where=where)
    words = tuple(word.lower() for word in given[3].decode("ascii", "replace").split(",")) if given[3:] else ()
    for word in words:
        if word not in ("relax", "noblank"):
            hint = choice_hint(word, ("relax", "noblank"))
            raise OptionError(f"unknown attribute '{word}'", where=where, hint=hint)
    function = Function(
        "Unwrap",
        (text("From"), constant("Separator"), attributes("relax", "noblank")),
        ValueType.STRING,
        "",
        specialize=_unwrapper,
    )
    constants = (Constant(ValueType.STRING, given[1]), Attributes(words))
    call = Call(ValueType.STRING, function, (Reference(ValueType.STRING, source), *constants))
    return Expand(call, (target,), where)


def _unwrapper(arguments: Sequence[Argument]) -> RowFunction:
    from ess.language.function import fixed_text, words_of

    separator, words = fixed_text(arguments[1]), words_of(arguments[2])
    ended = "relax" not in words  # each value, also the last, has a separator behind it
    blanks = "noblank" not in words

    def parts(value: bytes) -> list[tuple[bytes]]:
        found = value.split(separator)
        if ended and not found[-1]:
            found.pop()
        return [(part,) for part in found if part or blanks]

    return parts


MODULES: dict[str, Callable[[ChainBuilder, Sequence[Any], str], Expand]] = {"unwrap_strv": _unwrap}


def _text_column(builder: ChainBuilder, name: bytes, where: str) -> Slot:
    slot = builder.scope.get(name.decode("utf-8", "surrogateescape"), where=where)
    if slot.type is not ColumnType.S:
        raise OptionError(f"'{slot.name}' is not a string column", where=where)
    return slot
