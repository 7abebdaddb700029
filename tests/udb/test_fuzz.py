"""Spec files and wire input that nobody in his senses would write: refused in one line, and the server goes on."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import flight

from ess.errors import EssError, OptionError, UdbRequestError
from ess.udb.client import stage_stream
from ess.udb.client.pool import Pool
from ess.udb.command.query import export_batch
from ess.udb.server import catalog as catalog_module
from ess.udb.spec.spec import Server
from ess.udb.spec.spec_file import format_spec, parse_spec
from ess.udb.wire.protocol import PROTOCOL
from tests.udb.faults import operation, put

# Spec files -----------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *(
            "@Server:",
            "@Port:",
            "@Port:10010",
            "@PKey:",
            "@Table:t",
            "@Table:",
            "@Vector:v",
            "@Var:",
            "@var:",
            "@TABLE:u",
        ),
        *(
            "@Volatile:",
            "@Nothing:",
            "127.0.0.1",
            "127.0.0.1:10011*3",
            "[::1]:10012",
            "a.b.com|10.0.0.2:10013",
            "a:b:c",
        ),
        *("s,pkey:user", "i,pkey:number", "ip,pkey:from", "f,pkey:real", "s:user", "i,tkey:time", "f,+add:price"),
        *("l,+bor:flags", "s,+first,+nozero:w", "is,+min:m", "ls,+max,+nozero:x", "s,+key:item", "s,+add:bad", "q:bad"),
        *(
            "#",
            "# a comment",
            "s:9bad",
            "s:" + "n" * 31,
            "s:" + "n" * 32,
            "x" * 2047,
            "\t",
            "99999999999",
            "*7",
            "|",
            ":",
        ),
    ]
)
TEXTS = st.one_of(
    st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", "\r\n", "\n\n"])), max_size=14).map(
        lambda words: "".join(word + space for word, space in words)
    ),
    st.text(max_size=60),
)


@settings(max_examples=300)
@given(TEXTS)
def test_any_text_is_a_spec_that_can_be_written_again_or_an_error_with_its_place(text: str) -> None:
    try:
        spec = parse_spec(text, source="wood.spec")
    except OptionError as error:
        place = error.where
    else:
        assert parse_spec(format_spec(spec), source="again") == spec
        return
    assert re.match(r"wood\.spec( line [1-9][0-9]*)?( |$)", place), place


def test_the_whole_format(access: Any) -> None:
    spec = parse_spec(
        """
        # a comment
        @server:
          127.0.0.1\t# behind a blank
          [::1]:10012*5
          a.b.com
        @SERVER: 99.1.2.3|10.0.0.2:10013
        @Port: 10020
        @Table:Log   i:time S,PKEY:user   ip,pkey:from f:price
        @Vector:Sums ip:last  s,pkey:User f,+add,+nozero:total ip,pkey:FROM
        @Var: l,+add:count
        """,
        source="wood.spec",
    )
    assert [(s.address, s.alternate, s.weight, s.node) for s in spec.servers] == [
        ("127.0.0.1:10020", "", 1, 0),
        ("[::1]:10012", "", 5, 0),
        ("a.b.com:10020", "", 1, 0),
        ("99.1.2.3:10013", "10.0.0.2", 1, 1),
    ]
    assert [column.key for column in spec.definition.key] == ["user", "from"]
    log, sums, var = spec.definition.tables
    assert ([c.name for c in log.columns], [c.name for c in log.values]) == (
        ["time", "user", "from", "price"],
        ["time", "price"],
    )
    assert sums.columns[2].skip_zero
    assert var.columns[0].merge.value == "+add"
    with pytest.raises(OptionError, match=r"wood.spec line 2: .*longer than 2046 bytes"):
        parse_spec("@Server: 127.0.0.1\n" + " " * 2047, source="wood.spec")
    with pytest.raises(OptionError, match="wood.spec line 3: 's,\\+add:b': .*needs a numeric column"):
        parse_spec("@Server: 127.0.0.1\n@Table:t s,pkey:a\ns,+add:b", source="wood.spec")


# The wire -------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
FIELDS = ("database", "definition", "table", "session", "attempt", "identity", "decider", "birth", "volatile", "rules")
REQUESTS = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(FIELDS), st.one_of(JSON, st.sampled_from(["db", "log", "../x", ""])), max_size=10
    ).map(lambda fields: json.dumps({"protocol": PROTOCOL, **fields}).encode()),
)
ACTIONS = (
    "hello",
    "create",
    "probe",
    "counts",
    "clear",
    "remove",
    "order",
    "count",
    "shuffle",
    "alter",
    "drop",
    "settle",
    "verdict",
    "x",
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*ACTIONS, "nothing", "get", "exchange"]), REQUESTS)
def test_any_request_is_answered_or_refused_in_one_line(
    four_servers: Any, access: Any, action: str, body: bytes
) -> None:
    said = ""
    with Pool([Server("127.0.0.1", four_servers[0].port)], access) as pool:
        connection = pool.connections[0]
        try:
            with connection._translated():
                if action == "get":
                    connection._client.do_get(flight.Ticket(body), connection._options()).schema  # noqa: B018
                elif action == "exchange":
                    descriptor = flight.FlightDescriptor.for_command(body)
                    writer, reader = connection._client.do_exchange(descriptor, connection._options())
                    writer.begin(pa.schema([]))
                    writer.done_writing()
                    reader.read_chunk()
                else:
                    list(connection._client.do_action(flight.Action(action, body), connection._options()))
        except EssError as error:
            said = str(error)
        except StopIteration:
            pass
        assert connection.hello()["protocol"] == PROTOCOL
    assert "\n" not in said
    assert "Traceback" not in said


def test_garbage_to_the_port_changes_nothing(start_server: Any, write_spec: Callable[..., Any]) -> None:
    server = start_server()
    write_spec(server)
    put("log", [(b"a", 1, 2, 0.5, b"")])
    held = []
    for data in (
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 40,
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n",
    ):
        held.append(socket.create_connection(("127.0.0.1", server.port), 5))
        held[-1].sendall(data)
    assert export_batch("db:log")[0].height == 1  # also while they hang on
    for connection in held:
        connection.close()
    assert export_batch("db:log")[0].height == 1


def test_a_client_that_is_silent_is_dropped_and_blocks_nobody(
    start_server: Any, write_spec: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(stage_stream, "ALIVE_SECONDS", 60.0)  # it holds its connection, and says nothing
    servers = [start_server(), start_server()]
    write_spec(*servers)
    put("log", [(b"a", 1, 2, 0.5, b"")])
    with pytest.raises(UdbRequestError, match="took too long|not open any more|not prepared"):  # noqa: SIM117
        with Pool([Server("127.0.0.1", server.port) for server in servers]) as pool:
            pool.reach("db")
            with pool.session("db", changing=True):
                time.sleep(0.3)
                for server in servers:
                    server.catalog.drop_silent()
                put("log", [(b"b", 1, 2, 0.5, b"")])  # the gate is free again
    assert export_batch("db:log")[0].height == 2


def test_an_export_sees_whole_imports_while_they_go_on(start_server: Any, write_spec: Callable[..., Any]) -> None:
    write_spec(start_server(), start_server())
    put("log", [(b"u%d" % n, 0, 0, 0.0, b"") for n in range(20)])
    ended = threading.Event()

    def importing() -> None:
        while not ended.is_set():
            put("log", [(b"u%d" % n, 0, 0, 0.0, b"") for n in range(20)])

    threads = [threading.Thread(target=importing) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        heights = [export_batch("db:log")[0].height for _ in range(8)]
        from ess.udb.command.perform import perform

        changed = perform(operation("-scn", "db:log", filt="n == 0"))
        assert changed % 20 == 0
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert all(height % 20 == 0 for height in heights), heights
    assert heights == sorted(heights)
