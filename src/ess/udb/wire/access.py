"""Access to the servers of a working folder: its authority, its certificate, its token.

They are made once for a working folder (``ESS_WORK_DIR``), in ``udb/access`` below it, readable
by the owner only. Servers and clients of that folder share them; so whoever may read the folder
may use its databases, and nobody else.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from ess.errors import InitializationError, UdbConnectError
from ess.settings import check_private, lock, make_private_folder, work_dir, write_private
from ess.udb.wire.protocol import CERTIFICATE_NAME

_PARTY = "server"
_BEARER = "token"
_TRUSTED = "trusted.pem"


@dataclass(frozen=True)
class Access:
    """The access of a client: the authority to trust, certificate, key and token to show, and the folder they are from.

    Authority, certificate and key are PEM. The certificate keeps strangers from sending anything at all: a server
    would hold a message of any size before it has seen whether the token comes with it.
    """

    authority: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    token: str = field(repr=False)
    folder: Path


@dataclass(frozen=True)
class ServerAccess:
    """The access of a server: that of its clients, whose certificate it shows too, and the modules' folder."""

    client: Access
    modules: Path


def udb_folder() -> Path:
    """The folder of the servers' files in this working folder."""
    return work_dir() / "udb"


def access_folder() -> Path:
    """The folder of the access files of this working folder."""
    return udb_folder() / "access"


def make_access() -> Path:
    """Make the access files unless they are there; return their folder.

    Raises:
        InitializationError: If the folder cannot be written, or is not the user's own.
    """
    # Costs more to import than a client takes for all the rest, and clients never get here.
    from ess.certificates import issue, make_authority

    folder = access_folder()
    make_private_folder(work_dir())
    make_private_folder(udb_folder())
    with lock(udb_folder()):
        if not (folder / _TRUSTED).is_file():
            make_authority(folder, "Essentia UDB")
            made = issue(folder, _PARTY, hosts=[CERTIFICATE_NAME])
            write_private(folder / _BEARER, secrets.token_urlsafe(32).encode())
            # Last, because its presence says that the rest is complete.
            write_private(folder / _TRUSTED, made.authority.read_bytes())
    return folder


def read_access(folder: Path | None = None) -> Access:
    """Read what a client of this working folder needs, or of the access files in ``folder``.

    Raises:
        UdbConnectError: If there is none: no server has been started from here.
        InitializationError: If others could have changed the files.
    """
    folder = folder or access_folder()
    try:
        check_private(folder)
        token = (folder / _BEARER).read_text("ascii").strip()  # an editor may have put a line end behind it
        if not token.isprintable():
            raise InitializationError("the token is no single word", where=str(folder / _BEARER))
        authority, certificate, key = (folder / name for name in (_TRUSTED, f"{_PARTY}.pem", f"{_PARTY}.key"))
        return Access(authority.read_bytes(), certificate.read_bytes(), key.read_bytes(), token, folder)
    except FileNotFoundError as error:
        raise UdbConnectError(
            "no database server has been started from this working folder",
            where=str(work_dir()),
            hint="start it with: ess udbd start",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InitializationError(f"cannot read the access files ({error})", where=str(folder)) from error


def certificate_fault(access: Access) -> InitializationError | None:
    """The reason why nobody can connect with these files; None if it is another one."""
    from ess.certificates import check_certificate, check_party  # only a failure needs it

    try:
        authority = check_certificate(access.folder / _TRUSTED, anew=_anew(access.folder))
        check_party(access.folder, _PARTY, authority, anew=_anew(access.folder))
    except InitializationError as error:
        return error
    return None


def _anew(folder: Path) -> str:
    return f"ess udbd stop; rm -r {quote(str(folder))}; ess udbd start"


def read_server_access(folder: Path | None = None) -> ServerAccess:
    """Read what a server needs; see :func:`read_access`."""
    from ess.certificates import check, check_certificate, credentials

    folder = folder or access_folder()
    client = read_access(folder)
    found = credentials(folder, _PARTY)
    check(found, anew=_anew(folder))
    check_certificate(folder / _TRUSTED, anew=_anew(folder))
    return ServerAccess(client, folder.parent / "modules")
