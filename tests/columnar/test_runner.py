"""The columnar engine as its caller sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from ess.engines.base import Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.columnar.runner import ColumnarRunner
from ess.engines.rowwise import compile_rowwise
from ess.engines.select import compile_program
from ess.errors import OptionError
from ess.language.checker import check_expression, check_filter, fit
from ess.language.program import Branch, Conditional, Evaluate, Filter, Program, Quit, Skip, Write
from ess.language.scope import Scope
from ess.language.tree import Slot
from ess.schema import Column, ColumnType
from ess.schema.batch import PHYSICAL, complete

_TEXT = Slot("text", "Text", ColumnType.S)
_COUNT = Slot("count", "Count", ColumnType.I)
_NEW = Slot("new", "New", ColumnType.F)
_OTHER = Slot("other", "Other", ColumnType.S)
_BATCH = pl.DataFrame({"text": [b"a", b"\xff", b""], "count": pl.Series([0, 5, 2**32 - 1], dtype=pl.UInt32)})


def _scope() -> Scope:
    scope = Scope()
    for slot in (_TEXT, _COUNT):
        scope.add(Column(slot.name, slot.type))
    return scope


def _evaluate(slot: Slot, expression: str) -> Evaluate:
    return Evaluate(slot, fit(check_expression(expression, _scope(), where="-eval"), slot.type, where="-eval"))


def _filter(expression: str) -> Filter:
    return Filter(check_filter(expression, _scope(), where="-filt"))


def _program(*rules: object, created: tuple[Slot, ...] = ()) -> Program:
    return Program((_TEXT, _COUNT), created, (), rules)  # type: ignore[arg-type]


def test_final_has_inputs_then_created_slots_in_their_physical_types() -> None:
    result = compile_columnar(_program(_evaluate(_NEW, "count + 1"), created=(_NEW, _OTHER))).run(_BATCH, 1)
    assert result.final.schema == {slot.key: PHYSICAL[slot.type] for slot in (_TEXT, _COUNT, _NEW, _OTHER)}
    assert result.final.rows() == [(b"a", 0, 1.0, b""), (b"\xff", 5, 6.0, b""), (b"", 2**32 - 1, 2.0**32, b"")]
    assert (result.kept, result.processed, result.rejections, result.stopped) == (3, 3, (), False)


def test_storing_keeps_the_low_bits_of_the_column() -> None:
    result = compile_columnar(_program(_evaluate(_COUNT, "count - 6"))).run(_BATCH, 1)
    assert result.final["count"].to_list() == [2**32 - 6, 2**32 - 1, 2**32 - 7]


def test_a_row_written_and_then_filtered_counts_as_kept() -> None:
    group = Conditional((Branch(_filter("count == 5"), False, (Write(3, (_COUNT, _TEXT)), Skip())),))
    result = compile_columnar(_program(group, _filter("count"))).run(_BATCH, 1)
    assert result.written[3].rows() == [(5, b"\xff")]
    assert result.final["count"].to_list() == [2**32 - 1]
    assert result.kept == 2


def test_only_the_batch_with_a_rejected_row_goes_to_the_row_engine() -> None:
    runner = compile_columnar(_program(_evaluate(_COUNT, "100 / count")))
    assert isinstance(runner, ColumnarRunner)
    clean = runner.run(_BATCH.slice(1), 1)
    assert clean.final["count"].to_list() == [20, 0]
    assert runner.batches_by_row == 0
    dirty = runner.run(_BATCH, 3)
    assert [(rejection.row, rejection.reason) for rejection in dirty.rejections] == [(0, "division by zero")]
    assert dirty.final["count"].to_list() == [20, 0]
    assert runner.batches_by_row == 1


def test_a_rejection_in_a_branch_that_is_not_taken_is_none() -> None:
    group = Conditional((Branch(_filter("count != 0"), False, (_evaluate(_COUNT, "100 / count"),)),))
    runner = compile_columnar(_program(group))
    assert isinstance(runner, ColumnarRunner)
    assert runner.run(_BATCH, 1).final["count"].to_list() == [0, 20, 0]
    assert runner.batches_by_row == 0


def test_a_call_that_stores_into_a_column_runs_before_its_rule() -> None:
    program = _program(_filter('RxMap(text, "^(.)$", text, "<%%1%%>", rx_extended) == 1'), _filter("count < 9"))
    assert compile_columnar(program).run(_BATCH, 1).final.rows() == [(b"<a>", 0), (b"<\xff>", 5)]


@pytest.mark.parametrize(
    "condition",
    [
        'count && RxMap(text, "a", text, "b")',  # may not be reached
        'text == RxRep(text, "a", "b") && RxMap(text, "a", text, "b")',
        'RxMap(text, "a", text, "b") && text',  # reads the target
        'RxMap(text, "a", text, "b") + RxMap(text, "a", text, "b")',
    ],
)
def test_other_calls_that_store_are_left_to_the_row_engine(condition: str) -> None:
    with pytest.raises(Unsupported, match="once and first"):
        compile_columnar(_program(_filter(condition)))


def test_an_empty_batch_and_a_batch_without_columns() -> None:
    program = _program(_evaluate(_NEW, "1.5"), _filter("count"), created=(_NEW,))
    assert compile_columnar(program).run(_BATCH.clear(), 1).final.schema["new"] == pl.Float64
    nothing = Program((), (_NEW,), (), (_evaluate(_NEW, "$RowNum"),))
    assert compile_columnar(nothing).run(pl.DataFrame(height=3), 41).final["new"].to_list() == [41.0, 42.0, 43.0]


def test_the_batch_that_was_given_is_not_changed() -> None:
    before = _BATCH.clone()
    compile_columnar(_program(_evaluate(_COUNT, "7"), _evaluate(_TEXT, '"x"'))).run(_BATCH, 1)
    assert _BATCH.equals(before)


def test_columns_that_an_input_lacks_are_like_others() -> None:
    given = _BATCH.select("text")
    batch = complete(given, [("text", ColumnType.S), ("count", ColumnType.I)])
    group = Conditional((Branch(_filter("-1 != count"), False, (_evaluate(_TEXT, "text + 'x'"),)),))
    result = compile_columnar(_program(group)).run(batch, 1)
    assert result.final["text"].to_list() == [b"ax", b"\xffx", b"x"]
    # A batch made of literals is no reason for an error either.
    literals = given.with_columns(pl.lit(0, dtype=pl.UInt32).alias("count"))
    assert compile_columnar(_program(group)).run(literals, 1).final.equals(result.final)


def test_engines_are_chosen_by_name_by_environment_and_by_support(monkeypatch: pytest.MonkeyPatch) -> None:
    stateless, stateful = _program(_filter("count")), _program(Quit())
    monkeypatch.delenv("ESS_ENGINE", raising=False)
    assert isinstance(compile_program(stateless), ColumnarRunner)
    assert not isinstance(compile_program(stateless, "row"), ColumnarRunner)
    assert not isinstance(compile_program(stateful, "columnar"), ColumnarRunner)
    monkeypatch.setenv("ESS_ENGINE", "row")
    assert type(compile_program(stateless)) is type(compile_rowwise(stateless))
    assert isinstance(compile_program(stateless, "columnar"), ColumnarRunner)
    monkeypatch.setenv("ESS_ENGINE", "gpu")
    with pytest.raises(OptionError, match="unknown engine 'gpu'"):
        compile_program(stateless)


def test_importing_the_engines_does_not_start_the_thread_pool() -> None:
    # The tool server imports them and forks; a pool that was started before would be missing in the child.
    count = "import os; threads = lambda: len(os.listdir('/proc/self/task'))\n"
    code = count + "import polars; before = threads(); import ess.engines.select; assert threads() == before"
    if not Path("/proc/self/task").is_dir():
        pytest.skip("no /proc here to count threads")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
