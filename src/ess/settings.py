"""Environment variables and the files below ``.ess``, ``.conf`` and ``.aws``.

Everything the environment can set stands in one table, :data:`SETTINGS`. State is small files
that a person can read. They may hold credentials and decide what gets run, so they are kept
owner-only, are replaced in one step (a reader sees the old or the new content, never half of
it), and are refused when somebody else could have written them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess.errors import InitializationError, OptionError, SystemFailure


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, its value when unset, and what it does.

    ``internal`` marks what the task runner sets for the commands it starts.
    """

    variable: str
    default: str
    meaning: str
    internal: bool = False


SETTINGS: dict[str, Setting] = {
    setting.variable: setting
    for setting in (
        Setting("ESS_CACHE_DIR", "~/.ess", "folder of the datastore and category settings"),
        Setting("ESS_WORK_DIR", "./.conf", "folder of the database and cluster settings"),
        Setting("ESS_AWS_DIR", "~/.aws", "folder of key files for cloud clusters"),
        Setting("ESS_UDB_PORT", "10010", "first port of the database servers"),
        Setting("ESS_ENGINE", "auto", "how aq_* commands compute: auto, row or columnar"),
        Setting("ESS_COUNTRY_FILE", "", "MaxMind-format file for IpToCountry; else the table of the package iptocc"),
        Setting("ESS_SORT_MEMORY", "512", "megabytes of records that aq_ord holds before it uses temporary files"),
        Setting("ESS_WARM", "1", "whether aq_* commands use the resident tool server: 0 or 1"),
        Setting("ESS_WARM_IDLE", "120", "seconds without a command after which the tool server ends"),
        Setting("ESS_RUNTIME_DIR", "", "folder of the tool server's socket; else below XDG_RUNTIME_DIR or /tmp"),
        Setting("ESS_STORE_TIMEOUT", "30", "seconds for which a store of objects (S3, Azure) may be silent"),
        Setting("AWS_ACCESS_KEY_ID", "", "name of a key for S3; else AWS_PROFILE, or the role of the machine"),
        Setting("AWS_SECRET_ACCESS_KEY", "", "that key"),
        Setting("AWS_SESSION_TOKEN", "", "what belongs to a key for a limited time"),
        Setting("AWS_PROFILE", "default", "section of ~/.aws/credentials and ~/.aws/config"),
        Setting("AWS_REGION", "", "region of the bucket; else AWS_DEFAULT_REGION, that of the profile, or us-east-1"),
        Setting("AWS_ENDPOINT_URL_S3", "", "address of a store that is not AWS, before AWS_ENDPOINT_URL"),
        Setting("AWS_ENDPOINT_URL", "", "address of a store that is not AWS: https://Host:Port"),
        Setting("AWS_CA_BUNDLE", "", "certificates of authorities for S3, a PEM file; else those of the system"),
        Setting(
            "AZURE_STORAGE_CONNECTION_STRING", "", "account, key and address for Azure Blob in one, before the others"
        ),
        Setting("AZURE_STORAGE_ACCOUNT", "", "name of the storage account"),
        Setting("AZURE_STORAGE_KEY", "", "key of the account; else AZURE_STORAGE_SAS_TOKEN"),
        Setting(
            "AZURE_STORAGE_SAS_TOKEN", "", "signature for the account or container; else Azure's default credential"
        ),
        Setting("ESS_COUNTS", "", "file that each aq_* command appends its row counts to, as JSON lines", True),
        Setting("ESS_IMPORT_ID", "", "identity of an import, so that a repeated task counts once", True),
        Setting("ESS_IMPORT_SEQ", "", "place of an import in the order of its job", True),
        Setting("ESS_UDB_NODE", "", "node whose database servers aq_udb is restricted to", True),
        Setting("ESS_NODE_ID", "", "number of the node a command runs on", True),
    )
}


def setting(variable: str) -> str:
    """The value of an environment variable of :data:`SETTINGS`, or its default.

    >>> setting("ESS_NODE_ID")
    ''
    """
    return os.environ.get(variable) or SETTINGS[variable].default


def cache_dir() -> Path:
    """The folder of datastores and categories (``ESS_CACHE_DIR``)."""
    return _folder("ESS_CACHE_DIR")


def work_dir() -> Path:
    """The folder of database and cluster settings (``ESS_WORK_DIR``), relative to the current folder."""
    return _folder("ESS_WORK_DIR")


def aws_dir() -> Path:
    """The folder of key files (``ESS_AWS_DIR``)."""
    return _folder("ESS_AWS_DIR")


def udb_port() -> int:
    """The first port of the database servers (``ESS_UDB_PORT``).

    Raises:
        OptionError: If it is not a port from 1 to 65535.
    """
    text = setting("ESS_UDB_PORT")
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise OptionError(f"bad port '{text}'", where="ESS_UDB_PORT", hint="give a number from 1 to 65535")
    return int(text)


