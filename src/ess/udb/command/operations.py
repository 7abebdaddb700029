"""The command line of ``aq_udb`` as one checked operation; :mod:`ess.udb.command.perform` carries it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ess.errors import OptionError
from ess.formats.attributes import OutputAttributes, parse_output_attributes
from ess.language.row_module import parse_module_spec
from ess.language.tree import Slot
from ess.pipeline.options import Use
from ess.pipeline.selection import Selected, select
from ess.udb.client.limits import Cut, parse_cut, whole_number
from ess.udb.scan.module_files import install
from ess.udb.scan.portable_scan import scan_form, variables_form
from ess.udb.scan.rules import GROUP_OPTIONS, RULE_OPTIONS, build_rules, build_variables, in_groups
from ess.udb.spec.spec import VAR, Definition, Kind, Server
from ess.udb.spec.spec_file import format_definition
from ess.udb.spec.table_scope import TableScope
from ess.udb.spec.target import Target, chosen_servers, find_target, parse_segments, spec_attribute
from ess.udb.wire.protocol import DatabaseRequest, OrderRequest, ScanRequest, ShuffleRequest

#: The options that say what to do; one of them must be there.
OPERATIONS = ("-crt", "-alt", "-clr", "-inf", "-probe", "-ord", "-shf", "-exp", "-cnt", "-scn", "-save", "-load")

_SCANS = ("-exp", "-cnt", "-scn")
_WITH_OUTPUT = ("-exp", "-cnt", "-inf")
_CUTS = ("-top", "-last")
_RULES = tuple(option.name for option in (*RULE_OPTIONS, *GROUP_OPTIONS))

#: Operation -> the attributes it takes beside ``spec=``.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "-crt": (),
    "-alt": (),
    "-clr": (),
    "-inf": ("asis",),
    "-probe": (),
    "-ord": ("ncas", "dec"),
    "-shf": (),
    "-exp": ("asis", "seg="),
    "-cnt": ("asis", "seg="),
    "-scn": ("seg=",),
    "-save": (),
    "-load": (),
}


@dataclass(frozen=True)
class Operation:
    """A checked command line of ``aq_udb``.

    Args:
        name: The option that says what to do.
        target: The database and table.
        servers: Those to talk to.
        scan: For ``-exp``, ``-cnt`` and ``-scn``.
        order: For ``-ord``.
        shuffle: For ``-shf``.
        separately: ``asis``: a result for each server.
        output, attributes: Where and how to print.
        columns: What to export.
        sort: The slots of ``-sort``.
        cut: What ``-top`` or ``-last`` leaves.
        location: The folder or address of ``-save`` and ``-load``.
    """

    name: str
    target: Target
    servers: tuple[Server, ...]
    scan: ScanRequest
    order: OrderRequest
    shuffle: ShuffleRequest
    separately: bool
    output: str
    attributes: OutputAttributes
    columns: tuple[Selected, ...]
    sort: tuple[Slot, ...]
    cut: Cut | None
    location: str

    @property
    def about(self) -> DatabaseRequest:
        """The request that names the database and the table and nothing else."""
        return DatabaseRequest(self.scan.database, self.scan.definition, self.scan.table)


def plan(uses: Sequence[Use]) -> Operation:
    """Check a command line. Nothing is connected.

    Raises:
        OptionError: If options are missing, contradict each other, or name what is not there.
    """
    uses = [_modern(use) for use in uses]
    main = _main_option(uses)
    words = _attributes(main)
    spec_file = next((file for word in main.attributes if (file := spec_attribute(word, where=main.where))), "")
    target = find_target(main.arguments[0], where=main.name, spec_file=spec_file)
    if target.table is not None and main.name in ("-crt", "-alt", "-inf", "-probe", "-save", "-load"):
        raise OptionError(f"{main.name} concerns a whole database", where=f"{main.where} {main.arguments[0]}")
    _require_applicable(uses, main, target)
    definition = target.spec.definition
    segments = _segments(main)
    if segments and target.table is not None and target.table.kind is Kind.VAR:
        raise OptionError("variables belong to no key, and so to no segment", where=main.where, hint="leave seg= out")
    scope = TableScope(definition, target.table)
    given = tuple(argument for use in uses if use.name == "-server" for argument in use.arguments)
    servers = chosen_servers(target.spec, given=given, local=any(use.name == "-local" for use in uses), own_node=True)
    output, attributes = _output(uses)
    columns = _columns(uses, scope) if main.name == "-exp" else ()
    sort, descending, ignore_case = _sort(uses, scope)
    text = format_definition(definition, key_apart=target.spec.key_apart)
    ruling = in_groups(uses)
    scan = ScanRequest(
        target.database,
        text,
        target.table_name,
        outputs=tuple(dict.fromkeys(slot.name for slot in (*(c.slot for c in columns), *sort))),
        sort=tuple(slot.name for slot in sort),
        descending=descending,
        ignore_case=ignore_case,
        segments=segments,
        key_rows=_number(uses, "-key_rec"),
        keys=_number(uses, "-lim_key"),
        rows=_number(uses, "-lim_rec"),
        seed=max(1, _number(uses, "-seed")),
        module=next((use.arguments[0] for use in uses if use.name == "-mod"), ""),
        module_digest=_installed_module(uses),
    )
    rules = build_rules(definition, target.table, ruling)
    pairs = [use.arguments for use in uses if use.name == "-var"]
    variables = build_variables(definition, pairs, option="-var")
    scan = dataclasses.replace(scan, rules=scan_form(rules), variables=variables_form(variables))
    order = OrderRequest(target.database, text, target.table_name, main.arguments[1:], "dec" in words, "ncas" in words)
    if main.name == "-ord":
        order = _checked_order(order, target, main)
    shuffle = ShuffleRequest(target.database, text, target.table_name, _number(uses, "-seed"))
    if main.name == "-shf" and target.table is not None and target.table.kind is not Kind.TABLE:
        raise OptionError(
            f"{target.table.label} has one row for a key", where=main.where, hint="only tables and keys can be shuffled"
        )
    cuts = [parse_cut(u.arguments[0], where=u.name, from_end=u.name == "-last") for u in uses if u.name in _CUTS]
    return Operation(
        main.name,
        target,
        servers,
        scan,
        order,
        shuffle,
        "asis" in words,
        output,
        attributes,
        columns,
        sort,
        cuts[0] if cuts else None,
        main.arguments[1] if main.name in ("-save", "-load") else "",
    )


def _modern(use: Use) -> Use:
    """The present form of an old option."""
    if use.name == "-lim_usr":
        return dataclasses.replace(use, option=dataclasses.replace(use.option, name="-lim_key"))
    return use


# Checking -------------------------------------------------------------------------------------------------------------


def _main_option(uses: Sequence[Use]) -> Use:
    found = [use for use in uses if use.name in OPERATIONS]
    if len(found) != 1:
        names = " and ".join(use.where for use in found) or "none"
        raise OptionError(f"one operation is needed, {names} given", where="aq_udb", hint=f"use {' '.join(OPERATIONS)}")
    return found[0]


def _attributes(main: Use) -> set[str]:
    words: set[str] = set()
    known = _ATTRIBUTES[main.name]
    for word in main.attributes:
        lowered = word.lower()
        if lowered.startswith("spec="):
            continue
        if lowered not in known and not (lowered.startswith("seg=") and "seg=" in known):
            raise OptionError(
                f"unknown attribute '{word}'", where=main.where, hint=f"known: {' '.join(('spec=', *known))}"
            )
        words.add(lowered)
    return words


def _require_applicable(uses: Sequence[Use], main: Use, target: Target) -> None:
    """An option that would be ignored is a mistake."""
    if main.name not in ("-ord", "-save", "-load") and len(main.arguments) > 1:
        raise OptionError(f"'{main.arguments[1]}' is one word too many", where=f"{main.where} {main.arguments[0]}")
    for use in uses:
        if use.name == "-seed" and main.name == "-shf":
            continue
        if (
            use.name in (*_RULES, "-var", "-mod", "-seed", "-lim_key", "-lim_rec", "-key_rec")
            and main.name not in _SCANS
        ):
            raise OptionError(f"{use.name} has no effect with {main.name}", where=use.where, hint="leave it out")
        if use.name in ("-sort", "-top", "-last", "-c") and main.name != "-exp":
            raise OptionError(f"{use.name} has no effect with {main.name}", where=use.where, hint="leave it out")
        if use.name == "-o" and main.name not in _WITH_OUTPUT:
            raise OptionError(f"{main.name} has no output", where=use.where, hint="leave -o out")
    for name in ("-sort", "-mod", "-top", "-last", "-o", "-c", "-seed", "-lim_key", "-lim_rec", "-key_rec"):
        if sum(use.name == name for use in uses) > 1:
            raise OptionError(f"{name} is given twice", where=name)
    if set(_CUTS) <= {use.name for use in uses}:
        raise OptionError("-top and -last exclude each other", where="-last")
    if target.table is not None and target.table.kind is Kind.VAR and any(use.name == "-sort" for use in uses):
        raise OptionError("the Var vector has one row", where="-sort", hint="leave it out")


def _output(uses: Sequence[Use]) -> tuple[str, OutputAttributes]:
    for use in uses:
        if use.name == "-o":
            return use.arguments[0], parse_output_attributes(list(use.attributes), where=use.where)
    return "-", OutputAttributes()


def _columns(uses: Sequence[Use], scope: TableScope) -> tuple[Selected, ...]:
    words = next((use.arguments for use in uses if use.name == "-c"), ())
    if not words:
        return tuple(Selected(slot, slot.name) for slot in scope.target)
    chosen = select(_expanded(words, scope), scope, scope.target, where="-c")
    owners = {_owner(column.slot, scope) for column in chosen}
    return tuple(
        column
        if column.label.lower() not in _names(column.slot, scope)  # it was given a label
        else dataclasses.replace(column, label=_label(column.slot, scope, with_owner=len(owners) > 1))
        for column in chosen
    )


def _owner(slot: Slot, scope: TableScope) -> str:
    """The vector that a column belongs to, or ``var``; blank for the target and its key."""
    source = scope.sources[slot.key]
    if source.is_variable:
        return VAR
    return source.vector.name if source.vector is not None and not source.column.primary else ""


def _names(slot: Slot, scope: TableScope) -> tuple[str, ...]:
    """The names, in lower case, by which a column may be selected."""
    column = scope.sources[slot.key].column.key
    tables = [table.key for table in scope.definition.tables]
    return (column, *(f"{owner}.{column}" for owner in (*tables, VAR, "")))


def _label(slot: Slot, scope: TableScope, *, with_owner: bool) -> str:
    """The title of a column: with its owner where the columns come from several and it is not the target's."""
    name = scope.sources[slot.key].column.name
    owner = _owner(slot, scope)
    return f"{owner}.{name}" if with_owner and owner else name


