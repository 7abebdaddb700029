"""Whatever the command line is, a failure is an EssError: one line, one exit code, no traceback."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.errors import EssError
from ess.pipeline.options import Option
from ess.tools.aq_pp import OPTIONS, main

WORDS = st.sampled_from(
    [
        *("a", "b", "v", "i:c", "s:d", "x", "-", "1", "a > 1", 'b + "z"', "a / (a - 3)", "$RowNum", "'t'", '"t"', "--"),
        *("%%v%%", "%%v:@n:1-2%%w", "%", "%%", "in.csv", "s:from s", "from", "to", "X", "s:from", "s:to", "i:a", "s:b"),
        *("i,key:a", "s,cmb:b", "*", "~a", "^b:q", "a+%d", "a+%s", "b,n=3", 'unwrap_strv("b","y","b")', "0", ""),
        *("99999999999999999999", "\0", "\xe9", "\udcff"),
    ]
)
ATTRIBUTES = st.sampled_from(
    [
        *("", "", "", ",eok", ",qui", ",all", ",req", ",ncas", ",pat", ",notitle", ",sep=,", ",fvar", ",rx", ",pcre"),
        *(",+1", ",csv", ",tsv", ",fix", ",jsn", ",bin", ",mrg", ",zzz", ",eok=1/2", ","),
    ]
)
# Imports and exports need a database; outputs get targets that do no harm.
OTHERS = [option for option in OPTIONS.options if option.name not in ("-imp", "-exp", "-cnt", "-server", "-o", "-ovar")]


@st.composite
def uses(draw: st.DrawFn) -> list[str]:
    option: Option | None = draw(st.sampled_from([*OTHERS, None]))
    if option is None:
        return [draw(st.sampled_from(["-o", "-ovar"])) + draw(ATTRIBUTES), draw(st.sampled_from(["-", "out", "v"]))]
    count = len(option.arguments) + (draw(st.integers(0, 3)) if option.more else 0)
    return [option.name + (draw(ATTRIBUTES) if option.attributes else ""), *(draw(WORDS) for _ in range(count))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(uses(), min_size=1, max_size=5))
def test_no_command_line_ends_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_uses: list[list[str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("1,x\n2,y\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"1,x\n3,z\n")))
    argv = ["-f,eok,qui", "in.csv", "-d", "i:a", "s:b", *(word for use in given_uses for word in use)]
    failure: EssError | None = None
    try:
        main(argv)
    except EssError as error:
        failure = error
    assert failure is None or ("\n" not in str(failure) and failure.exit_code in (2, 11, 12, 13, 21))
