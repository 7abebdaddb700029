"""Reading ahead and printing behind keep the order, and pass on ends and failures."""

from __future__ import annotations

import io
import shlex
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from ess.errors import EssError
from ess.formats import block_pairs, reader
from ess.formats.attributes import OutputAttributes
from ess.formats.reader import InputBatch
from ess.language.tree import Slot
from ess.pipeline import outputs, run
from ess.pipeline.beside import Behind, read_ahead
from ess.pipeline.outputs import Outputs
from ess.pipeline.selection import Selected
from ess.pipeline.sinks import RowOutput
from ess.schema.batch import make_batch
from ess.schema.types import ColumnType
from ess.tools import aq_pp


def numbers(count: int, *, then: BaseException | None = None, closed: list[str] | None = None) -> Generator[int]:
    try:
        yield from range(count)
        if then is not None:
            raise then
    finally:
        if closed is not None:
            closed.append(threading.current_thread().name)


@pytest.mark.parametrize("large", [0, 3, 99])
def test_items_come_in_order(large: int) -> None:
    assert list(read_ahead(numbers(20), lambda number: number == large)) == list(range(20))


@pytest.mark.parametrize("large", [0, 99])
def test_a_failure_comes_after_the_items_before_it(large: int) -> None:
    seen: list[int] = []
    with pytest.raises(KeyError, match="gone"):
        seen.extend(read_ahead(numbers(7, then=KeyError("gone")), lambda number: number == large))
    seen = []
    with pytest.raises(KeyError):
        for number in read_ahead(numbers(7, then=KeyError("gone")), lambda number: number == large):
            seen.append(number)
    assert seen == list(range(7))


def test_who_stops_early_ends_the_reading() -> None:
    closed: list[str] = []
    ahead = read_ahead(numbers(10**9, closed=closed), lambda _: True)
    assert [next(ahead), next(ahead)] == [0, 1]
    reader = next(thread for thread in threading.enumerate() if thread.name == "read ahead")
    del ahead
    reader.join(30)
    assert not reader.is_alive()
    assert closed == ["read ahead"]


@pytest.mark.parametrize("large", [0, 3, 99])
def test_work_is_done_in_order(large: int) -> None:
    done: list[int] = []
    behind = Behind(done.append, lambda number: number == large)
    for number in range(20):
        behind.give(number)
    behind.finish()
    assert done == list(range(20))


def test_failed_work_fails_who_gives() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 2:
            raise BrokenPipeError
        done.append(number)

    behind = Behind(work, lambda _: True)
    with pytest.raises(BrokenPipeError):
        for number in range(10**9):
            behind.give(number)
    behind.finish()  # it has been told already
    assert done == [0, 1]
    last = Behind(work, lambda _: True)
    last.give(2)
    with pytest.raises(BrokenPipeError):
        last.finish()


def test_dropped_work_is_not_waited_for() -> None:
    begun, blocked, done = threading.Event(), threading.Event(), list[int]()

    def work(number: int) -> None:
        begun.set()
        blocked.wait()
        done.append(number)

    behind = Behind(work, lambda _: True)
    behind.give(1)
    behind.give(2)
    begun.wait()
    assert not behind.drop()
    blocked.set()
    next(thread for thread in threading.enumerate() if thread.name == "work behind").join(30)
    assert done == [1]
    assert behind.drop()


def _with_blocks_of(read: Callable[..., Iterator[InputBatch]], size: int) -> Callable[..., Iterator[InputBatch]]:
    def in_blocks(stream: object, file: str, layout: object, _size: int, *, in_pairs: bool) -> Iterator[InputBatch]:
        return read(stream, file, layout, size, in_pairs=in_pairs)

    return in_blocks


@pytest.mark.parametrize("engine", ["row", "columnar"])
@pytest.mark.parametrize("attributes", ["+1,eok,qui", "+1,eok=2,qui", "+1"])
@pytest.mark.parametrize("rules", ["", "-filt 'n != 4'", "-if -filt 'n == 7' -quit -endif", "-top 5"])
def test_a_run_in_threads_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, attributes: str, rules: str
) -> None:
    (tmp_path / "in.csv").write_bytes(
        b"t\n" + b"".join(b"%d,x%d\n" % (n, n % 3) for n in range(9)) + b"TBD,a\n10\n11,b\n"
    )
    found: list[tuple[str, bytes]] = []
    monkeypatch.setenv("ESS_ENGINE", engine)
    read_stream = reader._read_stream
    for large, size in [(10**9, 1 << 20), (1, 1 << 20), (1, 1), (1, 9)]:
        monkeypatch.setattr(run, "_LARGE", large)
        monkeypatch.setattr(outputs, "_LARGE", large)
        monkeypatch.setattr(block_pairs, "MANY_BYTES", large)
        monkeypatch.setattr(reader, "_read_stream", _with_blocks_of(read_stream, size))
        out = tmp_path / "out.csv"
        words = [f"-f,{attributes}", str(tmp_path / "in.csv"), str(tmp_path / "in.csv"), "-d", "i:n", "s:t"]
        try:
            how = str(aq_pp.main([*words, *shlex.split(rules), "-o", str(out)]))
        except EssError as error:
            how = str(error)
        found.append((how, out.read_bytes()))
    assert found[1:] == found[:1] * 3


def test_a_write_that_fails_in_its_thread_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _data: object) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(outputs, "_LARGE", 1)
    slot = Slot("a", "a", ColumnType.S)
    output = RowOutput(0, "-", OutputAttributes(), (Selected(slot, "a"),), (slot,))
    opened = Outputs([output], None, Gone())  # type: ignore[arg-type]
    batch = make_batch([("a", ColumnType.S, [b"x"])], 1)
    with pytest.raises(BrokenPipeError):
        for _ in range(1000):
            opened.write({0: batch})
    opened.abandon()
