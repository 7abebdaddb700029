"""The rules of ``aq_udb``: those of the ``-pp`` groups, and those of the operation itself; the client checks them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ess.errors import OptionError
from ess.language.checker import check_constant
from ess.language.program import Destination, Goto, Remove, Rule, Variable
from ess.pipeline import shared_options
from ess.pipeline.builder import ChainBuilder
from ess.pipeline.chain import RuleMaker, build_chain
from ess.pipeline.options import Option, Use
from ess.udb.spec.spec import VAR, Definition, Kind, Table, TableColumn
from ess.udb.spec.table_scope import TableScope

#: The rules of ``aq_udb``.
RULE_OPTIONS = (
    Option("-bvar", "Set a column of the Var vector as each key begins, before the other rules.", ("ColName", "Val")),
    replace(
        shared_options.EVALUATE,
        help="Store the value of Expr in ColName, a column of the table or of the Var vector: it changes what is "
        "stored.",
        arguments=("ColName", "Expr"),
    ),
    replace(
        shared_options.FILTER,
        help=f"{shared_options.FILTER.help} In a group over a vector or the keys, a key whose row is held back is "
        "skipped as a whole.",
    ),
    Option(
        "-goto",
        "Go on elsewhere: next_row, next_key; in a group also next_pp (the next group) and proc_key (the operation "
        "itself).",
        ("DestSpec",),
    ),
    Option("-del_row", "Delete the row; post=DestSpec: where to go on (default next_row).", attributes=True),
    Option("-del_key", "Delete the key with all its rows, and go on with the next.", attributes=True),
    *shared_options.CONDITIONS,
)

#: The options that begin and end groups.
GROUP_OPTIONS = (
    Option(
        "-pp",
        "Begin a group of rules that run for each key before the operation itself: they go through the "
        "key's rows of TabName, a table, a vector, or '.' for the key. post=DestSpec: where to go on after the last "
        "row (next_pp, proc_key or next_key).",
        ("TabName",),
        attributes=True,
    ),
    Option("-endpp", "End the group; any option that is no rule does it too."),
    Option("-end_of_scan", "The old form of -pp,post=DestSpec.", ("DestSpec",), obsolete=True),
)

_DESTINATIONS = {
    "next_row": Destination.NEXT_ROW,
    "next_pp": Destination.NEXT_GROUP,
    "proc_key": Destination.MAIN,
    "proc_bucket": Destination.MAIN,
    "next_key": Destination.NEXT_KEY,
    "next_bucket": Destination.NEXT_KEY,
}

#: The places that rules can go on at: of the operation itself, and of a group.
DESTINATIONS: dict[bool, tuple[Destination, ...]] = {
    False: (Destination.NEXT_ROW, Destination.NEXT_KEY),
    True: (Destination.NEXT_ROW, Destination.NEXT_GROUP, Destination.MAIN, Destination.NEXT_KEY),
}

#: The places that a group can go on at after the last row of a key.
AFTER_GROUP = (Destination.NEXT_GROUP, Destination.MAIN, Destination.NEXT_KEY)

_NAMES = {option.name for option in (*RULE_OPTIONS, *GROUP_OPTIONS)}
_END = Use(Option("-endpp", ""), (), (), "-endpp")


@dataclass(frozen=True)
class Group:
    """Some rules over one table.

    Args:
        scope: The names they use.
        rules: Done for each row.
        resets: ``-bvar``.
        after: Where to go on after the last row of a key.
    """

    scope: TableScope
    rules: tuple[Rule, ...]
    resets: tuple[Variable, ...]
    after: Destination = Destination.NEXT_GROUP

    @property
    def table(self) -> Table | None:
        """The table; None for the keys."""
        return self.scope.table


@dataclass(frozen=True)
class Rules:
    """All rules of one command line."""

    groups: tuple[Group, ...]
    main: Group


def in_groups(uses: Sequence[Use]) -> list[Use]:
    """The rules among the options of a command line, each group with its end."""
    found: list[Use] = []
    is_open = False
    rules = {option.name for option in RULE_OPTIONS} | {"-end_of_scan"}
    for use in uses:
        if use.name == "-endpp" and not is_open:
            raise OptionError("there is no -pp before this -endpp", where=use.where)
        if is_open and use.name not in rules and use.name not in ("-var", "-seed"):
            found.append(_END)
            is_open = False
        if use.name in _NAMES and use.name != "-endpp":
            found.append(use)
        is_open = is_open or use.name == "-pp"
    return [*found, _END] if is_open else found


def build_rules(definition: Definition, table: Table | None, uses: Sequence[Use]) -> Rules:
    """The checked rules of a scan.

    Args:
        definition: The database.
        table: The target of the scan; None for the keys.
        uses: From :func:`in_groups`.

    Raises:
        OptionError: For a wrong expression, an unknown name, an assignment to what cannot be changed, or a rule
            that cannot stand where it is.
    """
    sites = itertools.count()
    groups: list[Group] = []
    opened: Use | None = None
    own: list[Use] = []
    main: list[Use] = []
    for use in uses:
        if use.name == "-pp":
            if opened is not None:
                raise OptionError("a -pp group within another", where=use.where)
            opened, own = use, []
        elif use.name == "-endpp":
            if opened is None:
                raise OptionError("there is no -pp before this -endpp", where=use.where)
            groups.append(_group(definition, opened, own, sites))
            opened = None
        else:
            (main if opened is None else own).append(use)
    if opened is not None:
        raise OptionError("the group has no end", where=opened.where, hint="end it with -endpp")
    if any(use.name == "-end_of_scan" for use in main):
        raise OptionError("-end_of_scan belongs in a -pp group", where="-end_of_scan")
    if table is not None and table.kind is Kind.VAR and any(use.name == "-bvar" for use in main):
        raise OptionError("the Var vector belongs to no key", where="-bvar", hint="set its columns with -var")
    scope = TableScope(definition, table, sites)
    return Rules(tuple(groups), Group(scope, _rules(scope, main, in_group=False), _resets(scope, main)))


def build_variables(
    definition: Definition, pairs: Sequence[tuple[str, ...]], *, option: str
) -> list[tuple[TableColumn, bytes | int | float]]:
    """The Var columns that ``-var`` or ``-bvar`` sets, with their values.

    Raises:
        OptionError: If a name is not a Var column, or a value does not fit it.
    """
    made: list[tuple[TableColumn, bytes | int | float]] = []
    for name, text in pairs:
        where = f"{option} {name}"
        if definition.var is None:
            raise OptionError("the database has no Var vector", where=where, hint="ess create variable Columns")
        owner, _, bare = name.rpartition(".")
        column = definition.var.get(bare if owner.lower() == VAR else name, where=where)
        made.append((column, check_constant(text, column.type, where=where)))
    return made


def _resets(scope: TableScope, uses: Sequence[Use]) -> tuple[Variable, ...]:
    pairs = [use.arguments for use in uses if use.name == "-bvar"]
    found = build_variables(scope.definition, pairs, option="-bvar")
    return tuple(Variable(scope.get(f"{VAR}.{column.name}", where="-bvar"), value) for column, value in found)


def _group(definition: Definition, opened: Use, own: list[Use], sites: itertools.count[int]) -> Group:
    name = opened.arguments[0]
    where = f"{opened.where} {name}"
    table = None if name == "." else definition.get(name, where=where)
    if table is not None and table.kind is Kind.VAR:
        raise OptionError("the Var vector belongs to no key", where=where, hint="its columns can be used in any group")
    scope = TableScope(definition, table, sites)
    after = _post(opened, AFTER_GROUP, Destination.NEXT_GROUP)
    for use in own:
        if use.name == "-end_of_scan":
            after = _destination(use.arguments[0], AFTER_GROUP, use.where)
    rules = [use for use in own if use.name != "-end_of_scan"]
    return Group(scope, _rules(scope, rules, in_group=True), _resets(scope, own), after)


def _rules(scope: TableScope, uses: Sequence[Use], *, in_group: bool) -> tuple[Rule, ...]:
    for use in uses:
        if use.name == "-eval" and use.arguments[0] != "-":
            _require_assignable(scope, use.arguments[0])
    own = _rules_of_keys(scope, in_group=in_group)
    return tuple(build_chain(ChainBuilder(scope), [use for use in uses if use.name != "-bvar"], own))


def _rules_of_keys(scope: TableScope, *, in_group: bool) -> dict[str, RuleMaker]:
    """The rules that only rows of keys can have."""
    destinations = DESTINATIONS[in_group]

    def require_keys(use: Use) -> None:
        if scope.table is not None and scope.table.kind is Kind.VAR:
            raise OptionError("the Var vector has no rows of keys", where=use.where, hint="leave it out")

    def go(_builder: ChainBuilder, use: Use) -> Rule:
        require_keys(use)
        return Goto(_destination(use.arguments[0], destinations, use.where))

    def delete_key(_builder: ChainBuilder, use: Use) -> Rule:
        require_keys(use)
        return Remove(True, _post(use, (Destination.NEXT_KEY,), Destination.NEXT_KEY))

    def delete_row(_builder: ChainBuilder, use: Use) -> Rule:
        require_keys(use)
        if scope.table is None:
            raise OptionError("a key has no rows of its own here", where=use.where, hint="delete it with -del_key")
        known = tuple(place for place in destinations if place is not Destination.NEXT_GROUP)
        return Remove(False, _post(use, known, Destination.NEXT_ROW))

    return {"-goto": go, "-del_row": delete_row, "-del_key": delete_key}


def _post(use: Use, known: tuple[Destination, ...], default: Destination) -> Destination:
    found = default
    for word in use.attributes:
        name, _, value = word.partition("=")
        if name.lower() != "post":
            raise OptionError(f"unknown attribute '{word}'", where=use.where, hint="known is post=DestSpec")
        found = _destination(value, known, use.where)
    return found


def _destination(word: str, known: tuple[Destination, ...], where: str) -> Destination:
    found = _DESTINATIONS.get(word.lower())
    if found is None or found not in known:
        names = " ".join(place.value for place in known)
        raise OptionError(f"'{word}' cannot be reached from here", where=where, hint=f"known: {names}")
    return found


def _require_assignable(scope: TableScope, name: str) -> None:
    where = f"-eval {name}"
    if ":" in name:
        raise OptionError("a stored row has no room for a new column", where=where, hint="name a column that is there")
    refusal = scope.refusal(scope.get(name, where=where))
    if refusal:
        raise OptionError(refusal, where=where)
