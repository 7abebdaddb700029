"""Requests with any damage, given to the server's handlers themselves: many more than could be sent."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from ess.errors import EssError
from ess.udb.scan.scan import Scan
from ess.udb.server.server import UdbServer
from ess.udb.wire.protocol import ScanRequest, decode
from tests.udb.faults import put
from tests.udb.fuzz_input import Damage
from tests.udb.fuzz_wire import ACTIONS, DEFINITION

REQUESTS = int(os.environ.get("UDB_FUZZ_REQUESTS", "1000"))
SEED = os.environ.get("UDB_FUZZ_SEED", "1")


class Present:
    """The call of a client that waits for its answer."""

    def is_cancelled(self) -> bool:
        return False


PRESENT = Present()


@pytest.mark.parametrize("kind", [*ACTIONS, "get"])
def test_any_request_is_answered_or_refused_on_purpose(
    start_server: Any, write_spec: Callable[..., Any], access: Any, kind: str
) -> None:
    generator = random.Random(f"{SEED}/{kind}")
    server: UdbServer = start_server()
    write_spec(server, name="att", definition=DEFINITION)
    damage = Damage(generator, DEFINITION, (f"127.0.0.1:{server.port}",))

    def fill() -> None:
        put("log", [(b"u%d" % (n % 5), n, n % 3, 0.5, b"") for n in range(30)], "att")
        put("totals", [(b"u%d" % n, n, 0.5, b"x") for n in range(7)], "att")

    fill()
    for number in range(REQUESTS // len(ACTIONS)):
        body = damage.body(damage.request(kind))
        try:
            with contextlib.suppress(EssError):
                if kind == "get":
                    server._scan(decode(ScanRequest, body), Scan.export, PRESENT)
                elif kind == "count":
                    server._count(body, PRESENT)
                else:
                    server._actions[kind](body)
        except BaseException as error:
            error.add_note(f"{kind} {number} of seed {SEED}: {body[:2000]!r}")
            raise
        if number % 20 == 19:
            with contextlib.suppress(EssError):
                fill()
