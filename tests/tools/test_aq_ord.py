"""``aq_ord`` sorts records by columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess import settings as settings_of_ess
from ess.engines.ordering import sort_batch
from ess.engines.tables import arrow_file, sorting
from ess.engines.tables.sort_memory import HeldRows
from ess.errors import InputDataError, OptionError
from ess.language.tree import Slot
from ess.schema.batch import Batch, join_batches, make_batch
from ess.schema.types import ColumnType
from ess.tools import aq_ord
from tests.tools.outcome import Outcome

Ord = Callable[..., Outcome]


@pytest.fixture
def order(run_tool: Callable[..., Outcome]) -> Ord:
    """``order("-d", "i:a", "-sort", "a", stdin="2\\n1\\n")`` runs ``aq_ord``."""

    def run(*argv: str, stdin: str = "") -> Outcome:
        return run_tool("aq_ord", aq_ord.main, argv, stdin)

    return run


def test_numbers_sort_as_numbers_and_strings_as_bytes(order: Ord) -> None:
    data = "10,b\n9,B\n9,a\n"
    assert order("-d", "i:n", "s:s", "-sort", "n", stdin=data).out == '"n","s"\n9,"B"\n9,"a"\n10,"b"\n'
    assert order("-d", "s:n", "s:s", "-sort", "N", "S", stdin=data).out == '"n","s"\n"10","b"\n"9","B"\n"9","a"\n'
    assert order("-d", "i:n", "s:s", "-sort,ncas", "s", "-c", "s", stdin=data).out == '"s"\n"a"\n"b"\n"B"\n'


def test_descending_is_ascending_turned_around(order: Ord) -> None:
    done = order("-d", "i:n", "s:s", "-sort,dec", "n", "-o,notitle", "-", stdin="1,a\n2,b\n1,c\n")
    assert done.out == '2,"b"\n1,"c"\n1,"a"\n'


def test_all_files_are_one_input(order: Ord, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("h\n3\n1\n")
    (tmp_path / "b").write_text("h\n2\n")
    done = order(
        "-f,+1", "a", "b", "-d", "i:n", "-sort", "n", "-o,notitle", "out", "-o,notitle", "-", "-c", "n:x", "-stat"
    )
    assert (done.out, done.err) == ("1\n2\n3\n", "aq_ord: rec=3 err=0\n")
    assert (tmp_path / "out").read_text() == "1\n2\n3\n"


def test_bad_records_are_left_out_or_end_it(order: Ord) -> None:
    data = "2\nx\n1\n"
    done = order("-f,eok,qui", "-", "-d", "i:n", "-sort", "n", "-o,notitle", "-", "-stat", stdin=data)
    assert (done.code, done.out, done.err) == (0, "1\n2\n", "aq_ord: rec=3 err=1\n")
    done = order("-d", "i:n", "-sort", "n", "-o,notitle", "-", stdin=data)
    assert (done.code, done.out) == (13, "")


def test_nothing_in_nothing_out(order: Ord) -> None:
    assert order("-d", "i:n", "-sort", "n").out == '"n"\n'


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["-d", "i:n"], "nothing to sort by"),
        (["-d", "i:n", "-sort", "m"], "unknown column 'm'; known: n"),
        (["-d", "i:n", "-sort,up", "n"], "unknown attribute 'up'"),
        (["-d", "i:n", "-sort,mrg", "n", "-blk", "5", "x"], "mrg sorts no blocks"),
        (["-d", "i:n", "-sort", "n", "-blk", "0", "x"], "'0' is not a number of records"),
        (["-d", "i:n", "-sort", "n", "-blk", "5", "x", "-blk_only", "5", "x"], "blocks are asked for twice"),
        (["-d", "i:n", "-sort", "n", "-blk_only", "5", "x", "-c", "n"], "-blk_only has no output"),
        (["-d", "i:n", "-sort", "n", "-filt", "n"], "unknown option -filt"),
    ],
)
def test_a_wrong_command_line_is_explained(order: Ord, argv: list[str], part: str) -> None:
    done = order(*argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert part in done.err


def test_blocks_are_sorted_into_files_and_merged(order: Ord, tmp_path: Path) -> None:
    argv = ("-d", "i:n", "s:s", "-sort,dec", "n", "-o,notitle", "-")
    data = "1,a\n3,b\n1,c\n2,d\n3,e\n"
    assert order(*argv, "-blk", "2", "part", stdin=data).out == order(*argv, stdin=data).out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-1.bin", "part-2.bin", "part-3.bin"]
    columns = ("-d", "i:n", "ip:A", "-sort", "n")
    done = order(*columns, "-blk_only", "2", "./only", "-stat", stdin="3,10.0.0.3\n2,\n1,\n")
    assert (done.code, done.out, done.err) == (0, "", "aq_ord: rec=3 err=0\n")
    done = order("-f,bin", "only-1.bin", "only-2.bin", "-d", "i:n", "ip:A", "-sort,mrg", "n")
    assert done.out == '"n","A"\n1,\n2,\n3,10.0.0.3\n'
    assert order(*argv, "-blk", "2", "no/such/folder", stdin=data).code == 21


def test_sorted_files_are_merged(order: Ord, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1,a\nx,a\n3,a\n")
    (tmp_path / "b").write_text("1,b\n2,b\n3,b\n9,b\n")
    (tmp_path / "c").write_text("")
    done = order("-f,eok,qui", "a", "c", "b", "-d", "i:n", "s:s", "-sort,mrg", "n", "-o,notitle", "-", "-stat")
    assert done.out == '1,"a"\n1,"b"\n2,"b"\n3,"a"\n3,"b"\n9,"b"\n'
    assert done.err == "aq_ord: rec=7 err=1\n"


def test_an_input_that_is_not_sorted_cannot_be_merged(order: Ord, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n3\n3\n2\n")
    (tmp_path / "b").write_text("5\n")
    done = order("-f", "a", "b", "-d", "i:n", "-sort,mrg", "n")
    assert (done.code, done.err) == (13, "aq_ord: a: good record 4: the input is not sorted; leave out mrg\n")
    by = sorting.Order((Slot("n", "n", ColumnType.I),), descending=True)
    frames = [make_batch([("n", ColumnType.I, [n])], 1) for n in (3, 3, 1, 2)]
    assert len(list(sorting.in_order(frames[:3], by, where="x"))) == 3
    with pytest.raises(InputDataError, match="x: good record 4"):
        list(sorting.in_order(frames, by, where="x"))


def test_two_outputs_to_one_target_take_turns(order: Ord) -> None:
    done = order("-d", "i:n", "-sort", "n", "-o,notitle", "-", "-o,notitle", "-", "-c", "n+%03d", stdin="2\n1\n")
    assert done.out == "1\n001\n2\n002\n"


def open_temporary(_number: int) -> IO[bytes]:
    return tempfile.TemporaryFile()


rows_of_batches = st.lists(
    st.lists(st.tuples(st.sampled_from([b"a", b"B", b"\xff", b""]), st.integers(0, 3))), max_size=6
)


@settings(max_examples=30, deadline=None)
@given(
    batches=rows_of_batches,
    descending=st.booleans(),
    ignore_case=st.booleans(),
    ahead=st.integers(1, 3),
    most=st.integers(2, 4),
    block=st.integers(1, 5),
)
def test_sorting_by_way_of_files_gives_the_same(
    batches: list[list[tuple[bytes, int]]], descending: bool, ignore_case: bool, ahead: int, most: int, block: int
) -> None:
    number = iter(range(1000))
    frames = [
        make_batch(
            [
                ("s", ColumnType.S, [s for s, _ in rows]),
                ("n", ColumnType.I, [n for _, n in rows]),
                ("at", ColumnType.I, [next(number) for _ in rows]),
            ],
            len(rows),
        )
        for rows in batches
    ]
    keys = (Slot("s", "S", ColumnType.S), Slot("n", "n", ColumnType.I))
    slots = (*keys, Slot("at", "At", ColumnType.I))
    by = sorting.Order(keys, descending, ignore_case)
    expected = by.sort(join_batches(frames)).rows() if frames else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "_MERGE_ROWS", ahead)
        patch.setattr(sorting, "_LEAST_ROWS", ahead)
        patch.setattr(sorting, "_MOST_RUNS", most)
        patch.setattr(arrow_file, "_PIECE_ROWS", ahead)
        for memory in (1, 1 << 30):
            found = [row for batch in sorting.sort_all(frames, by, memory=memory) for row in batch.rows()]
            assert found == expected
        blocks = sorting.sort_blocks(frames, by, columns=slots, rows=block, open_block=open_temporary)
        assert len(blocks) == -(-len(expected) // block)
        assert [row for batch in sorting.merge_runs(blocks, by) for row in batch.rows()] == expected


def held(*columns: tuple[str, ColumnType, list[bytes] | list[int] | list[float]], keys: str) -> HeldRows:
    """Rows that wait to be sorted, added in two batches."""
    rows = HeldRows([Slot(key, key, ColumnType.S) for key in keys])
    batch = make_batch(list(columns), len(columns[0][2]))
    rows.add(batch.head(1))
    rows.add(batch.slice(1))
    return rows


def test_the_memory_of_rows_counts_what_sorting_takes_for_each() -> None:
    # A number of 4 bytes, and 80 to sort it: the rows of a file of short lines take twenty times what they hold.
    short = held(("n", ColumnType.I, list(range(1000))), keys="n")
    assert (short.rows, short.row_bytes, short.memory) == (1000, 4, 1000 * (4 + 56 + 24))
    # A string has its place and its content, and as a key one number for 8 bytes, its length, and three copies.
    text = held(("s", ColumnType.S, [b"twelve bytes"] * 1000), ("f", ColumnType.F, [0.5] * 1000), keys="s")
    assert text.memory == 1000 * (16 + 12 + 8) + 1000 * (56 + 24 + 8 * 3 + 3 * 12)
    # What is no key is copied once.
    wide = held(("n", ColumnType.L, [1] * 10), ("s", ColumnType.S, [b"x" * 1000] * 10), keys="n")
    assert wide.memory == 2 * 10 * (8 + 16 + 1000)
    taken = wide.take()
    assert (taken.height, wide.rows, wide.memory) == (10, 0, 0)


def test_rows_go_to_files_before_they_and_their_sort_take_more_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spilled: list[int] = []
    write = arrow_file.write_run

    def counted(stream: IO[bytes], batches: Iterable[Batch], *, piece_rows: int) -> None:
        found = list(batches)
        spilled.append(sum(batch.height for batch in found))
        assert piece_rows == (16 << 20) // (64 * 8 * 4)  # so that 64 runs fit, each piece in 8 copies of 4 bytes a row
        write(stream, found, piece_rows=piece_rows)

    monkeypatch.setattr(sorting, "write_run", counted)
    slots = [Slot("n", "n", ColumnType.I)]
    frames = [make_batch([("n", ColumnType.I, list(range(n, 40_000, 8)))], 5000) for n in range(8)]
    done = sorting.sort_all(frames, sorting.Order(tuple(slots)), memory=2 * 5000 * 84)
    assert [row for batch in done for row in batch.get_column("n").to_list()] == list(range(40_000))
    assert spilled == [10_000] * 4


@pytest.mark.parametrize("descending", [False, True])
def test_however_many_runs_there_are_few_files_are_open(descending: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[IO[bytes]] = []
    most = 0
    spill = sorting._spill

    def counted(batches: Iterable[Batch], rows: int) -> IO[bytes]:
        nonlocal most
        made.append(spill(batches, rows))
        most = max(most, sum(not file.closed for file in made))
        return made[-1]

    monkeypatch.setattr(sorting, "_spill", counted)
    monkeypatch.setattr(sorting, "_MOST_RUNS", 3)
    slots = (Slot("n", "n", ColumnType.I), Slot("at", "at", ColumnType.I))
    numbers = [(7 * at) % 50 for at in range(100)]
    frames = [make_batch([("n", ColumnType.I, [n]), ("at", ColumnType.I, [at])], 1) for at, n in enumerate(numbers)]
    order = sorting.Order(slots[:1], descending)
    found = [row for batch in sorting.sort_all(frames, order, memory=1) for row in batch.rows()]
    expected = sorted(zip(numbers, range(100), strict=True))
    assert found == (expected[::-1] if descending else expected)
    assert len(made) > 100
    assert most <= 12  # less than three of each of four sizes, and one that is just made


def test_the_memory_of_a_sort_is_a_part_of_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_SORT_MEMORY", "3")
    assert settings_of_ess.sort_memory() == 3 << 20
    monkeypatch.delenv("ESS_SORT_MEMORY")
    for machine, limit in ((256 << 20, 128 << 20), (2 << 30, 512 << 20), (512 << 30, 2048 << 20)):
        monkeypatch.setattr(settings_of_ess, "_machine_memory", lambda machine=machine: machine)
        assert settings_of_ess.sort_memory() == limit
    monkeypatch.setenv("ESS_SORT_MEMORY", "0")
    with pytest.raises(OptionError, match="ESS_SORT_MEMORY"):
        settings_of_ess.sort_memory()


@given(st.lists(st.tuples(st.binary(max_size=3), st.integers(0, 3))), st.booleans())
def test_sorting_agrees_with_python(rows: list[tuple[bytes, int]], descending: bool) -> None:
    slots = (Slot("s", "s", ColumnType.S), Slot("n", "n", ColumnType.I))
    batch = make_batch(
        [("s", ColumnType.S, [s for s, _ in rows]), ("n", ColumnType.I, [n for _, n in rows])], len(rows)
    )
    expected = sorted(rows, key=lambda row: row[1])
    found = sort_batch(batch, [slots[1]], descending=descending).rows()
    assert found == (expected[::-1] if descending else expected)
    assert sort_batch(batch, slots).rows() == sorted(rows)