def _expanded(words: Sequence[str], scope: TableScope) -> list[str]:
    """The words after ``-c`` with ``+``, ``Tab.*`` and ``Tab.+`` written out."""
    expanded: list[str] = []
    for word in words:
        owner, dot, what = word.rpartition(".")
        if word == "+":
            expanded += [slot.name for slot in scope.target if not scope.sources[slot.key].column.primary]
        elif dot and what in ("*", "+"):
            expanded += _all_of(owner, scope, with_key=what == "*")
        else:
            expanded.append(word)
    return expanded


def _all_of(owner: str, scope: TableScope, *, with_key: bool) -> list[str]:
    definition: Definition = scope.definition
    table = definition.get(owner, where="-c")
    is_target = scope.table is not None and table.key == scope.table.key
    if table.kind is Kind.TABLE and not is_target:
        raise OptionError(
            f"'{owner}' has many rows for a key", where="-c", hint="columns come from the target, from vectors and Var"
        )
    names = [column.name for column in (table.columns if with_key else table.values)]
    prefix = VAR if table.kind is Kind.VAR else table.name
    return names if is_target else [f"{prefix}.{name}" for name in names]


def _sort(uses: Sequence[Use], scope: TableScope) -> tuple[tuple[Slot, ...], bool, bool]:
    for use in uses:
        if use.name == "-sort":
            words = [word.lower() for word in use.attributes]
            for word in words:
                if word not in ("dec", "ncas"):
                    raise OptionError(f"unknown attribute '{word}'", where=use.where, hint="known: dec ncas")
            return tuple(scope.get(name, where=use.where) for name in use.arguments), "dec" in words, "ncas" in words
    return (), False, False


