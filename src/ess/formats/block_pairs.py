"""Two blocks of a file at a time: one is parsed in a thread beside this one, as parsing holds no lock most of the time.

A block nearly always ends with a record. So the next one is cut as if it did; where a quoted field goes on behind the
end, the next block is put together and parsed anew, and no more pairs are made of this file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from ess.formats.blocks import RawBlock
from ess.formats.parse_exact import Block

Parse = Callable[[RawBlock, int], Block]

#: Fewer bytes take less time than a thread.
MANY_BYTES = 1 << 20


def parsed(
    raws: Iterator[tuple[RawBlock, int]], parse: Parse, *, in_pairs: bool, many: int | None = None
) -> Iterator[Block]:
    """The blocks of a file, parsed, in their order.

    Args:
        raws: Each with the place where parsing begins. The next one is asked for when ``consumed`` of this one is set.
        parse: What parses one; the result depends on nothing else.
        in_pairs: Whether two may be worked on at a time. The second one is waited for before the first one is given, so
            the file must be one that is there as a whole.
        many: A block of fewer bytes is parsed here; None for ``MANY_BYTES``.
    """
    many = MANY_BYTES if many is None else many
    beside: _Beside | None = None
    is_first = True
    try:
        for raw, start in raws:
            # The first one goes on at once, and small files have no thread.
            if in_pairs and not is_first and beside is None and not raw.final and raw.end - start >= many:
                beside = _Beside(parse, raw, start)
                raw.consumed = raw.end
                continue
            is_first = False
            block = parse(raw, start)
            if beside is not None:
                before, other = beside, beside.result()
                beside = None
                yield other
                if other.consumed != before.raw.end:
                    in_pairs = False
                    missed = before.raw.data[other.consumed : before.raw.end]
                    raw.data, raw.end = missed + raw.data, raw.end + len(missed)
                    block = parse(raw, 0)
            raw.consumed = block.consumed
            yield block
    except Exception:
        if beside is not None:  # what is whole comes before what is broken
            other, beside = beside.result(), None
            yield other
        raise
    finally:
        if beside is not None:
            beside.join()
    if beside is not None:  # the file ends where this block does
        last = beside.result()
        yield last
        if last.consumed != beside.raw.end:
            rest = beside.raw.data[last.consumed :]
            yield parse(RawBlock(rest, len(rest), final=True), 0)


class _Beside:
    """A block that is parsed in a thread of its own."""

    def __init__(self, parse: Parse, raw: RawBlock, start: int) -> None:
        self.raw = raw
        self._parse, self._start = parse, start
        self._block: Block | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="parse beside", daemon=True)
        self._thread.start()

    def result(self) -> Block:
        """The block, when it is parsed; raises what that has raised."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        assert self._block is not None
        return self._block

    def join(self) -> None:
        """Wait for the thread."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._block = self._parse(self.raw, self._start)
        except BaseException as error:  # whatever it is, it belongs to the thread that asks for the block
            self._failure = error
