"""The targets of a chain's rows: descriptions of outputs, and the promise of an import.

A sink has a number, its place in the chain; ``Write`` rules name it by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ess.language.tree import Slot

if TYPE_CHECKING:
    from ess.formats.attributes import OutputAttributes
    from ess.pipeline.selection import Selected
    from ess.schema.batch import Batch

#: The target that means the standard output.
STDOUT = "-"


@dataclass(frozen=True)
class RowOutput:
    """An ``-o`` or ``-c`` in the chain.

    Args:
        sink: Its number in the chain.
        target: The file, or ``-``; with ``target_variable``, the file at the start.
        attributes: What ``-o,...`` says.
        columns: What to print, in order; a key may come twice.
        slots: The slots that the chain hands over: those of ``columns`` and ``target_variable``, once each.
        target_variable: With ``-o,fvar``, the variable that names the file, for every row anew.
    """

    sink: int
    target: str
    attributes: OutputAttributes
    columns: tuple[Selected, ...]
    slots: tuple[Slot, ...]
    target_variable: Slot | None = None


@dataclass(frozen=True)
class VariablesOutput:
    """An ``-ovar``: one record with the variables' values at the end of the run.

    With ``target_variable``, its last value is the file; ``target`` is its first value then.
    """

    target: str
    attributes: OutputAttributes
    columns: tuple[Selected, ...]
    slots: tuple[Slot, ...]
    target_variable: Slot | None = None


@dataclass(frozen=True)
class ImportRequest:
    """The words of ``-imp`` and the options behind it; only the module that provides imports understands them.

    Args:
        target: ``DbName[:TabName]``.
        available: What the chain can deliver, by every name it has there (an alias gives a slot of
            that name with the key of the column it stands for).
        attributes: The words after ``-imp,``.
        servers: The addresses of ``-server``.
        local: Whether ``-local`` stands behind it.
        where: The option as written, for errors.
        ordinal: 0 for the first ``-imp`` of the command line.
    """

    target: str
    available: tuple[Slot, ...]
    attributes: tuple[str, ...]
    servers: tuple[str, ...]
    local: bool
    where: str
    ordinal: int


class ImportSink(Protocol):
    """An import into a database. Nothing is visible there before ``commit``."""

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots it takes, in order; the batches that ``write`` gets have these columns."""
        ...

    def connect(self) -> None:
        """Reach the servers; called once before anything is read."""
        ...

    def write(self, batch: Batch) -> None:
        """Stage the rows of a batch."""
        ...

    def commit(self) -> int:
        """Make the rows visible; how many they are."""
        ...

    @property
    def counted(self) -> bool:
        """True if ``commit`` has added them; False if the same import has counted before."""
        ...

    def abort(self) -> None:
        """Drop what was staged. Never raises."""
        ...


class ImportOpener(Protocol):
    """Opens an import for the pipeline, which knows nothing of the database."""

    def __call__(self, request: ImportRequest) -> ImportSink:
        """Find the target and which slots it takes, without connecting."""
        ...
