"""Attacks by a client with the token on a server, and on others: each was found by ``test_fuzz_wire``."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

from ess.errors import EssError, UdbRequestError
from ess.language.plain import PlainList
from ess.udb.client.pool import Pool
from ess.udb.command.query import export_batch
from ess.udb.server.memory import MemoryLimit
from ess.udb.server.validation import frame_of
from ess.udb.spec.spec import Server
from ess.udb.spec.spec_file import parse_definition
from ess.udb.wire.connection import translate
from ess.udb.wire.protocol import (
    DatabaseRequest,
    OrderRequest,
    ScanRequest,
    SessionRequest,
    ShuffleRequest,
    StageRequest,
    encode,
)
from tests.udb.faults import put
from tests.udb.fuzz_input import good_rows

DEFINITION = """
@Table:log      s,pkey:user i,tkey:time is:n f:price ip:from
"""
LOG = parse_definition(DEFINITION, source="test").tables[0].columns
STAGE = StageRequest("db", "", "log", "job:1", "0123", "", "", 1, only_known=False, only_new=False, birth="")


@pytest.fixture
def pool(start_server: Any, write_spec: Callable[..., list[Server]], access: Any) -> Any:
    """A server that has a row."""
    servers = write_spec(start_server(), definition=DEFINITION)
    put("log", [(b"a", 1, 2, 0.5, b"")])
    with Pool(servers, access) as found:
        yield found
        assert export_batch("db:log")[0].height == 1


def refused(pool: Pool, work: Callable[[flight.FlightClient, flight.FlightCallOptions], Any]) -> str:
    connection = pool.connections[0]
    with pytest.raises((flight.FlightError, pa.ArrowException, OSError)) as caught:
        work(connection._client, connection._options())
    assert "Traceback" not in str(caught.value)
    if type(caught.value) is OSError:
        return str(caught.value)  # the library's own, of a method that no client of ours calls
    said = str(translate(caught.value, connection.server))
    assert said.isprintable()
    assert "the server failed" not in said
    return said


@pytest.mark.parametrize("name", ["list_actions", "list_flights", "get_flight_info", "get_schema", "do_put"])
def test_a_method_that_there_is_not_is_refused_without_a_traceback(pool: Pool, name: str) -> None:
    descriptor = flight.FlightDescriptor.for_command(b"{}")

    def put_rows(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
        writer, reader = client.do_put(descriptor, pa.schema([]), options)
        writer.done_writing()
        reader.read()
        writer.close()

    calls: dict[str, Callable[[Any, Any], Any]] = {
        "list_actions": lambda client, options: list(client.list_actions(options)),
        "list_flights": lambda client, options: list(client.list_flights(b"", options)),
        "get_flight_info": lambda client, options: client.get_flight_info(descriptor, options),
        "get_schema": lambda client, options: client.get_schema(descriptor, options),
        "do_put": put_rows,
    }
    assert "does not know this request" in refused(pool, calls[name])


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("order", OrderRequest("db", "", "\ud800", (), descending=False, ignore_case=False)),
        ("shuffle", ShuffleRequest("db", "", "log", 1 << 63)),
        ("counts", DatabaseRequest("db", "@Table:t\ud800")),
        ("count", ScanRequest("db", "", "log", segments=(1,))),
        ("count", ScanRequest("db", "", "log", segments=(1, 1, 0, 0))),
        ("count", ScanRequest("db", "", "log", variables=PlainList((("seen",),)))),
        ("count", ScanRequest("db", "", "log", rules=PlainList(((),)))),
    ],
)
def test_values_that_are_none_of_ours_are_refused(pool: Pool, action: str, request_: Any) -> None:
    message = flight.Action(action, encode(request_))
    assert "the request is malformed" in refused(pool, lambda client, options: list(client.do_action(message, options)))


def converse(descriptor: flight.FlightDescriptor, words: list[bytes]) -> Callable[[Any, Any], None]:
    def work(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
        writer, reader = client.do_exchange(descriptor, options)
        try:
            writer.begin(good_rows("log", 1).schema)
            for word in words:
                writer.write_metadata(pa.py_buffer(word))
            writer.done_writing()
            while True:
                reader.read_chunk()
        except StopIteration:
            pass
        finally:
            reader.cancel()

    return work


@pytest.mark.parametrize("rows", [b'"1"', b"null", b"1e999", b"[]", b"NaN"])
def test_a_number_of_rows_that_is_none_is_refused(pool: Pool, rows: bytes) -> None:
    descriptor = flight.FlightDescriptor.for_command(encode(STAGE))
    assert "number of rows" in refused(pool, converse(descriptor, [b'{"say":"prepare","rows":%s}' % rows]))


@pytest.mark.parametrize("decider", ["\0", "a b", "h:0", "h:" + "9" * 5000, "x" * 300, "h:1:2"])
def test_what_nobody_could_decide_is_not_begun(pool: Pool, decider: str) -> None:
    request: StageRequest | SessionRequest
    for request in (dataclasses.replace(STAGE, decider=decider), SessionRequest("db", "", "0123", decider, "")):
        descriptor = flight.FlightDescriptor.for_command(encode(request))
        assert "server that decides" in refused(pool, converse(descriptor, []))


def test_a_stream_without_a_request_is_refused(pool: Pool) -> None:
    assert "not a JSON object" in refused(pool, converse(flight.FlightDescriptor.for_path("a"), []))


@pytest.mark.parametrize("size", [3000, 100_000])
def test_an_error_arrives_however_long_it_is(pool: Pool, size: int) -> None:
    request = OrderRequest("db", "", "log", ("\u00e4" * size,), descending=False, ignore_case=False)
    with pytest.raises(EssError, match="table log has no column '\u00e4+") as caught:
        pool.connections[0].call("order", request)
    assert len(str(caught.value)) < 2500


def test_a_request_forges_no_line_of_the_log(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    action = flight.Action("x\n2026-01-01 INFO forged" + "x" * 5000, b"{}")
    with caplog.at_level(logging.INFO, logger="udbd"):
        refused(pool, lambda client, options: list(client.do_action(action, options)))
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert max(len(record.getMessage()) for record in caplog.records) < 2500


def test_strings_that_end_beyond_their_buffer_are_refused_before_anything_looks_at_them() -> None:
    good = good_rows("log", 2)
    ends = pa.array([0, 1 << 40, 2], pa.int64()).buffers()[1]
    user = pa.Array.from_buffers(pa.large_binary(), 2, [None, ends, pa.py_buffer(b"ab")])
    bad = pa.RecordBatch.from_arrays([user, *good.columns[1:]], names=[c.key for c in LOG])
    with pytest.raises(UdbRequestError, match="the rows are damaged"):
        frame_of(bad, LOG, MemoryLimit(), where="log")


def test_addresses_have_the_length_of_one() -> None:
    good = good_rows("log", 3)
    assert frame_of(good, LOG, MemoryLimit(), where="log").height == 3
    bad = good.set_column(4, "from", pa.array([b"", b"1234", b"12345"], pa.large_binary()))
    with pytest.raises(UdbRequestError, match="column 'from' is not an address"):
        frame_of(bad, LOG, MemoryLimit(), where="log")
