"""Environment variables and the files below ``.ess``, ``.conf`` and ``.aws``.

Everything the environment can set stands in one table, :data:`SETTINGS`. State is small files
that a person can read. They may hold credentials and decide what gets run, so they are kept
owner-only, are replaced in one step (a reader sees the old or the new content, never half of
it), and are refused when somebody else could have written them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess import surroundings
from ess.errors import InitializationError, OptionError, SystemFailure

#: Names of variables that speak of a secret, and not of the place of one.
_SECRET = re.compile(
    "^(?!.*_(FILE|PATH)$).*(SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|CONNECTION_?STRING"
    "|(PRIVATE|ACCOUNT|STORAGE|API|ACCESS)_?KEY|_(PASS|PWD)$)",
    re.IGNORECASE,
)

#: Values of fewer characters are not sought in messages.
_LEAST_SECRET = 8

#: The links that are followed at most, as by the system.
_MOST_LINKS = 40
#: Between these is the memory of a sort for which no setting says another.
_LEAST_SORT_MEMORY, _MOST_SORT_MEMORY = 128 << 20, 2048 << 20


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, its value when unset, and what it does.

    ``internal`` marks what the task runner sets for the commands it starts. ``secret`` marks what only the
    programs that the user starts himself may see: see :func:`without_secrets`.
    """

    variable: str
    default: str
    meaning: str
    internal: bool = False
    secret: bool = False


SETTINGS: dict[str, Setting] = {
    setting.variable: setting
    for setting in (
        Setting("ESS_CACHE_DIR", "~/.ess", "folder of the datastore and category settings"),
        Setting("ESS_WORK_DIR", "./.conf", "folder of the database and cluster settings"),
        Setting("ESS_AWS_DIR", "~/.aws", "not used: keys of cloud clusters are below ESS_CACHE_DIR"),
        Setting(
            "ESS_CLUSTER_FROM",
            "",
            "addresses or blocks that may log in to cloud machines by SSH; else the private address of this machine",
        ),
        Setting("ESS_UDB_PORT", "10010", "first port of the database servers"),
        Setting("ESS_ENGINE", "auto", "how aq_* commands compute: auto, row or columnar"),
        Setting("ESS_COUNTRY_FILE", "", "MaxMind-format file for IpToCountry; else the table of the package iptocc"),
        Setting(
            "ESS_SORT_MEMORY",
            "",
            "megabytes that aq_ord takes for records before it uses temporary files; else a quarter of the machine's "
            "memory, at most 2048",
        ),
        Setting("ESS_WARM", "1", "whether ess and aq_* commands use the resident tool server: 0 or 1"),
        Setting("ESS_WARM_IDLE", "120", "seconds without a command after which the tool server ends"),
        Setting("ESS_RUNTIME_DIR", "", "folder of the tool server's socket; else below XDG_RUNTIME_DIR or /tmp"),
        Setting("ESS_STORE_TIMEOUT", "30", "seconds that an object store (S3, Azure) may be silent"),
        Setting(
            "ESS_ANSWER_TIMEOUT",
            "10",
            "seconds that a process of ours may be stopped before it is named, and replaced if it can be",
        ),
        Setting(
            "AWS_ACCESS_KEY_ID", "", "name of a key for S3; else AWS_PROFILE, or the role of the machine", secret=True
        ),
        Setting("AWS_SECRET_ACCESS_KEY", "", "secret of that key", secret=True),
        Setting("AWS_SESSION_TOKEN", "", "token of a temporary key", secret=True),
        Setting("AWS_PROFILE", "default", "section of ~/.aws/credentials and ~/.aws/config"),
        Setting("AWS_REGION", "", "region of the bucket; else AWS_DEFAULT_REGION, that of the profile, or us-east-1"),
        Setting("AWS_ENDPOINT_URL_S3", "", "address of a store that is not AWS, before AWS_ENDPOINT_URL"),
        Setting("AWS_ENDPOINT_URL", "", "address of a store that is not AWS: https://Host:Port"),
        Setting("AWS_NO_SIGN_REQUEST", "", "1: read public buckets of S3 without a key"),
        Setting("AWS_REQUEST_PAYER", "", "requester: pay for what is read of buckets whose owners do not"),
        Setting("AWS_CA_BUNDLE", "", "certificates of authorities for S3, a PEM file; else those of the system"),
        Setting(
            "AZURE_STORAGE_CONNECTION_STRING",
            "",
            "account, key and address for Azure Blob in one, before the others",
            secret=True,
        ),
        Setting("AZURE_STORAGE_ACCOUNT", "", "name of the storage account"),
        Setting("AZURE_STORAGE_KEY", "", "key of the account; else AZURE_STORAGE_SAS_TOKEN", secret=True),
        Setting(
            "AZURE_STORAGE_SAS_TOKEN",
            "",
            "signature for the account or container; else Azure's default credential",
            secret=True,
        ),
        Setting("AZURE_STORAGE_ANONYMOUS", "", "1: read public containers of Azure Blob without a key"),
        Setting("AZURE_STORAGE_ENDPOINT", "", "address of Azure Blob elsewhere: https://Host:Port/Account"),
        Setting(
            "GS_ACCESS_KEY_ID", "", "name of an HMAC key for Google Cloud Storage; else public buckets", secret=True
        ),
        Setting("GS_SECRET_ACCESS_KEY", "", "secret of that key", secret=True),
        Setting("GS_NO_SIGN_REQUEST", "", "1: read public buckets of Google Cloud Storage without a key"),
        Setting("GS_ENDPOINT_URL", "", "address of a store that speaks like it: https://Host:Port"),
        Setting("ESS_COUNTS", "", "file that each aq_* command appends its row counts to, as JSON lines", True),
        Setting("ESS_IMPORT_ID", "", "job and file of an import, so that a repeated task counts once", True),
        Setting("ESS_IMPORT_PLACE", "", "place of an import in its command, so that a repeated one counts once", True),
        Setting("ESS_IMPORT_SEQ", "", "number of an import's file in the order of the job", True),
        Setting("ESS_UDB_NODE", "", "node whose database servers aq_udb is restricted to", True),
        Setting("ESS_NODE_ID", "", "number of the node a command runs on", True),
    )
}


