"""Named pipes and sockets as inputs and outputs."""

from __future__ import annotations

import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ess.errors import InputOpenError, OutputOpenError
from ess.formats.attributes import parse_input_attributes, parse_output_attributes
from ess.formats.endpoints import open_source, open_target
from ess.formats.output.columns import OutputColumn
from ess.formats.output.writer import open_output
from ess.formats.reader import read_input
from ess.schema.batch import make_batch
from ess.schema.columns import parse_column
from ess.schema.types import ColumnType
from tests.waiting import until

BATCH = make_batch([("a", ColumnType.S, [b"x", b"y"])], 2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def write_to(place: str) -> None:
    attributes = parse_output_attributes(["notitle"], where="-o")
    opened: list[Any] = []

    def listens() -> bool:
        with suppress(OutputOpenError):  # the listener is not there yet
            opened.append(open_output(place, attributes, [OutputColumn("a", "a", ColumnType.S)]))
        return bool(opened)

    until(listens)
    with opened[0] as writer:
        writer.write(BATCH)


def read_from(place: str) -> list[tuple[object, ...]]:
    batches = read_input([place], parse_input_attributes([], where="-f"), [parse_column("s:a", where="-d")])
    return [row for batch in batches for row in batch.frame.rows()]


def passed(writing_to: str, reading_from: str) -> list[tuple[object, ...]]:
    writer = threading.Thread(target=write_to, args=(writing_to,))
    writer.start()
    try:
        return read_from(reading_from)
    finally:
        writer.join(10)


def test_named_pipe_is_made_and_used(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    assert passed(f"fifo@{pipe}", f"fifo@{pipe}") == [(b"x",), (b"y",)]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert passed(str(pipe), f"fifo@{pipe}") == [(b"x",), (b"y",)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_listens_and_the_other_connects(host: str) -> None:
    port = free_port()
    assert passed(f"connect@{host}:{port}", f"listen@127.0.0.1:{port}") == [(b"x",), (b"y",)]


@pytest.mark.parametrize(
    "place", ["connect@5000", "connect@host", "listen@0", "listen@99999", "connect@h:1:2", "listen@"]
)
def test_wrong_addresses(place: str) -> None:
    with pytest.raises(InputOpenError, match="not an address"):
        open_source(place)


def test_places_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputOpenError, match="no named pipe"):
        open_source(f"fifo@{tmp_path}/file")
    with pytest.raises(OutputOpenError, match="cannot open it"):
        open_target(f"connect@127.0.0.1:{free_port()}", append=False)
    with pytest.raises(InputOpenError, match="cannot open it"):
        open_source("a\0b")
    with pytest.raises(InputOpenError, match="fifo@: the name of a file is blank"):
        open_source("fifo@")
