"""Plans of command lines that come again: a stream gives each of its files the same one.

Only plans that the words alone decide are remembered. Nothing was read, opened or asked for them: no file but the
standard streams, no table, module or database, no function that prepares itself. So a file or a setting that changes
from one command to the next is seen as without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ess.language.tree import Builtin, BuiltinName
from ess.language.walk import expressions_of, nodes_of
from ess.pipeline.options import Use
from ess.pipeline.plan import Plan
from ess.pipeline.sinks import STDOUT
from ess.pipeline.source import STDIN

#: The options of such plans.
_OPTIONS = frozenset(
    {"-f", "-d", "-o", "-c", "-eval", "-filt", "-alias", "-renam", "-var", "-stat", "-verb", "-true", "-false", "-skip"}
    | {"-if", "-ifnot", "-elif", "-elifnot", "-else", "-endif", "-quit", "-quitafter", "-top"}
)
#: What may be the name of a function in a word.
_CALLED = re.compile(r"(\w+)\s*\(")
_MOST = 16

_plans: dict[tuple[str, ...], tuple[Plan, tuple[str, ...]]] = {}


def recall(argv: Sequence[str]) -> tuple[Plan, tuple[str, ...]] | None:
    """The plan of a command line and the names of its options, if it is remembered."""
    return _plans.get(tuple(argv))


def remember(argv: Sequence[str], uses: Sequence[Use], plan: Plan) -> None:
    """Remember the plan of a command line, if its words alone have decided it.

    Args:
        argv: The words.
        uses: The options that they are.
        plan: What was made of them.
    """
    if not _is_decided_by(uses, plan):
        return
    if len(_plans) >= _MOST:
        del _plans[next(iter(_plans))]
    _plans[tuple(argv)] = plan, tuple(use.name for use in uses)


def _is_decided_by(uses: Sequence[Use], plan: Plan) -> bool:
    if any(use.name not in _OPTIONS for use in uses):
        return False
    if plan.imports or plan.modules or plan.more_inputs or plan.variable_outputs:
        return False
    if plan.input.files != (STDIN,) or plan.input.rows is not None or plan.input.started is not None:
        return False
    if any(output.target != STDOUT or output.target_variable is not None for output in plan.outputs):
        return False
    # By the words and not by the tree, in which a call of constants may be its result already.
    called = (name for use in uses for word in use.arguments for name in _CALLED.findall(word))
    if not all(_is_plain(name.lower()) for name in called):
        return False
    nodes = (node for expression in expressions_of(plan.program) for node in nodes_of(expression))
    return not any(isinstance(node, Builtin) and node.name is not BuiltinName.ROW_NUMBER for node in nodes)


def _is_plain(name: str) -> bool:
    """True for a function whose result its arguments alone decide, and that does nothing when it is checked."""
    from ess.language.functions import FUNCTIONS, conversion  # a run without expressions starts faster without them

    function = FUNCTIONS.get(name)
    if function is None or not function.pure:
        return False
    # What makes itself for its arguments may look elsewhere; conversions look at the types only.
    return function.specialize is None or function in conversion.FUNCTIONS
