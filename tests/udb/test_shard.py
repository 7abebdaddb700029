"""The store against a model of dicts and lists that does everything row by row, at once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.schema.batch import make_batch
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition, Kind, Merge, Table, TableColumn
from ess.udb.spec.spec_file import parse_definition

DEFINITION = parse_definition(
    """
    @Table:log     s,pkey:user i,tkey:time is:n
    @Table:merged  i,+key:day s,pkey:user is,+add:sum f,+add:money s,+first:first s,+last,+nozero:last
                   l,+bor:bits is,+min:low is,+max,+nozero:high f,+min,+nozero:least ip,+last:from
    @Vector:totals s,pkey:user l,+add:count s,+first,+nozero:name s:latest f,+max:top
    @Var:          l,+add:seen s:word
    """,
    source="test",
)


@dataclass
class Model:
    """Rows as dicts; merged one by one as they come."""

    definition: Definition
    keys: list[bytes] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        if table.kind is not Kind.VAR and row["user"] not in self.keys:
            self.keys.append(row["user"])
        rows = self.rows.setdefault(table.key, [])
        identity = [c.key for c in table.identity] + ([] if table.kind is Kind.VAR else ["user"])
        old = next((r for r in rows if all(r[name] == row[name] for name in identity)), None)
        if not table.merges or old is None:
            rows.append(dict(row))
            return
        for column in table.values:
            if not column.merge_key:
                old[column.key] = merged(column, old[column.key], row[column.key])

    def export(self, table: Table) -> list[dict[str, Any]]:
        rows = self.rows.get(table.key, [])
        return [row for key in self.keys for row in rows if row["user"] == key]


def merged(column: TableColumn, old: Any, new: Any) -> Any:
    if column.skip_zero:
        if not new:
            return old
        if not old:
            return new
    wrap = {"l": 2**64, "is": 2**32}.get(column.type.value.lower(), 0)
    if column.merge is Merge.FIRST:
        return old
    if column.merge is Merge.LAST:
        return new
    if column.merge is Merge.MIN:
        return min(old, new)
    if column.merge is Merge.MAX:
        return max(old, new)
    value = old + new if column.merge is Merge.ADD else old | new
    if not wrap:
        return value
    value %= wrap
    return value - wrap if column.type.value == "IS" and value >= wrap // 2 else value


VALUES = {
    "S": st.sampled_from([b"", b"a", b"B", b"b", b"\xff\x00", b"longer"]),
    "F": st.sampled_from([0.0, 0.1, 0.2, 1e17, -3.5]),
    "L": st.sampled_from([0, 1, 2**64 - 1, 5]),
    "I": st.sampled_from([0, 1, 7]),
    "IS": st.sampled_from([0, 2**31 - 1, -(2**31), 3, -4]),
    "IP": st.sampled_from([b"", b"\x7f\0\0\1"]),
}


@st.composite
def imports(draw: st.DrawFn) -> tuple[Table, list[dict[str, Any]]]:
    table = draw(st.sampled_from(DEFINITION.tables))
    row = st.fixed_dictionaries({column.key: VALUES[column.type.value] for column in table.columns})
    return table, draw(st.lists(row, max_size=6))


def batch_of(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return make_batch([(c.key, c.type, [row[c.key] for row in rows]) for c in table.columns], len(rows))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(imports(), st.booleans()), max_size=8))
def test_the_store_holds_what_a_row_by_row_model_holds(steps: list[tuple[Any, bool]]) -> None:
    shard, model = Shard(DEFINITION), Model(DEFINITION)
    for (table, rows), look in steps:
        shard.append(Import(table, (batch_of(table, rows),)))
        for row in rows:
            model.add(table, row)
        if look:  # looking works the imports in, which must change nothing
            shard.counts()
    assert shard.keys()["user"].to_list() == model.keys
    for name in ("log", "merged"):
        table = DEFINITION.get(name, where="")
        assert shard.view(table).drop("#key").to_dicts() == model.export(table)
    totals = DEFINITION.get("totals", where="")
    blank = {"count": 0, "name": b"", "latest": b"", "top": 0.0}
    stored = {row["user"]: row for row in model.rows.get("totals", [])}
    expected = [stored.get(key, {"user": key, **blank}) for key in model.keys]
    assert shard.view(totals).drop("#key").to_dicts() == expected
    var = DEFINITION.get("var", where="")
    expected = model.rows.get("var", []) or [{"seen": 0, "word": b""}]
    assert shard.view(var).drop("#key").to_dicts() == expected
    assert shard.counts() == {
        "pkey": len(model.keys),
        "log": len(model.export(DEFINITION.get("log", where=""))),
        "merged": len(model.export(DEFINITION.get("merged", where=""))),
        "totals": len(model.keys),
        "var": 1,
    }


LOG = DEFINITION.get("log", where="")


def log(*rows: tuple[bytes, int, int]) -> pl.DataFrame:
    return batch_of(LOG, [{"user": user, "time": time, "n": n} for user, time, n in rows])


def test_imports_of_one_job_stand_in_the_order_of_their_sequence() -> None:
    shard = Shard(DEFINITION)
    shard.append(Import(LOG, (log((b"c", 3, 0)),), job="one", sequence=2))
    shard.append(Import(LOG, (log((b"z", 9, 0)),), job="two", sequence=0))
    shard.append(Import(LOG, (log((b"a", 1, 0), (b"c", 1, 0)),), job="one", sequence=0))
    shard.append(Import(LOG, (log((b"x", 1, 0)),)))
    assert shard.keys()["user"].to_list() == [b"a", b"c", b"z", b"x"]
    assert shard.view(LOG).select("user", "time").rows() == [(b"a", 1), (b"c", 1), (b"c", 3), (b"z", 9), (b"x", 1)]


def test_rows_are_sorted_within_their_key_and_ties_keep_their_order() -> None:
    shard = Shard(DEFINITION)
    shard.append(Import(LOG, (log((b"b", 2, 1), (b"a", 5, 2), (b"b", 1, 3), (b"b", 2, 4)),)))
    time = LOG.time_column
    assert time is not None
    shard.order_rows(LOG, [time], descending=False, ignore_case=False)
    assert shard.view(LOG)["n"].to_list() == [3, 1, 4, 2]
    shard.order_rows(LOG, [time], descending=True, ignore_case=False)
    assert shard.view(LOG)["n"].to_list() == [1, 4, 3, 2]


def test_keys_are_sorted_with_their_rows() -> None:
    shard = Shard(DEFINITION)
    shard.append(Import(LOG, (log((b"b", 1, 1), (b"A", 1, 2), (b"a", 1, 3), (b"b", 1, 4)),)))
    shard.order_keys(DEFINITION.key, descending=False, ignore_case=False)
    assert shard.view(LOG)["n"].to_list() == [2, 3, 1, 4]
    shard.order_keys(DEFINITION.key, descending=True, ignore_case=True)
    assert shard.view(LOG)["n"].to_list() == [1, 4, 2, 3]
    shard.append(Import(LOG, (log((b"c", 1, 5), (b"a", 1, 6)),)))
    assert shard.view(LOG)["n"].to_list() == [1, 4, 2, 3, 6, 5]


def test_known_and_new_keys_only() -> None:
    shard = Shard(DEFINITION)
    shard.append(Import(LOG, (log((b"a", 1, 1)),)))
    shard.append(Import(LOG, (log((b"a", 1, 2), (b"b", 1, 3)),), only_known=True))
    shard.append(Import(LOG, (log((b"a", 1, 4), (b"c", 1, 5), (b"c", 1, 6)),), only_new=True))
    assert shard.keys()["user"].to_list() == [b"a", b"c"]
    assert shard.view(LOG)["n"].to_list() == [1, 2, 5, 6]


def test_clearing_a_table_keeps_the_keys() -> None:
    shard = Shard(DEFINITION)
    shard.append(Import(LOG, (log((b"a", 1, 1)),)))
    shard.clear(LOG)
    assert shard.counts()["pkey"] == 1
    assert shard.view(LOG).height == 0


def test_key_only_imports_make_keys_and_nothing_else() -> None:
    shard = Shard(DEFINITION)
    users = pl.DataFrame({"user": pl.Series([b"a", b"b", b"a"], dtype=pl.Binary)})
    shard.append(Import(None, (users,)))
    assert shard.keys()["user"].to_list() == [b"a", b"b"]
    assert shard.counts()["log"] == 0


def test_a_vector_row_that_is_still_blank_takes_a_first_value() -> None:
    shard = Shard(DEFINITION)
    totals = DEFINITION.get("totals", where="")
    shard.append(Import(LOG, (log((b"a", 1, 1), (b"b", 1, 1)),)))
    view = shard.view(totals)
    shard.replace(totals, {"latest": pl.Series("x", [b"new", b""], dtype=pl.Binary)})
    assert shard.view(totals)["latest"].to_list() == [b"new", b""]
    assert view["latest"].to_list() == [b"", b""]  # what was handed out stays as it was


def test_composite_keys_of_any_type() -> None:
    definition = parse_definition("@PKey: f:x ip:y is:z @Table:t s:v", source="test")
    table = definition.tables[0]
    shard = Shard(definition)
    rows = [
        {"x": x, "y": y, "z": z, "v": b"%d" % number}
        for number, (x, y, z) in enumerate(
            [(0.0, b"", -1), (float("nan"), b"", 1), (-0.0, b"", -1), (float("nan"), b"", 1)]
        )
    ]
    shard.append(Import(table, (batch_of(table, rows[:2]),)))
    shard.counts()
    shard.append(Import(table, (batch_of(table, rows[2:]),)))
    assert shard.view(table)["v"].to_list() == [b"0", b"2", b"1", b"3"]


NUMBERS = ["l,+add:n", "l,+bor:n", "is,+min:n", "i,+max,+nozero:n", "is,+min,+nozero:n", "is,+last,+nozero:n"]
REALS = ["f,+add:r", "f,+min:r", "f,+max,+nozero:r", "f,+first,+nozero:r"]


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(NUMBERS), st.sampled_from(REALS), st.booleans(), st.integers(0, 2**32 - 1))
def test_thousands_of_rows_merge_bit_by_bit_as_one_by_one(number: str, real: str, extra: bool, seed: int) -> None:
    kind = "@Table:t s,pkey:k i,+key:x" if extra else "@Vector:t s,pkey:k"
    definition = parse_definition(f"{kind} {number} {real}", source="test")
    table = definition.get("t", where="")
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = [
        {
            "k": b"%d" % draw.randrange(3_000),
            "x": draw.randrange(3),
            "n": draw.choice([0, 0, 1, 7, draw.randrange(2**31)]),
            "r": draw.choice([0.0, -0.0, 0.1, draw.uniform(-1e9, 1e9)]),
        }
        for _ in range(14_000)
    ]
    if not extra:
        rows = [{name: row[name] for name in ("k", "n", "r")} for row in rows]
    shard = Shard(definition)
    for begin, end in ((0, 100), (100, 7_000), (7_000, 14_000)):
        shard.append(Import(table, (batch_of(table, rows[begin:end]),)))
        shard.settle()
    by_key: dict[bytes, dict[int, dict[str, Any]]] = {}
    for row in rows:
        of_key = by_key.setdefault(row["k"], {})
        old = of_key.setdefault(row.get("x", 0), row)
        if old is not row:
            for name in ("n", "r"):
                old[name] = merged(table.get(name, where=""), old[name], row[name])
    expected = [row for of_key in by_key.values() for row in of_key.values()]
    found = shard.view(table).drop("#key").to_dicts()
    for row in (*expected, *found):
        row["r"] = (row["r"] + 0.0).hex()  # one zero
    assert found == expected
