"""The parts of the benchmark, at tiny sizes: the data, the comparison, the contest and the table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import clients
from bench.contest import run_work
from bench.data import Data, titles_of
from bench.equal import Columns, require_equal
from bench.process import BenchError, Measured, measure
from bench.report import Setting, markdown, row, verdict
from bench.work import OUT, PEERS, Contestant, Goal, Outcome, Peer, Work


def _write(folder: Path, *contents: bytes) -> list[Path]:
    files = [folder / f"{number}.csv" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


@pytest.mark.parametrize(
    ("one", "other", "columns"),
    [
        (b'"a","b"\n"x",1.5\n', b"c,d\nx,1.50\n", Columns(("text", "number"))),
        (b"a,b\nx,1\n,2\n", b'a,b\n"",2.0\nx,1.0\n', Columns(("text", "number"), sort_by=(0, 1))),
        (b"a,b\nx,1\ny,1\nx,2\n", b"a,b\ny,1\nx,1\nx,2\n", Columns(("text", "number"), sort_by=(1,))),
        (b"a\n0.1\n", b"a\n0.10000000001\n", Columns(("sum",))),
        (b"a\nRen\xe9\n", b"a\nRen\xe9\n", Columns(("text",))),
        (b"a,b\n", b"a,b\n", Columns(("text", "number"))),
        (b"a,b\ny,1\ny,2\nx,3\n", b"a,b\nx,3\ny,1\ny,2\n", Columns(("text", "number"), sort_by=(0, 1), groups=(0,))),
        (b"a,b\n", b"a,b\n", Columns(("text", "number"), groups=(0,))),
    ],
)
def test_outputs_that_say_the_same_are_equal(tmp_path: Path, one: bytes, other: bytes, columns: Columns) -> None:
    ours, theirs = _write(tmp_path, one, other)
    require_equal(ours, theirs, columns)


@pytest.mark.parametrize(
    ("one", "other", "columns", "says"),
    [
        (b"a,b\nx,1\n", b"a,b\ny,1\n", Columns(("text", "number")), "row 1, column 1: 'x' in 0.csv, 'y' in 1.csv"),
        (b"a,b\nx,1\nx,2\n", b"a,b\nx,1\nx,3\n", Columns(("text", "number")), "row 2, column 2"),
        (b"a\nx\n", b"a\nx\nx\n", Columns(("text",)), "1 rows in 0.csv, 2 in 1.csv"),
        (b"a\nx\ny\n", b"a\ny\nx\n", Columns(("text",)), "row 1"),
        (b"a,b\nx,1\nx,2\n", b"a,b\nx,2\nx,1\n", Columns(("text", "number"), sort_by=(1,)), "row 1"),
        (b"a,b\nx,1\ny,1\n", b"a,b\nx,1\nx,1\n", Columns(("text", "number"), sort_by=(1,)), "column 1"),
        (b"a\n0.1\n", b"a\n0.1001\n", Columns(("sum",)), "row 1"),
        (b"a\n1\n", b'a\n""\n', Columns(("number",)), "1.csv is not what it should be"),
        (b"a\nRen\xe9\n", b"a\nRen\xe8\n", Columns(("text",)), "row 1"),
        (b"a,b\nx,1\n", b"a\nx\n", Columns(("text", "number")), "1 columns, not 2"),
        (b"a,b\nx,1\nx,2\n", b"a,b\nx,2\nx,1\n", Columns(("text", "number"), sort_by=(0, 1), groups=(0,)), "column 2"),
        (b"a\nx\ny\nx\n", b"a\nx\nx\ny\n", Columns(("text",), groups=(0,)), "stand apart in 0.csv"),
        (b"a\n1\n", b"a\nx\n", Columns(("number",)), "1.csv is not what it should be"),
    ],
)
def test_a_difference_is_found_and_named(tmp_path: Path, one: bytes, other: bytes, columns: Columns, says: str) -> None:
    ours, theirs = _write(tmp_path, one, other)
    with pytest.raises(BenchError, match=says):
        require_equal(ours, theirs, columns)


def test_the_data_are_the_same_each_time_and_of_the_size_asked_for(tmp_path: Path) -> None:
    one, other = (Data(tmp_path / name, 500, table_rows=50, small_files=3) for name in ("a", "b"))
    for name in ("purchases", "dirty", "dirty_kept", "not_utf8", "access_log", "clients", "compressed"):
        assert getattr(one, name).read_bytes() == getattr(other, name).read_bytes(), name
    assert titles_of(one.purchases) == ["purchaseDate", "userID", "articleID", "price", "refID"]
    assert one.purchases.read_bytes().count(b"\r\n") == one.dirty.read_bytes().count(b"\r\n") == 501
    assert one.dirty_kept.read_bytes().count(b"\r\n") == 491
    assert one.access_log.read_bytes().count(b"\n") == 200
    assert b"\xe9" in one.not_utf8.read_bytes()
    assert len(list(one.small.iterdir())) == 3
    keyed = one.keyed_purchases(7)
    rows = keyed.read_bytes().splitlines()[1:]
    assert len({line.split(b",")[1] for line in rows}) == 7
    shuffled = one.shuffled_purchases(7).read_bytes().splitlines()[1:]
    assert shuffled != rows and sorted(shuffled) == sorted(rows)
    pieces = [piece.read_bytes().splitlines() for piece in one.pieces(keyed, 3)]
    assert [len(piece) for piece in pieces] == [168, 168, 167]
    assert sorted(line for piece in pieces for line in piece[1:]) == sorted(rows)


def _printing(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"print({text!r})")


def _contest(tmp_path: Path, *contestants: Contestant, runs: int = 2) -> Outcome:
    work = Work("k", "title", contestants, (Goal("as fast", {"two": 1000.0}),), Columns(("text",)), rows=1)
    return run_work(work, folder=tmp_path / "out", runs=runs, patience=60, environment={}, say=lambda text: None)


def test_contestants_with_the_same_result_are_timed_in_turn(tmp_path: Path) -> None:
    written = (sys.executable, "-c", f"open('{OUT}', 'w').write('a\\nx\\n')")
    outcome = _contest(
        tmp_path,
        Contestant("one", _printing("a\nx"), stdout=True),
        Contestant("two", written),
        Contestant("right", _printing("a\nx"), stdout=True, timed=False),
    )
    assert outcome.trouble == ""
    assert {label: len(runs) for label, runs in outcome.measured.items()} == {"one": 2, "two": 2}
    assert "met" in row(outcome)
    assert not (tmp_path / "out").exists()


def test_another_result_or_a_failure_is_a_failed_row_without_times(tmp_path: Path) -> None:
    one = Contestant("one", _printing("a\nx"), stdout=True)
    outcome = _contest(tmp_path, one, Contestant("two", _printing("a\ny"), stdout=True))
    assert outcome.measured == {}
    assert "FAILED: row 1, column 1: 'x' in 0.csv, 'y' in 1.csv" in row(outcome)
    outcome = _contest(tmp_path, one, Contestant("two", ("false",)))
    assert "FAILED: ended with 1: false" in row(outcome)


def test_a_peer_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "ghost", Peer("Ghost", command="no-such-command"))
    one = Contestant("one", _printing("a\nx"), stdout=True)
    outcome = _contest(tmp_path, one, Contestant("two", ("no-such-command",), "ghost"))
    assert outcome.missing == ("two",)
    assert "two: not installed" in row(outcome)
    assert "cannot be said" in row(outcome)


def test_a_slow_peer_is_run_once(tmp_path: Path) -> None:
    work = Work("k", "t", (Contestant("one", ("true",), output=False), Contestant("two", ("true",), "python")))
    outcome = run_work(work, folder=tmp_path / "out", runs=3, patience=0.0, environment={}, say=lambda text: None)
    assert {label: len(runs) for label, runs in outcome.measured.items()} == {"one": 3, "two": 1}
    assert "(1 run)" in row(outcome)


def test_what_a_command_notes_stands_in_the_table(tmp_path: Path) -> None:
    note = tmp_path / "note"
    writing = (sys.executable, "-c", f"open({str(note)!r}, 'w').write('all is well')")
    work = Work("k", "t", (Contestant("one", writing, output=False, note=note),), (Goal("the same", equal=True),))
    outcome = run_work(work, folder=tmp_path / "out", runs=1, patience=60, environment={}, say=lambda text: None)
    assert "<br>all is well | " in row(outcome)
    assert row(outcome).endswith("| the same | met |")


def _import_by(program: str, tmp_path: Path, *, counted: int) -> tuple[str, ...]:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    importing = (sys.executable, "-c", program, "@file")
    argument = clients.command(importing, files, _printing(f'"row",{counted}'), 2, tmp_path / "note")
    return (sys.executable, clients.__file__, argument)


def test_many_clients_run_at_once_and_say_how_long_they_took(tmp_path: Path) -> None:
    # Each waits for the other one, so that they end only if they run at once.
    meeting = (
        "import pathlib, sys, time; own = pathlib.Path(sys.argv[1]); own.touch()\n"
        "while len(list(own.parent.glob('*.csv'))) < 2: time.sleep(0.01)"
    )
    measure(_import_by(meeting, tmp_path, counted=2), {}, None)
    assert (tmp_path / "note").read_text().startswith("latency of a client: median ")


@pytest.mark.parametrize(
    ("program", "counted"), [("raise SystemExit('b.csv' in __import__('sys').argv[1])", 2), ("", 1)]
)
def test_clients_that_fail_or_lose_rows_are_a_failure(tmp_path: Path, program: str, counted: int) -> None:
    with pytest.raises(BenchError, match="ended with 1"):
        measure(_import_by(program, tmp_path, counted=counted), {}, None)
    assert not (tmp_path / "note").exists()


def test_goals_say_by_how_much_they_are_missed() -> None:
    work = Work("k", "t", (Contestant("one", ()), Contestant("two", ())))
    runs = {"one": (Measured(3.0, 0, 500), Measured(1.0, 0, 90), Measured(9.0, 0, 90)), "two": (Measured(2.0, 0, 50),)}
    outcome = Outcome(work, runs)
    assert verdict(Goal("", {"two": 1.0}), outcome) == "short by 50 % (3.00 of 2.00 s allowed)"
    assert verdict(Goal("", {"two": 1.0}, constant=1.0), outcome) == "met (3.00 of 3.00 s allowed)"
    assert verdict(Goal("", constant=400, memory=True), outcome) == "short by 25 % (500 of 400 MB allowed)"
    assert verdict(Goal("", constant=40, memory=True, of="two"), outcome) == "short by 25 % (50.00 of 40.00 MB allowed)"
    page = markdown([outcome], Setting("make bench", "now", 10, 4, 0.1))
    assert "| k | one | 3.00 1.00 9.00 | 500 |" in page


def test_a_command_that_fails_is_an_error() -> None:
    with pytest.raises(BenchError, match="ended with 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"], {}, None)
    with pytest.raises(BenchError, match="cannot run no-such-command"):
        measure(["no-such-command"], {}, None)
