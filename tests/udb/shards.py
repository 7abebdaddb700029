"""A shard with some rows, and what scans of it give."""

from __future__ import annotations

from collections.abc import Sequence

from ess.language.plain import PlainList
from ess.pipeline.options import Option, Use, split_attributes
from ess.schema.batch import make_batch
from ess.udb.scan.portable_scan import scan_form, variables_form
from ess.udb.scan.rules import build_rules, build_variables
from ess.udb.scan.scan import Scan
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.protocol import ScanRequest

DEFINITION = """
@Table:log      s,pkey:user i,tkey:time s:word f:price
@Table:days     s,pkey:user i:day is:n
@Vector:totals  s,pkey:user l:count f:price s:word
@Var:           l:seen s:label f:sum is:word
"""

LOG = [
    (b"bob", 3, b"saw", 0.5),
    (b"ann", 2, b"Nail", 2.0),
    (b"bob", 1, b"nail", 0.25),
    (b"cyd", 5, b"glue", 8.0),
    (b"ann", 4, b"", -1.5),
    (b"bob", 9, b"saw", 4.0),
]
DAYS = [(b"ann", 1, 5), (b"bob", 7, -1), (b"bob", 8, 2), (b"eve", 1, 1)]
TOTALS = [(b"ann", 2, 0.5, b"x"), (b"eve", 1, 0.25, b"")]


def make_shard() -> Shard:
    """Keys bob, ann, cyd, eve in this order."""
    definition = parse_definition(DEFINITION, source="test")
    made = Shard(definition)
    for name, rows in (("log", LOG), ("days", DAYS), ("totals", TOTALS)):
        table = definition.get(name, where="test")
        columns = [(c.key, c.type, [row[n] for row in rows]) for n, c in enumerate(table.columns)]
        made.append(Import(table, (make_batch(columns, len(rows)),)))
    return made


def words(rules: str) -> tuple[tuple[str, ...], ...]:
    """Rules, one a line, words divided by bars."""
    return tuple(tuple(word.strip() for word in line.split("|")) for line in rules.strip().splitlines())


def as_uses(rules: Sequence[tuple[str, ...]]) -> list[Use]:
    """Rules, each an option word and its arguments, as the options of a command line."""
    uses: list[Use] = []
    for option, *arguments in rules:
        name, _, attributes = option.partition(",")
        uses.append(Use(Option(name, ""), split_attributes(attributes), tuple(arguments), option))
    return uses


def portable(definition: Definition, table: str, rules: Sequence[tuple[str, ...]]) -> PlainList:
    """Rules as requests have them."""
    target = definition.get(table, where="test") if table else None
    return scan_form(build_rules(definition, target, as_uses(rules)))


def portable_variables(definition: Definition, pairs: Sequence[tuple[str, ...]]) -> PlainList:
    """Names and constants of ``-var`` as requests have them."""
    return variables_form(build_variables(definition, pairs, option="-var"))


def scan(
    shard: Shard,
    rules: str,
    table: str = "log",
    outputs: str = "time",
    variables: Sequence[tuple[str, ...]] = (),
    **more: object,
) -> list[tuple[object, ...]]:
    """The rows that pass."""
    definition = shard.definition
    request = ScanRequest(
        "db",
        "",
        table,
        rules=portable(definition, table, words(rules)),
        variables=portable_variables(definition, variables),
        outputs=tuple(outputs.split()),
        **more,  # type: ignore[arg-type]
    )
    return Scan(shard, request).export().rows()


#: The times of all rows of ``log``, as they come.
ALL = [(3,), (1,), (9,), (2,), (4,), (5,)]