def setting(variable: str) -> str:
    """The value of an environment variable of :data:`SETTINGS`, or its default.

    >>> setting("ESS_NODE_ID")
    ''
    """
    return surroundings.environment().get(variable) or SETTINGS[variable].default


def is_secret(variable: str) -> bool:
    """True if an environment variable holds a secret: its row of :data:`SETTINGS` or its name says so.

    >>> is_secret("AZURE_STORAGE_KEY"), is_secret("GITHUB_TOKEN"), is_secret("OLDPWD")
    (True, True, False)
    """
    row = SETTINGS.get(variable)
    return row.secret if row is not None else bool(_SECRET.search(variable))


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for a program that is started in the user's name, but not by him: a command on a node, a server.

    >>> without_secrets({"LANG": "C", "AWS_SECRET_ACCESS_KEY": "x"})
    {'LANG': 'C'}
    """
    return {name: value for name, value in environment.items() if not is_secret(name)}


def concealed(text: str) -> str:
    """A message without the values of secret variables, whoever has put them there; their names stand instead.

    Shorter values than 8 characters stay: they are in every other word.
    """
    for name, value in surroundings.environment().items():
        if len(value) >= _LEAST_SECRET and value in text and is_secret(name):
            text = text.replace(value, f"({name})")
    return text


def cache_dir() -> Path:
    """The folder of datastores and categories (``ESS_CACHE_DIR``)."""
    return _folder("ESS_CACHE_DIR")


def work_dir() -> Path:
    """The folder of database and cluster settings (``ESS_WORK_DIR``), relative to the current folder."""
    return _folder("ESS_WORK_DIR")


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
    """The bytes that ``aq_ord`` may take to hold and sort records (``ESS_SORT_MEMORY``, in megabytes).

    Raises:
        OptionError: If it is not a number above 0.
    """
    text = setting("ESS_SORT_MEMORY")
    if not text:
        return min(_MOST_SORT_MEMORY, max(_LEAST_SORT_MEMORY, _machine_memory() // 4))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"bad size '{text}'", where="ESS_SORT_MEMORY", hint="give a number of megabytes")
    return int(text) << 20


def _machine_memory() -> int:
    """The bytes of memory that this machine, or the container that this process is in, has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return memory
    return min(memory, int(limit)) if limit.isdigit() else memory


def store_timeout() -> float:
    """The seconds that an object store may be silent (``ESS_STORE_TIMEOUT``).

    Raises:
        OptionError: If it is not a number from 1 to 3600.
    """
    return _seconds("ESS_STORE_TIMEOUT")


def answer_timeout() -> float:
    """For how many seconds a process of ours may be stopped (``ESS_ANSWER_TIMEOUT``).

    Raises:
        OptionError: If it is not a number from 1 to 3600.
    """
    return _seconds("ESS_ANSWER_TIMEOUT")


