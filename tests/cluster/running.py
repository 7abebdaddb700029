"""Helpers of the cluster tests: files to stream, and a search for processes that should be gone."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

from ess.lake.entry import FileEntry
from tests.waiting import until


def make_files(folder: Path, contents: list[bytes]) -> list[FileEntry]:
    """Gzip files named ``file_00.gz`` and so on."""
    entries = []
    for number, content in enumerate(contents):
        path = folder / f"file_{number:02}.gz"
        path.write_bytes(gzip.compress(content))
        entries.append(FileEntry(str(path), path.stat().st_size, path.stat().st_mtime))
    return entries


def marked(marker: str) -> list[int]:
    """The processes that carry ``marker`` in their environment or arguments, apart from this one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            zombie = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            if marker.encode() in text and not zombie:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that shall happen."""
    until(condition)


def listening(pids: list[int]) -> list[str]:
    """The local addresses on which these processes accept TCP connections (``/proc/net/tcp`` form)."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found
