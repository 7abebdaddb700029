"""The folder of a database: the names of its files, and their removal."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from ess.udb.journal.log_file import disk_failure, sync_folder

_NUMBERED = re.compile(r"(?P<kind>log|snapshot)-(?P<number>[0-9]+)\Z")


def log_path(folder: Path, number: int) -> Path:
    """The path of a log."""
    return folder / f"log-{number}"


def snapshot_path(folder: Path, number: int) -> Path:
    """The path of a snapshot."""
    return folder / f"snapshot-{number}"


def rows_path(folder: Path, attempt: str) -> Path:
    """The path of a large import's rows; attempts are words of letters and digits."""
    return folder / f"rows-{attempt}"


def numbers(folder: Path, kind: str) -> list[int]:
    """The numbers of the ``log`` or ``snapshot`` files that are there."""
    matches = (_NUMBERED.match(path.name) for path in folder.iterdir())
    return sorted(int(match["number"]) for match in matches if match is not None and match["kind"] == kind)


def remove_old(folder: Path, number: int, files: Sequence[str]) -> None:
    """Remove what is older than a snapshot. Never raises: what is left over is removed another time."""
    for path in list(folder.iterdir()):
        match = _NUMBERED.match(path.name)
        with contextlib.suppress(OSError):
            if (match is not None and int(match["number"]) < number) or path.name.startswith("."):
                _remove(path)
            elif path.name in files:
                path.unlink()


def remove_left_over(folder: Path, number: int, files: Sequence[str]) -> None:
    """Remove what is of no use at a start: what is older than the snapshot, and rows that no log names."""
    unnamed = [path.name for path in folder.iterdir() if path.name.startswith("rows-") and path.name not in files]
    remove_old(folder, number, unnamed)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_folder(folder: Path) -> None:
    """Remove the folder of a database, in one step.

    Raises:
        SystemFailure: If it cannot be removed.
    """
    gone = folder.parent / f".{folder.name}.gone-{secrets.token_hex(4)}"
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_failure(error, folder) from None
    sync_folder(folder.parent)
    shutil.rmtree(gone, ignore_errors=True)


def folder_size(folder: Path) -> int:
    """The bytes of the files in a folder; 0 if it is not there."""
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