def _installed_module(uses: Sequence[Use]) -> str:
    """The digest of the file of ``-mod ModSpec ModSrc``, which is then where the servers find it."""
    for use in uses:
        if use.name == "-mod":
            where = f"{use.where} {use.arguments[0]}"
            spec = parse_module_spec(use.arguments[0], where=where)
            if len(use.arguments) > 2:
                raise OptionError(
                    f"'{use.arguments[2]}' is one word too many", where=where, hint="give one module and one file"
                )
            return install(spec.name, use.arguments[1], where=where) if len(use.arguments) == 2 else ""
    return ""


def _segments(main: Use) -> tuple[int, ...]:
    found = [s for word in main.attributes if (s := parse_segments(word.lower(), where=main.where))]
    if len(found) > 1:
        raise OptionError("seg= is given twice", where=main.where, hint="the form for several segments is seg=N1-N2/N")
    return found[0] if found else ()


def _number(uses: Sequence[Use], name: str) -> int:
    for use in uses:
        if use.name == name:
            text = use.arguments[0]
            if not (text.isascii() and text.isdigit()):
                raise OptionError(f"bad number '{text}'", where=name, hint="give a whole number from 0")
            return whole_number(text, where=name)
    return -1


def _checked_order(order: OrderRequest, target: Target, main: Use) -> OrderRequest:
    where = f"{main.where} {main.arguments[0]}"
    if target.table is None:
        key = target.spec.definition.key
        for name in order.columns:
            if all(column.key != name.lower() for column in key):
                known = " ".join(column.name for column in key)
                raise OptionError(f"'{name}' is not a column of the key", where=where, hint=f"the key is {known}")
        if not order.columns and not any(t.time_column for t in target.spec.definition.of_kind(Kind.TABLE)):
            hint = (
                f"mark a column, as in i,tkey:time, or name table and columns: -ord {target.database}:TabName ColName"
            )
            raise OptionError("no table has a tkey column", where=where, hint=hint)
        return order
    if target.table.kind is not Kind.TABLE:
        raise OptionError(f"{target.table.label} has one row for a key", where=where, hint="only tables can be sorted")
    for name in order.columns:
        target.table.get(name, where=where)
    if not order.columns and target.table.time_column is None:
        raise OptionError(f"{target.table.label} has no tkey column", where=where, hint="name the columns to sort by")
    return order
