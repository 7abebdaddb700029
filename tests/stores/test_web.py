"""Web servers as stores: their index pages, odd names, versions, redirects and faults, with a real nginx."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.errors import EssError, InputOpenError, OutputWriteError
from ess.stores.kinds import Access
from ess.stores.store import Entry, Folder, NoSuchObject, ObjectChanged, Store, pieces
from ess.stores.web_pages import Listed, read_index
from tests.stores.faulty import Fault, FaultyProxy, faulty
from tests.web_server import SORTS, Nginx, nginx

CONTENT = bytes(range(256)) * 9000  # 2.3 MB: several pieces
ODD = (
    *("a b", " a", "a ", "a+b", "a%20b", "a%2Fb", "a&amp;b", "a?b", "a#b", "a:b", "http:", "x;y=z", "~", "100%"),
    *(
        "tab\there",
        "new\nline",
        "bell\x07",
        "ümläut",
        "e\u0301",
        "日本",
        "\U0001f4e6",
        os.fsdecode(b"\xff\xfe"),
        "[1]*",
    ),
    *('quote\'"<a href="x">', "back\\slash", "UPPER", "upper", "index of", "x" * 250),
)
REDIRECTS = """
location = /moved { return 301 /logs/a.gz; }
location = /moved-folder/ { return 302 /logs/; }
location = /round { return 302 /round; }
location = /away { return 302 http://127.0.0.1:9/logs/a.gz; }
location = /away/ { return 302 http://127.0.0.1:9/logs/; }
location = /odd { return 302 "http://user:pass@127.0.0.1:9/x"; }
location = /secret { return 401; }
location = /broken { return 418; }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx(tmp_path_factory.mktemp("web"), REDIRECTS) as found:
        yield found


@pytest.fixture
def files(server: Nginx, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is served."""
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "2")
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for path in sorted(server.folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    return server.folder


def put(folder: Path, key: str, content: bytes = b"12345") -> None:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def opened(server: Nginx, sort: str = "html") -> Store:
    return at_port(server.ports[sort])


def at_port(port: int) -> Store:
    return Access("http", f"127.0.0.1:{port}").open()


def content(store: Store, key: str, offset: int = 0, version: str = "") -> bytes:
    return b"".join(pieces(store.open(key, offset=offset, version=version)))


LISTING = ("html", "json", "rounded")


@pytest.mark.parametrize("sort", LISTING)
def test_files_are_listed_in_the_order_of_their_bytes(sort: str, server: Nginx, files: Path) -> None:
    every = ["a-b", "a/b", "a/c/d", "a/c.x", "a0", "b/1", "b/10", "b/2", "é"]
    for key in every:
        put(files, key, b"x" * 1500)
    (files / "empty").mkdir()
    every.sort(key=str.encode)
    store = opened(server, sort)
    found = list(store.entries())
    assert [entry.key for entry in found] == every
    assert {entry.size for entry in found} == {1500}
    for entry in found:
        assert entry.modified == pytest.approx(store.head(entry.key).modified, abs=60)
    for prefix in ("a", "a/", "a/c", "b/1", "nothing", "no/thing", "é"):
        assert [entry.key for entry in store.entries(prefix)] == [key for key in every if key.startswith(prefix)], (
            prefix
        )
    for start in ("a/b", "a/c/", "b", "b/15", "zz"):
        after = [key for key in every if key.encode() > start.encode()]
        assert [entry.key for entry in store.entries(start_after=start)] == after, start


@pytest.mark.parametrize("sort", LISTING)
def test_one_level_has_its_files_and_its_folders(sort: str, server: Nginx, files: Path) -> None:
    for key in ("top", "logs/a.gz", "logs/b", "logs/deep/er/c"):
        put(files, key)
    store = opened(server, sort)
    assert {item.key for item in store.level("")} == {"top", "logs/"}
    found = {item.key: item for item in store.level("logs/")}
    assert set(found) == {"logs/a.gz", "logs/b", "logs/deep/"}
    assert isinstance(found["logs/deep/"], Folder)
    file = found["logs/b"]
    assert isinstance(file, Entry)
    assert file.size == 5
    assert {item.key for item in store.level("logs/", lambda name: name.endswith(".gz"))} == {"logs/a.gz", "logs/deep/"}
    assert list(store.level("nothing/")) == []
    assert store.is_folder("logs/deep")
    assert not store.is_folder("logs/b")
    assert not store.is_folder("log")


@pytest.mark.parametrize("sort", LISTING)
def test_every_name_is_listed_and_read(sort: str, server: Nginx, files: Path) -> None:
    for number, name in enumerate(ODD):
        put(files, f"{name}/{name}", str(number).encode())
    store = opened(server, sort)
    wanted = sorted((f"{name}/{name}" for name in ODD), key=os.fsencode)
    assert [entry.key for entry in store.entries()] == wanted
    for number, name in enumerate(ODD):
        assert content(store, f"{name}/{name}") == str(number).encode(), name
        assert store.head(f"{name}/{name}").size == len(str(number)), name


def test_a_page_that_tells_sizes_and_times_is_believed_and_others_are_completed(server: Nginx, files: Path) -> None:
    for key in ("logs/a", "logs/b"):
        put(files, key, b"x" * 50_000)
    asked = {}
    for sort in LISTING:
        with faulty(server.ports[sort]) as proxy:
            assert [entry.size for entry in at_port(proxy.port).entries("logs/")] == [50_000, 50_000]
            asked[sort] = sorted(requests(proxy))
    assert asked["html"] == asked["json"] == ["GET /logs/"]
    assert asked["rounded"] == ["GET /logs/", "HEAD /logs/a", "HEAD /logs/b"]


def requests(proxy: FaultyProxy) -> list[str]:
    return [" ".join(head.decode().split(" ")[:2]) for head in proxy.requests]


def test_only_folders_that_can_hold_a_match_are_asked_for(server: Nginx, files: Path) -> None:
    for day in ("01", "02", "03"):
        put(files, f"logs/2014-09-{day}/x")
    with faulty(server.ports["html"]) as proxy:
        found = list(at_port(proxy.port).entries("logs/2014-09-02"))
        assert [entry.key for entry in found] == ["logs/2014-09-02/x"]
        assert requests(proxy) == ["GET /logs/", "GET /logs/2014-09-02/"]


def test_a_server_without_index_pages_gives_single_files(server: Nginx, files: Path) -> None:
    put(files, "logs/a.gz", CONTENT)
    store = opened(server, "none")
    said = "shows no index page of this folder; name a single file"
    with pytest.raises(InputOpenError, match=said):
        list(store.entries("logs/"))
    with pytest.raises(InputOpenError, match=said):
        list(store.level("logs/"))
    assert not store.is_folder("logs")
    [found] = store.entries("logs/a.gz")
    assert found.size == len(CONTENT)
    assert content(store, "logs/a.gz", version=found.version) == CONTENT
    with pytest.raises(InputOpenError, match=said):
        list(store.entries("logs/b.gz"))


def test_a_folder_that_leads_back_to_itself_is_left_out(server: Nginx, files: Path) -> None:
    put(files, "logs/a.gz")
    (files / "logs" / "again").symlink_to(files / "logs")
    (files / "beside").symlink_to(files / "logs")
    store = opened(server)
    assert [entry.key for entry in store.entries("logs/")] == ["logs/a.gz"]
    assert [entry.key for entry in store.entries()] == ["beside/a.gz", "logs/a.gz"]


def test_pages_of_folders_alone_end_as_well(server: Nginx, files: Path) -> None:
    for name in ("a", "b"):
        put(files, f"x/{name}/{name}/{name}/file")
    assert len(list(opened(server).entries())) == 2


def test_redirects_lead_only_to_the_same_server(server: Nginx, files: Path) -> None:
    put(files, "logs/a.gz", b"moved here")
    store = opened(server)
    assert content(store, "moved") == b"moved here"
    assert content(store, "moved", offset=6) == b"here"
    assert store.head("moved").size == 10
    assert [entry.key for entry in store.entries("moved-folder/")] == ["moved-folder/a.gz"]
    for ask in (store.open, store.head):
        with pytest.raises(InputOpenError, match=r"sends us to another one, http://127\.0\.0\.1:9; select"):
            ask("away")
        with pytest.raises(InputOpenError, match="from place to place"):
            ask("round")
        with pytest.raises(InputOpenError, match="sends us to another one; select") as caught:
            ask("odd")
        assert "pass" not in str(caught.value)
        with pytest.raises(NoSuchObject):
            ask("logs")
    with pytest.raises(InputOpenError, match="sends us to another one"):
        list(store.entries("away/"))


def test_what_a_server_does_not_give_is_told(server: Nginx, files: Path) -> None:
    store = opened(server)
    for ask in (store.open, store.head):
        for key in ("no/thing", "", "..", "../etc/passwd", "a/./b", "a//b", "nul\0"):
            with pytest.raises(NoSuchObject, match="no such file"):
                ask(key)
        with pytest.raises(InputOpenError, match="refuses access .HTTP status 401.; files behind a password"):
            ask("secret")
        with pytest.raises(InputOpenError, match="HTTP status 418"):
            ask("broken")
    assert list(files.iterdir()) == []


def test_nothing_is_written(server: Nginx, files: Path) -> None:
    put(files, "a")
    store = opened(server)
    store.require(writing=False)
    tries = (
        lambda: store.require(writing=True),
        lambda: store.create("a"),
        lambda: store.put("a", b"x"),
        lambda: store.delete("a"),
        lambda: store.remove("a"),
    )
    for attempt in tries:
        with pytest.raises(OutputWriteError, match="web servers are only read"):
            attempt()
    assert (files / "a").read_bytes() == b"12345"


# Versions and faults --------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(server: Nginx, files: Path) -> Iterator[FaultyProxy]:
    put(files, "a", CONTENT)
    with faulty(server.ports["html"]) as found:
        yield found


@pytest.fixture
def store(proxy: FaultyProxy) -> Store:
    return at_port(proxy.port)


CUTS = (0, 1, 7, 65535, 1 << 20, (1 << 20) + 1, len(CONTENT) - 1)


@pytest.mark.parametrize("cuts", [*((cut,) for cut in CUTS), CUTS])
def test_a_reading_that_is_cut_goes_on_at_its_byte(cuts: tuple[int, ...], store: Store, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault(after=cut) for cut in cuts]
    assert content(store, "a") == CONTENT
    asked = [re.search(rb"(?i)\r\nrange: bytes=(\d+)-\r\n", head) for head in proxy.requests[1:]]
    places = [min(sum(cuts[: n + 1]), len(CONTENT)) for n in range(len(cuts))]
    assert [int(found[1]) if found else 0 for found in asked] == [at for at in places if at < len(CONTENT)]
    assert all(b"\r\nif-match:" in head.lower() for head in proxy.requests[1:])


def replace(files: Path, content: bytes) -> None:
    """Another file in the place of ``a``, one second younger."""
    time = (files / "a").stat().st_mtime + 1
    (files / "new").write_bytes(content)
    os.utime(files / "new", (time, time))
    (files / "new").replace(files / "a")


def test_the_rest_of_another_file_is_refused(store: Store, proxy: FaultyProxy, files: Path) -> None:
    proxy.faults += [Fault(after=2000), Fault(before=lambda: replace(files, CONTENT[::-1]))]
    with pytest.raises(ObjectChanged, match="/a: it has been replaced"):
        content(store, "a")


def test_a_version_is_that_of_the_content(store: Store, files: Path) -> None:
    first = store.head("a").version
    assert content(store, "a", version=first) == CONTENT
    replace(files, b"other")
    assert store.head("a").version != first
    with pytest.raises(ObjectChanged, match="replaced since it was listed"):
        content(store, "a", version=first)
    assert content(store, "a") == b"other"


def test_a_server_without_tags_tells_versions_by_time_and_size(server: Nginx, files: Path) -> None:
    put(files, "a", CONTENT)
    with faulty(server.ports["untagged"]) as proxy:
        store = at_port(proxy.port)
        first = store.head("a").version
        assert first
        proxy.faults += [Fault(after=2000)]
        assert content(store, "a", version=first) == CONTENT
        assert b"\r\nif-unmodified-since: " in proxy.requests[-1].lower()
        assert b"\r\nif-match: " not in proxy.requests[-1].lower()
        assert content(store, "a", offset=77, version=first) == CONTENT[77:]
        proxy.faults += [Fault(after=2000), Fault(before=lambda: replace(files, CONTENT[::-1]))]
        with pytest.raises(ObjectChanged):
            content(store, "a")
        with pytest.raises(ObjectChanged):
            content(store, "a", version=first)
        second = store.head("a").version
        time = (files / "a").stat().st_mtime
        (files / "a").write_bytes(b"other size, same time")
        os.utime(files / "a", (time, time))
        with pytest.raises(ObjectChanged):
            content(store, "a", version=second)


@pytest.mark.parametrize("cut", [0, 5, 100])
def test_a_page_that_is_cut_is_asked_for_again(cut: int, store: Store, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault(after=cut), Fault(status=503), Fault(after=cut)]
    assert [entry.key for entry in store.entries()] == ["a"]
    assert proxy.faults == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_error_that_passes_is_not_seen_and_one_that_stays_is_told(
    status: int, store: Store, proxy: FaultyProxy
) -> None:
    proxy.faults += [Fault(status=status, headers={"Retry-After": "0"})] * 2
    assert content(store, "a") == CONTENT
    proxy.faults += [Fault("HEAD", status=status)] * 1000
    with pytest.raises(EssError, match=f"the server has failed .HTTP status {status}.; try again later"):
        store.head("a")


@pytest.mark.usefixtures("files")
def test_nobody_there_is_told(server: Nginx) -> None:
    with faulty(server.ports["html"]) as proxy:
        store = at_port(proxy.port)
        store.require(writing=False)
    with pytest.raises(InputOpenError, match="cannot be reached"):
        store.require(writing=False)


def test_https_is_for_servers_that_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with nginx(tmp_path, secure=True) as web:
        put(web.folder, "logs/a")
        store = Access("https", f"127.0.0.1:{web.ports['html']}").open()
        with pytest.raises(InputOpenError, match="is not one that this machine trusts"):
            store.require(writing=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(web.authority))
        store = Access("https", f"127.0.0.1:{web.ports['json']}").open()
        assert [entry.key for entry in store.entries()] == ["logs/a"]
        assert content(store, "logs/a") == b"12345"


# Other servers' pages -------------------------------------------------------------------------------------------------

APACHE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html><head><title>Index of /logs</title></head><body><h1>Index of /logs</h1>
<pre><img src="/icons/blank.gif" alt="Icon "> <a href="?C=N;O=D">Name</a>  <a href="?C=M;O=A">Last modified</a><hr>
<img src="/icons/back.gif" alt="[PARENTDIR]"> <a href="/">Parent Directory</a>                             -
<img src="/icons/x.gif" alt="[   ]"> <a href="a%20%26%20b.gz">a &amp; b.gz</a>   2026-11-30 12:30  2.0K
<img src="/icons/folder.gif" alt="[DIR]"> <a href="deep/">deep/</a>   2026-11-30 12:30    -
<hr></pre><address>Apache/2.4.57 (Debian) Server at localhost Port 80</address></body></html>"""
APACHE_TABLE = """<html><head><title>Index of /logs</title></head><body><table>
<tr><th><a href="?C=N;O=D">Name</a></th></tr><tr><td><a href="/">Parent Directory</a></td><td>-</td></tr>
<tr><td valign="top"><img src="/icons/x.gif"></td><td><a href="a%20%26%20b.gz">a &amp; b.gz</a></td>
<td align="right">2026-11-30 12:30  </td><td align="right">2.0K</td></tr>
<tr><td><a href="deep/">deep/</a></td></tr></table></body></html>"""
ELSEWHERE = """<title>Index of /logs/</title><a href="http://other/logs/x">x</a><a href="//other/logs/x">x</a>
<a href="../logs2/x">x</a><a href="/x">x</a><a href="/logs/deeper/x">x</a><a href="..%2Fx">x</a><a href="%2e%2e/">x</a>
<a href="mailto:x">x</a><a href="x?y">x</a><a href="#x">x</a><a>x</a><a href="">x</a><a href="./">x</a>
<a href="javascript:x">x</a><a href="nul%00">x</a><a href="http://[">x</a>
<a href="./a%20%26%20b.gz">same</a><a href="/logs/a%20%26%20b.gz">same</a><a href="/%6Cogs/deep/">deep</a>"""


@pytest.mark.parametrize("page", [APACHE, APACHE_TABLE, ELSEWHERE])
def test_links_directly_below_the_folder_count(page: str) -> None:
    found = read_index(page.encode(), "text/html;charset=UTF-8", "/logs/")
    assert found == (Listed("a & b.gz", folder=False), Listed("deep", folder=True))


def test_sizes_and_times_of_apache_are_asked_for(server: Nginx, files: Path) -> None:
    put(files, "logs/a & b.gz", b"x" * 2010)
    put(files, "logs/index.html", APACHE.encode())
    put(files, "logs/deep/index.html", APACHE.replace("/logs", "/logs/deep").replace("deep/<", "deeper<").encode())
    put(files, "logs/deep/deep/index.html", b"<title>Index of /logs/deep/deep/</title>")
    found = list(opened(server, "stored").entries("logs/"))
    assert [(entry.key, entry.size) for entry in found] == [("logs/a & b.gz", 2010)]
    assert found[0].version


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("<title>Our shop</title><a href='x'>x</a>", "text/html"),
        ("", "text/html"),
        ("{}", "application/json"),
        ("[1]", "application/json"),
        ('[{"name": 1, "type": "file"}]', "application/json"),
        ("[" * 100000, "application/json"),
    ],
)
def test_another_page_is_no_index(page: str, kind: str) -> None:
    assert read_index(page.encode(), kind, "/") is None


def test_a_page_in_json_is_not_trusted_either() -> None:
    names = ("..", ".", "", "a/b", "nul\\u0000", "good")
    page = ",".join(f'{{"name": "{name}", "type": "file", "size": -1, "mtime": "x"}}' for name in names)
    found = read_index(f"[{page}]".encode(), "application/json", "/")
    assert found == (Listed("good", folder=False),)


def test_every_sort_of_server_is_tried() -> None:
    assert set(SORTS) == {*LISTING, "stored", "none", "untagged"}