def engine() -> str:
    """The engine that runs the ``aq_*`` commands (``ESS_ENGINE``): ``auto``, ``row`` or ``columnar``.

    Raises:
        OptionError: If it is none of these.
    """
    name = setting("ESS_ENGINE").lower()
    if name not in ("auto", "row", "columnar"):
        raise OptionError(f"unknown engine '{name}'", where="ESS_ENGINE", hint="use auto, row or columnar")
    return name


def _seconds(variable: str) -> float:
    text = setting(variable)
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 0 < int(text) <= 3600):
        raise OptionError(f"bad time '{text}'", where=variable, hint="give 1 to 3600 seconds")
    return float(text)


def _folder(variable: str) -> Path:
    text = setting(variable)
    try:
        return surroundings.absolute(text)
    except SystemFailure as error:
        raise SystemFailure(f"there is no folder '{text}'", where=variable, hint="cd to another folder") from error


def make_private_folder(folder: Path) -> Path:
    """Make ``folder`` (and its parents) if need be, for its owner only whatever the umask; return it.

    Raises:
        InitializationError: If it cannot be made, or others could write to it or put another one in its place.
    """
    check_way(folder)
    for each in reversed([each for each in (folder, *folder.parents) if not each.is_dir()]):
        try:
            each.mkdir(mode=0o700)
            each.chmod(0o700)  # a umask takes rights away from the owner too
        except FileExistsError:
            pass  # somebody else makes it at this moment; who, is checked below
        except OSError as error:
            raise InitializationError(
                f"cannot make the folder ({error.strerror})", where=str(folder), hint="check its permissions"
            ) from error
    if not folder.is_dir():
        raise InitializationError("it is not a folder", where=str(folder), hint="choose another place for the settings")
    check_private(folder)
    return folder


def check_private(path: Path) -> None:
    """Refuse a settings file or folder that other users could have changed, or put in the place of ours.

    Raises:
        InitializationError: If everybody can write to it or to a folder above, or it belongs to another user.
    """
    check_way(path)
    status = path.stat()
    if status.st_mode & stat.S_IWOTH:
        raise InitializationError(
            "every user of this machine can write to it", where=str(path), hint=f"run: chmod o-w {path}"
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise _of_another(path, status.st_uid)


def check_way(path: Path) -> None:
    """Refuse a path that another user could lead elsewhere, whether or not there is something at its end.

    In a folder that every user can write to, as ``/tmp``, only what is ours or root's can be relied on, and that
    only if the folder keeps users from replacing each other's files (the sticky bit). Links are followed the same way.

    Raises:
        InitializationError: If another user could.
    """
    absolute = path.absolute()
    here, ahead, links = Path("/"), list(reversed(absolute.parts[1:])), 0
    while ahead:
        name = ahead.pop()
        if name == "..":
            here = here.parent
            continue
        try:
            above = here.stat()
            if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
                raise InitializationError(
                    f"every user of this machine can put another one in its place, for {here} is open to all",
                    where=str(path),
                    hint=f"run: chmod +t {here}; or choose another place",
                )
            found = (here / name).lstat()
        except OSError:
            return  # the user of the path reports what is wrong
        if above.st_mode & stat.S_IWOTH and found.st_uid not in (os.geteuid(), 0):
            raise _of_another(here / name, found.st_uid)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise InitializationError("its links lead nowhere", where=str(path), hint="remove them")
            target = (here / name).readlink()
            here = Path("/") if target.is_absolute() else here
            ahead.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
        else:
            here = here / name


def _of_another(path: Path, user: int) -> InitializationError:
    return InitializationError(
        f"it belongs to another user (number {user})", where=str(path), hint="point the settings to your own folders"
    )


def open_private(path: Path, flags: int) -> int:
    """Open a file in a folder of ours, made for its owner only whatever the umask; its descriptor.

    Args:
        path: The file.
        flags: As those of ``os.open``; ``O_CREAT`` is added.

    Raises:
        InitializationError: If it is a link, a pipe or the like, or a file of another user.
        OSError: If the system refuses.
    """
    made = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags | made | os.O_NONBLOCK, 0o600)  # nobody waits for the other end of a pipe
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise InitializationError("it is a link or a pipe, not a file", where=str(path), hint="remove it") from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise InitializationError("it is not a file", where=str(path), hint="remove it")
        if status.st_uid not in (os.geteuid(), 0):
            raise _of_another(path, status.st_uid)
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` into ``path``, owner-only and in one step, also across a power failure.

    Raises:
        SystemFailure: If the file system refuses.
    """
    make_private_folder(path.parent)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            os.fchmod(handle, 0o600)  # a umask may have left nothing
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
        handle = open_private(path, os.O_RDWR)
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
