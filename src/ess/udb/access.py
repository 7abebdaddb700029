"""Who may talk to the servers of a working folder: its authority, its certificate, its token.

They are made once for a working folder (``ESS_WORK_DIR``), in ``udb/access`` below it, readable
by the owner only. Servers and clients of that folder share them; so whoever may read the folder
may use its databases, and nobody else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from ess.certificates import credentials, issue, make_authority
from ess.errors import InitializationError, UdbConnectError
from ess.settings import check_private, lock, make_private_folder, work_dir, write_private
from ess.udb.protocol import CERTIFICATE_NAME

_PARTY = "server"
_BEARER = "token"


@dataclass(frozen=True)
class Access:
    """The contents of the access files; ``certificate`` and ``key`` are what servers show."""

    authority: bytes
    certificate: bytes
    key: bytes
    token: str


def udb_folder() -> Path:
    """Where the servers' files of this working folder are."""
    return work_dir() / "udb"


def access_folder() -> Path:
    """Where the access files of this working folder are."""
    return udb_folder() / "access"


def make_access() -> Path:
    """Make the access files unless they are there; return their folder.

    Raises:
        InitializationError: If the folder cannot be written, or is not the user's own.
    """
    folder = access_folder()
    make_private_folder(work_dir())
    make_private_folder(udb_folder())
    with lock(udb_folder()):
        if not (folder / _BEARER).is_file():
            make_authority(folder, "Essentia UDB")
            issue(folder, _PARTY, hosts=[CERTIFICATE_NAME])
            # Last, because its presence says that the rest is complete.
            write_private(folder / _BEARER, secrets.token_urlsafe(32).encode())
    return folder


def read_access(folder: Path | None = None) -> Access:
    """Read the access files of this working folder, or of ``folder``.

    Raises:
        UdbConnectError: If there are none: no server has been started from here.
        InitializationError: If others could have changed them.
    """
    folder = folder or access_folder()
    try:
        check_private(folder)
        token = (folder / _BEARER).read_text("ascii")
        found = credentials(folder, _PARTY)
        return Access(found.authority.read_bytes(), found.certificate.read_bytes(), found.key.read_bytes(), token)
    except FileNotFoundError as error:
        raise UdbConnectError(
            "no database server has been started from this working folder",
            where=str(work_dir()),
            hint="start it with: ess udbd start",
        ) from error
    except OSError as error:
        raise InitializationError(f"cannot read the access files ({error.strerror})", where=str(folder)) from error
