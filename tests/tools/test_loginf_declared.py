"""``loginf -pp_d``: what is in records of known columns, and why others are rejected, as ``aq_pp`` has it."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.formats.attributes import parse_input_attributes
from ess.formats.columns import parse_input_columns
from ess.formats.reader import read_input
from ess.tools import loginf
from ess.tools.loginf.declared_source import analyse_declared
from ess.tools.loginf.profile import Profile, from_json
from tests.tools.outcome import Outcome, Tool

DATA = b'who,n,f\nann,1,2.5\nbob,TBD,1\nzo\xeb,,\nann,2\n"q,5,1\nq,7,TBD\nann,-1,1\nann,300,nan\n'
COLUMNS = ("s:who", "i:n", "f:f")


@pytest.fixture
def inf(run_tool: Callable[..., Outcome]) -> Tool:
    def run(*argv: str, stdin: str | bytes = "") -> Outcome:
        outcome: Outcome = run_tool("loginf", loginf.main, argv, stdin)
        return outcome

    return run


def test_rows_are_described_and_the_rest_is_counted_by_reason(inf: Tool) -> None:
    found = json.loads(inf("-f,csv,+1", "-", "-pp_d", *COLUMNS, stdin=DATA).out)
    assert found["Rows"] == {"Count": 3, "Length": {"Min": 5, "Max": 11, "Avg": 8.33333}}
    assert [(each["Column"], each["Reason"], each["Count"]) for each in found["Rejected"]] == [
        ("f", "is not a number", 1),
        ("f", "the record has 2 of 3 fields", 1),
        ("n", "does not fit an unsigned 32-bit integer", 1),
        ("n", "is not an unsigned 32-bit integer", 1),
        ("who", "a quote is not closed", 1),
    ]
    who, number, fraction = found["Column"]
    assert (who["Label"], who["pp-Type"], who["Unique Estimate"]) == ("who", "S", 2)
    assert (number["Type-Integer"]["Value"], number["Type-Blank"]["Rows"]["Count"]) == ({"Min": 1, "Max": 300}, 1)
    assert fraction["Type-Float"]["Rows"]["Count"] == 1


def test_parts_add_up_and_leave_counts(inf: Tool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tmp_path / "counts"
    counts.touch(mode=0o600)
    monkeypatch.setenv("ESS_COUNTS", str(counts))
    for name in ("1", "2"):
        assert inf("-f,csv,+1", "-", "-pp_d", *COLUMNS, "-o_raw", name, stdin=DATA).code == 0
    lines = [json.loads(line) for line in counts.read_text().splitlines()]
    assert [(line["read"], line["out"], line["rejected"]) for line in lines] == [(8, 3, 5)] * 2
    assert json.loads(inf("-f_raw", "1", "2").out)["Rejected"][0]["Count"] == 2
    stored = from_json(json.loads((tmp_path / "1").read_text()), where="1")
    assert stored.rejected_values["n", "is not an unsigned 32-bit integer"] == "'TBD'"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("-f,auto", "-", "-pp_d", "s:a"), "-d and auto find columns that -pp_d tells"),
        (("-d", "1", "-pp_d", "s:a"), "-d and auto find columns that -pp_d tells"),
        (("-f,aq", "-", "-pp_d", "s:a"), "'aq' inputs have columns of their own"),
        (("-f,csv", "-", "-pp_d", "q:a"), "unknown column type 'q'"),
        (("-f,csv", "-", "-pp_d", "s:a", "sep:x"), "'sep:x' is for 'div' inputs only"),
    ],
)
def test_mistakes(inf: Tool, argv: tuple[str, ...], words: str) -> None:
    done = inf(*argv, stdin="1\n")
    assert done.code == 2
    assert words in done.err


FIELDS = st.sampled_from(
    [
        *("", "-", "7", "+5", "007", "-3", "4294967296", "1e3", "2.5", ".", "nan", "inf", "TBD", " 8 ", "0xff", "ff"),
        *("10.0.0.1", "::1", "300.1.1.1", '"a,b"', '"x""y"', '"open', '"a"b', "zo\xeb", "a\\,b", "9" * 30, "x" * 200),
    ]
)
SPECS = (
    (["csv"], ("s:a", "i:b", "f:c")),
    (["csv", "+1"], ("ip:a", "x:b", "ls:c")),
    (["csv", "esc"], ("i,trm:a", "s,clf:b", "l,hex:c")),
    (["sep=,", "nox"], ("f,trm:a", "is:b", "s,trm,up:c")),
    (["sep=\\x00", "nox"], ("X",)),
    (["div"], ("s:a", "sep:,", "i:b", "sep:,", "s:c")),
)


@settings(max_examples=25)
@given(st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=12), st.sampled_from(SPECS), st.booleans())
def test_the_same_records_are_rejected_for_the_same_reasons_as_aq_pp_has_it(
    rows: list[list[str]], spec: tuple[list[str], tuple[str, ...]], ended: bool
) -> None:
    data = "\n".join(map(",".join, rows)).encode("latin-1") + (b"\n" if ended else b"")
    attributes = parse_input_attributes(spec[0], where="-f")
    columns = parse_input_columns(spec[1], attributes, where="-d")
    profile = Profile()
    analyse_declared(io.BytesIO(data), "-", attributes, columns, profile, None)
    stdin: Any = SimpleNamespace(read=io.BytesIO(data).read)
    batches = list(read_input([], attributes, columns.columns, separators=columns.separators, stdin=stdin))
    assert profile.rows.count == sum(batch.frame.height for batch in batches)
    expected: Counter[tuple[str, str]] = Counter()
    for reject in (reject for batch in batches for reject in batch.rejects):
        expected[
            reject.column, re.sub(r"^'.*'(?:\.\.\.)? (?=is |does |follows )", "", reject.reason, flags=re.DOTALL)
        ] += 1
    assert profile.rejected == expected
