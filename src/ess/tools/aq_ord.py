"""``aq_ord``: sorts records, in memory or in blocks on disk, or merges inputs that are sorted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from ess.errors import OptionError, OutputOpenError
from ess.language.nearest import choice_hint
from ess.language.tree import Slot
from ess.pipeline import old_spellings, shared_options
from ess.pipeline.old_spellings import parse_command_line
from ess.pipeline.options import Option, OptionTable, Use
from ess.pipeline.page import help_text
from ess.pipeline.plan import Plan, plan_chain
from ess.pipeline.source import single_use
from ess.settings import sort_memory
from ess.tools.process import asks_for_help, run_tool
from ess.tools.run import check_outputs, gather

if TYPE_CHECKING:
    from ess.engines.tables.sorting import Order
    from ess.pipeline.intake import Intake
    from ess.schema.batch import Batch

OPTIONS = OptionTable(
    "aq_ord",
    "Sorts records by one or more columns; equal records keep their order. What does not fit into memory "
    "(ESS_SORT_MEMORY) is sorted through temporary files.",
    (
        shared_options.VERB,
        shared_options.STAT,
        shared_options.TEST,
        shared_options.FILES,
        shared_options.COLUMNS,
        Option(
            "-sort",
            "The columns to sort by, the first one first. Numbers sort as numbers, strings byte by byte. Attributes "
            "are dec (the ascending result reversed), ncas (ignore the case of ASCII letters) and mrg (only "
            "merge the input files, each of which is sorted in this way already; any size in little memory).",
            ("ColName",),
            more="ColName",
            attributes=True,
            group="Sort",
        ),
        Option(
            "-blk",
            "Sort blocks of NumRec records into the files FilPrefix-1.bin, FilPrefix-2.bin and so on, in the format "
            "bin, then merge these. The files stay.",
            ("NumRec", "FilPrefix"),
            group="Sort",
        ),
        Option("-blk_only", "As -blk, without the merge and the output.", ("NumRec", "FilPrefix"), group="Sort"),
        shared_options.ROWS_TO,
        shared_options.SELECT,
        *old_spellings.COMMON,
        old_spellings.DESCENDING,
    ),
)

NAME = OPTIONS.tool
_OWN = frozenset({"-sort", "-blk", "-blk_only"})


@dataclass(frozen=True)
class _Blocks:
    """A ``-blk`` or ``-blk_only``."""

    rows: int
    prefix: str
    only: bool

    def open(self, number: int) -> IO[bytes]:
        """The file of a block, for writing and reading.

        Raises:
            OutputOpenError: If it cannot be opened.
        """
        path = Path(f"{self.prefix}-{number}.bin")
        try:
            return path.open("w+b")
        except OSError as error:
            raise OutputOpenError(
                f"cannot open it: {error.strerror}", where=str(path), hint="check the folder and the permissions"
            ) from None


def main(argv: list[str]) -> int:
    """Run ``aq_ord`` with these arguments; the exit code.

    Raises:
        EssError: If it fails.
    """
    if asks_for_help(argv):
        sys.stdout.write(help_text(OPTIONS, argv[1:]))
        return 0
    uses = parse_command_line(OPTIONS, argv)
    sorting = single_use(uses, "-sort")
    if sorting is None:
        raise OptionError("there is nothing to sort by", where=NAME, hint="e.g. -sort ColName")
    plan = plan_chain([use for use in uses if use.name not in _OWN], open_import=None)
    words = _words(sorting)
    keys = _keys(sorting, plan.program.inputs)
    blocks = _blocks(uses)
    if blocks is not None and "mrg" in words:
        raise OptionError("mrg sorts no blocks", where=sorting.where, hint="leave out mrg, or the -blk")
    if blocks is not None and blocks.only and any(use.name in ("-o", "-c") for use in uses):
        raise OptionError("-blk_only has no output", where=NAME, hint="use -blk")
    memory = sort_memory()
    check_outputs(plan)

    def work(intake: Intake) -> None:
        from ess.engines.tables.sorting import Order, sort_blocks

        order = Order(keys, descending="dec" in words, ignore_case="ncas" in words)
        if blocks is not None and blocks.only:
            files = sort_blocks(
                intake.batches(), order, columns=plan.program.inputs, rows=blocks.rows, open_block=blocks.open
            )
            for file in files:
                file.close()
            return
        _print(plan, _sorted(intake, order, plan.program.inputs, blocks, memory, merging="mrg" in words))

    return gather(NAME, argv, uses, plan.input, work)


def command() -> NoReturn:
    """The command ``aq_ord``."""
    run_tool(NAME, main)


def _words(use: Use) -> frozenset[str]:
    words = frozenset(word.lower() for word in use.attributes)
    for word in words - {"dec", "ncas", "mrg"}:
        raise OptionError(
            f"unknown attribute '{word}'", where=use.where, hint=choice_hint(word, ("dec", "mrg", "ncas"))
        )
    return words


def _keys(sorting: Use, inputs: Sequence[Slot]) -> tuple[Slot, ...]:
    slots = {slot.key: slot for slot in inputs}
    for name in sorting.arguments:
        if name.lower() not in slots:
            known = " ".join(slot.name for slot in slots.values())
            raise OptionError(f"unknown column '{name}'", where=sorting.where, hint=f"known: {known}")
    return tuple(slots[name.lower()] for name in sorting.arguments)


def _blocks(uses: Sequence[Use]) -> _Blocks | None:
    found = [use for use in uses if use.name in ("-blk", "-blk_only")]
    if not found:
        return None
    if len(found) > 1:
        raise OptionError("blocks are asked for twice", where=found[1].where)
    count, prefix = found[0].arguments
    if not (count.isascii() and count.isdigit() and int(count) > 0):
        raise OptionError(f"'{count}' is not a number of records", where=found[0].where, hint="e.g. 1000000")
    return _Blocks(int(count), prefix, found[0].name == "-blk_only")


def _sorted(
    intake: Intake, order: Order, columns: Sequence[Slot], blocks: _Blocks | None, memory: int, *, merging: bool
) -> Iterator[Batch]:
    from ess.engines.tables.sorting import in_order, merge_runs, merge_sorted, sort_all, sort_blocks

    if merging:
        # In a descending sort, equal records of the last file come first, as if all had been sorted together.
        names = reversed(intake.files) if order.descending else intake.files
        return merge_sorted([in_order(intake.file_batches(name), order, where=name) for name in names], order)
    if blocks is not None:
        files = sort_blocks(intake.batches(), order, columns=columns, rows=blocks.rows, open_block=blocks.open)
        return merge_runs(files, order)
    return sort_all(intake.batches(), order, memory=memory)


def _print(plan: Plan, batches: Iterator[Batch]) -> None:
    """Hand the rows to every output of the plan."""
    from ess.pipeline.outputs import Outputs

    outputs = Outputs(plan.outputs, plan.row_slot, None)
    written = 0
    try:
        for batch in batches:
            rows = batch if plan.row_slot is None else batch.with_row_index(plan.row_slot.key, offset=written)
            outputs.write({output.sink: rows for output in plan.outputs})
            written += batch.height
    except BaseException:
        outputs.abandon()
        raise
    outputs.close()
