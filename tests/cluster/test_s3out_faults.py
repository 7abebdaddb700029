"""``--s3out`` when stores fail, somebody presses Ctrl-C, processes are killed and nodes lost: whole, once, and told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import ess
from ess.cluster import providers, state, stream
from ess.cluster.dispatch import Event, Finished, Slot
from ess.cluster.embedded import EmbeddedRuntime
from ess.cluster.work import Job, Task
from ess.lake import datastores
from ess.settings import cache_dir
from ess.stores.kinds import Credentials
from ess.stores.store import PIECE
from tests.store_servers import BUCKET, Moto
from tests.stores.faulty import SLOW_DOWN, Fault, FaultyProxy, faulty
from tests.stores.stores import forget
from tests.waiting import PATIENCE

#: Its output goes in two parts.
LARGE = f"yes %FILE | head -c {PIECE + 1000}"


def large(name: str) -> bytes:
    """The output of :data:`LARGE`."""
    line = f"{name}\n".encode()
    return (line * (PIECE // len(line) + 1000))[: PIECE + 1000]


@pytest.fixture
def server(s3: Moto) -> Moto:
    """The server of S3, with an empty bucket."""
    s3.empty()
    return s3


@pytest.fixture
def proxy(
    server: Moto, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyProxy]:
    """A proxy in front of the store ``results``, and three files of the category ``log`` on this disk."""
    forget(monkeypatch)
    server.empty()
    for found in server._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):  # of a test that failed
        server._client.abort_multipart_upload(Bucket=BUCKET, Key=found["Key"], UploadId=found["UploadId"])
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / "data" / f"log_{number}.csv").write_text(f"{number}\n")
    with faulty(int(server.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])) as made:
        values = {**server.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{made.port}"}
        datastores.select(f"s3://{BUCKET}", label="results", credentials=Credentials(tuple(values.items())))
        ess.select("local")
        ess.category_add("log", f"{tmp_path}/data/*", dateregex="none", noprobe=True)
        yield made


def uploads(server: Moto) -> list[str]:
    """The keys of the uploads that have begun and not ended."""
    return [found["Key"] for found in server._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def start(command: str, *options: str) -> subprocess.Popen[str]:
    words = [
        str(Path(sys.executable).parent / "ess"),
        "stream",
        "log",
        "*",
        "*",
        command,
        "--s3out",
        "results:out/",
        *options,
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=PATIENCE)
    assert out == ""
    return process.returncode, err


NAMES = [f"log_{number}.csv" for number in range(3)]


def check_objects(server: Moto) -> None:
    """All objects are there, whole."""
    assert server.names() == [f"out/{name}" for name in NAMES]
    for name in NAMES:
        assert server.get(f"out/{name}") == large(name), name


def check(server: Moto) -> None:
    """All objects are there, whole, and nothing else."""
    check_objects(server)
    assert uploads(server) == []


def test_faults_that_pass_are_not_seen(proxy: FaultyProxy, server: Moto) -> None:
    proxy.faults += [Fault("PUT", status=503, body=SLOW_DOWN, headers={"Retry-After": "0"}), Fault("PUT", after=0)]
    proxy.faults += [Fault("POST", status=500), Fault("PUT", status=400, body=b"<Code>RequestTimeout</Code>")]
    assert end(start(LARGE))[0] == 0
    assert proxy.faults == []
    check(server)


def test_a_failure_is_its_files_and_resume_writes_it(
    proxy: FaultyProxy, server: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.faults += [Fault("PUT", status=403, body=b"<Error><Code>AccessDenied</Code></Error>")]
    code, err = end(start(LARGE, "--threads", "1"))
    assert code == 22
    assert f"log_0.csv: s3://{BUCKET}/out/log_0.csv: the store refuses access (AccessDenied)" in err
    assert f"ess: 2 objects written to results:out/, {2 * (PIECE + 1000):,} bytes" in err
    assert server.names() == ["out/log_1.csv", "out/log_2.csv"]
    assert uploads(server) == []
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "1")
    proxy.faults += [Fault("PUT", status=503, body=SLOW_DOWN)] * 1000
    code, err = end(start(LARGE, "--resume"))
    assert code == 22
    assert "out/log_0.csv: the store is too busy (SlowDown, HTTP status 503); try again later; ESS_STORE_TIMEOUT" in err
    proxy.faults.clear()
    code, err = end(start(LARGE, "--resume"))
    assert (code, "ess: 1 object written" in err) == (0, True)
    check(server)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_upload_that_is_broken_off_is_absent_and_resume_writes_it(
    how: signal.Signals, proxy: FaultyProxy, server: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESS_STORE_TIMEOUT", "600")  # so that nobody has given up by then
    reached = threading.Event()
    proxy.faults += [Fault("PUT", silent=True, before=reached.set)]
    process = start(LARGE, "--threads", "1")
    assert reached.wait(PATIENCE)
    process.send_signal(how)
    code, err = end(process)
    assert server.names() == []
    assert uploads(server) == ["out/log_0.csv"]  # the store does not listen, or nobody is there to tell it
    if how is signal.SIGINT:
        assert code == -signal.SIGINT
        assert "interrupted: 0 of 3 files are done; the same command with --resume continues" in err
    assert end(start(LARGE, "--resume"))[0] == 0
    check(server)


def test_ctrl_c_between_two_parts_removes_what_was_sent(proxy: FaultyProxy, server: Moto) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        go_on.wait(PATIENCE)

    proxy.faults += [Fault("PUT", before=hold)]
    process = start(LARGE, "--threads", "1")
    assert reached.wait(PATIENCE)
    process.send_signal(signal.SIGINT)
    go_on.set()
    assert end(process)[0] == -signal.SIGINT
    # The signal takes its way to the stream while the first object may come to its end.
    for name in server.names():
        assert name == "out/log_0.csv"
        assert server.get(name) == large("log_0.csv")
    assert uploads(server) == []


class _Late(EmbeddedRuntime):
    """Runs every bundle as its second attempt; the first writes its object once more when all are done."""

    server: Moto

    def start(self, slot: Slot, bundle: int, attempt: int, job: Job, tasks: list[Task]) -> None:
        super().start(slot, bundle, attempt + 1, job, tasks)

    def wait(self, seconds: float) -> list[Event]:
        events: list[Event] = []
        for event in super().wait(seconds):
            if isinstance(event, Finished):
                if event.outcomes[0].index == 1:
                    self.server.put("out/log_1.csv", b"of the first attempt")
                event = replace(event, attempt=event.attempt - 1)
            events.append(event)
        return events


def test_an_attempt_that_was_lost_and_writes_late_is_told(
    proxy: FaultyProxy, server: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Late.server = server
    with monkeypatch.context() as patch:
        patch.setattr(stream, "open_runtime", lambda folder, **_options: _Late(folder, 1))
        result = ess.stream("log", command=LARGE, s3out="results:out/").result
    [failure] = result.failures
    assert str(failure).endswith("out/log_1.csv: a node that was lost has written it once more; repeat with --resume")
    assert (result.exit_code, result.objects) == (22, 2)
    result = ess.stream("log", command=LARGE, s3out="results:out/", resume=True).result
    assert (result.exit_code, result.objects, result.resumed) == (0, 1, 2)
    check(server)


def test_a_worker_that_is_killed_while_it_uploads(proxy: FaultyProxy, server: Moto) -> None:
    assert providers.create(2) == []
    try:

        def kill() -> None:
            for number in range(2):
                daemon = state.read_daemon(f"worker-{number}")
                assert daemon is not None
                os.kill(daemon.process.pid, signal.SIGKILL)

        proxy.faults += [Fault("PUT", silent=True, before=kill)]
        code, err = end(start(LARGE))
        assert (code, "ess: 3 objects written" in err) == (0, True), err
        check_objects(server)
        # The other worker may have died before it was told that its upload had begun: nobody knows of that one.
        assert list((cache_dir() / "uploads").iterdir()) == []
        done = ess.execute("echo %node_id", s3out="results:nodes/").result
        assert (done.exit_code, done.objects) == (0, 2)
        assert server.get("nodes/node-1") == b"1\n"
        # One command on each node, and one object of each.
        bulk = ess.stream("log", command="cat", bulk=True, s3out="results:bulk/").result
        assert (bulk.exit_code, bulk.objects, bulk.files) == (0, 2, 3)
        assert server.get("bulk/node-0") + server.get("bulk/node-1") == b"0\n1\n2\n"
    finally:
        providers.terminate()


def test_a_full_disk_under_the_objects_is_named(places: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (util-linux); .ci/run installs it")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log_0.csv").write_text("1\n")
    (tmp_path / "full").mkdir()
    script = (
        'mount -t tmpfs -o size=512k none "$1/full" || exit 99; ess select local; ess category add log "$1/data/*"; '
    )
    script += (
        f'ess stream log "*" "*" "{LARGE}" --s3out "local:$1/full/"; code=$?; ls -A "$1/full" >"$1/left"; exit $code'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
    )
    if done.returncode == 99:
        pytest.skip("this machine lets its user mount nothing")
    assert done.returncode == 22
    assert (
        f"{tmp_path}/full/log_0.csv: cannot write it (No space left on device); check space and rights" in done.stderr
    )
    assert (tmp_path / "left").read_text() == ""
