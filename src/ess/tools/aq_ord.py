"""``aq_ord``: reads all records into memory, sorts them, and prints them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from ess.errors import OptionError
from ess.pipeline import shared_options
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import plan_chain
from ess.pipeline.source import single_use
from ess.tools.planned import run_plan
from ess.tools.process import asks_for_help, run_tool

if TYPE_CHECKING:
    from ess.engines.batch import Batch

OPTIONS = OptionTable(
    "aq_ord",
    "Sorts records in memory by one or more columns. Equal records keep their order.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        shared_options.COLUMNS,
        Option(
            "-sort",
            "The columns to sort by, the first one first. Numbers sort as numbers, strings byte by byte. Attributes "
            "are dec (the ascending result turned around) and ncas (ignore the case of ASCII letters).",
            ("ColName",),
            more="ColName",
            attributes=True,
            group="Sort",
        ),
        shared_options.ROWS_TO,
        shared_options.SELECT,
    ),
    missing=(
        ("-blk", "all records are sorted in memory"),
        ("-blk_only", "all records are sorted in memory"),
    ),
)


def main(argv: list[str]) -> int:
    """Run ``aq_ord`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = OPTIONS.parse(argv)
    sorting = single_use(uses, "-sort")
    if sorting is None:
        raise OptionError("there is nothing to sort by", where=OPTIONS.tool, hint="e.g. -sort ColName")
    plan = plan_chain([use for use in uses if use.name != "-sort"], open_import=None)
    words = _words(sorting)
    slots = {slot.key: slot for slot in plan.program.inputs}
    for name in sorting.arguments:
        if name.lower() not in slots:
            known = " ".join(slot.name for slot in slots.values())
            raise OptionError(f"unknown column '{name}'", where=sorting.where, hint=f"known are {known}")
    keys = [slots[name.lower()] for name in sorting.arguments]

    def arrange(batch: Batch) -> Batch:
        from ess.engines.ordering import sort_batch

        return sort_batch(batch, keys, descending="dec" in words, ignore_case="ncas" in words)

    return run_plan(OPTIONS.tool, argv, plan, [use.name for use in uses], arrange=arrange, with_out=False)


def command() -> NoReturn:
    """The command ``aq_ord``."""
    run_tool(OPTIONS.tool, main)


def _words(use: Use) -> frozenset[str]:
    words = frozenset(word.lower() for word in use.attributes)
    if "mrg" in words:
        raise OptionError("mrg is not available yet", where=use.where, hint="without it the inputs need not be sorted")
    for word in words - {"dec", "ncas"}:
        raise OptionError(f"unknown attribute '{word}'", where=use.where, hint="known are dec ncas")
    return words
