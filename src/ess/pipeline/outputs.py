"""The outputs of a run: opened before the first record, fed after each batch, closed at the end.

Outputs with a target of their own get whole batches. Outputs that share a target (two ``-o -``,
say) take turns row by row, in the order of the chain. An output with a target variable changes
files as the variable changes.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO, Protocol

from ess.formats.attributes import OutputAttributes
from ess.formats.output.columns import OutputColumn
from ess.formats.output.render import Renderer
from ess.formats.output.writer import Writer, open_output
from ess.language.tree import Slot
from ess.pipeline.beside import Behind
from ess.pipeline.plan import target_identity
from ess.pipeline.selection import Selected
from ess.pipeline.sinks import RowOutput, VariablesOutput
from ess.schema.batch import Batch, make_batch

#: A batch of fewer rows is not worth a thread.
_LARGE = 1000


class Outputs:
    """All outputs of one run.

    Args:
        outputs: The outputs of rows.
        row_slot: The slot that orders the rows of outputs that share a target (see ``Plan``).
        stdout: What ``-`` means; None for the process's standard output.

    Raises:
        OutputOpenError: If a target cannot be opened.
    """

    def __init__(self, outputs: Sequence[RowOutput], row_slot: Slot | None, stdout: BinaryIO | None) -> None:
        self._stdout = stdout
        self._feeds: list[_Feed] = []
        self._written: set[str] = set()
        groups: dict[str, list[RowOutput]] = {}
        for output in outputs:
            name = f"variable {output.sink}" if output.target_variable is not None else target_identity(output.target)
            groups.setdefault(name, []).append(output)
        try:
            for identity, group in groups.items():
                self._feeds.append(_feed(group, row_slot, stdout))
                self._written.add(identity)
        except BaseException:
            self.abandon()
            raise

    def write(self, written: Mapping[int, Batch]) -> None:
        """Print what a batch sent to each sink.

        Raises:
            OutputWriteError: If that fails.
        """
        for feed in self._feeds:
            feed.write(written)

    def close(self) -> None:
        """Hand everything to the system and close the files.

        Raises:
            OutputWriteError: If that fails.
        """
        for feed in self._feeds:
            feed.close(complete=True)

    def abandon(self, *, at_once: bool = False) -> None:
        """Close what is open after another failure; a failure to close is no news then.

        Printed rows stay; a format that has an end mark does not get it. ``at_once`` is for an
        interruption: rows that wait for a slow reader are dropped.
        """
        for feed in self._feeds:
            with contextlib.suppress(Exception):
                if at_once and not feed.drop():
                    continue  # its thread is still writing
                feed.close(complete=False)

    def write_variables(self, output: VariablesOutput, values: Mapping[Slot, bytes | int | float]) -> None:
        """Print the record of an ``-ovar``, once the outputs of rows are closed.

        Raises:
            OutputOpenError: If its target cannot be opened.
            OutputWriteError: If it cannot be written.
        """
        by_key = {slot.key: value for slot, value in values.items()}
        batch = make_batch([(slot.key, slot.type, [by_key[slot.key]]) for slot in output.slots], 1)
        target = output.target
        if output.target_variable is not None:
            name = by_key[output.target_variable.key]
            assert isinstance(name, bytes)
            target = name.decode("utf-8", "surrogateescape")
        identity = target_identity(target)
        attributes = replace(output.attributes, append=output.attributes.append or identity in self._written)
        self._written.add(identity)
        with open_output(target, attributes, columns_of(output.columns), stdout=self._stdout, where="-ovar") as writer:
            writer.write(batch)


class _Feed(Protocol):
    """Prints the batches of one or more sinks."""

    def write(self, written: Mapping[int, Batch]) -> None:
        """Print what a batch sent to its sinks."""

    def close(self, *, complete: bool) -> None:
        """Finish its target; ``complete`` is False after a failure."""

    def drop(self) -> bool:
        """Forget rows that wait to be printed; False if some are still being printed."""


def _feed(group: Sequence[RowOutput], row_slot: Slot | None, stdout: BinaryIO | None) -> _Feed:
    if group[0].target_variable is not None:
        return _MovingFeed(group[0], group[0].target_variable, stdout)
    if len(group) > 1 and row_slot is not None:
        return _InterleavedFeed(group, row_slot, stdout)
    return _WholeFeed(group[0], stdout)


class _WholeFeed:
    """One sink, one target."""

    def __init__(self, output: RowOutput, stdout: BinaryIO | None) -> None:
        self._sink = output.sink
        self._writer = _open(output.target, output.attributes, output.columns, stdout)
        at_once = output.attributes.nodelay
        self._printing = Behind(self._writer.write, lambda batch: batch.height >= _LARGE and not at_once)

    def write(self, written: Mapping[int, Batch]) -> None:
        batch = written.get(self._sink)
        if batch is not None and batch.height:
            self._printing.give(batch)

    def close(self, *, complete: bool) -> None:
        try:
            self._printing.finish()
        except BaseException:
            self._writer.close(complete=False)
            raise
        self._writer.close(complete=complete)

    def drop(self) -> bool:
        return self._printing.drop()


class _InterleavedFeed:
    """Several sinks, one target. Each batch ends with the slot that numbers the rows.

    The target belongs to the writer of the first; the labels of all come before the rows.
    """

    def __init__(self, outputs: Sequence[RowOutput], row_slot: Slot, stdout: BinaryIO | None) -> None:
        self._row_key = row_slot.key
        self._renderers = {o.sink: Renderer(o.attributes, columns_of(o.columns), where="-o") for o in outputs}
        first = outputs[0]
        self._writer = _open(first.target, first.attributes, first.columns, stdout)
        for renderer in list(self._renderers.values())[1:]:
            self._writer.write_bytes(renderer.title())

    def write(self, written: Mapping[int, Batch]) -> None:
        streams = []
        for sink, renderer in self._renderers.items():
            batch = written.get(sink)
            if batch is not None and batch.height:
                numbers = batch.get_column(self._row_key).to_list()
                streams.append(zip(numbers, [sink] * len(numbers), renderer.records(batch), strict=True))
        if streams:
            self._writer.write_bytes(b"".join(record for _row, _sink, record in heapq.merge(*streams)))

    def close(self, *, complete: bool) -> None:
        self._writer.close(complete=complete)

    def drop(self) -> bool:
        return True


class _MovingFeed:
    """A sink whose target is the value of a variable. A file that this run has written before is continued."""

    def __init__(self, output: RowOutput, variable: Slot, stdout: BinaryIO | None) -> None:
        self._output = output
        self._variable = variable
        self._stdout = stdout
        self._begun: set[str] = set()
        self._name = output.target
        self._writer = self._open(output.target)

    def write(self, written: Mapping[int, Batch]) -> None:
        batch = written.get(self._output.sink)
        if batch is None or not batch.height:
            return
        names = batch.get_column(self._variable.key)
        changes = [0, *((names.slice(1) != names.slice(0, batch.height - 1)).arg_true() + 1).to_list()]
        for start, end in zip(changes, [*changes[1:], batch.height], strict=True):
            name = names[start].decode("utf-8", "surrogateescape")
            if name != self._name:
                self._writer.close()
                self._writer = self._open(name)
                self._name = name
            self._writer.write(batch.slice(start, end - start))

    def close(self, *, complete: bool) -> None:
        self._writer.close(complete=complete)

    def drop(self) -> bool:
        return True

    def _open(self, name: str) -> Writer:
        attributes = self._output.attributes
        if target_identity(name) in self._begun:
            attributes = replace(attributes, append=True, title=False)
        self._begun.add(target_identity(name))
        return _open(name, attributes, self._output.columns, self._stdout)


def _open(target: str, attributes: OutputAttributes, columns: Sequence[Selected], stdout: BinaryIO | None) -> Writer:
    return open_output(target, attributes, columns_of(columns), stdout=stdout)


def columns_of(selected: Sequence[Selected]) -> list[OutputColumn]:
    """A selection as the writers want it."""
    return [OutputColumn(c.slot.key, c.label, c.slot.type, c.print_format, c.length) for c in selected]
