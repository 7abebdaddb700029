"""Every option of a tool is tried by a test, and every option of ``aq_pp`` means something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ess.api.commands import option_tables
from ess.pipeline.chain import DEFINITIONS, OUTPUTS, RULES
from ess.pipeline.options import Option
from ess.pipeline.plan import GLOBAL_OPTIONS, INPUT_OPTIONS
from ess.tools.aq_pp import OPTIONS

HERE = Path(__file__).resolve()
TESTS = "\n".join(path.read_text("utf-8") for path in HERE.parent.parent.rglob("*.py") if path != HERE)
ALL = [(table.tool, option) for table in option_tables() for option in table.options]

#: The words of groups, and those that belong to the ``-imp`` before them.
GROUPS = {"-if", "-ifnot", "-elif", "-elifnot", "-else", "-endif"}
OF_IMPORTS = {"-server", "-local", "-mod"}


@pytest.mark.parametrize(("tool", "option"), ALL, ids=[f"{tool} {option.name}" for tool, option in ALL])
def test_an_option_is_tried_by_a_test(tool: str, option: Option) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(option.name)}(?!\w)", TESTS), f"no test uses {tool} {option.name}"


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS.options if not option.obsolete], ids=lambda option: option.name
)
def test_an_option_of_aq_pp_means_something(option: Option) -> None:
    known = {*RULES, *DEFINITIONS, *OUTPUTS, *INPUT_OPTIONS, *GLOBAL_OPTIONS, *GROUPS, *OF_IMPORTS}
    assert option.name in known, f"the chain does not know {option.name}"
