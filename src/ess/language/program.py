"""A checked chain of rules: what the tools' options become and both engines compile."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from ess.language.tree import Call, Node, Slot


@dataclass(frozen=True)
class Evaluate:
    """``-eval``: store an expression into a slot, or drop its value (``target`` None).

    The engine converts the value to the slot's width: integers keep their low bits, a FLOAT
    stored into an integer slot is truncated towards zero. As a rule to check it is always true.
    ``where`` is the option it was, for messages.
    """

    target: Slot | None
    value: Node
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Filter:
    """``-filt``: a row for which ``condition`` is 0 goes no further; inside ``-if`` it only decides."""

    condition: Node
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Constantly:
    """``-true`` and ``-false``. As a rule to run, ``-false`` filters the row out."""

    value: bool


@dataclass(frozen=True)
class Write:
    """``-o``/``-c`` or ``-imp`` at this point of the chain: hand the slots' values to a sink.

    ``sink`` is an index that the caller gave; the engine delivers, for each sink, a batch whose
    columns are ``slots`` in that order. Rows arrive in chain order.
    """

    sink: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Expand:
    """``-cmb,all``, ``-sub,all`` and modules: the rest of the chain runs once for each match of the row.

    The function of ``matches`` gives tuples, each with the values of ``targets``; without one the
    row goes no further. Changes of columns by later rules for one match are not seen by the next;
    variables go on. In a group, the rest is what follows in its branch and then behind the group.
    """

    matches: Call
    targets: tuple[Slot, ...]
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class Skip:
    """``-skip``: the row goes no further."""


@dataclass(frozen=True)
class Quit:
    """``-quit``: stop now, without this row; ``after_row`` (``-quitafter``): once this row is through."""

    after_row: bool = False


class Destination(enum.Enum):
    """The place in a database where a row continues; its rows belong to keys (see ``Goto``)."""

    NEXT_ROW = "next_row"
    NEXT_GROUP = "next_pp"
    MAIN = "proc_key"
    NEXT_KEY = "next_key"


@dataclass(frozen=True)
class Goto:
    """``-goto``: this row is done; go on there. Only in programs over the keys of a database."""

    destination: Destination


@dataclass(frozen=True)
class Remove:
    """``-del_row`` and ``-del_key`` (``whole_key``): delete what is stored, and go on there."""

    whole_key: bool
    then: Destination


@dataclass(frozen=True)
class Branch:
    """``-if[not]``/``-elif[not]`` with its body; ``check`` None is ``-else``."""

    check: Rule | None
    negated: bool
    body: tuple[Rule, ...]


@dataclass(frozen=True)
class Conditional:
    """``-if ... -endif``: the body of the first branch whose check holds runs."""

    branches: tuple[Branch, ...]


Rule = Evaluate | Filter | Constantly | Write | Expand | Skip | Quit | Goto | Remove | Conditional


@dataclass(frozen=True)
class Variable:
    """``-var``: a slot that keeps its value from row to row, and the value it starts with."""

    slot: Slot
    initial: bytes | int | float


@dataclass(frozen=True)
class Program:
    """Everything an engine needs.

    Args:
        inputs: The slots that a batch arrives with, in order.
        created: The slots that rules create; each is 0 or blank in a row until a rule sets it.
        variables: Slots that live as long as the run.
        rules: The chain.
        random_seed: Where ``$Random`` starts.
        stop_at_rejection: Whether ``Runner.run`` returns right after the first row it rejects, with
            ``processed`` counting that row. The caller then gives up, or gives the rest of the batch;
            that is how a run without ``eok`` ends at the same row whatever the batch size is.
    """

    inputs: tuple[Slot, ...]
    created: tuple[Slot, ...]
    variables: tuple[Variable, ...]
    rules: tuple[Rule, ...]
    random_seed: int = 1
    stop_at_rejection: bool = False
