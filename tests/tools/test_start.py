"""The start of every command: Ctrl-C at any moment of it, and limits on memory that are too low."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ess
from tests.places import own_places, ports_in_a_row
from tests.waiting import PATIENCE

BIN = Path(sys.executable).parent
COMMANDS = {
    "aq_pp": ["aq_pp", "-f", "-", "-d", "s:a"],
    "udbd": ["udbd", "status"],
    "ess": ["ess", "summary"],
    "stream": ["ess", "stream", "logs", "*", "*", "sleep 60"],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a user who has a category of four files."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "data").mkdir()
    for day in range(1, 5):
        (folder / "data" / f"log_2014090{day}.csv").write_text("a,1\n")
    with pytest.MonkeyPatch.context() as patch, ports_in_a_row() as port:
        for name, value in own_places(folder, port).items():
            patch.setenv(name, value)
        ess.select("local")
        ess.category_add("logs", f"{folder}/data/*")
        yield dict(os.environ)


@pytest.fixture
def environment(lake: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Also with a place of its own for a tool server."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    return {**lake, "ESS_RUNTIME_DIR": str(runtime), "ESS_WARM": "0", "ESS_WARM_IDLE": "5"}


@pytest.mark.parametrize(
    ("name", "warm", "points"),
    [("aq_pp", "0", 6), ("aq_pp", "1", 6), ("stream", "0", 6), ("udbd", "0", 2), ("ess", "0", 3), ("ess", "1", 6)],
)
def test_ctrl_c_at_any_moment_of_the_start_ends_it_without_a_word(
    environment: dict[str, str], name: str, warm: str, points: int
) -> None:
    points *= int(os.environ.get("START_POINTS", "1"))
    for point in range(points):
        command = subprocess.Popen(
            [BIN / COMMANDS[name][0], *COMMANDS[name][1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "ESS_WARM": warm},
        )
        time.sleep(0.3 * point / points)  # no event is waited for: these moments have no name
        command.send_signal(signal.SIGINT)
        code = command.wait(timeout=PATIENCE)
        _, said = command.communicate()
        if code != -signal.SIGINT:  # it was through already
            assert (name, code) in (("udbd", 0), ("udbd", 1), ("ess", 0))
        assert said == b"" or said.startswith(b"ess: interrupted: 0 of 4 files")


@pytest.mark.parametrize(("name", "warm"), [("aq_pp", "0"), ("aq_pp", "1"), ("ess", "1"), ("udbd", "0")])
@pytest.mark.parametrize("megabytes", [40, 600, 1500])
def test_a_limit_that_is_too_low_is_one_line(environment: dict[str, str], name: str, megabytes: int, warm: str) -> None:
    done = _limited(environment | {"ESS_WARM": warm}, name, megabytes)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"%s: ulimit -v: it allows %s MB" % (name.encode(), f"{megabytes:,}".encode()))
    assert done.stderr.count(b"\n") == 1


def test_a_limit_that_is_just_enough_lets_all_start(environment: dict[str, str]) -> None:
    megabytes = 1501 + 128 * len(os.sched_getaffinity(0))
    for name in COMMANDS:
        if name != "stream":
            done = _limited(environment, name, megabytes)
            assert (done.returncode in (0, 1), done.stderr) == (True, b"")


def _limited(environment: dict[str, str], name: str, megabytes: int) -> subprocess.CompletedProcess[bytes]:
    size = megabytes << 20
    return subprocess.run(
        [BIN / COMMANDS[name][0], *COMMANDS[name][1:]],
        input=b"x\n",
        capture_output=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
        timeout=PATIENCE,
        check=False,
    )
