"""Output and Ctrl-C: what a stream and the one that resumes it print has the output of each file once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, until

BIN = Path(sys.executable).parent

#: More than a pipe takes (64 KB), so that a stream waits for its reader in the middle of the output of a file.
LINES = 20_000


@pytest.fixture
def category(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Three files, of whose output there is much more than of themselves."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for number in "123":
        (tmp_path / "data" / f"log_2014090{number}.csv").write_text(f"{number}\n")
    for words in (["select", "local"], ["category", "add", "log", f"{tmp_path}/data/*"]):
        subprocess.run([BIN / "ess", *words], capture_output=True, check=True)
    return "log"


@pytest.fixture
def streams() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Those that a test begins; none is left."""
    begun: list[subprocess.Popen[bytes]] = []
    yield begun
    for each in begun:
        each.kill()
        each.communicate()


def start(category: str, *options: str, seconds: str = "3600") -> subprocess.Popen[bytes]:
    waits = "if [ $x = 3 ] && [ -e stay ]; then sleep 3600; fi"
    command = f"read x; {waits}; for ((i = 0; i < {LINES}; i++)); do echo $x $i; done"
    return subprocess.Popen(
        [BIN / "ess", "stream", category, "*", "*", command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env={**os.environ, "ESS_ANSWER_TIMEOUT": seconds},
    )


def test_output_that_ctrl_c_comes_into_is_printed_once(
    category: str, streams: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    stay = tmp_path / "stay"
    stay.touch()  # the third file waits: the stream cannot end before it is interrupted
    first = start(category)
    streams.append(first)
    assert first.stdout is not None
    begun = first.stdout.readline()
    first.send_signal(signal.SIGINT)
    rest, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == -signal.SIGINT
    assert re.fullmatch(rb"ess: interrupted: [12] of 3 files .+ --resume continues\n", err)
    stay.unlink()
    resumed = start(category, "--resume")
    streams.append(resumed)
    out, err = resumed.communicate(timeout=PATIENCE)
    assert (resumed.returncode, err) == (0, b"")
    assert begun + rest + out == b"".join(b"%d %d\n" % (x, i) for x in (1, 2, 3) for i in range(LINES))


def _presses_again(stream: subprocess.Popen[bytes]) -> bool:
    stream.send_signal(signal.SIGINT)
    return stream.poll() is not None


@pytest.mark.parametrize("how", ["after some time", "pressed again"])
def test_ctrl_c_ends_a_stream_whose_reader_has_stopped(
    category: str, streams: list[subprocess.Popen[bytes]], how: str
) -> None:
    stream = start(category, seconds="1" if how == "after some time" else "3600")
    streams.append(stream)
    assert stream.stdout is not None
    stream.stdout.readline()
    stream.send_signal(signal.SIGINT)
    if how == "pressed again":
        until(lambda: _presses_again(stream))
    assert stream.wait(timeout=PATIENCE) == -signal.SIGINT
