"""``-kenc``, ``-kdec`` and ``-top``."""

from __future__ import annotations

import pytest

from tests.tools.outcome import Tool

COLUMNS = ("-d", "s:a", "i:b", "ip:c", "-kenc", "s:k", "a", "b", "c")
DATA = "x,7,1.2.3.4\n,0,::1\n"


def test_what_was_packed_can_be_unpacked(pp: Tool) -> None:
    done = pp(*COLUMNS, "-kdec", "k", "s:a2", "i:b2", "ip:c2", "-o,notitle", "-", "-c", "a2", "b2", "c2", stdin=DATA)
    assert done.out == '"x",7,1.2.3.4\n,0,::1\n'


def test_parts_without_a_column_are_skipped(pp: Tool) -> None:
    done = pp(*COLUMNS, "-kdec", "k", "s:", "b", "IP:", "-eval", "b", "b + 1", "-o,notitle", "-", "-c", "b", stdin=DATA)
    assert done.out == "8\n1\n"


def test_a_plus_keeps_a_part_in_the_key(pp: Tool) -> None:
    done = pp(
        *(*COLUMNS, "-kdec", "k", "s:", "i:b2+", "ip:+", "-kdec", "k", "i:", "ip:c2", "-c", "b2", "c2"), stdin=DATA
    )
    assert done.out == '"b2","c2"\n7,1.2.3.4\n0,::1\n'


def test_a_key_of_other_parts_rejects_the_record(pp: Tool) -> None:
    done = pp("-f,eok,qui", "-", *COLUMNS, "-kdec", "k", "i:", "-stat", stdin=DATA)
    assert done.err == "aq_pp: rec=2 err=2 out=0\n"


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["-kenc", "i:k", "a"], "'k' is not a string column"),
        (["-kenc", "s:k", "nosuch"], "nosuch"),
        (["-kdec", "b", "i:x"], "'b' is not a string column"),
        (["-kdec", "a", "a"], "'a' cannot take a part of the key"),
        (["-kdec", "a", "z:"], "unknown column type"),
    ],
)
def test_a_wrong_key_is_explained(pp: Tool, argv: list[str], part: str) -> None:
    done = pp("-d", "s:a", "i:b", *argv)
    assert done.code == 2
    assert part in done.err


@pytest.mark.parametrize(("rows", "out", "read"), [(0, "", 0), (1, "3\n", 3), (2, "3\n4\n", 4), (9, "3\n4\n5\n", 5)])
def test_top_stops_the_run_once_enough_rows_got_there(pp: Tool, rows: int, out: str, read: int) -> None:
    done = pp("-d", "i:a", "-filt", "a > 2", "-top", str(rows), "-o,notitle", "-", "-stat", stdin="1\n2\n3\n4\n5\n")
    assert done.out == out
    assert done.err == f"aq_pp: rec={read if rows else 2} err=0 out={len(out.split())}\n"


def test_top_takes_a_number(pp: Tool) -> None:
    assert "'x' is not a number of rows" in pp("-d", "i:a", "-top", "x").err
