"""Datastores in stores of every kind: the same commands give the same bytes, and no key is ever shown."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import ess
from ess.cli.app import run
from ess.errors import EssError, InputDataError, InputOpenError, OptionError, OutputWriteError
from ess.lake import datastores
from ess.lake.content import open_raw
from ess.lake.entry import FileEntry
from ess.stores.store import ObjectChanged
from tests.formats.test_archives import patch
from tests.lake.test_archives import tarred, zipped
from tests.store_servers import AZURITE_ACCOUNT, AZURITE_KEY, BUCKET, Azurite, StoreServer, store_server
from tests.stores.stores import forget
from tests.web_server import Nginx, nginx

KINDS = ("s3", "swift", "gs", "az", "http")


@contextlib.contextmanager
def served(kind: str, folder: Path) -> Iterator[StoreServer]:
    """A server; that of ``gs`` is one of S3, whose interface Google has. A web server has the bucket as a folder."""
    if kind == "http":
        with nginx(folder) as web:
            yield WebFolder(web)
        return
    with store_server("swift" if kind == "gs" else kind) as found:
        yield found


class WebFolder(StoreServer):
    scheme = "http"
    secret = "there is none"

    def __init__(self, web: Nginx) -> None:
        self.environment = {}
        self._files = web.folder
        self.host = f"127.0.0.1:{web.ports['html']}"

    def put(self, key: str, content: bytes) -> None:
        path = self._files / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture(scope="module", params=KINDS)
def served_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, StoreServer]]:
    with served(request.param, tmp_path_factory.mktemp("store")) as found:
        for name, content in files(request.param).items():
            found.put(name, content)
        yield request.param, found


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inside/sales_20140903.csv", "user,price\nzoe,1\n")
    return made.getvalue()


#: Between the days stands what is not read.
DAYS = {
    f"{kind}_2014090{day}": b"%d\n" % day if kind == "day" else bytes(range(256)) * 2000
    for day in (3, 1, 2)
    for kind in ("day", "noise")
}


def broken_zip() -> bytes:
    """A zip archive with a wrong checksum and a file that is well."""
    data = bytearray(zipped({"day_20140904": b"4\n", "day_20140905": b"5\n"}))
    patch(data, "day_20140904", crc=1)
    return bytes(data)


FILES = {
    "shop/packed/days.zip": zipped(DAYS),
    "shop/packed/days.tar": tarred(DAYS),
    "shop/packed/days.tgz": gzip.compress(tarred(DAYS), 1),
    "shop/packed/broken.zip": broken_zip(),
    "shop/sales_20140901.csv.gz": gzip.compress(b"user,price\nann,3\nbob,4\n"),
    "shop/sales_20140902.csv.gz": gzip.compress(b"user,price\nann,5\n"),
    "shop/sales_20140903.zip": archive(),
    "shop/notes.txt": b"nothing\n",
    "shop/odd//sales_20140904 $(touch x);'.csv.gz": gzip.compress(b"user,price\neve,6\n"),
    "other/sales_20150101.csv.gz": gzip.compress(b"user,price\nfar,7\n"),
}


def files(kind: str) -> dict[str, bytes]:
    """Those of a kind: a web server makes one of two slashes."""
    return {name.replace("//", "/") if kind == "http" else name: content for name, content in FILES.items()}


def source(kind: str, server: StoreServer, prefix: str = "") -> str:
    if isinstance(server, WebFolder):
        return f"http://{server.host}{prefix}"
    return f"{'blob' if kind == 'az' else 's3' if kind == 'swift' else kind}://{BUCKET}{prefix}"


def options(kind: str, server: StoreServer, keys: Path) -> dict[str, str]:
    """Keys as they are given to ``ess select``."""
    if isinstance(server, WebFolder):
        return {}
    if isinstance(server, Azurite):
        described = dict(
            part.split("=", 1) for part in server.environment["AZURE_STORAGE_CONNECTION_STRING"].split(";") if part
        )
        return {"account_name": AZURITE_ACCOUNT, "account_key": AZURITE_KEY, "endpoint": described["BlobEndpoint"]}
    values = server.environment
    keys.write_text(
        "User Name,Access Key Id,Secret Access Key\n"
        f"me,{values['AWS_ACCESS_KEY_ID']},{values['AWS_SECRET_ACCESS_KEY']}\n"
    )
    return {"credentials": str(keys), "endpoint": values["AWS_ENDPOINT_URL"]}


@pytest.fixture
def store(
    served_kind: tuple[str, StoreServer], places: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, StoreServer]:
    kind, server = served_kind
    forget(monkeypatch)
    ess.select(source(kind, server), **options(kind, server, tmp_path / "keys.csv"))  # type: ignore[arg-type]
    return kind, server


def paths(found: Iterable[FileEntry]) -> list[str]:
    return [entry.path.removeprefix(datastores.datastore().root) for entry in found]


def test_files_are_listed_found_by_date_and_read(store: tuple[str, StoreServer]) -> None:
    assert paths(ess.ls().files) == ["other/", "shop/"]
    assert paths(ess.ls("shop/*.txt").files) == ["shop/notes.txt"]
    assert paths(ess.ls("/shop/*.gz", recursive=True).files) == [
        name for name in files(store[0]) if name.startswith("shop/") and name.endswith(".gz")
    ]
    ess.category_add("sales", "shop/sales*.gz", columnspec="S:user I:price")
    assert paths(ess.files("sales", "2014-09-02", "*")) == ["shop/sales_20140902.csv.gz"]
    assert ess.read("sales").rows() == [("ann", 3), ("bob", 4), ("ann", 5)]
    ess.category_add("packed", "shop/sales*.zip", columnspec="S:user I:price")
    assert list(ess.rows("packed")) == [{"user": "zoe", "price": 1}]
    with ess.cat("shop/sales_20140901.csv.gz", decompress=True) as file:
        assert file.read() == b"user,price\nann,3\nbob,4\n"
    with ess.cat("shop/notes.txt") as file:
        assert file.read() == b"nothing\n"
    assert [member.name for member in ess.lsa("shop/sales_20140903.zip")] == ["inside/sales_20140903.csv"]
    assert ess.compression("shop/sales_20140903.zip") == "zip"
    with pytest.raises(InputOpenError):
        ess.cat("shop/nothing")


def test_a_stream_reads_every_file_also_of_odd_names_and_archives(
    store: tuple[str, StoreServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ess.category_add("all", "shop/*sales*", columnspec="S:user I:price")
    out = io.BytesIO()
    result = ess.stream("all", "*", "*", 'cat; echo "%file" >&2', stdout=out)
    assert result.result.exit_code == 0
    expected = [b"user,price\nann,3\nbob,4\n", b"user,price\nann,5\n", b"user,price\nzoe,1\n", b"user,price\neve,6\n"]
    assert out.getvalue() == b"".join(expected)
    assert not (tmp_path / "x").exists()


def test_files_in_archives_are_read_by_their_bytes(store: tuple[str, StoreServer]) -> None:
    ess.category_add("days", "shop/packed/*", archive="day_*", noprobe=True)
    root = datastores.datastore().root
    found = ess.files("days", "2014-09-02", "2014-09-02")
    assert [entry.path for entry in found] == [
        f"{root}shop/packed/days.{form}/day_20140902" for form in ("tar", "tgz", "zip")
    ]
    output = ess.stream("days", command="cat; echo %path", archive="*day_*")
    assert output.output.decode().split("\n")[:-1] == [
        line
        for day in ("1", "2", "3")
        for form in ("tar", "tgz", "zip")
        for line in (day, f"{root}shop/packed/days.{form}")
    ] + ["5", f"{root}shop/packed/broken.zip"]
    [failure] = output.result.failures
    assert failure.name == f"{root}shop/packed/broken.zip/day_20140904"
    assert "its checksum is" in failure.problem
    with ess.cat("shop/packed/days.tgz/noise_20140901") as file:
        assert file.read() == DAYS["noise_20140901"]
    assert [member.size for member in ess.lsa("shop/packed/days.tar", pattern="noise*")] == [512_000] * 3


def test_columns_are_found(store: tuple[str, StoreServer]) -> None:
    found = ess.category_add("sales", "shop/sales*.gz")
    assert found.columnspec == "S:user I:price"
    assert ess.probe("sales").compression == "gzip"


def test_a_folder_without_anything_is_told(
    store: tuple[str, StoreServer], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind, server = store
    for prefix, empty in (("/shop/", False), ("", False), ("/nothing/", True), ("/sho", True)):
        given = options(kind, server, tmp_path / "k.csv")
        chosen = ess.select(source(kind, server, prefix), label="there", overwrite=True, **given)  # type: ignore[arg-type]
        assert ess.is_empty() is empty, prefix
        assert run(["select", "there"]) == 0
        told = f"ess: {chosen.source}: nothing is seen there; check the name, and see: ess ls\n" * empty
        assert capfd.readouterr().err == f"selected datastore there\n{told}"


def test_a_prefix_is_where_patterns_begin(store: tuple[str, StoreServer], tmp_path: Path) -> None:
    kind, server = store
    ess.select(source(kind, server, "/shop"), label="shop", **options(kind, server, tmp_path / "k.csv"))  # type: ignore[arg-type]
    assert paths(ess.ls("*.txt").files) == ["shop/notes.txt"]
    assert paths(ess.ls("/other/*").files) == ["other/sales_20150101.csv.gz"]


def test_keys_are_kept_for_their_owner_only_and_never_shown(store: tuple[str, StoreServer], tmp_path: Path) -> None:
    kind, server = store
    if kind == "http":
        with pytest.raises(OptionError, match="--aws_access_key: the option is not for web servers"):
            ess.select(source(kind, server), aws_access_key="a", aws_secret_access_key="b")
        return
    chosen = datastores.datastore()
    kept = chosen.folder / "credentials.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert server.secret in kept.read_text()
    for shown in (repr(chosen), repr(chosen.access), repr(ess.repository())):
        assert server.secret not in shown
    repository = (chosen.folder.parent.parent / "repository.json").read_text()
    assert server.secret not in repository
    wrong = {**options(kind, server, tmp_path / "wrong.csv")}
    if kind == "az":
        wrong["account_key"] = "d3Jvbmc="
    else:
        (tmp_path / "wrong.csv").write_text("Access key ID,Secret access key\nwrong,wrong\n")
    with pytest.raises(OptionError, match="it has other keys"):
        ess.select(source(kind, server), **wrong)  # type: ignore[arg-type]
    before = kept.read_bytes()
    with pytest.raises(EssError, match="refuses access"):
        ess.select(source(kind, server), overwrite=True, **wrong)  # type: ignore[arg-type]
    assert kept.read_bytes() == before  # the good keys are still there
    assert paths(ess.ls("shop/*.txt").files) == ["shop/notes.txt"]
    said = "--account_key" if kind == "az" else r"check --credentials,? .*and what (they|it) may do"
    with pytest.raises(EssError, match=f"refuses access.*{said}"):
        ess.select(source(kind, server), label="another", **wrong)  # type: ignore[arg-type]
    assert not (chosen.folder.parent / "another").exists()
    ess.purge(chosen.label)
    assert not kept.exists()


def test_an_account_without_a_key_is_enough_for_a_public_container(
    store: tuple[str, StoreServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, server = store
    if not isinstance(server, Azurite):
        return
    endpoint = options(kind, server, Path())["endpoint"]
    with pytest.raises(OptionError, match="the default credential is sent by https:// only; give a key"):
        ess.select(f"blob://{BUCKET}", account_name=AZURITE_ACCOUNT, endpoint=endpoint, label="private")
    with server.published():
        for _ in range(2):  # a script is run again
            chosen = ess.select(f"blob://{BUCKET}", account_name=AZURITE_ACCOUNT, endpoint=endpoint, label="public")
            assert chosen.access.credentials.get("AZURE_STORAGE_KEY") == ""
            assert paths(ess.ls("shop/*.txt").files) == ["shop/notes.txt"]
            assert ess.cat("shop/notes.txt").read() == b"nothing\n"
        ess.category_add("sales", "shop/sales*.gz")
        with pytest.raises(
            OutputWriteError, match="it is asked without a key, so it is only read; select it with --acc"
        ):
            ess.stream("sales", command="touch it-ran; cat", s3out="public:out/")
        assert not Path("it-ran").exists()


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("s3://", {}, "bad name ''"),
        ("s3://key:secret@bucket", {}, "must not hold credentials"),
        ("http://", {}, "bad name '' of a host"),
        ("http://host:0/", {}, "bad name 'host:0' of a host"),
        ("http://host:65536/", {}, "bad name 'host:65536' of a host"),
        ("http://two words/", {}, "bad name 'two words' of a host"),
        ("https://key:secret@host/", {}, "must not hold credentials; files behind a password cannot be read yet"),
        ("https://host/x?key:secret", {}, "has no '?' or '#'"),
        ("https://host?key:secret", {}, "has no '?' or '#'"),
        ("https://host/a/%2e%2e/b", {}, "no part may be blank, '.' or '..'"),
        ("ftp://bucket", {}, "no access to such a store"),
        ("s3://bucket", {"account_name": "x"}, "--account_name: the option is not for S3"),
        ("local", {"region": "x"}, "--region: the option goes with the address of a store"),
        ("s3://bucket", {"aws_access_key": "x"}, "one is missing; give both"),
        ("blob://box", {"profile": "x"}, "--profile: the option is not for Azure Blob"),
    ],
)
def test_options_that_make_no_sense_are_told(source: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        ess.select(source, **options)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "key:secret" not in str(caught.value)
    assert ess.repository().datastores == {}


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "Access Key Id,Secret Access Key\n,\n", "\x00\x01"])
def test_a_file_without_a_key_is_told_and_not_repeated(content: str, tmp_path: Path) -> None:
    (tmp_path / "keys.csv").write_text(content)
    with pytest.raises(InputDataError, match="it has no key"):
        ess.select("s3://bucket", credentials=str(tmp_path / "keys.csv"))
    with pytest.raises(InputOpenError, match="cannot read it"):
        ess.select("s3://bucket", credentials=str(tmp_path / "nothing.csv"))


def test_the_address_of_a_folder_of_a_web_server_is_a_url(places: object, tmp_path: Path) -> None:
    del places
    with nginx(tmp_path) as web:
        (web.folder / "100% a" / "b?").mkdir(parents=True)
        (web.folder / "100% a" / "b?" / "x y").write_bytes(b"1")
        address = f"http://127.0.0.1:{web.ports['json']}"
        chosen = ess.select(f"{address}/100%25%20a/b%3F", label="web")
        assert (chosen.source, chosen.prefix) == (f"{address}/100%25%20a/b%3F/", "100% a/b?/")
        assert datastores.datastore() == chosen
        assert [entry.path for entry in ess.ls().files] == [f"{address}/100% a/b?/x y"]
        assert [entry.path for entry in ess.ls("'x y'").files] == [f"{address}/100% a/b?/x y"]
        assert ess.select(f"{address}/").label == f"127.0.0.1-{web.ports['json']}"


def test_a_file_that_has_another_size_than_its_page_said_is_an_error(places: object, tmp_path: Path) -> None:
    del places
    with nginx(tmp_path) as web:
        (web.folder / "a.csv").write_bytes(b"x,1\n")
        ess.select(f"http://127.0.0.1:{web.ports['html']}/", label="web")
        [listed] = ess.ls("a.csv").files
        source = datastores.datastore().access
        with open_raw(listed, source) as file:
            assert file.read() == b"x,1\n"
        (web.folder / "a.csv").write_bytes(b"another\n")
        with pytest.raises(ObjectChanged, match="replaced since it was listed"):
            open_raw(listed, source)