def sort_memory() -> int:
    """The bytes of records that ``aq_ord`` holds in memory (``ESS_SORT_MEMORY``, in megabytes).

    Raises:
        OptionError: If it is not a number above 0.
    """
    text = setting("ESS_SORT_MEMORY")
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"bad size '{text}'", where="ESS_SORT_MEMORY", hint="give a number of megabytes")
    return int(text) << 20


def store_timeout() -> float:
    """The seconds that an object store may be silent (``ESS_STORE_TIMEOUT``).

    Raises:
        OptionError: If it is not a number from 1 to 3600.
    """
    text = setting("ESS_STORE_TIMEOUT")
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 0 < int(text) <= 3600):
        raise OptionError(f"bad time '{text}'", where="ESS_STORE_TIMEOUT", hint="give 1 to 3600 seconds")
    return float(text)


def engine() -> str:
    """The engine that runs the ``aq_*`` commands (``ESS_ENGINE``): ``auto``, ``row`` or ``columnar``.

    Raises:
        OptionError: If it is none of these.
    """
    name = setting("ESS_ENGINE").lower()
    if name not in ("auto", "row", "columnar"):
        raise OptionError(f"unknown engine '{name}'", where="ESS_ENGINE", hint="use auto, row or columnar")
    return name


def _folder(variable: str) -> Path:
    text = setting(variable)
    try:
        return Path(text).expanduser().absolute()
    except (FileNotFoundError, RuntimeError) as error:
        raise SystemFailure(f"there is no folder '{text}'", where=variable, hint="cd to another folder") from error


def make_private_folder(folder: Path) -> Path:
    """Make ``folder`` (and its parents) if need be, readable by its owner only; return it.

    Raises:
        InitializationError: If it cannot be made, or others can write to it.
    """
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        except OSError as error:
            raise InitializationError(
                f"cannot make the folder ({error.strerror})", where=str(folder), hint="check its permissions"
            ) from error
    if not folder.is_dir():
        raise InitializationError("it is not a folder", where=str(folder), hint="choose another place for the settings")
    check_private(folder)
    return folder


def check_private(path: Path) -> None:
    """Refuse a settings file or folder that other users could have changed.

    Raises:
        InitializationError: If everybody can write to it, or it belongs to another user.
    """
    status = path.stat()
    if status.st_mode & stat.S_IWOTH:
        raise InitializationError(
            "every user of this machine can write to it", where=str(path), hint=f"run: chmod o-w {path}"
        )
    if os.geteuid() != 0 and status.st_uid not in (os.geteuid(), 0):
        raise InitializationError("it belongs to another user", where=str(path), hint="point the settings to your own")


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` into ``path``, owner-only and in one step, also across a power failure.

    Raises:
        SystemFailure: If the file system refuses.
    """
    make_private_folder(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SystemFailure(
            f"cannot write ({error.strerror})", where=str(path), hint="check space and rights"
        ) from error


def write_state(path: Path, version: int, state: Mapping[str, Any]) -> None:
    """Write ``state`` as JSON that a person can read, under the format number ``version``.

    Names that are not UTF-8 survive as the lone surrogates of ``os.fsdecode``.
    """
    text = json.dumps({"version": version, **state}, indent=2)
    write_private(path, text.encode("ascii") + b"\n")


def read_state(path: Path, version: int) -> dict[str, Any]:
    """Read what :func:`write_state` wrote; an absent file is an empty state.

    Raises:
        InitializationError: If it is damaged, was made by a newer Essentia, or others can write to it.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InitializationError(
            f"cannot read ({error.strerror})", where=str(path), hint="check its rights"
        ) from error
    check_private(path.parent)
    check_private(path)
    try:
        state = json.loads(content)
        found = state.pop("version")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged(path) from error
    if found != version:
        raise InitializationError(
            f"it has format {found}, this Essentia reads format {version}",
            where=str(path),
            hint="use the Essentia that made it",
        )
    assert isinstance(state, dict)
    return state


def damaged(path: Path) -> InitializationError:
    """The error for a settings file whose content makes no sense."""
    return InitializationError("the settings file is damaged", where=str(path), hint="mend its JSON or delete it")


@contextlib.contextmanager
def lock(folder: Path, *, seconds: float = 30.0) -> Iterator[None]:
    """Hold the settings of ``folder`` for a read-change-write; other commands wait for their turn.

    Raises:
        InitializationError: If another command holds them for longer than ``seconds``.
    """
    make_private_folder(folder)
    path = folder / ".lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SystemFailure(
            f"cannot lock the settings ({error.strerror})", where=str(folder), hint="check its rights"
        ) from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InitializationError(
                        f"another command has held the settings for {seconds:.0f} seconds",
                        where=str(folder),
                        hint="wait for it or stop it",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)
