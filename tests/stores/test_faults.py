"""Faults of networks and busy stores: cut connections, passing and lasting errors, replaced objects, old keys."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from hashlib import md5, sha1, sha256
from pathlib import Path

import anycrc
import pytest

from ess.errors import EssError, InputOpenError, OutputWriteError
from ess.lake import archives
from ess.lake.entry import FileEntry
from ess.stores.checksums import Checksum
from ess.stores.kinds import Access, Credentials
from ess.stores.seekable import SeekableObject
from ess.stores.store import PIECE, Entry, NoSuchObject, ObjectChanged, Store, pieces
from tests.store_servers import BUCKET, StoreServer
from tests.stores.faulty import SLOW_DOWN, Fault, FaultyProxy, faulty
from tests.stores.stores import forget, served

CONTENT = bytes(range(256)) * 9000  # 2.3 MB: several pieces


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with served("s3") as found:
        assert found is not None
        yield found


@pytest.fixture
def proxy(server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    forget(monkeypatch)
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "2")
    server.empty()
    port = int(server.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
    with faulty(port) as found:
        yield found


def access_through(proxy: FaultyProxy, server: StoreServer, **more: str) -> Access:
    values = {**server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}", **more}
    return Access("s3", BUCKET, Credentials(tuple(values.items())))


def through(proxy: FaultyProxy, server: StoreServer, **more: str) -> Store:
    return access_through(proxy, server, **more).open()


@pytest.fixture
def store(proxy: FaultyProxy, server: StoreServer) -> Store:
    return through(proxy, server)


def content(store: Store, key: str, offset: int = 0, version: str = "") -> bytes:
    return b"".join(pieces(store.open(key, offset=offset, version=version)))


CUTS = (0, 1, 7, 65535, 1 << 20, (1 << 20) + 1, len(CONTENT) - 1)


@pytest.mark.parametrize("cuts", [*((cut,) for cut in CUTS), CUTS])
def test_a_reading_that_is_cut_goes_on_at_its_byte(
    cuts: tuple[int, ...], store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    server.put("a", CONTENT)
    proxy.faults += [Fault(after=cut) for cut in cuts]
    assert content(store, "a") == CONTENT
    asked = [re.search(rb"(?i)\r\nrange: bytes=(\d+)-\r\n", head) for head in proxy.requests[1:]]
    places = [min(sum(cuts[: n + 1]), len(CONTENT)) for n in range(len(cuts))]
    assert [int(found[1]) if found else 0 for found in asked] == [at for at in places if at < len(CONTENT)]
    assert all(b"\r\nif-match:" in head.lower() for head in proxy.requests[1:])


def test_a_reading_from_an_offset_that_is_cut_goes_on_too(
    store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    server.put("a", CONTENT)
    proxy.faults += [Fault(after=1000), Fault(after=0)]
    assert content(store, "a", offset=77) == CONTENT[77:]


def test_a_part_of_an_object_that_is_cut_goes_on_to_its_end(
    store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    server.put("a", CONTENT)
    proxy.faults += [Fault(after=1000), Fault(after=0)]
    with store.open("a", offset=77, length=5000) as file:
        assert file.read() == CONTENT[77:5077]
    asked = [re.search(rb"(?i)\r\nrange: bytes=(\d+-\d+)\r\n", head) for head in proxy.requests]
    assert [found and found[1] for found in asked] == [b"77-5076", b"1077-5076", b"1077-5076"]


def test_of_an_archive_only_what_is_needed_is_asked_for(proxy: FaultyProxy, server: StoreServer, store: Store) -> None:
    noise = CONTENT * 3
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in (("1", noise), ("wanted", CONTENT[:5000]), ("3", noise)):
            packed.writestr(name, content)
    server.put("a.zip", target.getvalue())
    source = access_through(proxy, server)
    found = store.head("a.zip")
    entry = FileEntry(store.at("a.zip"), found.size, found.modified, version=found.version)
    proxy.requests.clear()
    members = archives.contents(entry, source).members
    proxy.faults += [Fault(after=1000)]
    with archives.open_member(entry.inside(members[1]), source) as file:
        assert file.read() == CONTENT[:5000]
    spans = [re.search(rb"(?i)\r\nrange: bytes=(\d+)-(\d+)\r\n", head) for head in proxy.requests]
    sizes = [int(span[2]) - int(span[1]) + 1 for span in spans if span is not None]
    assert len(sizes) == len(proxy.requests) == 4  # the head, the end, the file, and its rest
    assert (sizes[0], sizes[1]) == (512, 66_000)
    assert sum(sizes[2:]) < 2 * 7000
    server.put("a.zip", target.getvalue()[::-1])
    with pytest.raises(ObjectChanged):
        archives.open_member(entry.inside(members[1]), source).read()


def test_the_rest_of_another_object_is_refused(store: Store, proxy: FaultyProxy, server: StoreServer) -> None:
    server.put("a", CONTENT)
    proxy.faults += [Fault(after=2000), Fault(before=lambda: server.put("a", CONTENT[::-1]))]
    with pytest.raises(ObjectChanged, match=f"^s3://{BUCKET}/a: it has been replaced"):
        content(store, "a")


def test_an_object_that_is_gone_meanwhile_is_refused(store: Store, proxy: FaultyProxy, server: StoreServer) -> None:
    server.put("a", CONTENT)
    proxy.faults += [Fault(after=2000), Fault(before=lambda: server.delete("a"))]
    with pytest.raises((ObjectChanged, NoSuchObject)):
        content(store, "a")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_error_that_passes_is_not_seen(
    method: str, status: int, store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    server.put("a", b"old")
    proxy.faults += [Fault(method, status=status, body=SLOW_DOWN)] * 2
    proxy.faults += [Fault(method, status=status, headers={"Retry-After": "0"})]
    if method == "GET":
        assert content(store, "a") == b"old"
    elif method == "PUT":
        store.put("a", b"new")
        assert server.get("a") == b"new"
    elif method == "HEAD":
        assert store.head("a").size == 3
    else:
        store.delete("a")
        assert server.names() == []
    assert proxy.faults == []


def test_an_error_that_stays_is_told_in_one_line_after_the_time_of_the_setting(
    store: Store, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.faults += [Fault("GET", status=503, body=SLOW_DOWN)] * 1000
    with pytest.raises(InputOpenError) as caught:
        list(store.entries("logs/"))
    assert str(caught.value) == (
        f"s3://{BUCKET}: the store is too busy (SlowDown, HTTP status 503); try again later; "
        "ESS_STORE_TIMEOUT says how long to try"
    )
    assert 2 < len(proxy.requests) < 100


def test_a_store_that_says_nothing_is_given_up(store: Store, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault("PUT", silent=True)] * 10
    with pytest.raises(OutputWriteError, match="cannot be reached, or does not answer"):
        store.put("a", b"x")


def test_no_error_repeats_what_the_store_has_said(store: Store, proxy: FaultyProxy) -> None:
    for status, code in ((403, "AccessDenied"), (400, "Odd"), (409, "OperationAborted"), (301, "PermanentRedirect")):
        body = f"<Error><Code>{code}</Code><Message>secret words</Message></Error>".encode()
        proxy.faults.append(Fault("GET", status=status, body=body))
        with pytest.raises(EssError, match=code if status != 301 else "another region") as caught:
            content(store, "a")
        assert "secret" not in str(caught.value)


def test_a_part_that_is_cut_is_sent_again(store: Store, proxy: FaultyProxy, server: StoreServer) -> None:
    noise = os.urandom(2 * PIECE + 5)
    proxy.faults += [Fault("PUT", after=0), Fault("PUT", status=500)]
    with store.create("a") as sink:
        sink.write(noise)
    assert server.get("a") == noise


def test_a_completion_that_fails_with_status_200_is_a_failure(
    store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    with pytest.raises(OutputWriteError, match="InternalError"), store.create("a") as sink:
        sink.write(b"x" * (PIECE + 1))
        proxy.faults.append(Fault("POST", status=200, body=b"<Error><Code>InternalError</Code></Error>"))
    assert server.names() == []


SAME = {
    "x-amz-checksum-sha256": b64encode(sha256(CONTENT).digest()).decode(),
    "x-amz-checksum-sha1": b64encode(sha1(CONTENT).digest()).decode(),
    "x-amz-checksum-crc32": b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode(),
    "Content-MD5": b64encode(md5(CONTENT).digest()).decode(),
    "x-goog-hash": f"crc32c=AAAAAA==,md5={b64encode(md5(CONTENT).digest()).decode()}",
    "x-amz-checksum-crc32c": b64encode(anycrc.Model("CRC32-ISCSI").calc(CONTENT).to_bytes(4, "big")).decode(),
    "x-amz-checksum-crc64nvme": b64encode(anycrc.Model("CRC64-NVME").calc(CONTENT).to_bytes(8, "big")).decode(),
}
#: What the catalogue of these checksums says of the nine digits.
DIGITS = {
    "x-amz-checksum-crc32": "cbf43926",
    "x-amz-checksum-crc32c": "e3069283",
    "x-amz-checksum-crc64nvme": "ae8b14860a799888",
}


@pytest.mark.parametrize("name", DIGITS)
def test_cyclic_checksums_are_those_of_the_catalogue(name: str) -> None:
    for last in (b"9", b"8"):
        check = Checksum({name: b64encode(bytes.fromhex(DIGITS[name])).decode()})
        for piece in (b"1234", b"", b"5678", last):
            check.add(piece)
        assert check.holds() == (last == b"9")


def test_google_gives_composed_objects_one_checksum() -> None:
    check = Checksum({"x-goog-hash": f"crc32c={b64encode(bytes.fromhex(DIGITS['x-amz-checksum-crc32c'])).decode()}"})
    check.add(b"123456780")
    assert not check.holds()


@pytest.mark.parametrize("name", SAME)
def test_what_is_not_as_its_checksum_says_is_refused(
    name: str, store: Store, proxy: FaultyProxy, server: StoreServer
) -> None:
    headers = {"ETag": '"1"', name: SAME[name]}
    proxy.faults += [Fault(status=200, body=CONTENT, headers=headers)]
    assert content(store, "a") == CONTENT
    damaged = CONTENT[:-1] + b"!"
    proxy.faults += [Fault(status=200, body=damaged, headers=headers)]
    with pytest.raises(InputOpenError, match=f"s3://{BUCKET}/a: what came is not what the store's checksum says"):
        content(store, "a")
    # Also where it is read as a file, to its last byte and no further.
    proxy.faults += [Fault(status=200, body=damaged, headers=headers)]
    with SeekableObject(store, Entry("a", len(damaged), 0.0, "1")) as file:
        read = 0
        with pytest.raises(InputOpenError, match="checksum"):
            while piece := file.read(min(len(damaged) - read, 1 << 16) or 1):
                read += len(piece)
        assert read == len(damaged)
    # That of the parts of an object says nothing of the whole.
    if name.startswith("x-amz"):
        proxy.faults += [Fault(status=200, body=damaged, headers={**headers, "x-amz-checksum-type": "COMPOSITE"})]
        assert content(store, "a") == damaged


def test_a_wrong_region_in_a_signature_is_corrected(proxy: FaultyProxy, server: StoreServer) -> None:
    body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"
    proxy.faults.append(Fault("GET", status=400, body=body))
    server.put("a", b"x")
    assert content(through(proxy, server), "a") == b"x"
    assert b"/us-east-1/s3/" in proxy.requests[0]
    assert b"/eu-central-1/s3/" in proxy.requests[1]


def test_a_key_that_expires_in_the_middle_is_renewed(
    proxy: FaultyProxy, server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    script = tmp_path / "keys"
    script.write_text(
        f"#!/bin/sh\necho asked >>{tmp_path}/log\n"
        f'echo \'{{"Version": 1, "AccessKeyId": "{key}", "SecretAccessKey": "{secret}"}}\'\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    config = tmp_path / "config"
    config.write_text(f"[profile logs]\ncredential_process = {script}\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    values = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}", "AWS_PROFILE": "logs"}
    store = Access("s3", BUCKET, Credentials(tuple(values.items()))).open()
    server.put("a", b"x")
    server.put("b", b"y")
    assert content(store, "a") == b"x"
    proxy.faults.append(Fault("GET", status=400, body=b"<Error><Code>ExpiredToken</Code></Error>"))
    assert content(store, "b") == b"y"
    assert (tmp_path / "log").read_text() == "asked\n" * 2
    assert b"/eu-west-1/s3/" in proxy.requests[0]
    proxy.faults.append(Fault("PUT", status=400, body=b"<Error><Code>ExpiredToken</Code></Error>"))
    store.put("new", b"z")
    assert server.get("new") == b"z"
    server.put("large", CONTENT)
    proxy.faults += [Fault(after=2000), Fault("GET", status=400, body=b"<Error><Code>ExpiredToken</Code></Error>")]
    assert content(store, "large", offset=77) == CONTENT[77:]  # the new key goes on at the byte, too
    replaced = Fault(status=400, body=b"<Error><Code>ExpiredToken</Code></Error>")
    replaced.before = lambda: server.put("large", CONTENT[::-1])
    proxy.faults += [Fault(after=2000), replaced]
    with pytest.raises(ObjectChanged):
        content(store, "large")
    proxy.faults += [Fault("GET", status=400, body=b"<Error><Code>ExpiredToken</Code></Error>")] * 3
    with pytest.raises(InputOpenError, match="refuses access \\(ExpiredToken\\)"):
        content(store, "b")


def test_nobody_signs_where_no_key_is_or_none_is_wanted(proxy: FaultyProxy, server: StoreServer) -> None:
    for values in ({}, {**server.environment, "AWS_NO_SIGN_REQUEST": "1"}):
        values = {**values, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
        store = Access("s3", BUCKET, Credentials(tuple(values.items()))).open()
        proxy.faults.append(Fault("GET", status=403, body=b"<Error><Code>AccessDenied</Code></Error>"))
        with pytest.raises(EssError, match="refuses access \\(AccessDenied\\).*; AWS_NO_SIGN_REQUEST=1 reads public"):
            list(store.entries())
        assert b"authorization" not in proxy.requests[-1].lower()


def test_the_requester_pays_where_that_is_set(proxy: FaultyProxy, server: StoreServer) -> None:
    list(through(proxy, server, AWS_REQUEST_PAYER="requester").entries())
    assert b"\r\nx-amz-request-payer: requester\r\n" in proxy.requests[-1].lower()
