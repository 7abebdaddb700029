"""The prints, counts and reports of a run do not depend on how its input falls into batches."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.formats.reader import InputBatch, read_input
from ess.pipeline import run as run_module
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.plan import plan_chain
from ess.pipeline.run import RunError, Streams, run
from ess.pipeline.source import InputPlan
from ess.tools.aq_pp import OPTIONS

CHAINS = [
    ["-eval", "i:c", "100 / a"],
    ["-var", "i:v", "0", "-eval", "v", "v + a", "-c", "a", "v"],
    ["-if", "-filt", "a == 7", "-quit", "-endif", "-filt", "a % 2 == 1"],
    ["-eval", "i:c", "100 / a", "-if", "-filt", "b == 5", "-quitafter", "-endif"],
    ["-o,notitle", "-", "-c", "a", "-filt", "a > 2", "-o,notitle", "-", "-c", "b"],
    ["-eval", "i:c", "7 / (a - 3)", "-top", "4", "-ovar", "-", "-c", "w", "-o,notitle", "-"],
]
POLICIES = ["-f", "-f,eok", "-f,eok=2", "-f,eok=1/3", "-f,eok,qui=1"]

field = st.sampled_from(["0", "1", "2", "3", "5", "7", "9", "", "x", "-1"])
records = st.lists(st.tuples(field, field).map(",".join) | st.sampled_from(["", "1", "1,2,3", '"1,2']), max_size=25)


def outcome(argv: list[str], batch_bytes: int, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    def read(plan: InputPlan, file: str, stdin: BinaryIO | None) -> Iterator[InputBatch]:
        return read_input([file], plan.attributes, plan.columns, batch_bytes=batch_bytes, stdin=stdin)

    monkeypatch.setattr(run_module, "read_file", read)
    plan = plan_chain(parse_command_line(OPTIONS, argv), open_import=None)
    out = io.BytesIO()
    messages: list[str] = []
    try:
        counts, error = run(plan, Streams(None, out, messages.append)), ""
    except RunError as failure:
        counts, error = failure.counts, str(failure.error)
    assert counts.add_up()
    return out.getvalue(), counts, messages, error


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    records, st.sampled_from(CHAINS), st.sampled_from(POLICIES), st.integers(1, 40), st.sampled_from(["row", "auto"])
)
def test_the_batches_do_not_show(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    chain: list[str],
    policy: str,
    size: int,
    engine: str,
) -> None:
    monkeypatch.setenv("ESS_ENGINE", engine)
    (tmp_path / "in.csv").write_text("".join(line + "\n" for line in lines))
    (tmp_path / "more.csv").write_text("1,1\nx,2\n3,3\n")
    files = [str(tmp_path / "in.csv"), str(tmp_path / "more.csv")]
    argv = [policy, *files, "-d", "i:a", "i:b", "-var", "i:w", "1", *chain]
    assert outcome(argv, size, monkeypatch) == outcome(argv, 1 << 20, monkeypatch)
