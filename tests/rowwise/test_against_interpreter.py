"""Control flow: random chains of rules, compiled, against an interpreter that is as plain as can be.

The interpreter works on one row at a time and on the same kind of rules, but reads their
expressions from Python functions that stand beside the expressions' text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from ess.language.function import Function, anything
from ess.language.program import Branch, Conditional, Constantly, Expand, Quit, Rule, Skip
from ess.language.tree import Call, Reference, ValueType
from tests.rowwise.chains import Chain

Values = dict[str, int]

# (target, expression, the same in Python); None is a division by zero
EVALUATIONS: list[tuple[str, str, Callable[[Values], int | None]]] = [
    ("y", "x + 1", lambda v: v["x"] + 1),
    ("y", "y * 2 + z", lambda v: v["y"] * 2 + v["z"]),
    ("z", "$RowNum", lambda v: v["#"]),
    ("x", "10 / (x - 3)", lambda v: None if v["x"] == 3 else int(10 / (v["x"] - 3))),
    ("total", "total + x", lambda v: v["total"] + v["x"]),
    ("z", "total % 7", lambda v: int(math.fmod(v["total"], 7))),
]
CONDITIONS: list[tuple[str, Callable[[Values], bool]]] = [
    ("x > 2", lambda v: v["x"] > 2),
    ("!(y == 1 || z != 0)", lambda v: v["y"] != 1 and v["z"] == 0),
    ("total & 1", lambda v: bool(v["total"] & 1)),
    ("z && x < 4", lambda v: v["z"] != 0 and v["x"] < 4),
]
NAMES = ("x", "y", "z", "total")


def several(x: int) -> list[tuple[int]]:
    """The rows made of a row: one for each value of y."""
    return [(n,) for n in range(x % 4)]


SEVERAL = Function("Several", (anything("Val"),), ValueType.INTEGER, "", row=several)


@dataclass(frozen=True)
class Step:
    kind: str
    choice: int = 0
    branches: tuple[tuple[Step | None, bool, tuple[Step, ...]], ...] = ()


SIMPLE = st.builds(Step, st.sampled_from(["eval", "eval", "filt", "write"]), st.integers(0, 23)) | st.builds(
    Step, st.sampled_from(["skip", "quit", "after", "true", "false", "expand"])
)
CHECKS = st.builds(Step, st.sampled_from(["filt", "filt", "eval", "true", "false", "write"]), st.integers(0, 23))


def conditionals(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    body = st.lists(inner, max_size=3).map(tuple)
    checked = st.tuples(CHECKS, st.booleans(), body)
    last = st.none() | st.tuples(st.none(), st.just(False), body)
    return st.builds(
        lambda first, last: Step("if", branches=(*first, last) if last else tuple(first)),
        st.lists(checked, min_size=1, max_size=3),
        last,
    )


STEPS = st.lists(SIMPLE | conditionals(SIMPLE | conditionals(SIMPLE)), max_size=5)


def compiled(chain: Chain, step: Step) -> Rule:
    match step.kind:
        case "eval":
            return chain.set(*EVALUATIONS[step.choice % len(EVALUATIONS)][:2])
        case "filt":
            return chain.filter(CONDITIONS[step.choice % len(CONDITIONS)][0])
        case "write":
            sink = step.choice % 2
            return chain.write(sink, *(("x", "z"), ("total", "y"))[sink])
        case "true" | "false":
            return Constantly(step.kind == "true")
        case "skip":
            return Skip()
        case "quit" | "after":
            return Quit(step.kind == "after")
        case "expand":
            x, y = (chain.scope.get(name, where="-emod") for name in "xy")
            return Expand(Call(ValueType.INTEGER, SEVERAL, (Reference(ValueType.INTEGER, x),)), (y,))
        case _:
            return Conditional(
                tuple(
                    Branch(None if check is None else compiled(chain, check), negated, rules(chain, body))
                    for check, negated, body in step.branches
                )
            )


def rules(chain: Chain, steps: Sequence[Step]) -> tuple[Rule, ...]:
    return tuple(compiled(chain, step) for step in steps)


class Leave(Exception):
    pass


class Stop(Exception):
    pass


class Reject(Exception):
    pass


class Interpreter:
    def __init__(self, program: Sequence[Step]) -> None:
        self.program = program
        self.total = 5
        self.sinks: dict[int, list[tuple[int, ...]]] = {0: [], 1: []}
        self.rows: list[tuple[int, ...]] = []
        self.kept = self.processed = 0
        self.rejected: list[int] = []
        self.stopped = False

    def row(self, number: int, x: int) -> None:
        values = {"x": x, "y": 0, "z": 0, "total": self.total, "#": number}
        self.written: list[tuple[int, tuple[int, ...]]] = []
        self.reached: list[tuple[int, ...]] = []
        self.last = False
        try:
            with suppress(Leave):
                self.steps(self.program, values, self.reach)
            self.finish(values)
        except Stop:
            self.stopped = True
            self.total = values["total"]  # what the row did to variables stays done
            if self.written or self.reached:
                self.finish(values)
            return
        except Reject:
            self.rejected.append(number - 1)
            self.processed += 1
        self.stopped = self.last

    def finish(self, values: dict[str, int]) -> None:
        for sink, row in self.written:
            self.sinks[sink].append(row)
        self.rows += self.reached
        self.kept += bool(self.reached or self.written)
        self.processed += 1
        self.total = values["total"]

    def reach(self, values: dict[str, int]) -> None:
        self.reached.append((values["x"], values["y"], values["z"]))

    def steps(self, steps: Sequence[Step], values: Values, then: Callable[[Values], None]) -> None:
        """Run some steps and what follows them."""
        for number, step in enumerate(steps):
            rest = steps[number + 1 :]
            if step.kind == "expand":
                for (y,) in several(values["x"]):
                    own = {**values, "y": y}
                    try:
                        with suppress(Leave):
                            self.steps(rest, own, then)
                    finally:
                        values["total"] = own["total"]  # variables go on
                return
            if step.kind == "if":
                for check, negated, body in step.branches:
                    if check is None or self.step(check, values) != negated:
                        self.steps(body, values, partial(self.steps_then, rest, then))
                        break
                else:
                    self.steps(rest, values, then)
                return
            if not self.step(step, values) and step.kind in ("filt", "false"):
                raise Leave
        then(values)

    def steps_then(self, rest: Sequence[Step], then: Callable[[Values], None], values: Values) -> None:
        self.steps(rest, values, then)

    def step(self, step: Step, values: dict[str, int]) -> bool:
        """Run one step; its truth as a check."""
        match step.kind:
            case "eval":
                name, _, function = EVALUATIONS[step.choice % len(EVALUATIONS)]
                value = function(values)
                if value is None:
                    raise Reject
                values[name] = value
            case "filt":
                return CONDITIONS[step.choice % len(CONDITIONS)][1](values)
            case "write":
                sink = step.choice % 2
                self.written.append((sink, tuple(values[name] for name in (("x", "z"), ("total", "y"))[sink])))
            case "false":
                return False
            case "skip":
                raise Leave
            case "quit":
                raise Stop
            case "after":
                self.last = True
        return True


@settings(max_examples=120, deadline=None)
@given(STEPS, st.lists(st.integers(0, 6), max_size=8), st.integers(1, 8))
def test_chains_do_what_the_interpreter_does(steps: list[Step], numbers: list[int], size: int) -> None:
    chain = Chain("ls:x")
    total = chain.variable("ls:total", 5)
    chain.new("ls:y")
    chain.new("ls:z")
    runner = chain.runner(*rules(chain, steps))
    plain = Interpreter(steps)
    for start in range(0, len(numbers), size):
        before = len(plain.rows), plain.kept, plain.processed, {s: len(r) for s, r in plain.sinks.items()}
        plain.rejected = []
        for offset, x in enumerate(numbers[start : start + size]):
            plain.row(start + offset + 1, x)
            if plain.stopped:
                break
        result = runner.run(chain.batch(*((x,) for x in numbers[start : start + size])), start + 1)
        assert result.final.rows() == plain.rows[before[0] :]
        assert (result.kept, result.processed) == (plain.kept - before[1], plain.processed - before[2])
        assert result.stopped == plain.stopped
        assert [rejection.row + start for rejection in result.rejections] == plain.rejected
        for sink, batch in result.written.items():
            assert batch.rows() == plain.sinks[sink][before[3][sink] :]
        assert runner.variables() == {total: plain.total}
        if plain.stopped:
            break
