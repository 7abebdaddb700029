"""The protocol of imports, played without a network: whoever stops at whatever moment, it is all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ess.errors import OptionError, UdbRequestError
from ess.language.plain import PlainList
from ess.udb.spec.spec_file import parse_spec
from ess.udb.wire import protocol
from ess.udb.wire.protocol import ScanRequest, StageRequest, VerdictRequest
from ess.udb.wire.transactions import Ending, Stage, Transactions, Verdict

ROWS = pl.DataFrame({"a": [1, 2]})


@dataclass
class Server:
    """A server as far as imports are concerned; ``applied`` names the attempts that count."""

    transactions: Transactions = field(default_factory=Transactions)
    applied: list[str] = field(default_factory=list)
    doubtful: list[Stage] = field(default_factory=list)

    def commit(self, stage: Stage) -> bool:
        counted = self.transactions.commit(stage)
        if counted:
            self.applied.append(stage.attempt)
        return counted

    def end(self, stage: Stage) -> None:
        if self.transactions.end_of_stream(stage) is Ending.IN_DOUBT:
            self.doubtful.append(stage)


def attempt(servers: list[Server], name: str, patience: int) -> bool:
    """A client that makes an import and dies after ``patience`` messages; whether it came to the end."""
    stages: list[Stage] = []
    finished = False

    def live() -> bool:
        nonlocal patience
        patience -= 1
        return patience >= 0

    def run() -> bool:
        for place, server in enumerate(servers):
            if not live():
                return False
            stages.append(server.transactions.begin("file", name, decides=place == 0))
        for stage in stages:
            if not live():
                return False
            stage.add(ROWS)
        for server, stage in zip(servers, stages, strict=True):
            if not live():
                return False
            server.transactions.prepare(stage, 2)
        if not live():
            return False
        if servers[0].commit(stages[0]):
            for server, stage in zip(servers[1:], stages[1:], strict=True):
                if not live():
                    return False
                server.commit(stage)
        return True

    finished = run()
    for server, stage in zip(servers, stages, strict=False):
        server.end(stage)
    return finished


def resolve(servers: list[Server]) -> None:
    """Servers in doubt ask the decider."""
    for server in servers[1:]:
        for stage in server.doubtful:
            verdict = servers[0].transactions.verdict(stage.identity, stage.attempt)
            assert verdict is not Verdict.OPEN
            if verdict is Verdict.COMMITTED:
                server.commit(stage)
            else:
                server.transactions.drop(stage)
        server.doubtful.clear()


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=5))
def test_an_import_counts_on_all_servers_or_on_none_and_never_twice(
    count: int, patiences: list[tuple[int, bool]]
) -> None:
    servers = [Server() for _ in range(count)]
    finished = False
    for number, (patience, at_once) in enumerate(patiences):
        finished |= attempt(servers, f"attempt {number}", patience)
        if at_once:  # else the next attempt comes while servers are still in doubt
            resolve(servers)
    resolve(servers)
    assert all(server.transactions.open_stages() == 0 for server in servers)
    outcomes = {tuple(server.applied) for server in servers}
    assert len(outcomes) == 1
    applied = outcomes.pop()
    assert len(applied) <= 1
    assert applied or not finished


def test_messages_in_the_wrong_order_are_refused() -> None:
    transactions = Transactions()
    stage = transactions.begin("file", "1", decides=True)
    with pytest.raises(UdbRequestError, match="open already"):
        transactions.begin("file", "1", decides=True)
    with pytest.raises(UdbRequestError, match="not prepared"):
        transactions.commit(stage)
    stage.add(ROWS)
    with pytest.raises(UdbRequestError, match="3 rows were sent, 2 arrived"):
        transactions.prepare(stage, 3)
    transactions.prepare(stage, 2)
    with pytest.raises(UdbRequestError, match="after the import was prepared"):
        stage.add(ROWS)
    assert transactions.verdict("file", "1") is Verdict.OPEN
    assert transactions.commit(stage)
    assert transactions.verdict("file", "1") is Verdict.COMMITTED
    assert transactions.verdict("file", "2") is Verdict.NEVER
    with pytest.raises(UdbRequestError, match="not prepared"):
        transactions.commit(stage)


def test_a_server_that_is_asked_about_what_another_one_decides_does_not_wait_for_itself() -> None:
    transactions = Transactions()
    stage = transactions.begin("file", "1", decides=False)
    transactions.prepare(stage, 0)
    assert transactions.verdict("file", "1") is Verdict.NEVER


@pytest.mark.parametrize(
    "request_made",
    [
        ScanRequest(
            "db",
            "@Table:t s,pkey:a",
            "t",
            rules=PlainList((("t", ()), (None, 7, True))),
            segments=(1, 2, 3, 0),
        ),
        StageRequest("db", "", "t", "job:file", "1", "a:1", "job", 7, True, False, ""),
        VerdictRequest("db", "job:\udcff", "1"),
    ],
)
def test_requests_come_back_as_they_were(request_made: object) -> None:
    assert protocol.decode(type(request_made), protocol.encode(request_made)) == request_made


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.data())
def test_any_other_request_is_one_error(data: st.DataObject) -> None:
    import json

    good = json.loads(protocol.encode(ScanRequest("db", "", "t")))
    name = data.draw(st.sampled_from(sorted(good)))
    value = data.draw(json_values)
    broken = json.dumps({**good, name: value}).encode()
    if data.draw(st.booleans()):
        broken = data.draw(st.binary(max_size=20)) + broken[data.draw(st.integers(0, 50)) :]
    message = ""
    try:
        protocol.decode(ScanRequest, broken)
    except UdbRequestError as error:
        message = str(error)
    assert "\n" not in message


SPEC_WORDS = [
    "@Server:",
    "@PKey:",
    "@Table:t",
    "@Vector:",
    "v",
    "@Var:",
    "@Port:7",
    "s:a",
    "i,+add:n",
    "s,pkey:k",
    "#",
    "\n",
    "h*2",
    ",",
]


@given(st.lists(st.sampled_from(SPEC_WORDS) | st.text(max_size=6), max_size=25).map(" ".join))
def test_any_other_spec_is_one_error(text: str) -> None:
    message = "fuzz"
    try:
        parse_spec(text, source="fuzz")
    except OptionError as error:
        message = str(error)
    assert message.startswith("fuzz")
