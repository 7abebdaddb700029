"""A shard with some rows, and what scans of it give."""

from __future__ import annotations

from ess.schema.batch import make_batch
from ess.udb.scan.scan import Scan
from ess.udb.shard.shard import Import, Shard
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


def scan(
    shard: Shard, rules: str, table: str = "log", outputs: str = "time", **more: object
) -> list[tuple[object, ...]]:
    """The rows that pass."""
    request = ScanRequest("db", "", table, rules=words(rules), outputs=tuple(outputs.split()), **more)  # type: ignore[arg-type]
    return Scan(shard, request).export().rows()


#: The times of all rows of ``log``, as they come.
ALL = [(3,), (1,), (9,), (2,), (4,), (5,)]
