"""The ledger of a job: JSON lines that say which files are done, so that an interrupted job can go on.

A job has a folder ``jobs/<id>`` below ``ESS_CACHE_DIR``: its ``ledger.jsonl`` and, while it runs,
the output of its commands. Only the process of ``ess stream`` writes the ledger, one line at a
time: a header, a line for each file once its output was delivered, and a last line when the job
has come to its end. A file whose line is missing is run again on ``--resume``; its rows are then
imported under the same identity, so they count once.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ess import settings
from ess.cluster.commands import ToolRun
from ess.cluster.processes import ProcessId, alive, this_process
from ess.cluster.work import Outcome
from ess.errors import SystemFailure
from ess.lake.entry import FileKey
from ess.pipeline.counts import Counts

VERSION = 2

#: The ended jobs that keep their ledger.
KEPT_JOBS = 20

_NAME = "ledger.jsonl"


@dataclass(frozen=True)
class Done:
    """A ledger line: a file whose output was delivered."""

    file: FileKey
    exit_code: int
    attempt: int
    node_id: int
    seconds: float
    tools: tuple[ToolRun, ...] = ()


@dataclass(frozen=True)
class History:
    """The facts in the ledger of a job.

    ``exit_code`` is None if the job did not come to its end. ``shares`` are the files of each command, where one gets
    several.
    """

    job: str
    folder: Path
    command_hash: str
    owner: ProcessId
    exit_code: int | None
    done: dict[FileKey, Done] = field(default_factory=dict)
    shares: list[list[FileKey]] = field(default_factory=list)

    @property
    def resumable(self) -> bool:
        """True if something is left to do: it broke off (and its process is gone), or some file failed."""
        return self.exit_code != 0 if self.exit_code is not None else not alive(self.owner)


#: How the lines begin that are about the job as a whole.
_OF_THE_JOB = ('{"version": ', '{"ended": ')


def jobs_folder() -> Path:
    """The folder of this user's jobs."""
    return settings.cache_dir() / "jobs"


def command_hash(*parts: object) -> str:
    """A name for what a job was asked to do; two jobs with the same name may continue each other."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode("ascii")).hexdigest()[:32]


class Ledger:
    """The open ledger of the job this process runs."""

    def __init__(self, job: str, folder: Path) -> None:
        self.job = job
        self.folder = folder
        try:
            handle = settings.open_private(folder / _NAME, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise SystemFailure(f"cannot write ({error.strerror})", where=str(folder / _NAME)) from error
        self._file = os.fdopen(handle, "ab", buffering=0)

    def begin(self, description: str, name: str) -> None:
        """Write the header: the command (for a person), its hash, and the process that runs it."""
        owner = this_process()
        self._write(
            {
                "version": VERSION,
                "job": self.job,
                "command": description,
                "command_hash": name,
                "pid": owner.pid,
                "pid_started": owner.started,
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
        )

    def shares(self, shares: Sequence[Sequence[FileKey]]) -> None:
        """Note which files go through one command, and so count together."""
        self._write({"shares": [[[file.datastore, file.path, file.version] for file in share] for share in shares]})

    def delivered(self, file: FileKey, outcome: Outcome) -> None:
        """Note that a file is through, with its output."""
        ended = outcome.ended
        rows = ended.tools[0].counts.read if ended.tools else None
        self._write(
            {
                "datastore": file.datastore,
                "path": file.path,
                "version": file.version,
                "attempt": outcome.attempt,
                "node": outcome.node_id,
                "exit_code": ended.exit_code,
                "problem": ended.problem,
                **({"object": outcome.written.key, "object_bytes": outcome.written.size} if outcome.written else {}),
                "rows": rows,
                "seconds": round(ended.seconds, 3),
                "tools": [
                    {"tool": tool.tool, "counts": vars(tool.counts), "imports": tool.imports} for tool in ended.tools
                ],
            }
        )

    def end(self, exit_code: int) -> None:
        """Note that the job came to its end."""
        self._write({"ended": True, "exit_code": exit_code})

    def close(self) -> None:
        """Close the file; without :meth:`end`, the job counts as interrupted."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        try:
            text = json.dumps(line).encode("ascii") + b"\n"
            if self._file.write(text) < len(text):  # the last bytes that a full disk had
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise SystemFailure(
                f"cannot write ({error.strerror})", where=str(self.folder / _NAME), hint="check the space on the disk"
            ) from error


