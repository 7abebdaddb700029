"""The identity of an import: a repetition of it, in another run of the same task, counts once.

Outside of ``ess stream`` an import is nobody else's repetition. There it is known by the job, the file with its version
(``ESS_IMPORT_ID``) and its place in the command (``ESS_IMPORT_PLACE``, see :mod:`ess.cluster.import_places`) or the
name that ``-imp,place=`` gives it. In one run of the command each place is claimed once: two imports that share a place
would seem to be one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess.errors import OptionError, SystemFailure
from ess.settings import setting

#: The place of an import that no part of the command has given one: a script's, say, which has one import.
_UNKNOWN = "script"


@dataclass(frozen=True)
class ImportIdentity:
    """The identity of an import: repeated with the same ``name`` it counts once; ``job`` and ``sequence`` order it.

    ``claim`` is what it claims in its run of a command, blank if nothing.
    """

    name: str
    job: str = ""
    sequence: int = 0
    claim: str = ""


def identity_from_environment(ordinal: int, place: str = "") -> ImportIdentity:
    """The identity of an import of this process.

    Args:
        ordinal: Its number among the imports of the command line, from 0.
        place: The name of its place, if the user has given one.
    """
    task = setting("ESS_IMPORT_ID")
    if not task:
        return ImportIdentity(f"once:{secrets.token_hex(16)}")
    sequence = setting("ESS_IMPORT_SEQ")
    number = int(sequence) if sequence.isascii() and sequence.isdigit() else 0
    if place:
        claim = f"={hashlib.sha256(place.encode('utf-8', 'surrogateescape')).hexdigest()[:20]}"
    else:
        claim = f"{setting('ESS_IMPORT_PLACE') or _UNKNOWN}/{ordinal}"
    return ImportIdentity(f"{task}/{claim}", task.partition(":")[0], number, claim)


def claim(identity: ImportIdentity, *, database: str, where: str) -> None:
    """Begin an import into a database in this run of the command.

    Raises:
        OptionError: If another one has claimed the same place.
    """
    if identity.claim and not _note(identity.claim, "begun", unless_begun=True):
        raise OptionError(
            "another import of this file has the same place in the command, so one would pass for a repetition of the "
            "other",
            where=where,
            hint="write each aq_pp in the command of ess stream itself, or give each import a name that is the same in "
            "every run and no other's in the file: -imp,place=Name. What has been imported stays, and the changed "
            f"command is another job, which imports it again: empty the database before, with aq_udb -clr {database}",
        )


def require_no_failure(identity: ImportIdentity, *, where: str) -> None:
    """Make sure that nothing has failed so far in this run of the command: its file will be done again as a whole.

    What comes now may be a second try of what failed (``aq_pp ... || aq_pp ...``), in another place, or the rest of a
    pipeline, which has not got all rows.

    Raises:
        SystemFailure: If something has failed, or an import has been killed.
    """
    path = setting("ESS_COUNTS")
    if not identity.claim or not path:
        return
    mine = setting("ESS_IMPORT_PLACE")
    ended = {place for place, process in _begun(path) if not _runs(process)}
    # Read after that: a process says that its import counts before it ends.
    lines = [line for line in _read(path) if isinstance(line, dict)]
    settled = {line.get("place") for line in lines if line.get("is") == "settled"}
    if not ended <= settled | {mine} or any("exit" in line for line in lines):
        if "." in mine:  # a loop may try for ever
            Path(f"{path}.refused").touch()
        raise SystemFailure(
            "something of this file has failed before, so this import does not count either",
            where=where,
            hint="see to the first message; --resume runs the file again",
        )


def settle(identity: ImportIdentity) -> None:
    """Note that an import has ended as it should: it counts, or has counted before."""
    if identity.claim:
        _note(identity.claim, "settled")


def _note(claim: str, what: str, *, unless_begun: bool = False) -> bool:
    """Add a line to the file that is this run's own; False if there was to be none."""
    path = setting("ESS_COUNTS")
    if not path:
        return True
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if unless_begun and any(_is_begun(line, claim) for line in _lines(file)):
                return False
            line = {"import": claim, "place": setting("ESS_IMPORT_PLACE"), "is": what}
            os.write(file, json.dumps(line).encode("ascii") + b"\n")
        finally:
            os.close(file)
    except OSError as error:
        raise SystemFailure(f"cannot write ({error.strerror})", where=path, hint="check space and rights") from error
    return True


def _begun(path: str) -> list[tuple[str, str]]:
    """The place and the process of each import that the shell has begun."""
    counts = Path(path)
    names = (each.name for each in counts.parent.iterdir())
    found = [name.removeprefix(f"{counts.name}.") for name in names if name.startswith(f"{counts.name}.")]
    return [(place, process) for place, at, process in (each.partition("@") for each in found) if at]


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def _read(path: str) -> list[Any]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return _lines(file)
    finally:
        os.close(file)


def _lines(file: int) -> list[Any]:
    data = b""
    while part := os.pread(file, 1 << 16, len(data)):
        data += part
    lines: list[Any] = []
    for line in data.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def _is_begun(line: Any, claim: str) -> bool:
    return isinstance(line, dict) and line.get("import") == claim and line.get("is") == "begun"
