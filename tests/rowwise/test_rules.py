"""Chains of rules in the row engine."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ess.errors import OptionError
from ess.language import values
from ess.language.program import (
    Branch,
    Conditional,
    Constantly,
    Quit,
    Rule,
    Skip,
)
from ess.schema.types import INTEGER_RANGES
from tests.rowwise.chains import Chain


def test_a_running_sum_over_batches() -> None:
    chain = Chain("i:x")
    total = chain.variable("ls:total", 5)
    chain.new("ls:so_far")
    runner = chain.runner(chain.filter("x > 1"), chain.set("total", "total + x"), chain.set("so_far", "total"))
    first = runner.run(chain.batch((1,), (2,), (3,)), 1)
    second = runner.run(chain.batch((4,)), 4)
    assert first.final.rows() == [(2, 7), (3, 10)]
    assert (first.kept, first.processed) == (2, 3)
    assert second.final.rows() == [(4, 14)]
    assert runner.variables() == {total: 14}


def test_conditions_nest_and_unset_columns_are_blank() -> None:
    chain = Chain("i:x")
    chain.new("s:what")
    chain.new("f:y")
    inner = Conditional((Branch(chain.filter("x == 2"), True, (chain.set("y", "x * 1.5"),)),))
    runner = chain.runner(
        Conditional(
            (
                Branch(chain.filter("x == 1"), False, (chain.set("what", "'one'"),)),
                Branch(chain.filter("x > 3"), False, (Constantly(False),)),
                Branch(chain.set("what", "'some'"), False, (inner,)),
                Branch(None, False, (Skip(),)),
            )
        )
    )
    result = runner.run(chain.batch((1,), (2,), (3,), (4,)), 1)
    assert result.final.rows() == [(1, b"one", 0.0), (2, b"some", 0.0), (3, b"some", 4.5)]
    assert result.kept == 3


def test_sinks_get_the_values_of_their_moment() -> None:
    chain = Chain("i:x", "s:name")
    runner = chain.runner(
        chain.write(0, "name", "x"),
        chain.set("x", "x + 1"),
        chain.filter("x > 2"),
        chain.write(1, "x"),
        Skip(),
    )
    result = runner.run(chain.batch((1, b"a"), (2, b"b")), 1)
    assert result.written[0].rows() == [(b"a", 1), (b"b", 2)]
    assert result.written[1].rows() == [(3,)]
    assert result.final.height == 0
    assert result.kept == 2


def test_a_rejected_record_leaves_no_trace() -> None:
    chain = Chain("i:x")
    total = chain.variable("i:total", 0)
    chain.new("i:y")
    rules = (chain.set("total", "total + x"), chain.write(0, "total"), chain.set("y", "10 / (x - 1)"))
    runner = chain.runner(*rules)
    result = runner.run(chain.batch((3,), (1,), (2,)), 1)
    assert [(r.row, r.reason) for r in result.rejections] == [(1, "division by zero")]
    assert result.final.rows() == [(3, 5), (2, 10)]
    assert result.written[0].rows() == [(3,), (5,)]
    assert runner.variables() == {total: 5}
    assert (result.kept, result.processed) == (2, 3)


def test_a_program_can_stop_at_its_first_rejection() -> None:
    chain = Chain("i:x")
    runner = chain.runner(chain.set("x", "1 / x"), stop_at_rejection=True)
    result = runner.run(chain.batch((1,), (0,), (0,), (1,)), 1)
    assert (result.processed, result.kept, len(result.rejections), result.stopped) == (2, 1, 1, False)


@pytest.mark.parametrize(
    ("after", "rows", "processed"), [(False, [1], 1), (True, [1, 2], 2)], ids=["quit", "quitafter"]
)
def test_quitting(after: bool, rows: list[int], processed: int) -> None:
    chain = Chain("i:x")
    runner = chain.runner(Conditional((Branch(chain.filter("x == 2"), False, (Quit(after),)),)))
    result = runner.run(chain.batch((1,), (2,), (3,)), 1)
    assert result.final["x"].to_list() == rows
    assert (result.stopped, result.processed, result.kept) == (True, processed, processed)


def test_quitafter_holds_for_a_row_that_is_filtered_later() -> None:
    chain = Chain("i:x")
    runner = chain.runner(Quit(after_row=True), chain.filter("x > 1"))
    result = runner.run(chain.batch((1,), (2,)), 1)
    assert (result.stopped, result.processed, result.kept) == (True, 1, 0)


def test_a_quit_counts_its_row_if_it_was_written() -> None:
    chain = Chain("i:x")
    runner = chain.runner(chain.write(7, "x"), Quit())
    result = runner.run(chain.batch((1,), (2,)), 1)
    assert (result.processed, result.kept, result.written[7].rows()) == (1, 1, [(1,)])


def test_row_numbers_and_random_numbers_do_not_depend_on_batches() -> None:
    chain = Chain("i:x")
    chain.new("i:n")
    chain.new("i:r")
    chain.new("i:q")
    rules = (chain.set("n", "$RowNum"), chain.set("r", "$Random"), chain.set("q", "$Random"))
    rows = [(0,)] * 6
    whole = chain.runner(*rules).run(chain.batch(*rows), 1).final.rows()
    split = chain.runner(*rules)
    parts = [row for start in (1, 3, 5) for row in split.run(chain.batch(*rows[:2]), start).final.rows()]
    assert parts == whole
    assert [row[1] for row in whole] == [1, 2, 3, 4, 5, 6]
    assert len({value for row in whole for value in row[2:]}) == 12
    assert chain.runner(*rules, random_seed=2).run(chain.batch(*rows), 1).final.rows() != whole


def test_the_clock_is_read_for_each_row() -> None:
    chain = Chain("i:x")
    chain.new("ls:seconds")
    chain.new("ls:micro")
    before = time.time_ns()
    runner = chain.runner(chain.set("seconds", "$CurSec"), chain.set("micro", "$CurUSec"))
    rows = runner.run(chain.batch((1,), (2,)), 1).final.rows()
    after = time.time_ns()
    for _, seconds, micro in rows:
        assert before // 10**9 <= seconds <= after // 10**9
        assert before // 10**3 <= micro <= after // 10**3
    assert rows[0][2] <= rows[1][2]


def test_targets_are_stored_in_order_and_only_when_reached() -> None:
    chain = Chain("s:url")
    chain.new("s:a")
    chain.new("i:found")
    runner = chain.runner(
        chain.set("a", "'kept'"),
        chain.set("found", "QryDec(url, 'beg=?', a, 'k')"),
        chain.filter("found > 0 || Set('a', a + '!')"),
    )
    result = runner.run(chain.batch((b"/x?k=%41",), (b"/y",)), 1)
    assert result.final.rows() == [(b"/x?k=%41", b"A", 1), (b"/y", b"kept!", 0)]


def test_unsigned_columns_keep_their_high_bit() -> None:
    chain = Chain("l:x", "i:y")
    total = chain.variable("l:top", 2**64 - 1)
    chain.new("l:z")
    runner = chain.runner(chain.set("z", "x"), chain.set("y", "y - 1"), chain.filter("x < 0"))
    result = runner.run(chain.batch((2**64 - 1, 0), (1, 1)), 1)
    assert result.final.rows() == [(2**64 - 1, 2**32 - 1, 2**64 - 1)]
    assert runner.variables() == {total: 2**64 - 1}


def test_an_empty_batch_and_an_empty_chain() -> None:
    chain = Chain("s:x")
    result = chain.runner().run(chain.batch((b"a",)), 1)
    assert (result.final.rows(), result.kept, result.processed) == ([(b"a",)], 1, 1)
    assert chain.runner(chain.filter("x")).run(chain.batch(), 1).final.rows() == []


def test_long_chains_compile() -> None:
    chain = Chain("i:x", "s:s")
    terms = " || ".join(f"s == 'v{n}'" for n in range(400))
    added = " + ".join(["x"] * 400)
    mixed = " + ".join(["x * 3"] * 200)
    chain.new("ls:sum")
    chain.new("ls:mixed")
    runner = chain.runner(chain.filter(terms), chain.set("sum", added), chain.set("mixed", mixed))
    result = runner.run(chain.batch((2, b"v399"), (2, b"w")), 1)
    expected = 2 * 3
    for _ in range(199):
        expected = values.wrap((expected + 2) * 3)
    assert result.final.rows() == [(2, b"v399", 800, expected)]


def test_what_python_cannot_express_is_an_error() -> None:
    chain = Chain("i:x")
    text = "x"
    for _ in range(30):
        text = f"(((({text} + 1) * 2 + 1) * 2 + 1) * 2 + 1)" if _ % 3 == 0 else f"(1 / ({text}) * 2)"
    with pytest.raises(OptionError):
        chain.runner(chain.set("x", text))
    rule: Rule = chain.set("x", "1")
    for _ in range(70):
        rule = Conditional((Branch(chain.filter("x"), False, (rule,)),))
    with pytest.raises(OptionError, match="conditions nest more than 60 deep"):
        chain.runner(rule)


# Integer arithmetic: the engine wraps only where it must; here every step is wrapped.

Tree = int | str | tuple["Tree", str, "Tree"]
OPERATORS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "/": values.divide,
    "%": values.remainder,
}
EDGES = [0, 1, 2, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -1, -2, -(2**31), -(2**63)]
LEAVES = st.sampled_from(["l", "ls", "i", "is"]) | st.sampled_from([n for n in EDGES if n >= 0])
TREES = st.recursive(LEAVES, lambda inner: st.tuples(inner, st.sampled_from(sorted(OPERATORS)), inner), max_leaves=12)


def text_of(tree: Tree) -> str:
    return (
        f"({text_of(tree[0])} {tree[1]} {text_of(tree[2])})"
        if isinstance(tree, tuple)
        else str(tree).replace("l", "l_")
    )


def value_of(tree: Tree, row: dict[str, int]) -> int:
    if isinstance(tree, tuple):
        return values.wrap(OPERATORS[tree[1]](value_of(tree[0], row), value_of(tree[2], row)))
    return values.wrap(row[tree]) if isinstance(tree, str) else tree


@settings(max_examples=100, deadline=None)
@given(TREES, st.sampled_from(["l", "ls", "i", "is"]), st.tuples(*[st.sampled_from(EDGES) | st.integers()] * 4))
def test_integers_wrap_as_if_after_every_step(tree: Tree, kind: str, numbers: tuple[int, ...]) -> None:
    kinds = ("l", "ls", "i", "is")
    chain = Chain(*(f"{k}:{k.replace('l', 'l_')}" for k in kinds))
    chain.new(f"{kind}:out")
    chain.new("i:holds")
    row = {}
    for name, number in zip(kinds, numbers, strict=True):
        low, high = INTEGER_RANGES[chain.inputs[kinds.index(name)].type]
        row[name] = (number - low) % (high - low + 1) + low
    text = text_of(tree)
    runner = chain.runner(chain.set("out", text), chain.set("holds", f"{text} > 5"))
    result = runner.run(chain.batch(tuple(row[name] for name in kinds)), 1)
    try:
        expected = value_of(tree, row)
    except values.RecordError:
        assert len(result.rejections) == 1
        return
    low, high = INTEGER_RANGES[chain.created[0].type]
    stored = (expected - low) % (high - low + 1) + low
    assert result.final.rows()[0][4:] == (stored, int(expected > 5))
