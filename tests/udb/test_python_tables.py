"""``ess.udb("db").table("log")``: frames and Arrow batches, out and in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import ess
from ess.errors import EssError, OptionError


@pytest.fixture
def log(start_server: Any, write_spec: Any) -> ess.Table:
    """A table over two servers, with three rows."""
    write_spec(start_server(), start_server())
    table = ess.udb("db").table("LOG")
    rows = {"user": ["ann", "bob", "ann"], "time": [3, 1, 2], "n": [-1, 0, 1], "price": [0.5, 1.5, 2.5]}
    assert table.append(pl.DataFrame(rows), fill_missing=True) == 3
    return table


def test_frames_come_out_filtered_sorted_and_cut(log: ess.Table) -> None:
    found = log.frame(columns=["time", "price:p"], filter="user == 'ann'", sort=["time"], descending=True, top=1)
    assert found.rows(named=True) == [{"time": 3, "p": 0.5}]
    assert found.schema == {"time": pl.UInt32, "p": pl.Float64}
    assert sorted(ess.udb("db").keys().frame().rows()) == [("ann",), ("bob",)]
    assert (log.count(), log.count("price > 1"), ess.udb("db").keys().count()) == (3, 2, 2)


def test_batches_have_one_schema(log: ess.Table) -> None:
    batches = list(log.batches(columns=["user", "time"], rows=2))
    assert [batch.num_rows for batch in batches] == [2, 1]
    assert len({batch.schema for batch in batches}) == 1
    table = pa.Table.from_batches(batches)
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == [("ann", 2), ("ann", 3), ("bob", 1)]


def test_arrow_data_of_all_forms_goes_in(log: ess.Table) -> None:
    table = pa.table({"USER": ["cyd"], "time": pa.array([None], pa.int8()), "from": ["10.0.0.1"]})

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.to_batches()
        yield from table.to_batches()

    for rows in (table, table.to_batches()[0], table.to_reader(), batches(), [pl.DataFrame(table)]):
        log.append(rows, fill_missing=True)
    found = log.frame(filter="user == 'cyd'", columns=["time", "from", "price"])
    assert found.rows() == [(0, "10.0.0.1", 0.0)] * 6
    assert log.append([]) == 0


def test_one_identity_counts_once(log: ess.Table) -> None:
    rows = pl.DataFrame({"user": ["eve"]})
    assert log.append(rows, fill_missing=True, identity="monday") == 1
    assert log.append(rows, fill_missing=True, identity="monday") == 0
    assert log.count("user == 'eve'") == 1
    # Recognised by its identity alone: neither the rows nor the table matter.
    assert log.append(pl.DataFrame({"user": ["fay"]}), fill_missing=True, identity="monday") == 0
    assert ess.udb("db").keys().append(pl.DataFrame({"user": ["fay"]}), identity="monday") == 0
    assert log.append(rows, fill_missing=True) == log.append(rows, fill_missing=True) == 1
    assert (log.count("user == 'eve'"), log.count("user == 'fay'")) == (3, 0)


@pytest.mark.parametrize("fill_missing", [True, False])
def test_a_column_that_the_table_does_not_have_is_refused(log: ess.Table, fill_missing: bool) -> None:
    rows = {"user": ["x"], "time": [1], "from": [""], "n": [1], "prize": [2.5]}
    with pytest.raises(OptionError, match="table log has no column 'prize'; .*did you mean 'price'"):
        log.append(pl.DataFrame(rows), fill_missing=fill_missing)
    with pytest.raises(OptionError, match=r"the key has no column 'time'; .*rows.drop\('time'\)"):
        ess.udb("db").keys().append(pl.DataFrame({"user": ["x"], "time": [1]}), fill_missing=fill_missing)
    with pytest.raises(OptionError, match="the rows have both 'user' and 'USER'"):
        log.append(pl.DataFrame({"user": ["x"], "USER": ["y"]}), fill_missing=fill_missing)
    assert log.count() == 3


@pytest.mark.parametrize("rows", [0, -1, True, 1.5, None])
def test_batches_of_no_rows_are_refused_at_the_call(log: ess.Table, rows: Any) -> None:
    with pytest.raises(OptionError, match="rows must be an int of 1 or more"):
        log.batches(rows=rows)


def test_addresses_are_text_also_where_there_are_no_rows(log: ess.Table) -> None:
    assert log.frame(top=0).schema == log.frame().schema
    assert log.frame(filter="user == 'nobody'").schema["from"] == pl.String


WRONG = [
    ({"user": ["x"], "time": [-1]}, "column 'time': a value does not fit type I"),
    ({"user": ["x"], "time": [2**32]}, "column 'time': a value does not fit type I"),
    ({"user": ["x"], "time": [1.5]}, "column 'time': Float64 does not fit type I"),
    ({"user": [1], "time": [1]}, "column 'user': Int64 does not fit type S"),
    ({"user": ["x"], "time": [True]}, "column 'time': Boolean does not fit type I"),
    ({"user": ["x"], "from": ["nowhere"]}, "column 'from': 'nowhere' is not an address"),
]


@pytest.mark.parametrize(("rows", "message"), WRONG)
def test_what_does_not_fit_is_refused_and_nothing_imported(
    log: ess.Table, rows: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        log.append(pl.DataFrame(rows), fill_missing=True)
    assert log.count() == 3


def test_a_column_that_is_missing_is_named(log: ess.Table) -> None:
    with pytest.raises(OptionError, match=r"the rows have no column 'time'; .*fill_missing=True"):
        log.append(pl.DataFrame({"user": ["x"]}))


@pytest.mark.parametrize("rows", ["text", {"user": ["x"]}, [("x", 1)], 7])
def test_other_data_is_refused(log: ess.Table, rows: object) -> None:
    with pytest.raises(OptionError, match=r"polars.DataFrame\(rows\)"):
        log.append(rows)


def test_batches_of_different_columns_are_refused(log: ess.Table) -> None:
    pieces = [pl.DataFrame({"user": ["x"]}), pl.DataFrame({"user": ["x"], "time": [1]})]
    with pytest.raises(OptionError, match="the same columns"):
        log.append(pieces, fill_missing=True)
    assert log.count() == 3


def test_names_are_checked(log: ess.Table) -> None:
    assert repr(log) == "ess.udb('db').table('log')"
    for wrong in (lambda: ess.udb("nothing"), lambda: ess.udb("db").table("nothing")):
        with pytest.raises(EssError):
            wrong()
