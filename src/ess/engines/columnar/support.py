"""The constructs that the columnar engine compiles, and why it leaves the rest to the row engine.

The compiler raises ``gap(name)`` for what it does not compile, so this table is the only place
that names the gaps; the reference page is made from it, and a test tries every line of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ess.engines.base import Unsupported
from ess.engines.columnar.kernels import KERNELS
from ess.language.function import Form, Function
from ess.language.functions import FUNCTIONS


@dataclass(frozen=True)
class Construct:
    """One construct of the language; ``compiled`` says whether ``note`` tells how or why not."""

    name: str
    compiled: bool
    note: str


#: The name of the construct for calls that are left to the row engine because of their targets.
STORING_ELSEWHERE = "functions that store into columns, unless called once and first"

#: How deep -if groups may nest for the columnar engine, which needs a few columns a level.
DEEPEST = 20

#: The constructs other than functions, in the order of the page.
CONSTRUCTS: dict[str, Construct] = {
    construct.name: construct
    for construct in (
        Construct("-eval", True, "an expression over the batch; rounding, wrap-around and widths as in C"),
        Construct("-filt", True, "the other rows are taken out of the batch"),
        Construct("-if", True, "masks: every branch computes over the batch, and its rows take the result"),
        Construct("-true, -false, -skip", True, "as filters"),
        Construct("-o, -imp", True, "the rows of the batch that get there"),
        Construct("$RowNum", True, "a column of row numbers"),
        Construct("$Random", True, "computed from the seed and the row numbers"),
        Construct("variables that rules read", True, "constants, as long as no rule sets them"),
        Construct("running sums and counts", True, "cumulative sums, for a variable that one rule adds to"),
        Construct(
            "running minima and maxima", True, "of numbers: Max(v, x), or -if -filt 'x > v' -eval v x ... -endif"
        ),
        Construct("the last value so far", True, "a variable that one rule, or the rules of one -if group, set anew"),
        Construct(
            "the first value so far", True, "-if -filt 'v == 0' -eval v x ... -endif, where 0 is its initial value"
        ),
        Construct("functions that store into columns", True, "a step of their own before the rule they stand in"),
        Construct("division and %", True, "a zero divisor sends its batch to the row engine, which rejects the record"),
        Construct("other variables that rules set", False, "their values depend on the rows before"),
        Construct("-quit, -quitafter", False, "which rows are processed depends on the rows before"),
        Construct("-cmb,all, -sub,all, -pmod", False, "one row becomes several"),
        Construct("groups nested deeper", False, f"than {DEEPEST} levels; the row engine says how deep they may nest"),
        Construct("$CurSec, $CurUSec", False, "the clock is read anew for every row"),
        Construct(STORING_ELSEWHERE, False, "what the other parts of the expression see depends on the order"),
        Construct("functions that are not pure", False, "equal arguments may give another result"),
        Construct("two rules that write to one sink", False, "the rows of both interleave"),
    )
}


def gap(name: str) -> Unsupported:
    """The exception for a construct that ``CONSTRUCTS`` declares as not compiled."""
    construct = CONSTRUCTS[name]
    return Unsupported(f"{construct.name}: {construct.note}")


def function_support(function: Function) -> Construct:
    """The way calls of ``function`` are computed."""
    forms = {parameter.form for parameter in (*function.parameters, *function.repeated, *function.trailing)}
    name = f"{function.name}()"
    if forms & {Form.TARGET, Form.TARGET_OR_TYPE}:
        return Construct(name, True, "the row engine's code, once for each distinct value, as a step of its own")
    if not function.pure:
        return Construct(name, False, CONSTRUCTS["functions that are not pure"].note)
    if function.key in KERNELS:
        return Construct(name, True, "over columns")
    return Construct(name, True, "the row engine's code, once for each distinct value of the batch")


def support() -> tuple[Construct, ...]:
    """Everything that is declared: constructs, then the functions that can be called, by name."""
    available = sorted((f for f in FUNCTIONS.values() if not f.only_in), key=lambda function: function.key)
    return (*CONSTRUCTS.values(), *(function_support(function) for function in available))
