"""``aq_sess`` finds the sessions in events that come in order of time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.engines.tables.sessions import OutOfOrderError, SessionFinder
from ess.language.tree import Slot
from ess.schema.batch import make_batch
from ess.schema.types import ColumnType
from ess.tools import aq_sess
from tests.tools.outcome import Outcome, Tool

ARGUMENTS = ("-d", "i:Time", "s:User", "-t", "time", "-k", "user", "-tout", "10")
EVENTS = "100,a\n105,b\n110,a\n116,b\n121,a\n150,b\n"


@pytest.fixture
def sess(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("aq_sess", aq_sess.main, argv, stdin)
        return outcome

    return run


def test_a_pause_longer_than_the_timeout_ends_a_session(sess: Tool) -> None:
    done = sess(*ARGUMENTS, "-stat", stdin=EVENTS)
    assert done.out == (
        '"User","TBeg","TEnd","DT","PV"\n'
        '"b",105,105,0,1\n"a",100,110,10,2\n"b",116,116,0,1\n"a",121,121,0,1\n"b",150,150,0,1\n'
    )
    assert done.err == "aq_sess: rec=6 err=0 out=5\n"


def test_trim_leaves_out_what_may_be_cut(sess: Tool) -> None:
    assert sess(*ARGUMENTS, "-trim", "-o,notitle", "-", stdin=EVENTS).out == '"b",116,116,0,1\n"a",121,121,0,1\n'
    assert sess(*ARGUMENTS, "-trim").out == '"User","TBeg","TEnd","DT","PV"\n'


def test_late_events_are_moved_or_end_it(sess: Tool) -> None:
    data = "100,a\n104,a\n103,a\n130,b\n125,b\n"
    done = sess(*ARGUMENTS, "-ttol", "1", "-o,notitle", "-", stdin=data)
    assert done.code == 13
    assert "event 5, column Time: the time lies 5 before an earlier one" in done.err
    assert sess(*ARGUMENTS, "-ttol", "5", "-o,notitle", "-", stdin=data).out == '"a",100,104,4,3\n"b",130,130,0,2\n'


def test_each_f_may_have_attributes_of_its_own(sess: Tool, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Time,User\n100,a\nx,b\n")
    (tmp_path / "b").write_text("105|a\n")
    files = ("-f,+1l,eok,qui", "a", "-f,sep=|", "b")
    done = sess(*files, *ARGUMENTS, "-stat", "-o,notitle", "-")
    assert (done.out, done.err) == ('"a",100,105,5,2\n', "aq_sess: rec=3 err=1 out=1\n")
    (tmp_path / "b").write_text("y|a\n")
    assert sess(*files, *ARGUMENTS).code == 13
    assert sess("-f,aq", "none", *files, *ARGUMENTS).code == 2


def test_bz_is_the_longest_record(sess: Tool) -> None:
    assert sess("-bz", "5", *ARGUMENTS, stdin="100,abc\n").code == 13


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-t", "user", "-k", "user", "-tout", "1"), "'User' is not of type I, IS or LS"),
        (("-t", "time", "-k", "user"), "-tout is missing"),
        (("-t", "time", "-k", "user", "-tout", "x"), "'x' is not a whole number"),
        (("-t", "time", "-k", "usr", "-tout", "1"), "unknown column 'usr'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(sess: Tool, argv: tuple[str, ...], message: str) -> None:
    done = sess("-d", "i:Time", "s:User", *argv)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err


def by_hand(events: list[tuple[int, int]], timeout: int, trim: bool) -> list[tuple[object, ...]]:
    """Sessions in the order they end: (key, begin, end, length, events)."""
    sessions: list[list[int]] = []  # key, begin, end, events, last row
    current: dict[int, list[int]] = {}
    for row, (time, key) in enumerate(events):
        session = current.get(key)
        if session is None or time - session[2] > timeout:
            session = current[key] = [key, time, time, 0, row]
            sessions.append(session)
        session[2], session[3], session[4] = time, session[3] + 1, row
    if trim:
        first, last = events[0][0], events[-1][0]
        sessions = [s for s in sessions if s[1] - first > timeout and last - s[2] > timeout]
    sessions.sort(key=lambda s: (s[2], s[4]))
    return [(k, b, e, e - b, n) for k, b, e, n, _ in sessions]


@given(
    steps=st.lists(st.tuples(st.integers(-2, 9), st.integers(0, 2)), min_size=1, max_size=25),
    size=st.integers(1, 6),
    trim=st.booleans(),
)
def test_sessions_agree_with_those_found_by_hand_whatever_the_batches(
    steps: list[tuple[int, int]], size: int, trim: bool
) -> None:
    times = [50 + sum(step for step, _ in steps[: n + 1]) for n in range(len(steps))]
    keys = [key for _, key in steps]
    moved = [max(times[: n + 1]) for n in range(len(times))]
    worst = max(m - t for m, t in zip(moved, times, strict=True))
    time, key = Slot("t", "t", ColumnType.IS), Slot("k", "k", ColumnType.I)

    def found(tolerance: int) -> list[tuple[object, ...]]:
        finder = SessionFinder([key], time, timeout=5, tolerance=tolerance, trim=trim)
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(times), size):
            part = slice(start, start + size)
            height = len(times[part])
            rows += finder.add(
                make_batch([("t", ColumnType.IS, times[part]), ("k", ColumnType.I, keys[part])], height)
            ).rows()
        return rows + finder.finish().rows()

    assert found(worst) == by_hand(list(zip(moved, keys, strict=True)), 5, trim)
    if worst:
        with pytest.raises(OutOfOrderError):
            found(worst - 1)
