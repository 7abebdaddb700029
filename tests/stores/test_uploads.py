"""Objects are written whole or not at all, and nothing is left of those whose writers give up or are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from ess.errors import EssError, InputOpenError, OutputWriteError
from ess.stores import disk, unfinished
from ess.stores.disk import Disk
from ess.stores.kinds import Access, Credentials
from ess.stores.store import PIECE, Store, pieces
from ess.stores.wire import Patience
from tests.store_servers import BUCKET, Azurite, Moto, StoreServer
from tests.stores.faulty import Fault, FaultyProxy, faulty
from tests.stores.stores import access, forget, served

LARGE = os.urandom(2 * PIECE + 5)


@pytest.fixture
def server(s3: Moto) -> Moto:
    """The server of S3, with an empty bucket."""
    s3.empty()
    return s3


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with served("az") as found:
        assert isinstance(found, Azurite)
        yield found


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(monkeypatch)
    monkeypatch.setenv("ESS_CACHE_DIR", str(tmp_path / "ess"))
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "2")


def through(proxy: FaultyProxy, server: StoreServer) -> Store:
    values = {**server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
    return Access("s3", BUCKET, Credentials(tuple(values.items()))).open()


def port_of(server: StoreServer) -> int:
    return int(server.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])


def uploads(server: Moto) -> list[str]:
    """The keys of the uploads that have begun and not ended, as AWS's library sees them."""
    return [found["Key"] for found in server._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def killed_while_writing(words: str) -> None:
    """Run a program that opens ``store``, writes the beginning of an object, says so and waits; kill it then."""
    program = (
        "import sys, ess.stores.kinds as k, ess.stores.disk as d\n"
        f"store = {words}\n"
        "with store.create('left/over') as sink:\n"
        f"    sink.write(b'x' * {PIECE + 7})\n"
        "    print('at work', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"at work\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def opening(server: StoreServer) -> str:
    return f"k.Access('s3', {BUCKET!r}, k.Credentials({tuple(server.environment.items())!r})).open()"


def test_what_a_killed_upload_leaves_is_removed_by_the_next(server: Moto) -> None:
    store = access(server).open()
    for number, following in enumerate(("large", "job")):
        killed_while_writing(opening(server))
        assert uploads(server) == ["left/over"]
        with store.create(f"meanwhile{number}") as sink:
            sink.write(b"small")  # of one request: that asks for nothing else
        assert uploads(server) == ["left/over"]
        if following == "large":
            with store.create("large") as sink:
                sink.write(LARGE)
        else:
            store.require(writing=True)
        assert uploads(server) == []
    assert server.get("large") == LARGE
    assert "left/over" not in server.names()
    assert list((Path(os.environ["ESS_CACHE_DIR"]) / "uploads").iterdir()) == []


def test_an_upload_at_work_is_not_removed_and_one_of_another_bucket_is_left_alone(server: Moto) -> None:
    store = access(server).open()
    with store.create("a") as first:
        first.write(LARGE)
        with store.create("b") as second:
            second.write(LARGE[::-1])
        store.require(writing=True)
    assert (server.get("a"), server.get("b")) == (LARGE, LARGE[::-1])
    note = unfinished.note("127.0.0.1:1/other", "a", "b")
    assert note is not None
    note.keep()
    assert list(unfinished.left(f"127.0.0.1:{port_of(server)}/{BUCKET}")) == []
    [found] = unfinished.left("127.0.0.1:1/other")
    assert (found.key, found.upload) == ("a", "b")
    found.remove()


def test_an_upload_that_is_given_up_leaves_nothing(server: Moto) -> None:
    store = access(server).open()
    server.put("kept", b"before")
    with pytest.raises(ZeroDivisionError), store.create("kept") as sink:
        sink.write(LARGE)
        raise ZeroDivisionError
    assert uploads(server) == []
    assert server.get("kept") == b"before"
    assert list((Path(os.environ["ESS_CACHE_DIR"]) / "uploads").iterdir()) == []


def test_an_upload_whose_last_answer_is_lost_is_done(server: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "60")
    with faulty(port_of(server)) as proxy:
        store = through(proxy, server)
        with store.create("done") as sink:
            sink.write(LARGE)
            proxy.faults += [Fault("POST", after=0)]
        assert proxy.faults == []
    assert server.get("done") == LARGE


def test_a_connection_that_is_cut_while_a_part_is_sent(
    server: Moto, azure: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "60")
    words = azure.environment["AZURE_STORAGE_CONNECTION_STRING"]
    port = int(words.partition("127.0.0.1:")[2].partition("/")[0])
    with faulty(port_of(server)) as of_s3, faulty(port) as of_azure:
        values = (("AZURE_STORAGE_CONNECTION_STRING", words.replace(f":{port}/", f":{of_azure.port}/")),)
        for proxy, store, vendor in (
            (of_s3, through(of_s3, server), server),
            (of_azure, Access("az", BUCKET, Credentials(values)).open(), azure),
        ):
            proxy.faults += [Fault("PUT", taken=count) for count in (0, 1, 100_000, PIECE - 1)]
            with store.create("cut") as sink:
                sink.write(LARGE)
                proxy.faults += [Fault("POST", taken=10)] if vendor is server else []
            assert proxy.faults == []
            assert vendor.get("cut") == LARGE
    assert uploads(server) == []


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_upload_that_somebody_ends_is_an_error(method: str, server: Moto) -> None:
    told = f"^s3://{BUCKET}/gone: somebody else has ended its upload; write it again"
    with faulty(port_of(server)) as proxy:
        store = through(proxy, server)
        with pytest.raises(OutputWriteError, match=told), store.create("gone") as sink:
            sink.write(LARGE[: PIECE + 1])
            proxy.faults += [Fault(method, status=404, body=b"<Error><Code>NoSuchUpload</Code></Error>")]
            sink.write(LARGE)
    assert "gone" not in server.names()


def test_an_upload_without_a_name_is_never_taken_for_a_small_object(server: Moto) -> None:
    with faulty(port_of(server)) as proxy:
        store = through(proxy, server)
        proxy.faults += [Fault("POST", status=200, body=b"<Odd/>")]
        told = "the store does not say how to go on"
        with pytest.raises(OutputWriteError, match=told), store.create("odd") as sink:
            sink.write(LARGE)
    assert "odd" not in server.names()


@pytest.mark.parametrize("code", ["RequestTimeout", "BadDigest", "IncompleteBody"])
def test_a_body_that_did_not_come_well_is_sent_again(code: str, server: Moto) -> None:
    with faulty(port_of(server)) as proxy:
        proxy.faults += [Fault("PUT", status=400, body=f"<Error><Code>{code}</Code></Error>".encode())]
        through(proxy, server).put("slow", b"x")
        assert proxy.faults == []
        assert b"\r\ncontent-md5: " in proxy.requests[-1].lower()
    assert server.get("slow") == b"x"


def test_a_folder_loses_what_a_killed_writer_has_left_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    killed_while_writing(f"d.Disk(__import__('pathlib').Path({str(tmp_path)!r}))")
    [path] = folder.iterdir()
    assert path.name.startswith(".ess-write-")
    for name in (".ess-write-mine", ".ess-writing", "a"):
        (folder / name).touch()
    store = Disk(tmp_path)
    with store.create("left/b") as sink:
        sink.write(b"x")
        disk._looked.clear()  # so that it is looked at again
        store.put("left/c", b"y")
    assert sorted(path.name for path in folder.iterdir()) == [".ess-write-mine", ".ess-writing", "a", "b", "c"]
    assert (folder / "b").read_bytes() == b"x"


def test_azure_is_asked_as_often_as_the_time_allows(azure: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "60")
    azure.empty()
    words = azure.environment["AZURE_STORAGE_CONNECTION_STRING"]
    port = int(words.partition("127.0.0.1:")[2].partition("/")[0])
    with faulty(port) as proxy:
        values = (("AZURE_STORAGE_CONNECTION_STRING", words.replace(f":{port}/", f":{proxy.port}/")),)
        store = Access("az", BUCKET, Credentials(values)).open()
        busy = b"<Error><Code>ServerBusy</Code></Error>"
        for method in ("PUT", "GET"):
            proxy.faults += [Fault(method, status=503, body=busy, headers={"Retry-After": "0"})] * 3
        store.put("a", b"new")
        assert b"".join(pieces(store.open("a"))) == b"new"
        with store.create("large") as sink:
            proxy.faults += [Fault("PUT", status=500)] * 3
            sink.write(LARGE)
        assert proxy.faults == []
        assert azure.get("large") == LARGE
        with pytest.raises(ZeroDivisionError), store.create("never") as sink:
            sink.write(LARGE)
            raise ZeroDivisionError
        assert sorted(azure.names()) == ["a", "large"]
        monkeypatch.setenv("ESS_STORE_TIMEOUT", "2")
        store = Access("az", BUCKET, Credentials(values)).open()
        proxy.faults += [Fault("PUT", status=503, body=busy)] * 1000
        before = len(proxy.requests)
        with pytest.raises(OutputWriteError, match=rf"^az://{BUCKET}/b: the store has failed \(.*HTTP status 503\)"):
            store.put("b", b"x")
        assert 3 < len(proxy.requests) - before < 100


def test_azures_checksum_of_an_object_is_compared(azure: Azurite) -> None:
    from azure.storage.blob import ContentSettings

    store = access(azure).open()
    for name, content in (("small", b"some bytes"), ("large", LARGE)):
        with store.create(name) as sink:
            sink.write(content)
        assert azure._client.get_blob_client(name).get_blob_properties().content_settings.content_md5
        assert b"".join(pieces(store.open(name))) == content
        wrong = ContentSettings(content_md5=bytearray(16))
        azure._client.get_blob_client(name).set_http_headers(wrong)
        with pytest.raises(InputOpenError, match="what came is not what the store's checksum says"):
            b"".join(pieces(store.open(name)))
        assert b"".join(pieces(store.open(name, offset=3))) == content[3:]  # of a part there is none


def test_azures_library_goes_to_no_other_object(azure: Azurite) -> None:
    azure.empty()
    store = access(azure).open()
    store.put("up", b"mine")
    for key in ("../up", "a/../up", "./up", ".."):
        for attempt in (
            lambda key=key: store.put(key, b"other"),
            lambda key=key: store.create(key).__enter__(),
            lambda key=key: store.open(key),
            lambda key=key: store.delete(key),
            lambda key=key: store.head(key),
        ):
            with pytest.raises(EssError, match="a key with '.' or '..' as a part cannot be reached"):
                attempt()
    assert azure.names() == ["up"]
    assert azure.get("up") == b"mine"


def test_a_date_until_which_a_server_wants_to_be_left_alone_is_respected() -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    patience = Patience(0.2)
    with pytest.raises(ZeroDivisionError):  # that is later than anybody waits
        for _ in range(2):
            patience.wait(ZeroDivisionError(), late)
    Patience(1.0).wait(ZeroDivisionError(), "nonsense")
    Patience(1.0).wait(ZeroDivisionError(), format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True))
