"""Look-ups over whole columns say what they say row by row."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.columnar import compile_columnar, lookup
from ess.engines.columnar.lookup import FirstMatch
from ess.engines.rowwise import compile_rowwise
from ess.language.function import Function, anything, target
from ess.language.program import Branch, Conditional, Evaluate, Filter, Program, Rule
from ess.language.tree import Call, Reference, Slot, Target, ValueType, value_type
from ess.schema.batch import PHYSICAL
from ess.schema.types import ColumnType

_VALUES = {
    ColumnType.S: st.sampled_from([b"", b"a", b"A", b"b", b"\xff", b"\xc3\xa9"]),
    ColumnType.IP: st.sampled_from([b"", bytes(4), bytes(16)]),
    ColumnType.L: st.sampled_from([0, 1, 2**63, 2**64 - 1]),
    ColumnType.LS: st.sampled_from([0, 1, -1, -(2**63)]),
    ColumnType.I: st.sampled_from([0, 1, 2**32 - 1]),
    ColumnType.IS: st.sampled_from([0, 1, -1]),
    ColumnType.F: st.sampled_from([0.0, -0.0, 1.0, 1.5, -1.0, 1e300, float("nan"), float("inf")]),
}
_NUMBERS = [kind for kind in ColumnType if kind.is_numeric]


def _same_kind(kind: ColumnType) -> st.SearchStrategy[ColumnType]:
    return st.sampled_from(_NUMBERS) if kind.is_numeric else st.just(kind)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Program, pl.DataFrame]:
    """A look-up by one or two columns that sets none to two, alone, in a branch or as a filter, and rows for it."""
    keys = draw(st.lists(st.sampled_from(ColumnType), min_size=1, max_size=2))
    values = draw(st.lists(st.sampled_from(ColumnType), max_size=2))
    types = [draw(_same_kind(kind)) for kind in keys] + values
    targets = [draw(_same_kind(kind)) for kind in values]
    table = _rows(draw, types, "t")
    match = FirstMatch(table, types, targets, ignore_case=draw(st.booleans()))
    slots = [Slot(f"c{n}", f"c{n}", kind) for n, kind in enumerate([*keys, *targets])]
    parameters = (*(anything("Val") for _ in keys), *(target("Col") for _ in targets))
    function = Function("Lookup1", parameters, ValueType.INTEGER, "", specialize=lambda _: match)
    references = [Reference(value_type(slot.type), slot) for slot in slots[: len(keys)]]
    call = Call(ValueType.INTEGER, function, (*references, *(Target(slot) for slot in slots[len(keys) :])))
    rules: tuple[Rule, ...] = (Filter(call),) if draw(st.booleans()) else (Evaluate(None, call),)
    if draw(st.booleans()):
        some = FirstMatch(_rows(draw, keys, "t"), keys, (), ignore_case=False)
        test = Function("Lookup2", parameters[: len(keys)], ValueType.INTEGER, "", specialize=lambda _: some)
        check = Filter(Call(ValueType.INTEGER, test, tuple(references)))
        rules = (Conditional((Branch(check, draw(st.booleans()), rules),)),)
    return Program(tuple(slots), (), (), rules), _rows(draw, [slot.type for slot in slots], "c")


def _rows(draw: st.DrawFn, types: Sequence[ColumnType], name: str) -> pl.DataFrame:
    height = draw(st.integers(0, 6))
    return pl.DataFrame(
        [
            pl.Series(f"{name}{n}", [draw(_VALUES[kind]) for _ in range(height)], dtype=PHYSICAL[kind])
            for n, kind in enumerate(types)
        ]
    )


@pytest.mark.parametrize("few_rows", [0, lookup._FEW_ROWS])
@settings(max_examples=100, deadline=None)
@given(case=_cases())
def test_both_engines_find_the_same(few_rows: int, case: tuple[Program, pl.DataFrame]) -> None:
    program, rows = case
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lookup, "_FEW_ROWS", few_rows)
        by_columns, by_rows = (compiled(program).run(rows, 1) for compiled in (compile_columnar, compile_rowwise))
    assert str(by_columns.final.rows()) == str(by_rows.final.rows())
    assert by_columns.kept == by_rows.kept


def test_the_first_of_many_records_with_a_key_is_found() -> None:
    table = pl.DataFrame({"k": [b"%d" % (n % 300) for n in range(1000)], "v": pl.Series(range(1000), dtype=pl.UInt32)})
    match = FirstMatch(table, [ColumnType.S, ColumnType.I], [ColumnType.I], ignore_case=False)
    keys = pl.Series([b"%d" % (n % 450) for n in range(900)] + [None], dtype=pl.Binary)
    found = match.over([keys, pl.Series([7] * 901, dtype=pl.Int64)])
    expected = [(1, n % 450) if n % 450 < 300 else (0, 7) for n in range(900)]
    assert found.rows() == [*expected, (None, 7)]


def test_different_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_FEW_ROWS", 0)
    monkeypatch.setattr(lookup, "_hashes", lambda keys: (keys.hash_rows(1) & 1).to_numpy())
    table = pl.DataFrame({"k": [b"a", b"b", b"c", b"a"], "v": pl.Series([1, 2, 3, 4], dtype=pl.UInt32)})
    match = FirstMatch(table, [ColumnType.S, ColumnType.I], [ColumnType.I], ignore_case=False)
    keys = pl.Series([b"c", b"a", b"x", b"b"], dtype=pl.Binary)
    assert match.over([keys, pl.Series([9] * 4, dtype=pl.Int64)]).rows() == [(1, 3), (1, 1), (0, 9), (1, 2)]
