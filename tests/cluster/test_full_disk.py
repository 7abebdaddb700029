"""A full disk under ``ESS_CACHE_DIR``, where outputs and counts are: it is named, and no count is lost in silence."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ess.errors import OutputWriteError
from ess.pipeline.counts import Counts, leave_counts

BIN = Path(sys.executable).parent


def stream(folder: Path, command: str, *, mount: bool) -> tuple[int, str]:
    """Run a stream over one file; its exit code and what it says.

    With ``mount``, settings are on a disk of 512 KB; then the disk is made larger, and the stream is resumed.
    """
    (folder / "data").mkdir()
    (folder / "data" / "log_20140901.csv").write_text("1\n")
    disk = Path(os.environ["ESS_CACHE_DIR"])
    disk.mkdir(mode=0o700)
    mounting = 'mount -t tmpfs -o size=512k,mode=700 none "$ESS_CACHE_DIR" || exit 99; ' if mount else ""
    script = f'{mounting}ess select local; ess category add log "$1/data/*"; '
    script += 'ess stream log "*" "*" "$2" >"$1/out"; code=$?; '
    if mount:
        script += 'mount -o remount,size=8m none "$ESS_CACHE_DIR"; ess stream log "*" "*" "$2" --resume >"$1/again"; '
    script += "exit $code"
    words = ["unshare", "--mount"] if mount else []
    done = subprocess.run(
        [*words, "sh", "-c", script, "sh", folder, command],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        check=False,
    )
    if done.returncode == 99:
        pytest.skip("this machine lets its user mount nothing")
    return done.returncode, done.stderr


@pytest.mark.parametrize("ending", ["", "; true"])
def test_a_full_disk_is_named(places: dict[str, str], tmp_path: Path, ending: str) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (util-linux); .ci/run installs it")
    code, said = stream(tmp_path, f"head -c 2000000 /dev/zero; aq_pp -f - -d i:a -o /dev/null{ending}", mount=True)
    assert code == 22
    assert "log_20140901.csv: " in said
    assert ": the disk is full, so what the command wrote may be cut off; make room" in said
    assert "rows read" not in said.partition("; make room")[0]
    assert (tmp_path / "out").read_bytes() == b""
    # What is advised works.
    assert (tmp_path / "again").read_bytes() == bytes(2_000_000)


def test_a_limit_on_the_size_of_files_is_named(places: dict[str, str], tmp_path: Path) -> None:
    code, said = stream(tmp_path, "ulimit -f 100; head -c 2000000 /dev/zero", mount=False)
    assert code == 153
    assert "log_20140901.csv: ulimit -f: a file reached the limit on its size; raise the limit" in said


@pytest.mark.parametrize("written", [3, None])
def test_counts_that_do_not_fit_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int | None
) -> None:
    def write(_descriptor: int, _data: bytes) -> int:
        if written is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written

    monkeypatch.setenv("ESS_COUNTS", str(tmp_path / "counts"))
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(
        OutputWriteError, match=r"counts: cannot write how many rows there were: No space left on device"
    ):
        leave_counts("aq_pp", [], Counts())
