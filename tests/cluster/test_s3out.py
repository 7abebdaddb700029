"""``--s3out``: the output of each file becomes an object of any datastore that can be written, whole or not at all."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

import ess
from ess.cluster.report import StreamResult
from ess.errors import EssError, OptionError
from ess.lake import datastores
from ess.stores.kinds import Credentials
from ess.stores.store import Store, pieces
from tests.store_servers import BUCKET, Moto, StoreServer
from tests.stores.stores import forget, served


@pytest.fixture(scope="module", params=["local", "s3", "az"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer | None]:
    if request.param == "s3":
        yield request.getfixturevalue("s3")
        return
    with served(request.param) as found:
        yield found


@pytest.fixture
def bucket(s3: Moto) -> Moto:
    """The server of S3; its bucket is emptied by :func:`select`."""
    return s3


def select(server: StoreServer, label: str = "results") -> Store:
    """A datastore of that label, and its store."""
    server.empty()
    made = datastores.select(
        f"{server.scheme}://{BUCKET}", label=label, credentials=Credentials(tuple(server.environment.items()))
    )
    return made.access.open()


@pytest.fixture
def files(tmp_path: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three files of the category ``visits``; the local datastore is selected last."""
    forget(monkeypatch)
    folder = tmp_path / "data"
    for name, text in (("a/one.csv.gz", "x\n"), ("a/two.csv.gz", "y\ny\n"), ("b/one.csv.gz", "z\n")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    ess.select("local")
    ess.category_add("visits", f"{folder}/*/*", dateregex="none", noprobe=True)
    monkeypatch.chdir(tmp_path)
    return folder


def run(command: str, s3out: str, *, resume: bool = False) -> StreamResult:
    done = ess.stream("visits", command=command, s3out=s3out, label="local", resume=resume)
    assert done.output == b""
    return done.result


def content(store: Store, key: str) -> bytes:
    return b"".join(pieces(store.open(key)))


def names(store: Store, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.entries(prefix)]


def test_one_object_a_file_in_every_kind_of_store(server: StoreServer | None, files: Path, tmp_path: Path) -> None:
    if server is None:
        store, label, prefix = datastores.datastore("local").access.open(), "local", f"{tmp_path}/"[1:]
    else:
        store, label, prefix = select(server), "results", ""
    root = f"{files}"[1:]
    result = run("cat", f"{label}:copies/%path/%file.new.gz")
    assert (result.exit_code, result.objects, result.files) == (0, 3, 3)
    assert names(store, f"{prefix}copies/") == [
        f"{prefix}copies/{root}/{name}.csv.new.gz" for name in ("a/one", "a/two", "b/one")
    ]
    assert gzip.decompress(content(store, f"{prefix}copies/{root}/a/two.csv.new.gz")) == b"y\ny\n"
    assert result.object_bytes == sum(entry.size for entry in store.entries(f"{prefix}copies/"))
    result = run("wc -l; exit $(zcat %path/%FILE | grep -c z)", f"{label}:copies/%path/%file.new.gz")
    assert [failure.name for failure in result.failures] == [f"{files}/b/one.csv.gz"]
    assert result.objects == 2
    found = [gzip.decompress(content(store, name)) for name in names(store, f"{prefix}copies/")]
    assert found == [b"1\n", b"2\n", b"z\n"]  # what failed leaves the object that was there


def test_the_name_says_how_it_is_compressed(bucket: Moto, files: Path) -> None:
    store = select(bucket)
    for ending, unpack in (
        ("gz", gzip.decompress),
        ("bz2", bz2.decompress),
        ("xz", lzma.decompress),
        ("zst", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
        ("GZ", gzip.decompress),
        ("txt", bytes),
    ):
        assert run("cat", f"results:/%path/%file.{ending}").objects == 3
        assert unpack(content(store, f"{files}/a/two.csv.{ending}"[1:])) == b"y\ny\n"
    # What is compressed already stays so, as in `gzip -3 -c -` to a name that ends in .gz.
    run("gzip -3 -c -", "results:packed/%path/%FILE")
    run("true", "results:empty/%path/%FILE")
    run("tar czf - %path/%FILE 2>/dev/null", "results:archives/%path/%file.tgz")
    assert gzip.decompress(content(store, f"packed{files}/a/two.csv.gz")) == b"y\ny\n"
    assert gzip.decompress(content(store, f"empty{files}/a/two.csv.gz")) == b""
    assert len(names(store, "archives/")) == 3
    result = run("cat", "results:archives/%path/%file.zip")
    assert "its name promises an archive, and what the command printed is none" in str(result.failures[0])
    assert (result.exit_code, result.objects, len(result.failures)) == (22, 0, 3)


def test_a_folder_takes_the_names_of_the_files_and_no_two_files_are_one_object(bucket: Moto, files: Path) -> None:
    store = select(bucket)
    ess.category_add("ones", f"{files}/a/*", label="local", dateregex="none", noprobe=True)
    for folder in ("results:out/", "results:"):
        assert ess.stream("ones", command="cat", s3out=folder, label="local").result.objects == 2
    assert names(store) == ["one.csv.gz", "out/one.csv.gz", "out/two.csv.gz", "two.csv.gz"]
    for same in ("results:out/", "results:%file", "results:all"):
        with pytest.raises(OptionError, match=f"and .* would both be s3://{BUCKET}/.*; add %path"):
            run("touch ran; cat", same)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("results", "it is not a label and a path; give LABEL:PATH"),
        ("s3://bucket/x", r"it is not a label and a path; select it \(ess select s3://\.\.\.\), then give LABEL:PATH"),
        ("result:x/", "--s3out: no datastore 'result'; did you mean 'results'"),
        ("results:%node_id/%file", "%node_id has no value in the name of the object of a file; known: %path %file"),
        ("results:%cols", "%cols has no value"),
        ("results:a\nb", "control characters"),
        ("local:%path/%FILE", None),
        ("site:x/", "--s3out site: web servers are only read"),
    ],
)
def test_what_is_no_place_for_objects_is_refused(
    place: str, message: str | None, bucket: Moto, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select(bucket)
    state = json.loads((Path(os.environ["ESS_CACHE_DIR"]) / "repository.json").read_text())
    state["datastores"]["site"] = {"kind": "http", "source": "http://127.0.0.1/"}
    (Path(os.environ["ESS_CACHE_DIR"]) / "repository.json").write_text(json.dumps(state))
    if message is None:
        monkeypatch.chdir("/")
        message = "it would be replaced by its own output"
    with pytest.raises(OptionError, match=message):
        run("cat", place)


def test_odd_names_write_nowhere_else(bucket: Moto, files: Path, tmp_path: Path) -> None:
    odd = [
        "a//b",
        "../../up",
        "./dot",
        "x/../../../y",
        "blank /z ",
        "%file",
        "q?#&+=%2F;'\"",
        "new\nline",
        "é ü",
        "$(ls)",
    ]
    store = select(bucket)
    known = {key for key in odd if not key.startswith("new")}  # moto has no newline in a key
    for key in known:
        store.put(f"in/{key}", key.encode())
    ess.category_add("odd", "in/*", label="results", dateregex="none", noprobe=True)
    # To a bucket, every key goes as it is.
    done = ess.stream("odd", command="cat", s3out="results:out/%path/%FILE", label="results").result
    assert (done.failures, done.objects) == ((), len(known))
    assert set(names(store, "out/")) == {f"out/in/{key}" for key in known}
    assert content(store, "out/in/../../up") == b"../../up"
    # In a folder, what would lead elsewhere fails by itself, and the others are there.
    done = ess.stream("odd", command="cat", s3out=f"local:{tmp_path}/here/%path/%FILE", label="results").result
    refused = {key for key in known if {"", ".", ".."} & set(key.split("/"))}
    assert sorted(failure.name for failure in done.failures) == sorted(f"s3://{BUCKET}/in/{key}" for key in refused)
    assert all("no file can have its name here" in str(failure) for failure in done.failures)
    found = {str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert found == {f"in/{key}" for key in known - refused}
    assert done.exit_code == 22


def test_a_name_that_is_no_utf8_fails_by_itself_and_trace_tells_the_objects(
    server: StoreServer | None, files: Path, tmp_path: Path
) -> None:
    if server is not None:
        select(server)
    odd = os.fsencode(files) + b"/a/caf\xe9.csv"
    with open(odd, "wb") as file:  # noqa: PTH123 - bytes
        file.write(b"x\n")
    place = f"local:{tmp_path}/out/" if server is None else "results:out/"
    told: list[str] = []
    ess.category_add("ones", f"{files}/a/*", label="local", dateregex="none", noprobe=True)
    done = ess.stream("ones", command="cat", s3out=place, label="local", trace=told.append).result
    assert sum(" bytes in " in line and "out/" in line for line in told) == done.objects
    if server is None:
        assert done.objects == 3
        assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/out/caf\xe9.csv")).read_bytes() == b"x\n"
    else:
        assert (done.objects, done.exit_code) == (2, 22)
        assert "its name is not UTF-8, as keys of a store are; rename the file" in str(done.failures[0])


def test_credentials_go_along_and_are_seen_nowhere(bucket: Moto, files: Path) -> None:
    store = select(bucket)
    result = run("env; cat /proc/$PPID/cmdline /proc/self/cmdline", "results:seen/%path/%FILE.txt")
    assert result.objects == 3
    for name in names(store):
        assert bucket.secret.encode() not in content(store, name)
    cache = Path(os.environ["ESS_CACHE_DIR"])
    seen = [path for path in cache.rglob("*") if path.is_file() and bucket.secret.encode() in path.read_bytes()]
    assert seen == [cache / "datastores" / "results" / "credentials.json"]
    assert seen[0].stat().st_mode & 0o077 == 0


def test_a_wrong_key_is_told_before_anything_runs(bucket: Moto, files: Path, tmp_path: Path) -> None:
    select(bucket)
    path = Path(os.environ["ESS_CACHE_DIR"]) / "datastores" / "results" / "credentials.json"
    path.write_text(path.read_text().replace(bucket.secret, bucket.wrong["AWS_SECRET_ACCESS_KEY"]))
    with pytest.raises(EssError, match=rf"s3://{BUCKET}: the store refuses access \(SignatureDoesNotMatch\)"):
        run("touch ran", "results:x/")
    assert not (tmp_path / "ran").exists()


def test_a_resumed_job_writes_what_is_missing(bucket: Moto, files: Path) -> None:
    store = select(bucket)
    command = "wc -l; exit $(ls bad 2>/dev/null | wc -l)"
    Path("bad").touch()
    assert run(command, "results:r/%path/%file").objects == 0
    Path("bad").unlink()
    with pytest.raises(OptionError, match="there is no job"):
        run(command, "results:elsewhere/%path/%file", resume=True)
    result = run(command, "results:r/%path/%file", resume=True)
    assert (result.objects, result.resumed) == (3, 0)
    assert [content(store, name) for name in names(store)] == [b"1\n", b"2\n", b"1\n"]


def test_a_local_object_has_the_rights_that_the_users_umask_leaves(files: Path, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert run("cat", "local:mine/%path/%FILE").objects == 3
    finally:
        os.umask(before)
    assert (tmp_path / f"mine{files}/a/one.csv.gz").stat().st_mode & 0o777 == 0o640


def test_each_node_of_exec_makes_an_object(bucket: Moto, files: Path) -> None:
    store = select(bucket)
    for place, name in (("results:nodes/", "nodes/node-0"), ("results:n.%node_id.gz", "n.0.gz"), ("results:n", "n")):
        output = io.BytesIO()
        done = ess.execute("echo %node_id", s3out=place, stdout=output).result
        assert (done.exit_code, done.objects, output.getvalue()) == (0, 1, b"")
        found = content(store, name)
        assert (gzip.decompress(found) if name.endswith(".gz") else found) == b"0\n"
    with pytest.raises(OptionError, match="%file has no value in the name of the object of a node; known: %node_id"):
        ess.execute("echo", s3out="results:%file")


def test_the_example_of_the_reference_manual_converts_archives(
    bucket: Moto, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.empty()
    bucket._client.create_bucket(Bucket="my-gz-data")
    values = bucket.environment
    monkeypatch.setenv("AWS_ENDPOINT_URL", values["AWS_ENDPOINT_URL"])
    keys = f"me,{values['AWS_ACCESS_KEY_ID']},{values['AWS_SECRET_ACCESS_KEY']}\n"
    (tmp_path / "keys.csv").write_text(f"User Name,Access Key Id,Secret Access Key\n{keys}")
    for name, text in (("logs/web/140901.zip", "a\n"), ("140902.zip", "b\n"), ("140831.zip", "c\n")):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.csv", text)
        bucket.put(name, packed.getvalue())
    script = f"""
    ess select s3://my-gz-data --credentials=keys.csv
    ess select s3://{BUCKET} --credentials=keys.csv
    ess category add zipfiles "*.zip" --dateregex="[:%y:][:%m:][:%d:].zip"
    ess stream zipfiles 2014-09-01 "*" "gzip -3 -c -" --s3out=my-gz-data:/converted/%path/%file.gz
    """
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-ec", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    store = datastores.datastore("my-gz-data").access.open()
    found = {name: gzip.decompress(content(store, name)) for name in names(store)}
    assert found == {"converted/logs/web/140901.gz": b"a\n", "converted/140902.gz": b"b\n"}
