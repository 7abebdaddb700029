"""Statements that every generated loop has in common: assignments, filters, and groups of conditions."""

from __future__ import annotations

import re
from collections.abc import Callable

from ess.engines.rowwise.expressions import ExpressionCompiler
from ess.errors import OptionError
from ess.language.program import Branch, Constantly, Evaluate, Expand, Filter, Rule
from ess.language.tree import ValueType
from ess.language.values import LARGEST, SMALLEST
from ess.schema.types import INTEGER_RANGES, ColumnType

#: How deep -if may nest; Python's own limit is near 100 levels.
MAX_NESTING = 60

#: Ends a line that belongs to a rule; the number is that of its option (see ``Statements.places``).
_MARK = re.compile(r"  # @(\d+)$")


class Statements:
    """Lines of Python, and the rules that become the same lines in every loop.

    A subclass says what a rule becomes (``_rule``) and how a row goes no further (``_leave``).
    """

    def __init__(self, expressions: ExpressionCompiler) -> None:
        self._expressions = expressions
        self._lines: list[str] = []
        self._indent = 0
        self._options: list[str] = []
        self._mark = ""

    def places(self, lines: list[str]) -> dict[int, str]:
        """The option that each line, from 1, belongs to; for messages about what it raised."""
        marks = ((number, _MARK.search(line)) for number, line in enumerate(lines, 1))
        return {number: self._options[int(mark[1])] for number, mark in marks if mark}

    def _at(self, rule: Rule | None) -> None:
        """Mark the lines that follow as those of ``rule``."""
        self._mark = ""
        if isinstance(rule, Evaluate | Filter | Expand) and rule.where:
            self._mark = f"  # @{len(self._options)}"
            self._options.append(rule.where)

    def _rule(self, rule: Rule) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    def _emit(self, line: str) -> None:
        self._lines.append("    " * self._indent + line + self._mark)

    def _filter(self, rule: Filter) -> None:
        self._emit(f"if not ({self._expressions.condition(rule.condition).text}):")
        self._leave_below()

    def _leave_below(self) -> None:
        self._indent += 1
        self._leave()
        self._indent -= 1

    def _evaluate(self, rule: Evaluate) -> None:
        target, node = rule.target, rule.value
        code = self._expressions.value(node)
        if target is None:
            self._emit(code.exact().text)
            return
        name = self._expressions.local(target)
        if node.type is ValueType.FLOAT and target.type.is_integer:
            self._emit(f"{name} = {self._expressions.store_function(target)}({code.text})")
        elif node.type is ValueType.INTEGER and target.type is ColumnType.F:
            self._emit(f"{name} = float({code.exact().text})")
        elif node.type is not ValueType.INTEGER:
            self._emit(f"{name} = {code.text}")
        else:
            low, high = INTEGER_RANGES[target.type]
            if target.type is ColumnType.L:
                low, high = SMALLEST, LARGEST
            if low <= code.low and code.high <= high:
                self._emit(f"{name} = {code.text}")
            elif target.type is ColumnType.I:
                self._emit(f"{name} = {code.at(5)} & {high}")
            else:  # out of range is rare, and wrapping costs more than looking
                self._emit(f"{name} = {code.text}")
                self._emit(f"if not {low} <= {name} <= {high}: {name} = ({name} + {-low} & {high - low}) - {-low}")

    def _conditional(
        self, branches: tuple[Branch, ...], body: Callable[[tuple[Rule, ...]], None] | None = None
    ) -> None:
        """``if``, ``elif`` and ``else``; a check that takes statements opens an ``else`` of its own.

        Args:
            branches: Those of the group.
            body: What makes the statements of a branch; it is then also called for the rows that no branch takes.
        """
        outer = self._indent
        word = "if"
        for branch in branches:
            if self._indent > MAX_NESTING:
                raise OptionError(
                    f"conditions nest more than {MAX_NESTING} deep", where="-if", hint="use -filt as the check"
                )
            check = branch.check
            self._at(check)
            if check is None:
                self._emit("else:")
            elif isinstance(check, Filter):
                condition = self._expressions.condition(check.condition).text
                self._emit(f"{word} {f'not ({condition})' if branch.negated else condition}:")
            elif isinstance(check, Constantly):
                self._emit(f"{word} {check.value != branch.negated}:")
            else:  # it does something, and holds by having been done
                if word == "elif":
                    self._emit("else:")
                    self._indent += 1
                self._rule(check)
                self._emit(f"if {not branch.negated}:")
            self._block(branch.body, body or self._statements)
            word = "elif"
        if body is not None and branches[-1].check is not None:
            self._emit("else:")
            self._block((), body)
        self._indent = outer
        self._at(None)

    def _block(self, rules: tuple[Rule, ...], body: Callable[[tuple[Rule, ...]], None]) -> None:
        self._indent += 1
        start = len(self._lines)
        self._at(None)
        body(rules)
        if len(self._lines) == start:
            self._emit("pass")
        self._indent -= 1

    def _statements(self, rules: tuple[Rule, ...]) -> None:
        for rule in rules:
            self._at(rule)
            self._rule(rule)
        self._at(None)
