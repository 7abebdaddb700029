"""The promises of an engine to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ess.errors import EssError
from ess.language.tree import Slot
from ess.schema.batch import Batch


@dataclass(frozen=True)
class Rejection:
    """A record that a rule could not process.

    ``row`` is its 0-based row in the batch, ``where`` the option of the rule. ``failure``, if any, ends the run.
    """

    row: int
    reason: str
    where: str = ""
    failure: EssError | None = None


@dataclass(frozen=True)
class BatchResult:
    """The result of one batch.

    ``final`` holds the rows that reached the end of the chain (all inputs and created slots,
    not the variables). ``written`` maps a sink to the batch for it. ``kept`` counts the rows
    that reached the end or were written at least once; the others, apart from the rejected and
    the unprocessed, were filtered. ``processed`` is the batch's height unless a ``-quit`` came
    earlier; after ``stopped``, no further batch may be given.
    """

    final: Batch
    written: Mapping[int, Batch]
    kept: int
    processed: int
    rejections: tuple[Rejection, ...] = ()
    stopped: bool = False


class Runner(Protocol):
    """A compiled program. It keeps variables from batch to batch, so batches go to it in order."""

    def run(self, batch: Batch, first_row_number: int) -> BatchResult:
        """Run the chain over a batch; ``first_row_number`` is the 1-based ``$RowNum`` of its first row."""
        ...

    def variables(self) -> Mapping[Slot, bytes | int | float]:
        """The variables' values now."""
        ...


@dataclass(frozen=True)
class Unsupported(Exception):
    """Raised by the columnar compiler for what it leaves to the row engine; ``reason`` says why."""

    reason: str
    details: tuple[str, ...] = field(default=())
