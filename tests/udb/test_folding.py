"""Rows that are merged before they are sent give what the server alone makes of them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.schema.batch import make_batch
from ess.udb.client import folding
from ess.udb.client.folding import can_fold, folded
from ess.udb.shard.grouping import first_rows
from ess.udb.shard.shard import Import, Shard
from ess.udb.spec.spec import Definition
from ess.udb.spec.spec_file import parse_definition

TABLES = (
    "@Vector:t s,pkey:k l,+add:a is,+bor:b i,+min,+nozero:c is,+max:d s,+first:e s,+first,+nozero:f f,+last,+nozero:g",
    "@Vector:t s,pkey:k is,+add:a l,+max,+nozero:b is,+min:c ip,+last,+nozero:d f,+first:e",
    "@Table:t s,pkey:k i,+key:x l,+add:a s:b f,+first,+nozero:c",
    "@Table:t s,pkey:k i,tkey:time s,+key:x is,+key:y i,+add:a",
    "@PKey: s:k ip:x @Vector:t l,+add:a s,+first:b",
)
VALUES: dict[str, list[Any]] = {
    "S": [b"", b"a", b"B", b"\xff\x00", b"longer than twelve bytes", b"longer than 12 bytes, too"],
    "F": [0.0, -0.0, 0.1, float("nan"), float("inf"), -3.5],
    "L": [0, 1, 2**64 - 1, 2**63, 5],
    "I": [0, 1, 2**32 - 1],
    "IS": [0, 2**31 - 1, -(2**31), 3, -4],
    "IP": [b"", b"\x7f\0\0\1", bytes(4)],
}


def _rows(definition: Definition, seed: int, count: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    columns = definition.get("t", where="").columns
    return [{column.key: draw.choice(VALUES[column.type.value]) for column in columns} for _ in range(count)]


def _state(definition: Definition, rows: list[dict[str, Any]], borders: list[int], *, fold: bool) -> list[Any]:
    table = definition.get("t", where="")
    shard = Shard(definition)
    for begin, end in zip([0, *borders], [*borders, len(rows)], strict=True):
        part = rows[begin:end]
        batch = make_batch([(c.key, c.type, [row[c.key] for row in part]) for c in table.columns], len(part))
        sent = folded(table, definition.key, batch) if fold else batch
        assert not fold or sent.height <= batch.height
        shard.append(Import(table, (sent,)))
        if begin % 2:
            shard.settle()
    view = shard.view(table)
    return [series.to_numpy().view(np.uint64) if series.dtype.is_float() else series.to_list() for series in view]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TABLES), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 300), max_size=4))
def test_merged_before_or_after_is_the_same(text: str, seed: int, borders: list[int]) -> None:
    definition = parse_definition(text, source="test")
    assert can_fold(definition.get("t", where=""))
    rows = _rows(definition, seed, 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "MANY_ROWS", 1)
        patch.setattr(folding, "WORTHWHILE", 0)
        before = _state(definition, rows, sorted(borders), fold=True)
    after = _state(definition, rows, sorted(borders), fold=False)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert list(one) == list(other)


@pytest.mark.parametrize(
    "text",
    [
        "@Table:t s,pkey:k l:a",
        "@Vector:t s,pkey:k f,+add:a",
        "@Vector:t s,pkey:k l,+add:a f,+min:b",
        "@Vector:t s,pkey:k f,+max:b",
        "@PKey: f:k @Vector:t l,+add:a",
        "@Table:t s,pkey:k f,+key:x l,+add:a",
        "@Var: l,+add:a",
    ],
)
def test_what_may_come_out_otherwise_is_left_to_the_server(text: str) -> None:
    [table] = parse_definition(text, source="test").tables
    assert not can_fold(table)


def test_rows_of_keys_that_are_nearly_all_different_are_sent_as_they_are() -> None:
    definition = parse_definition("@Vector:t s,pkey:k l,+add:a", source="test")
    table = definition.get("t", where="")
    for keys, height in ((4000, 4000), (400, 400)):
        numbers = list(range(4000))
        names = [b"%d" % (number % keys) for number in numbers]
        batch = make_batch(
            [(table.columns[0].key, table.columns[0].type, names), ("a", table.columns[1].type, numbers)], 4000
        )
        sent = folded(table, definition.key, batch)
        assert sent.height == height
        assert sent.columns == batch.columns
        assert sent["a"].sum() == sum(numbers)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"", b"a", b"b", b"\xff", b"longer than twelve bytes"]), min_size=1), st.integers(0, 4)
)
def test_rows_that_agree_are_found_however_their_hashes_fall_together(names: list[bytes], different: int) -> None:
    rows = pl.DataFrame({"a": pl.Series(names, dtype=pl.Binary), "b": pl.Series(range(len(names))) // 3})
    hashes = rows.hash_rows().to_numpy()
    if different:  # of so many hashes, of which the lower bits are alike
        hashes = (hashes % np.uint64(different)) << np.uint64(60)
    expected = first_rows(rows, ["a", "b"])
    assert folding._first_rows(rows, hashes).tolist() == expected.tolist()
