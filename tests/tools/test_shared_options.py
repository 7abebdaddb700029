"""An option that several tools have is declared once; where they differ, a tool changes what differs."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import ess
from ess.api.commands import option_tables

#: Names that mean another thing in each tool, with other arguments.
_NAMESAKES = {
    "-cnt": {"aq_pp", "aq_udb"},  # the input of one, the operation of the other
    "-exp": {"aq_pp", "aq_udb"},
    "-c": {"aq_udb", "shared_options"},  # of the target, of vectors and of Var
    "-d": {"loginf", "shared_options"},  # numbers of columns
    "-f": {"loginf", "shared_options"},  # with attributes of its own
    "-o": {"loginf", "shared_options"},  # JSON: no attributes
    "-k": {"aq_cnt", "aq_sess"},
    "-mod": {"aq_pp", "aq_udb"},  # runs here, or on the servers
    "-ord": {"aq_rst", "aq_udb"},
    "-sort": {"aq_ord", "aq_udb"},
    "-top": {"aq_pp", "aq_udb"},  # a rule, or a cut of the result
    "-var": {"aq_pp", "aq_udb"},  # a new variable, or a column of Var
}


def test_an_option_is_declared_in_one_place() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path in Path(ess.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Option":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    places[str(first.value)].add(path.parent.name if path.stem == "__init__" else path.stem)
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == _NAMESAKES


def test_tools_that_share_an_option_take_the_same_arguments() -> None:
    arguments: dict[str, set[tuple[tuple[str, ...], str]]] = defaultdict(set)
    for table in option_tables():
        for option in table.options:
            arguments[option.name].add((option.arguments, option.more))
    different = {name for name, found in arguments.items() if len(found) > 1}
    assert different - _NAMESAKES.keys() == {"-eval"}  # a stored row has no room for new columns
