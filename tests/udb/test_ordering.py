"""Sorting against Python's, with as many rows as are sorted by integers and as few as are not."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import polars as pl
import pytest

from ess.schema.types import ColumnType
from ess.udb.shard.sorting import sort_columns, sort_result
from ess.udb.spec.spec import TableColumn

TEXT = TableColumn("text", ColumnType.S)
NUMBER = TableColumn("number", ColumnType.IS)
REAL = TableColumn("real", ColumnType.F)


@cache
def frame(rows: int, longest: int) -> pl.DataFrame:
    draw = random.Random(rows)
    return pl.DataFrame(
        {
            "first": pl.Series([draw.randrange(5) for _ in range(rows)], dtype=pl.UInt32),
            "text": pl.Series(
                [bytes(draw.choices(b"aAbB\x00\xff", k=draw.randrange(longest))) for _ in range(rows)], dtype=pl.Binary
            ),
            "number": pl.Series([draw.randrange(-3, 4) for _ in range(rows)], dtype=pl.Int32),
            "real": pl.Series(
                [draw.choice([0.0, -0.0, 1.5, -2.0, float("nan"), float("inf")]) for _ in range(rows)], dtype=pl.Float64
            ),
            "place": range(rows),
        }
    )


def expected(
    rows: pl.DataFrame, by: list[TableColumn], *, descending: bool, ignore_case: bool, first: str = ""
) -> list[int]:
    def value(found: Any, column: TableColumn) -> Any:
        if column is REAL:
            return (found != found, 0.0 if found != found else found)
        return found.lower() if ignore_case and isinstance(found, bytes) else found

    columns = [[value(found, column) for found in rows[column.key]] for column in by]
    keys = list(zip(*columns, strict=True))
    places = sorted(range(rows.height), key=keys.__getitem__, reverse=descending)
    return sorted(places, key=rows[first].to_list().__getitem__) if first else places


@pytest.mark.parametrize("rows", [0, 1, 700, 3_000])
@pytest.mark.parametrize("longest", [4, 90])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("ignore_case", [False, True])
def test_rows_are_sorted_and_ties_keep_their_order(
    rows: int, longest: int, descending: bool, ignore_case: bool
) -> None:
    whole = frame(rows, longest)
    for by in ([TEXT], [NUMBER], [REAL, TEXT], [TEXT, NUMBER, REAL]):
        for first in ("", "first"):
            wanted = expected(whole, by, descending=descending, ignore_case=ignore_case, first=first)
            found = sort_columns(whole, by, descending=descending, ignore_case=ignore_case, first=first)
            assert found["place"].to_list() == wanted
            assert found.columns == whole.columns
        ascending = expected(whole, by, descending=False, ignore_case=ignore_case)
        result = sort_result(whole, by, descending=descending, ignore_case=ignore_case)
        assert result["place"].to_list() == (ascending[::-1] if descending else ascending)
