"""A tool's process behaves as a Unix filter: signals, a closed pipe, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.errors import EssError, InputDataError, OutputWriteError
from ess.tools.process import exit_code
from tests.waiting import PATIENCE

COMMAND = [sys.executable, "-c", "from ess.tools.aq_pp import command; command()"]


@pytest.fixture
def environment() -> dict[str, str]:
    return dict(os.environ, ESS_WARM="0")


def test_a_closed_pipe_ends_it_silently_by_sigpipe(environment: dict[str, str], tmp_path: Path) -> None:
    big = tmp_path / "big.csv"
    big.write_text("x,1\n" * 500_000)
    tool = subprocess.Popen(
        [*COMMAND, "-f", str(big), "-d", "s:a", "i:b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert tool.stdout is not None
    assert tool.stderr is not None
    assert tool.stdout.readline() == b'"a","b"\n'
    tool.stdout.close()
    assert tool.stderr.read() == b""
    assert tool.wait(timeout=PATIENCE) == -signal.SIGPIPE
    tool.stderr.close()


@pytest.fixture
def waiting(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A tool that waits for input."""
    tool = subprocess.Popen(
        [*COMMAND, "-d", "s:a", "i:b", "-o,notitle,nodelay", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    yield tool
    tool.kill()
    tool.communicate()


def test_ctrl_c_ends_it_quietly_as_a_shell_expects(waiting: subprocess.Popen[bytes]) -> None:
    # Once the first row is out it waits in a read for the next; only there can an interrupt get lost.
    assert waiting.stdin is not None
    assert waiting.stdout is not None
    waiting.stdin.write(b"row,1\n")
    waiting.stdin.flush()
    assert waiting.stdout.readline() == b'"row",1\n'
    waiting.send_signal(signal.SIGINT)
    _out, err = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, err) == (-signal.SIGINT, b"")


def test_a_full_disk_is_one_line_and_22(environment: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device, opened as a shell would
        done = subprocess.run(
            [*COMMAND, "-d", "s:a"], input=b"x\n", stdout=full, stderr=subprocess.PIPE, env=environment, check=False
        )
    assert done.returncode == 22
    assert done.stderr.startswith(b"aq_pp: ")
    assert done.stderr.count(b"\n") == 1


def test_an_error_becomes_its_exit_code_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> int:
        raise error

    assert exit_code("tool", lambda: fail(InputDataError("bad", where="a.csv", hint="try eok"))) == 13
    assert exit_code("tool", lambda: fail(EssError("bad", where="tool: after -d"))) == 3
    assert exit_code("tool", lambda: fail(MemoryError())) == 1
    assert exit_code("tool", lambda: fail(PermissionError(13, "Permission denied", "/x"))) == 4
    assert exit_code("tool", lambda: fail(OutputWriteError("full"))) == 22
    assert capsys.readouterr().err.splitlines() == [
        "tool: a.csv: bad; try eok",
        "tool: after -d: bad",
        "tool: out of memory; process fewer records or columns at a time",
        "tool: /x: Permission denied",
        "tool: full",
    ]
    assert exit_code("tool", lambda: fail(KeyboardInterrupt())) == 130
    assert exit_code("tool", lambda: 0) == 0
    assert capsys.readouterr().err == ""
