"""A command line that comes again: its plan is used again only where nothing but its words has decided it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from ess.errors import EssError
from ess.pipeline import remembered
from ess.pipeline.options import Use
from ess.pipeline.plan import Plan, plan_chain
from ess.pipeline.sinks import ImportOpener
from ess.pipeline.source import RowSourceOpener
from ess.tools import aq_pp

Run = Callable[..., bytes]


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a memory of one test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remembered, "_plans", {})


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Has an entry for each plan that was made."""
    made: list[None] = []

    def noted(uses: Sequence[Use], *, open_import: ImportOpener, open_rows: RowSourceOpener) -> Plan:
        made.append(None)
        return plan_chain(uses, open_import=open_import, open_rows=open_rows)

    monkeypatch.setattr(aq_pp, "plan_chain", noted)
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs ``aq_pp`` on some input and gives what it prints."""

    def run(*argv: str, stdin: bytes = b"1\n2\n") -> bytes:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        printed = io.BytesIO()
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=printed, flush=lambda: None))
        assert aq_pp.main(list(argv)) == 0
        return printed.getvalue()

    return run


PLAIN = [
    ("-d", "i:a", "-filt", "a > 1", "-o,notitle", "-"),
    ("-f,+1,eok,qui", "-", "-d", "i:a", "-eval", "i:b", "a + $RowNum", "-o,notitle", "-", "-c", "b"),
    ("-d", "i:a", "-var", "i:n", "10", "-eval", "n", "n + a", "-eval", "i:b", "n", "-o,notitle", "-"),
    ("-d", "i:a", "-if", "-filt", "a == 1", "-skip", "-endif", "-eval", "s:b", "ToS(a)", "-o,notitle", "-"),
    ("-d", "i:a", "-top", "1", "-o,notitle", "-"),
]


@pytest.mark.parametrize("argv", PLAIN, ids=" ".join)
@pytest.mark.parametrize("engine", ["row", "columnar"])
def test_a_plain_one_is_planned_once_and_starts_anew(
    run: Run, planned: list[None], monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], engine: str
) -> None:
    monkeypatch.setenv("ESS_ENGINE", engine)
    inputs = [b"1\n2\n3\n", b"", b"7\n", b"1\n2\n3\n"]
    before = [run(*argv, stdin=data) for data in inputs]
    assert len(planned) == 1
    monkeypatch.setattr(remembered, "recall", lambda _argv: None)
    assert [run(*argv, stdin=data) for data in inputs] == before
    assert before[0] == before[-1] != b""


def test_a_change_of_the_engine_is_seen(run: Run, planned: list[None], monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in ("row", "columnar"):
        monkeypatch.setenv("ESS_ENGINE", engine)
        assert run(*PLAIN[0]) == b"2\n"
    monkeypatch.setenv("ESS_ENGINE", "none")
    with pytest.raises(EssError, match="none"):
        run(*PLAIN[0])
    assert len(planned) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ("-d", "s:a", "-sub", "a", "table", "-o,notitle", "-"),
        ("-d", "s:a", "-cmb", "table", "s:a", "s:b", "-o,notitle", "-"),
        ("-d", "s:a", "-pmod", "own", "own.py", "-o,notitle", "-"),
        ("-f,aq", "rows.aq", "-o,notitle", "-"),
        ("-f", "rows", "-d", "s:a", "-o,notitle", "-"),
        ("-f", "-", "rows", "-d", "s:a", "-o,notitle", "-"),
        ("-d", "s:a", "-cat", "rows", "s:a", "-o,notitle", "-"),
    ],
    ids=" ".join,
)
def test_a_file_that_changes_is_seen(run: Run, planned: list[None], argv: tuple[str, ...]) -> None:
    outputs = []
    for word in (b"one", b"two"):
        Path("table").write_bytes(b"1," + word + b"\n")
        Path("rows").write_bytes(word + b"\n")
        Path("own.py").write_bytes(b"def row(row):\n    row['a'] = b'" + word + b"'\n")
        run("-d", f"s:{word.decode()}", "-o,aq", "rows.aq", "-c", word.decode(), stdin=word + b"\n")
        planned.clear()
        outputs.append(run(*argv, stdin=b"1\n"))
        assert len(planned) == 1
    assert outputs[0].replace(b"one", b"two") == outputs[1] != outputs[0]


@pytest.mark.parametrize(
    "argv",
    [
        ("-d", "i:a", "-eval", "s:c", 'IpToCountry(ToIP("8.8.8.8"))'),
        ("-d", "i:a", "-eval", "s:c", 'TimeToDate(0, "%H")'),
        ("-d", "i:a", "-eval", "i:c", "$Random"),
        ("-d", "i:a", "-eval", "l:c", "$CurSec"),
        ("-d", "i:a", "-filt", 'RxCmp(ToS(a), "1")'),
        ("-d", "i:a", "-o", "out"),
        ("-d", "i:a", "-var", "i:n", "1", "-ovar", "-"),
        ("-d", "i:a", "-seed", "3"),
    ],
    ids=" ".join,
)
def test_what_more_than_the_words_may_decide_is_planned_each_time(
    run: Run, planned: list[None], argv: tuple[str, ...]
) -> None:
    run(*argv)
    run(*argv)
    assert len(planned) == 2


def test_a_mistake_is_told_each_time(run: Run) -> None:
    for _ in range(2):
        with pytest.raises(EssError, match="unknown"):
            run("-d", "i:a", "-filt", "b > 1")


def test_only_some_are_remembered(run: Run) -> None:
    for number in range(40):
        assert run("-d", "i:a", "-filt", f"a > {number}", "-o,notitle", "-", stdin=b"20\n") == b"20\n" * (number < 20)
    assert len(remembered._plans) == remembered._MOST