def new_job() -> tuple[str, Path]:
    """The name and the folder of a new job; clears away what jobs of processes that are gone left."""
    clear_leftovers()
    latest = next((folder.name for folder in _folders()), "")
    job = f"{_later(latest, time.strftime('%Y%m%dT%H%M%S', time.gmtime()))}-{secrets.token_hex(4)}"
    settings.make_private_folder(settings.cache_dir())
    settings.make_private_folder(jobs_folder())
    return job, settings.make_private_folder(jobs_folder() / job)


def _later(latest: str, now: str) -> str:
    """The beginning of a job's name, which sorts behind that of the latest one, also where the clock was set back.

    >>> _later("", "20140901T000000"), _later("20140901T000000-0003-5f", "20140901T000000")
    ('20140901T000000-0000', '20140901T000000-0004')
    """
    since, _, rest = latest.partition("-")
    if since < now:
        return f"{now}-0000"
    number = rest.partition("-")[0]
    return f"{since}-{int(number) + 1 if number.isdecimal() and len(number) == 4 else 0:04}"


def histories() -> Iterator[History]:
    """The jobs that have a readable ledger, the latest first."""
    for folder in _folders():
        history = read_history(folder)
        if history is not None:
            yield history


def read_history(folder: Path, *, files: bool = True) -> History | None:
    """Read a ledger; an incomplete last line is skipped. None if there is no header.

    Without ``files`` only what it says of the job itself: there may be a million files.
    """
    try:
        text = (folder / _NAME).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        if not files and not line.startswith(_OF_THE_JOB):
            continue
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            lines.append(value)
    headers = [number for number, line in enumerate(lines) if line.get("version") == VERSION]
    if not headers:
        return None
    header, after = lines[headers[-1]], lines[headers[-1] :]  # the latest of those who worked on it
    done = [_done(line) for line in lines if "exit_code" in line and "path" in line]
    return History(
        str(header["job"]),
        folder,
        str(header["command_hash"]),
        ProcessId(int(header["pid"]), int(header["pid_started"])),
        next((int(line["exit_code"]) for line in after if "ended" in line), None),
        {each.file: each for each in done},
        next(
            (
                [[FileKey(*file) for file in share] for share in line["shares"]]
                for line in lines[::-1]
                if "shares" in line
            ),
            [],
        ),
    )


def clear_output(folder: Path) -> None:
    """Delete the output files of a job, and keep its ledger."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _NAME:
            path.unlink(missing_ok=True)


def clear_leftovers() -> None:
    """Delete the output of jobs whose process is gone, and the ledgers of old jobs."""
    for number, folder in enumerate(_folders()):
        if number < KEPT_JOBS and _is_clear(folder):
            continue
        history = read_history(folder, files=False)
        if history is not None and alive(history.owner):
            continue
        if history is None and time.time() - folder.stat().st_mtime < 60:
            continue  # it may be about to begin
        if number >= KEPT_JOBS or history is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            clear_output(folder)


def _is_clear(folder: Path) -> bool:
    """True if a job's folder has nothing but a ledger with a header; all of a ledger may take long to read."""
    try:
        if os.listdir(folder) != [_NAME]:  # noqa: PTH208 - for each job
            return False
        with (folder / _NAME).open("rb") as file:
            return file.read(len(_OF_THE_JOB[0])) == _OF_THE_JOB[0].encode("ascii")
    except OSError:
        return False


def _folders() -> Sequence[Path]:
    try:
        return sorted((path for path in jobs_folder().iterdir() if path.is_dir()), reverse=True)
    except OSError:
        return []


def _done(line: dict[str, Any]) -> Done:
    tools = tuple(
        ToolRun(str(tool["tool"]), Counts(**tool["counts"]), bool(tool.get("imports", False)))
        for tool in line.get("tools", [])
    )
    file = FileKey(str(line["datastore"]), str(line["path"]), str(line["version"]))
    return Done(file, int(line["exit_code"]), int(line["attempt"]), int(line["node"]), float(line["seconds"]), tools)
