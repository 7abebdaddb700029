"""Whatever arrives at a server of the database: it lives, answers others, keeps what it has, and holds nothing on.

``make fuzzudb`` does more of it than a test run has time for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa

from ess.udb.admin.processes import log_file
from ess.udb.command.query import export_batch
from ess.udb.wire.access import read_access, udb_folder
from ess.udb.wire.protocol import DatabaseRequest, OrderRequest, ScanRequest, SessionRequest, StageRequest, encode
from tests.udb import http2
from tests.udb.fault_processes import Servers
from tests.udb.faults import put
from tests.udb.fuzz_input import good_rows
from tests.udb.fuzz_wire import SILENT_SECONDS, Campaign, Held, ipc
from tests.udb.http2 import Http2
from tests.waiting import PATIENCE, eventually, until

ATTACKS = int(os.environ.get("UDB_FUZZ_ATTACKS", "60"))
SEED = os.environ.get("UDB_FUZZ_SEED", "1")

#: Of so many attacks at the beginning it is not known what a server needs.
_WARM = 20


SCAN = ScanRequest("db", "", "log", outputs=("user", "n", "price"), sort=("user",))
STAGE = StageRequest("db", "", "log", "once:1", "0a", "", "", 0, only_known=False, only_new=False, birth="")
#: All of them fit into the 64 KB that a client may send before it has heard of the server's settings.
ROWS = good_rows("log", 300)
HEADER, BODY = ipc(ROWS)
IMPORT = [http2.flight_data(command=encode(STAGE), header=ipc(ROWS.schema)[0])]
IMPORT += [http2.flight_data(header=HEADER, body=BODY)] * 3
PREPARE = http2.flight_data(metadata=json.dumps({"say": "prepare", "rows": 3 * ROWS.num_rows}).encode())
SESSION = [http2.flight_data(command=encode(SessionRequest("db", "", "0b", "", "")), header=ipc(pa.schema([]))[0])]
READY, PREPARED = b'{"ready":true}', b'{"prepared":true}'
ORDER = OrderRequest("db", "", "log", ("n",), descending=False, ignore_case=False)

#: What a client has sent when it dies, and how many bytes of the answer it has read by then, or what it was told.
CALLS: dict[str, tuple[str, list[bytes], int | bytes]] = {
    "an export, at its beginning": ("DoGet", [http2.ticket(encode(SCAN))], 0),
    "an export, in the middle": ("DoGet", [http2.ticket(encode(SCAN))], 60_000),
    "a change": ("DoAction", [http2.action(b"order", encode(ORDER))], 0),
    "a count": ("DoAction", [http2.action(b"counts", encode(DatabaseRequest("db", "")))], 0),
    "an import, opened": ("DoExchange", IMPORT[:1], READY),
    "an import, some rows sent": ("DoExchange", IMPORT, READY),
    "an import, prepared": ("DoExchange", [*IMPORT, PREPARE], PREPARED),
    "a session": ("DoExchange", SESSION, READY),
}


def test_a_client_that_dies_in_the_middle_of_a_call_leaves_nothing(
    places: dict[str, str], tmp_path: Path, port_base: int
) -> None:
    campaign = Campaign(Servers((port_base,), silent_seconds=3600.0), SEED)
    try:
        campaign.begin()
        put("log", [(b"%032d" % n, n, n % 5, 0.5, b"") for n in range(60_000)], "db")
        count = export_batch("db:log")[0].height
        for number in range(4):
            for method, messages, answer in CALLS.values():
                connection = Http2(port_base, read_access())
                connection.begin(method, {"authorization": f"Bearer {read_access().token}"})
                for message in messages:
                    connection.message(message, last=method != "DoExchange")
                if isinstance(answer, bytes):
                    connection.await_answer(answer)
                else:
                    assert connection.read(PATIENCE, most=answer) >= answer
                connection.close(hard=True)
                eventually(campaign.opened, 0)  # long before it would be dropped because the client is silent
            campaign.require_nothing_open()
            if number == 1:
                before = campaign.held()
        require_no_more(before, campaign)
        assert export_batch("db:log")[0].height == count
        assert not list(udb_folder().rglob("rows-0a"))
        said = log_file(udb_folder(), port_base).read_text()
        imports = sum(messages[0] == IMPORT[0] for _, messages, _ in CALLS.values())
        assert said.count("import once:1 of db ended early") == 4 * imports == 12
        campaign.require_silent_log()
    finally:
        campaign.servers.stop()


def test_whatever_is_sent_the_servers_live_and_keep_what_they_have(
    places: dict[str, str], tmp_path: Path, port_base: int
) -> None:
    servers = Servers((port_base, port_base + 1), silent_seconds=SILENT_SECONDS)
    campaign = Campaign(servers, SEED)
    try:
        campaign.begin()
        for number in range(ATTACKS):
            if number == _WARM:
                campaign.require_nothing_open()
                before = campaign.held()
            if number == ATTACKS * 3 // 4:  # what comes then is for the restart
                campaign.require_nothing_open()
                require_no_more(before, campaign)
            campaign.attack(number)
        campaign.require_nothing_open()
        campaign.require_same_after_restart()
        campaign.require_silent_log()
    finally:
        servers.stop()
        for said, count in sorted(campaign.answers.items(), key=lambda each: -each[1]):
            print(f"{count:6} {said}")
        print(campaign.where, campaign.counts)


def require_no_more(before: list[Held], campaign: Campaign) -> None:
    """Nothing has grown, but for what a pool of threads keeps; what is dropped after some silence may take as long."""

    def has_not_grown() -> bool:
        return all(
            new.threads <= old.threads + 8 and new.files <= old.files + 8
            for old, new in zip(before, campaign.held(), strict=True)
        )

    until(has_not_grown)
    print(before, campaign.held())
