"""Checkpoints in S3 and in Azure Blob: real servers of both, on this machine."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pytest

from ess.errors import EssError, InputDataError, InputOpenError, OptionError, OutputWriteError
from ess.lake import datastores
from ess.stores.kinds import Credentials
from ess.stores.store import Entry, Item, Store, all_names
from ess.udb.checkpoint import bucket
from ess.udb.checkpoint import location as checkpoint_location
from ess.udb.checkpoint.bucket import BucketLocation
from ess.udb.command.perform import perform
from ess.udb.command.query import export_batch
from ess.udb.spec.spec import Server
from tests.store_servers import ALONE, AZURITE_ACCOUNT, AZURITE_KEY, BUCKET, FOREIGN, StoreServer, store_server
from tests.udb.fault_processes import Command, Servers
from tests.udb.faults import operation, put

DEFINITION = """
@Table:log      s,pkey:user i:n i:value
@Vector:totals  s,pkey:user l,+add:count
@Var:           l,+add:seen
"""
#: Two files of a checkpoint.
ONE_TABLE = "\n@Table:log s,pkey:user i:n i:value\n"
#: Not quoted, not decoded: a key is what stands in the address.
KEY = "saved here/100%/%20 ü?#&+=;'\""


@pytest.fixture(scope="module", params=["s3", "az"])
def server(request: pytest.FixtureRequest) -> Iterator[StoreServer]:
    with store_server(request.param) as found:
        yield found


@pytest.fixture
def store(server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> StoreServer:
    """The server, empty, and told to this process."""
    server.empty()
    tell(monkeypatch, server.environment)
    return server


def tell(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in [name for name in os.environ if FOREIGN.match(name)]:
        monkeypatch.delenv(name)
    for name, value in {**ALONE, **variables}.items():
        monkeypatch.setenv(name, value)


Pool = Callable[..., None]


@pytest.fixture
def pool(start_server: Any, write_spec: Callable[..., list[Server]]) -> Pool:
    """Starts so many empty servers for the database."""

    def start(count: int, definition: str = DEFINITION) -> None:
        write_spec(*(start_server() for _ in range(count)), definition=definition)

    return start


def fill(count: int = 100) -> None:
    put("log", [(b"u%d" % (n % 7), n, 0) for n in range(count)])


def everything() -> list[Any]:
    return [sorted(export_batch(f"db:{table}")[0].rows()) for table in ("log", "totals", "var")]


def save(address: str) -> int:
    return perform(operation("-save", "db", address))


def load(address: str) -> int:
    return perform(operation("-load", "db", address))


def parts(store: StoreServer, key: str) -> set[str]:
    return {found[0] for name in store.names() if (found := re.findall(rf"^{re.escape(key)}/(data-[0-9a-f]+)/.", name))}


def test_a_checkpoint_is_loaded_onto_a_pool_of_another_size_and_read_by_others(
    store: StoreServer, pool: Pool, tmp_path: Path
) -> None:
    pool(2)
    fill()
    put("totals", [(b"u1", 2), (b"\xff", 3)])
    put("var", [(7,)])
    before = everything()
    address = store.address(KEY)
    save(address)
    first = parts(store, KEY)
    fill(50)
    save(address)  # takes the place of the first
    assert len(first) == len(parts(store, KEY)) == 1
    assert not first & parts(store, KEY)
    perform(operation("-scn", "db:log", filt="n >= 0", change=True))
    with pytest.raises(EssError, match="not empty"):
        load(address)
    pool(3)
    assert load(address) == 152
    assert len(everything()[0]) == 150
    assert everything()[1:] == before[1:]
    pool(1)
    assert load(address + "/") == 152

    # The manifest names the files; who has downloaded them reads them.
    manifest = json.loads(store.get(f"{KEY}/manifest.json"))
    assert manifest["servers"] == 2
    frames = []
    for file in manifest["files"]["log"]:
        path = tmp_path / file["file"]
        path.write_bytes(store.get(f"{KEY}/{manifest['folder']}/{file['file']}"))
        assert path.stat().st_size == file["bytes"]
        frames.append(pl.read_parquet(path))
    table = pl.concat(frames)
    assert (table.height, table.columns) == (150, ["user", "n", "value"])
    assert set(table["user"]) == {f"u{n}" for n in range(7)}


def test_a_label_of_a_datastore_with_its_prefix_and_its_keys(
    store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pool(1)
    fill()
    monkeypatch.setenv("ESS_CACHE_DIR", str(tmp_path / "ess"))
    values = Credentials(tuple(store.environment.items()))
    datastores.select(f"{store.scheme}://{BUCKET}/kept", label="results", credentials=values)
    datastores.select("local", label="here")
    for name in store.environment:  # nothing but the datastore has the keys
        monkeypatch.delenv(name)
    save("results:shop/daily")
    save("results:/other")
    assert len(parts(store, "kept/shop/daily")) == len(parts(store, "other")) == 1
    monkeypatch.chdir(tmp_path)
    for path in ("here:there", "./results:there", "unknown:there"):
        save(path)
    found = ["results:there", "there", "unknown:there"]
    assert sorted(each.parent.name for each in tmp_path.glob("*/manifest.json")) == found
    with pytest.raises(OptionError, match="results:: the path is missing; give LABEL:PATH"):
        save("results:")
    with pytest.raises(OptionError, match="no part may be blank"):
        save("results:a//b")
    for address in ("results:shop/daily", "results:/other", "here:there"):
        pool(2)
        assert load(address) == 100


def test_a_store_and_a_folder_have_the_same_layout(store: StoreServer, pool: Pool, tmp_path: Path) -> None:
    pool(2)
    fill()
    before = everything()
    save(str(tmp_path / "saved"))
    for path in (tmp_path / "saved").rglob("*.*"):
        if path.is_file():
            store.put(f"copied/{path.relative_to(tmp_path / 'saved')}", path.read_bytes())
    pool(1)
    load(store.address("copied"))
    assert everything() == before


def test_large_files_go_in_pieces_both_ways(store: StoreServer, pool: Pool) -> None:
    pool(1)
    rows = [(b"%d" % n + os.urandom(2000), n, n) for n in range(9000)]
    put("log", rows)
    save(store.address("large"))
    [size] = [len(store.get(key)) for key in store.names() if "/log-0" in key]
    assert size > 17_000_000
    pool(1)
    assert load(store.address("large")) == 9000
    assert sorted(export_batch("db:log")[0].rows()) == sorted(rows)


# What goes wrong ------------------------------------------------------------------------------------------------------


class DyingStore:
    """A store that is out of reach from some request on, whatever is asked then: as if who asks had died."""

    flat, conditional, late = True, False, True

    def __init__(self, store: Store, left: int) -> None:
        self._store = store
        self.left = left
        self.address = store.address

    def _next(self) -> Store:
        self.left -= 1
        if self.left < 0:
            raise OutputWriteError("dead", where=self.address)
        return self._store

    def at(self, key: str) -> str:
        return self._store.at(key)

    def require(self, *, writing: bool) -> None:
        self._next().require(writing=writing)

    def create(self, key: str) -> Any:
        return self._next().create(key)

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        self._next().put(key, content, expected=expected)

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        return self._next().open(key, offset=offset, length=length, version=version)

    def head(self, key: str) -> Entry:
        return self._next().head(key)

    def is_folder(self, key: str) -> bool:
        return self._next().is_folder(key)

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        return self._next().entries(prefix, start_after=start_after)

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        return self._next().level(folder, wanted)

    def delete(self, key: str) -> None:
        self._next().delete(key)

    def remove(self, folder: str) -> None:
        self._next().remove(folder)


def test_a_save_that_ends_at_any_request_leaves_one_of_two_whole_checkpoints(
    store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool(2, ONE_TABLE)
    fill(10)
    address = store.address("a")
    save(address)
    old = store.get("a/manifest.json")
    fill(20)
    opened = vars(checkpoint_location)["open_store"]
    seen = set()
    for requests in range(100):
        dying: list[DyingStore] = []

        def open_dying(where: Any, requests: int = requests, dying: list[DyingStore] = dying) -> DyingStore:
            dying.append(DyingStore(opened(where), requests))
            return dying[0]

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint_location, "open_store", open_dying)
            try:
                save(address)
                done = True
            except EssError as error:
                if error.what != "dead":
                    raise
                done = False
        seen.add((done, store.get("a/manifest.json") != old))
        if done and dying[0].left > 0:
            break
        manifest = json.loads(store.get("a/manifest.json"))
        for name, files in manifest["files"].items():
            assert all(len(store.get(f"a/{manifest['folder']}/{f['file']}")) == f["bytes"] for f in files), name
        if not done:
            assert store.get("a/manifest.json") == old
    assert seen == {(False, False), (True, True)}
    # What the dead have left is removed when nobody can be at work on it any more.
    assert len(parts(store, "a")) > 5
    monkeypatch.setattr(bucket, "ABANDONED", timedelta(seconds=-1))
    save(address)
    assert len(parts(store, "a")) == 1
    pool(1, ONE_TABLE)
    assert load(address) == 30


def test_two_at_once_do_not_harm_each_other(store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool(2)
    fill(10)
    address = store.address("two")
    save(address)
    settle = BucketLocation.settle

    def settle_late(place: BucketLocation, part: str, sizes: Any) -> None:
        monkeypatch.setattr(BucketLocation, "settle", settle)
        save(address)  # another one comes, and comes to its end first
        settle(place, part, sizes)

    monkeypatch.setattr(BucketLocation, "settle", settle_late)
    save(address)
    assert len(parts(store, "two")) == 1
    pool(1)
    assert load(address) == 10


def test_a_lost_answer_to_the_last_request_removes_nothing(
    store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool(2)
    fill(10)
    address = store.address("lost")
    name = BucketLocation.name

    def lost(place: BucketLocation, manifest: bytes) -> None:
        name(place, manifest)
        raise OutputWriteError("the store cannot be reached, or does not answer", where=place.at("manifest.json"))

    monkeypatch.setattr(BucketLocation, "name", lost)
    with pytest.raises(EssError, match="cannot be reached"):
        save(address)
    pool(1)
    assert load(address) == 10


def test_a_failed_save_removes_what_it_has_written(
    store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool(2)
    fill(10)

    def short(place: BucketLocation, part: str, sizes: Any) -> None:
        store.put(f"short/{part}/log-0.parquet", b"PAR1")
        settle(place, part, sizes)

    settle = BucketLocation.settle
    monkeypatch.setattr(BucketLocation, "settle", short)
    with pytest.raises(OutputWriteError, match=r"/short/data-\w+/log-0.parquet: the store does not have what was"):
        save(store.address("short"))
    assert parts(store, "short") == set()


def one_line(caught: pytest.ExceptionInfo[EssError], store: StoreServer, address: str) -> str:
    text = str(caught.value)
    assert "\n" not in text
    assert address in text
    assert store.secret not in text
    assert caught.value.__cause__ is None or store.secret not in str(caught.value.__cause__)
    return text


def test_damaged_and_missing_files_load_nothing(store: StoreServer, pool: Pool) -> None:
    pool(2)
    fill()
    address = store.address("bad")
    with pytest.raises(InputOpenError, match="no database was saved there") as caught:
        load(address)
    one_line(caught, store, f"{address}/manifest.json")
    save(address)
    perform(operation("-clr", "db"))
    key = next(key for key in store.names() if key.endswith("log-1.parquet"))
    whole = store.get(key)
    place = address + key.removeprefix("bad")
    for damaged in (whole[:-3], b"", whole[:50] + bytes([whole[50] ^ 1]) + whole[51:], whole + b"\0"):
        store.put(key, damaged)
        with pytest.raises(InputDataError, match="the file of the checkpoint is damaged") as broken:
            load(address)
        one_line(broken, store, place)
    store.delete(key)
    with pytest.raises(InputOpenError, match="a file of the checkpoint is missing") as caught:
        load(address)
    one_line(caught, store, place)
    assert everything()[0] == []
    store.put(key, whole)
    manifest = store.get("bad/manifest.json")
    for text in (b"", manifest[:-10], b"[]", b"\xff"):
        store.put("bad/manifest.json", text)
        with pytest.raises(EssError, match="manifest|not of format") as anyone:
            load(address)
        one_line(anyone, store, f"{address}/manifest.json")
    store.put("bad/manifest.json", manifest)
    assert load(address) == 100


def test_no_bucket_no_access_nobody_there(store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool(1)
    fill(10)
    nowhere = f"{store.scheme}://no-such-bucket/x"
    for way in (save, load):
        with pytest.raises(EssError, match="there is no such (bucket|container)") as caught:
            way(nowhere)
        one_line(caught, store, f"{store.scheme}://no-such-bucket")
    address = store.address("x")
    tell(monkeypatch, store.wrong)
    for way in (save, load):
        with pytest.raises(EssError, match="the store refuses access") as caught:
            way(address)
        one_line(caught, store, store.address("").rstrip("/"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        tell(monkeypatch, {name: text.replace("PORT", port) for name, text in store.elsewhere.items()})
        monkeypatch.setenv("ESS_STORE_TIMEOUT", "1")
        for way in (save, load):
            with pytest.raises(EssError, match="cannot be reached, or does not answer") as caught:
                way(address)
            one_line(caught, store, store.address("").rstrip("/"))
        # Somebody takes the connection and never says a word.
        closed.listen(50)
        with pytest.raises(EssError, match="cannot be reached, or does not answer"):
            save(address)
    tell(monkeypatch, store.environment)
    assert everything()[0]


@pytest.mark.parametrize("server", ["s3"], indirect=True)
def test_s3_with_a_profile(store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key, secret = store.environment["AWS_ACCESS_KEY_ID"], store.secret
    file = tmp_path / "credentials"
    profiles = {"saver": secret, "another": "wrong" + secret[5:]}
    section = "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
    file.write_text("".join(section.format(name, key, known) for name, known in profiles.items()))
    told = {"AWS_ENDPOINT_URL_S3": store.environment["AWS_ENDPOINT_URL"], "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    told |= {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    pool(1)
    fill(10)
    tell(monkeypatch, {**told, "AWS_PROFILE": "saver"})
    save(store.address("profile"))
    tell(monkeypatch, {**told, "AWS_PROFILE": "another"})
    with pytest.raises(OutputWriteError, match="refuses access"):
        save(store.address("profile"))


@pytest.mark.parametrize("server", ["az"], indirect=True)
def test_azure_with_a_signature(store: StoreServer, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    whole = store.environment["AZURE_STORAGE_CONNECTION_STRING"]
    endpoint = next(part for part in whole.split(";") if part.startswith("BlobEndpoint="))
    pool(1)
    fill(10)
    for hours, allowed in ((1, "rwdl"), (-1, "rwdl"), (1, "r")):
        signature = generate_container_sas(
            AZURITE_ACCOUNT,
            BUCKET,
            AZURITE_KEY,
            permission=ContainerSasPermissions.from_string(allowed),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        tell(monkeypatch, {"AZURE_STORAGE_CONNECTION_STRING": f"{endpoint};SharedAccessSignature={signature}"})
        if hours > 0 and "w" in allowed:
            save(store.address("signed"))
            continue
        with pytest.raises(OutputWriteError, match="refuses access") as caught:
            save(store.address("signed"))
        assert signature not in str(caught.value)
        assert "sig=" not in str(caught.value)


# Commands -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def processes(places: dict[str, str], tmp_path: Path, port_base: int) -> Iterator[Servers]:
    found = Servers((port_base, port_base + 1))
    (tmp_path / "conf").mkdir()
    lines = "".join(f"@Server: 127.0.0.1:{port}\n" for port in found.ports)
    (tmp_path / "conf" / "db.spec").write_text(lines + DEFINITION)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def test_killed_in_the_middle(store: StoreServer, processes: Servers, tmp_path: Path) -> None:
    """A client by ``kill -9``, then a server of the database: the checkpoint before stays; no secret is seen."""
    fill(30)
    address = store.address("k")
    variables = {**ALONE, **store.environment}
    done = Command(["aq_udb", "-save", "db", address], tmp_path / "done", variables)
    assert done.wait() == 0, done.said()
    old = store.get("k/manifest.json")
    put("log", [(b"%d" % n, n, n * 7919 % 100_003) for n in range(200_000)])

    def begun(name: str, *, real: bool) -> Command:
        known = parts(store, "k")
        command = Command(["aq_udb", "-save", "db", address], tmp_path / name, variables, real=real)
        while not parts(store, "k") - known and command.is_running():
            time.sleep(0.002)
        return command

    killed = begun("killed", real=True)
    assert killed._real is not None
    assert store.secret.encode() not in Path(f"/proc/{killed._real.pid}/cmdline").read_bytes()
    killed.kill()
    assert killed.wait() == -9
    assert store.get("k/manifest.json") == old

    failed = begun("failed", real=False)
    processes.end(processes.ports[1])
    assert failed.wait() in (31, 32)
    assert failed.said().count("\n") == 1
    assert store.secret not in failed.said()
    assert store.get("k/manifest.json") == old
    processes.start()
    perform(operation("-clr", "db"))
    loaded = Command(["aq_udb", "-load", "db", address], tmp_path / "loaded", variables)
    assert (loaded.wait(), loaded.said()) == (0, "")
    assert len(everything()[0]) == 30
    secret = store.secret.encode()
    for path in [*(tmp_path / "conf").rglob("*"), *(tmp_path / "ess").rglob("*")]:
        assert not path.is_file() or secret not in path.read_bytes(), path
