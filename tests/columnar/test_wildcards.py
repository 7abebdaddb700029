"""``PatCmp`` over a column says what the row implementation says."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.engines.columnar import compile_columnar
from ess.engines.rowwise import compile_rowwise
from ess.language.checker import check_expression, fit
from ess.language.program import Evaluate, Program
from ess.language.scope import Scope
from ess.schema import Column, ColumnType

_ATOMS = st.sampled_from(["a", "b", "A", "*", "?", "\\\\*", "\\\\", "ab", "é"])
_TEXTS = st.lists(st.sampled_from([b"a", b"b", b"A", b"*", b"?", b"\\", b"\xc3\xa9", b"\xff"]), max_size=6).map(
    b"".join
)


@settings(max_examples=80, deadline=None)
@given(
    pattern=st.lists(_ATOMS, max_size=5).map("".join),
    texts=st.lists(_TEXTS, min_size=1, max_size=8),
    ignore_case=st.booleans(),
)
def test_wildcards_are_the_same_in_both_engines(pattern: str, texts: list[bytes], ignore_case: bool) -> None:
    scope = Scope()
    slot, result = (
        scope.add(Column(name, kind), where="-d") for name, kind in (("text", ColumnType.S), ("found", ColumnType.IS))
    )
    call = f'PatCmp(text, "{pattern}"{", ncas" if ignore_case else ""})'
    node = fit(check_expression(call, scope, where="-eval"), ColumnType.IS, where="-eval")
    program = Program((slot,), (result,), (), (Evaluate(result, node),))
    batch = pl.DataFrame({"text": pl.Series(texts, dtype=pl.Binary)})
    found = [
        compiled(program).run(batch, 1).final["found"].to_list() for compiled in (compile_columnar, compile_rowwise)
    ]
    assert found[0] == found[1]
