"""Faults between us and a container of Azure Blob, whose library would give up early on some of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ess.errors import InputOpenError, OutputWriteError
from ess.stores.kinds import Access, Credentials
from ess.stores.store import ObjectChanged, Store, pieces
from tests.store_servers import BUCKET, StoreServer
from tests.stores.faulty import Fault, FaultyProxy, faulty
from tests.stores.stores import forget, served

CONTENT = bytes(range(256)) * 9000
TOO_MANY = 429


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with served("az") as found:
        assert found is not None
        yield found


@pytest.fixture
def proxy(server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    forget(monkeypatch)
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "20")
    server.empty()
    server.put("a", CONTENT)
    described = server.environment["AZURE_STORAGE_CONNECTION_STRING"]
    port = described.partition("BlobEndpoint=http://127.0.0.1:")[2].partition("/")[0]
    with faulty(int(port)) as found:
        yield found


@pytest.fixture
def store(proxy: FaultyProxy, server: StoreServer) -> Store:
    described = server.elsewhere["AZURE_STORAGE_CONNECTION_STRING"].replace("PORT", str(proxy.port))
    return Access("az", BUCKET, Credentials((("AZURE_STORAGE_CONNECTION_STRING", described),))).open()


def content(store: Store, offset: int = 0) -> bytes:
    return b"".join(pieces(store.open("a", offset=offset)))


def test_a_reading_that_is_cut_often_goes_on(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault(after=bytes_) for bytes_ in (0, 1, 7, 65535, 1 << 20, len(CONTENT) - 1)]
    assert content(store) == CONTENT
    assert proxy.faults == []
    proxy.faults += [Fault(after=9) for _ in range(5)]
    assert content(store, 1000) == CONTENT[1000:]
    assert proxy.faults == []


def test_too_many_requests_are_asked_again_later(store: Store, proxy: FaultyProxy, server: StoreServer) -> None:
    methods = ("GET", "HEAD", "GET", "HEAD", "PUT", "PUT", "PUT")
    proxy.faults += [Fault(method, status=TOO_MANY, headers={"Retry-After": "0"}) for method in methods]
    assert [entry.key for entry in store.entries()] == ["a"]
    assert content(store) == CONTENT
    store.put("b", b"x")
    with store.create("c") as sink:
        sink.write(b"yz")
    assert (server.get("b"), server.get("c")) == (b"x", b"yz")
    assert proxy.faults == []


def test_what_lasts_is_told(store: Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ess.stores.azure_blob.Patience.wait", _no_patience)
    proxy.faults += [Fault(status=TOO_MANY), Fault("PUT", status=TOO_MANY)]
    with pytest.raises(InputOpenError, match=f"az://{BUCKET}: the store has failed .HTTP status 429.; try again"):
        list(store.entries())
    with pytest.raises(OutputWriteError, match=f"az://{BUCKET}/b: the store has failed .HTTP status 429."):
        store.put("b", b"x")
    proxy.faults += [Fault(after=9) for _ in range(3)]
    said = "(has failed; try again|cannot be reached, or does not answer)"  # it depends on when the break is seen
    with pytest.raises(InputOpenError, match=f"az://{BUCKET}/a: the store {said}"):
        content(store)


def test_an_object_that_is_replaced_between_two_tries_is_an_error(
    store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    proxy.faults += [Fault(after=9), Fault(after=9), Fault(after=9), Fault(before=lambda: server.put("a", b"new"))]
    with pytest.raises(ObjectChanged):
        content(store)


def _no_patience(patience: object, reason: Exception, asked: str = "") -> None:
    raise reason
