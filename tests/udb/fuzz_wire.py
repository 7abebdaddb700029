"""Attacks on the servers of a pool: whatever is sent, they live, answer others, and keep what they have.

One database, ``db``, is never meant by what is sent and must stay as it is. Another one, ``att``, is; what it then has
must be the same after the servers were killed and started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from pyarrow import flight

from ess.errors import EssError
from ess.udb.admin.processes import log_file
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.spec import Server
from ess.udb.wire.access import read_access, udb_folder
from ess.udb.wire.connection import Connection, translate
from ess.udb.wire.protocol import CERTIFICATE_NAME, encode
from tests.udb import http2
from tests.udb.fault_processes import Servers
from tests.udb.faults import operation, put
from tests.udb.fuzz_input import Damage, bad_rows, good_rows
from tests.udb.http2 import Http2
from tests.waiting import eventually

DEFINITION = """
@Table:log      s,pkey:user i,tkey:time is:n f:price ip:from
@Table:days     s,pkey:user i,+key:day is,+add:n
@Vector:totals  s,pkey:user l,+add:count f,+add:price s:latest
@Var:           l,+add:seen s:word
"""

#: Imports and sessions of clients that say nothing are dropped after so long.
SILENT_SECONDS = 1.0

ACTIONS = (
    *("hello", "create", "probe", "settle", "counts", "clear", "remove", "order", "count", "shuffle", "alter", "drop"),
    "verdict",
)
_OTHER_ACTIONS = ("", "x", "HELLO", "hello\0", "../hello", "é", "x" * 100_000, "\n", "__init__")

#: No answer of a server may take longer.
_SECONDS = 30.0


@dataclass(frozen=True)
class Held:
    """The holdings of a server process."""

    threads: int
    files: int


@dataclass
class Campaign:
    """Attacks, one after the other.

    Args:
        servers: The pool.
        seed: Of everything that is chosen.
    """

    servers: Servers
    seed: str
    where: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    _left_open: list[Any] = field(default_factory=list)

    def begin(self) -> None:
        """Write the specs, start the servers, fill both databases."""
        lines = "".join(f"@Server: 127.0.0.1:{port}\n" for port in self.servers.ports)
        conf = Path(os.environ["ESS_WORK_DIR"])
        conf.mkdir(exist_ok=True)
        for name in ("db", "att"):
            (conf / f"{name}.spec").write_text(lines + DEFINITION)
        self.servers.start()
        self._access = read_access()
        self._pids = [self.servers.pid(port) for port in self.servers.ports]
        self._fill("db")
        self._fill("att")
        self._before = self._contents("db")

    def attack(self, number: int) -> None:
        """One attack, and a look at what it has done."""
        self._random = random.Random(f"{self.seed}/{number}")
        deciders = tuple(f"127.0.0.1:{port}" for port in self.servers.ports)
        self._damage = Damage(self._random, DEFINITION, deciders)
        kinds: tuple[Callable[[], None], ...] = (
            *(self._action, self._action, self._action, self._get, self._get),
            *(self._exchange, self._exchange, self._exchange, self._exchange_raw, self._exchange_raw),
            *(self._other_method, self._token, self._garbage, self._call_raw),
        )
        kind = self._random.choice(kinds)
        self._port = self._random.choice(self.servers.ports)
        self.where = f"seed {self.seed} attack {number}: {kind.__name__}"
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
        try:
            kind()
            self._look(thorough=number % 20 == 19)
        except BaseException as error:
            error.add_note(self.where)
            raise
        if len(self._left_open) > 30:
            self.let_go()

    def let_go(self) -> None:
        """Close the connections that were left open."""
        for connection in self._left_open:
            with contextlib.suppress(Exception):
                connection.close()
        self._left_open.clear()

    # What must be so ------------------------------------------------------------------------------------------------

    def _look(self, *, thorough: bool) -> None:
        assert [self.servers.pid(port) for port in self.servers.ports] == self._pids, "a server has ended"
        for port in self.servers.ports:
            self._hello(port)
        if thorough:
            assert self._contents("db") == self._before
            self._use("att")
        else:
            assert export_batch("db:log")[0].rows() == self._before["log"]

    def _hello(self, port: int) -> dict[str, Any]:
        connection = Connection(Server("127.0.0.1", port), self._access)
        try:
            return connection.hello(_SECONDS)
        finally:
            connection.close()

    def _use(self, name: str) -> None:
        """Nothing that is left over keeps others from working with a database."""
        try:
            put_rows(name, 3)
        except EssError:
            perform(operation("-clr", name))  # it is another one on each server, or undefined on some
            put_rows(name, 3)
        perform(operation("-scn", f"{name}:log", filt="n == 0"))

    def held(self) -> list[Held]:
        """The present holdings of the servers, without the rows that were put into the attacked database."""
        perform(operation("-clr", "att"))
        found = [psutil.Process(pid) for pid in self._pids]
        return [Held(each.num_threads(), each.num_fds()) for each in found]

    def opened(self) -> int:
        """The number of imports and sessions that the servers have open."""
        return sum(int(self._hello(port)["open"]) for port in self.servers.ports)

    def require_nothing_open(self) -> None:
        """Check that nothing staged is left when all connections are closed."""
        self.let_go()
        eventually(self.opened, 0)
        folder = udb_folder()
        left = [path.name for port in self.servers.ports for path in (folder / f"udbd-{port}.data").rglob("rows-*")]
        assert len(left) < 40, left  # of imports that were committed: until the next snapshot

    def require_silent_log(self) -> None:
        """The servers' logs have lines of their own only, and no secret."""
        for port in self.servers.ports:
            text = log_file(udb_folder(), port).read_text("utf-8", "surrogateescape")
            assert self._access.token not in text
            assert "PRIVATE KEY" not in text
            failed = re.findall(r"Traceback.*?\n\S*(?:Error|Exception|Interrupt).*", text, re.DOTALL)
            assert not failed, failed[0]
            forged = [
                line for line in text.splitlines() if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ [A-Z]+ ", line)
            ]
            assert not forged, forged[:3]

    def require_same_after_restart(self) -> None:
        """Check that the attacked database was logged as it is."""
        self._use("att")
        before = [self._contents(name) for name in ("db", "att")]
        for port in self.servers.ports:
            self.servers.end(port)
        self.servers.start()
        assert [self._contents(name) for name in ("db", "att")] == before

    def _contents(self, name: str) -> dict[str, Any]:
        return {table: export_batch(f"{name}:{table}")[0].rows() for table in ("log", "days", "totals", "var")}

    def _fill(self, name: str) -> None:
        put_rows(name, 300)
        put("days", [(b"u%d" % (n % 9), n % 4, 1) for n in range(30)], name)
        put("totals", [(b"u%d" % (n % 9), n, 0.5, b"x") for n in range(30)], name)
        put("var", [(7, b"w")], name)

    # Attacks with the library ---------------------------------------------------------------------------------------

    def _action(self) -> None:
        kind = (
            self._random.choice((*ACTIONS, *_OTHER_ACTIONS))
            if self._random.random() < 0.3
            else self._random.choice(ACTIONS)
        )
        body = self._damage.body(self._damage.request(kind))
        with self._client() as client:
            list(client.do_action(flight.Action(kind, body), self._options()))

    def _get(self) -> None:
        body = self._damage.body(self._damage.request("get"))
        with self._client() as client:
            reader = client.do_get(flight.Ticket(body), self._options())
            if self._random.random() < 0.3:
                reader.cancel()
            elif self._random.random() < 0.8:
                reader.read_all()

    def _exchange(self) -> None:
        choose = self._random
        request = self._damage.request(choose.choice(["stage", "stage", "session", "load"]))
        command = encode(request) if choose.random() < 0.6 else self._damage.body(request)
        descriptor = flight.FlightDescriptor.for_command(command)
        if choose.random() < 0.05:
            descriptor = choose.choice(
                [flight.FlightDescriptor.for_path("a", "b"), flight.FlightDescriptor.for_command(b"")]
            )
        table = getattr(request, "table", "")
        rows = good_rows(table, choose.choice([1, 5, 4000])) if choose.random() < 0.5 else bad_rows(choose, table)
        with self._client() as client:
            # Both may wait for the other's next word.
            writer, reader = client.do_exchange(descriptor, self._options(seconds=2.0))
            if choose.random() < 0.05:
                return  # never says of what its rows are
            writer.begin(
                pa.schema([]) if "session" in type(request).__name__.lower() and choose.random() < 0.9 else rows.schema
            )
            count = 0
            for _ in range(choose.choice([0, 1, 2, 3, 6, 60])):
                what = choose.random()
                if what < 0.4 and not isinstance(request, type(self._damage.request("session"))):
                    writer.write_batch(rows)
                    count += rows.num_rows
                elif what < 0.8:
                    writer.write_metadata(pa.py_buffer(self._damage.word(count)))
                elif what < 0.9:
                    with contextlib.suppress(StopIteration):
                        reader.read_chunk()
                else:
                    writer.write_metadata(
                        pa.py_buffer(json.dumps({"say": choose.choice(["prepare", "commit"]), "rows": count}).encode())
                    )
            ending = choose.choice(["done", "close", "cancel", "drop", "read"])
            if ending == "cancel":
                reader.cancel()
            elif ending == "close":
                writer.close()
            elif ending != "drop":
                writer.done_writing()
                with contextlib.suppress(StopIteration):
                    while ending == "read":
                        reader.read_chunk()

    def _other_method(self) -> None:
        choose = self._random
        body = self._damage.body(self._damage.request(choose.choice(["get", "stage", "session"])))
        descriptor = flight.FlightDescriptor.for_command(body)
        options = self._options()
        with self._client() as client:
            match choose.randrange(6):
                case 0:
                    list(client.list_flights(body, options))
                case 1:
                    client.get_flight_info(descriptor, options)
                case 2:
                    client.get_schema(descriptor, options)
                case 3:
                    list(client.list_actions(options))
                case 4:
                    client.authenticate_basic_token("user", "password")
                case _:
                    rows = good_rows("log", 3)
                    writer, reader = client.do_put(descriptor, rows.schema, options)
                    writer.write_batch(rows)
                    writer.done_writing()
                    reader.read()

    def _token(self) -> None:
        choose = self._random
        token = self._access.token
        wrong: tuple[str, ...] = (
            *(
                "",
                "Bearer",
                "Bearer ",
                f"bearer {token}",
                token,
                f"Bearer {token[:-1]}",
                f"Bearer {token}x",
                f"Basic {token}",
            ),
            *(f"Bearer {'x' * 5000}", f"Bearer  {token}", "Bearer \u00e9"),
        )
        headers = [] if choose.random() < 0.2 else [(b"authorization", choose.choice(wrong).encode("latin-1"))]
        if choose.random() < 0.3:
            headers += [(b"authorization-bin", token.encode()), (b"cookie", b"x" * 1000)]
        kind = choose.choice(ACTIONS)
        refused = False
        with self._client(ending=lambda: refused) as client:
            options = flight.FlightCallOptions(timeout=_SECONDS, headers=headers)
            try:
                match choose.randrange(3):
                    case 0:
                        list(client.do_action(flight.Action(kind, encode(self._damage.request(kind))), options))
                    case 1:
                        client.do_get(flight.Ticket(encode(self._damage.request("get"))), options).read_all()
                    case _:
                        descriptor = flight.FlightDescriptor.for_command(encode(self._damage.request("stage")))
                        writer, reader = client.do_exchange(descriptor, options)
                        writer.begin(good_rows("log", 3).schema)
                        writer.write_batch(good_rows("log", 3))
                        writer.done_writing()
                        reader.read_chunk()
            except flight.FlightUnauthenticatedError:
                refused = True
                raise
            except (flight.FlightError, pa.ArrowException, StopIteration):
                refused = True
                raise
            finally:
                assert refused, "let in without the token"

    @contextlib.contextmanager
    def _client(self, ending: Callable[[], bool] | None = None) -> Iterator[flight.FlightClient]:
        """A client; what the server refuses it with is one line."""
        client = flight.FlightClient(
            f"grpc+tls://127.0.0.1:{self._port}",
            tls_root_certs=self._access.authority,
            cert_chain=self._access.certificate,
            private_key=self._access.key,
            override_hostname=CERTIFICATE_NAME,
            generic_options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )
        said = "answered"
        try:
            yield client
        except StopIteration:
            pass
        except (flight.FlightError, pa.ArrowException, OSError) as error:
            said = self._require_one_line(error)
        finally:
            client.close()
        self.answers[said] = self.answers.get(said, 0) + 1

    def _require_one_line(self, error: Exception) -> str:
        text = str(error) + bytes(getattr(error, "extra_info", None) or b"").decode("utf-8", "replace")
        assert "Traceback" not in text, text
        assert self._access.token not in text
        ours = translate(error, Server("127.0.0.1", self._port))
        assert str(ours).isprintable()
        assert len(str(ours)) < 2500, str(ours)
        return re.sub(r"[0-9]+|'.*'", "_", ours.what)[:80]

    def _options(self, seconds: float = _SECONDS) -> flight.FlightCallOptions:
        return flight.FlightCallOptions(
            timeout=seconds, headers=[(b"authorization", f"Bearer {self._access.token}".encode())]
        )

    # Attacks with bytes ---------------------------------------------------------------------------------------------

    def _exchange_raw(self) -> None:
        """A stream of whose messages some bytes are others, and that ends somewhere."""
        choose = self._random
        request = self._damage.request(choose.choice(["stage", "stage", "stage", "session", "load"]))
        table = getattr(request, "table", "")
        rows = good_rows(table, choose.choice([1, 20]))
        header, body = ipc(rows)
        start, _ = ipc(rows.schema)
        count = choose.choice([1, 2])
        messages = [http2.flight_data(command=encode(request), header=start)]
        messages += [http2.flight_data(header=header, body=body)] * count
        for word in ("prepare", "commit"):
            messages.append(
                http2.flight_data(metadata=json.dumps({"say": word, "rows": count * rows.num_rows}).encode())
            )
        harmed = choose.choice([-1, 0, 1, 1, 1, 2])
        if harmed == 1 and choose.random() < 0.7:  # where strings begin and end, and the description of the buffers
            part = choose.choice(["header", "body"])
            messages[1] = http2.flight_data(
                header=self._damage.flipped(header, 2) if part == "header" else header,
                body=self._damage.flipped(body, 2) if part == "body" else body,
            )
        elif harmed >= 0:
            messages[harmed] = self._damage.flipped(messages[harmed])
        self._converse("DoExchange", messages[: choose.choice([1, 2, 3, 9, 9, 9])])

    def _call_raw(self) -> None:
        """Any call, of whose message some bytes are others, and whose client goes somewhere in the middle."""
        choose = self._random
        method = choose.choice(
            ["DoAction", "DoGet", "DoPut", "Handshake", "ListActions", "PollFlightInfo", "Nothing", ""]
        )
        kind = choose.choice(ACTIONS)
        message = http2.action(kind.encode(), encode(self._damage.request(kind)))
        if method == "DoGet":
            message = http2.ticket(encode(self._damage.request("get")))
        if choose.random() < 0.6:
            message = self._damage.flipped(message)
        self._converse(method, [message])

    def _converse(self, method: str, messages: list[bytes]) -> None:
        choose = self._random
        connection = Http2(self._port, self._access)
        try:
            headers = {"authorization": f"Bearer {self._access.token}"}
            if choose.random() < 0.1:
                headers |= {
                    "grpc-timeout": choose.choice(["1n", "x", "99999999H"]),
                    "grpc-encoding": choose.choice(["gzip", "x"]),
                }
            connection.begin(method, headers)
            for number, message in enumerate(messages):
                connection.message(message, last=number == len(messages) - 1 and choose.random() < 0.3)
                if choose.random() < 0.3:
                    connection.read(0.01)
            if choose.random() < 0.1:
                connection.send(
                    http2.frame(
                        choose.randrange(12), choose.randrange(256), choose.choice([0, 1, 2, 3]), choose.randbytes(50)
                    )
                )
            connection.read(choose.choice([0.0, 0.0, 0.02, 0.2]))
        except OSError:
            pass  # the server has closed it
        if choose.random() < 0.15:
            self._left_open.append(connection)
        else:
            connection.close(hard=choose.random() < 0.5)

    def _garbage(self) -> None:
        choose = self._random
        raw = socket.create_connection(("127.0.0.1", self._port), 5)
        connection: socket.socket = raw
        data = choose.choice(
            [
                b"",
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                choose.randbytes(5000),
            ]
        )
        with contextlib.suppress(OSError):
            if choose.random() < 0.4:
                context = ssl.create_default_context(cadata=self._access.authority.decode())
                context.set_alpn_protocols(choose.choice([["h2"], ["http/1.1"], ["h2", "grpc-exp"]]))
                connection = context.wrap_socket(raw, server_hostname=CERTIFICATE_NAME)
            connection.sendall(data)
        if choose.random() < 0.3:
            self._left_open.append(connection)
        else:
            connection.close()


def put_rows(name: str, count: int) -> None:
    """Import into the log table of a database."""
    put("log", [(b"u%d" % (n % 9), n, n % 5, 0.5, b"") for n in range(count)], name)


def ipc(what: pa.RecordBatch | pa.Schema) -> tuple[bytes, bytes]:
    """The description and the buffers of a message of Arrow."""
    raw = what.serialize().to_pybytes()
    length = int.from_bytes(raw[4:8], "little")
    return raw[8 : 8 + length], raw[8 + length :]
