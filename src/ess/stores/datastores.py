"""Datastores: the places whose files commands work on, each with a label.

This disk is one; buckets, containers and folders of web servers are others. A datastore's *label* names it in
``--label``, in ``LABEL:PATH`` and in the settings. Each label has its own categories. Keys that were given stand in an
owner-only file of the label, keys that the settings or a vendor's own files have do not stand anywhere of ours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from ess import settings
from ess.errors import InitializationError, OptionError
from ess.stores.kinds import KINDS, SCHEMES, Access, Credentials, Kind, own_credentials
from ess.surroundings import current_folder

VERSION = 1
#: The file of the keys of a datastore, in its folder.
KEYS = "credentials.json"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(?:/(.*))?\Z", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
#: A host, and perhaps a port.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[1-9]\d{0,4}))?\Z")
_LAST_PORT = 65535


@dataclass(frozen=True)
class Datastore:
    """A datastore: its label, its kind, and its source as given to ``ess select``.

    Attributes:
        label: Its name.
        kind: That of its store, one of :data:`ess.stores.kinds.KINDS`.
        source: ``local``, or ``s3://bucket/prefix`` and the like.
        name: The bucket or container, or the host and port of a web server.
        prefix: The folder in it that relative patterns begin at, blank or with a ``/`` at its end.
    """

    label: str
    kind: str
    source: str
    name: str = ""
    prefix: str = ""

    @property
    def folder(self) -> Path:
        """The folder of its categories."""
        return settings.cache_dir() / "datastores" / self.label

    @property
    def access(self) -> Access:
        """The way to its files, here or on a node; credentials come along.

        Raises:
            InitializationError: If the file of its keys is damaged.
        """
        if not KINDS[self.kind].named:
            return Access(self.kind)
        return Access(self.kind, self.name, with_own(self.kind, stored_keys(self)))

    @property
    def root(self) -> str:
        """The beginning of all paths: ``/``, or ``s3://bucket/``."""
        return f"{self.kind}://{self.name}/" if KINDS[self.kind].named else "/"

    @property
    def base(self) -> str:
        """The folder that relative patterns begin at: the current one, or that of the source.

        Raises:
            SystemFailure: If the current folder no longer exists.
        """
        if KINDS[self.kind].named:
            return self.root + self.prefix
        return current_folder()


@dataclass(frozen=True)
class Repository:
    """All datastores by label, and the label of the selected one."""

    datastores: Mapping[str, Datastore]
    selected: str | None


def repository_path() -> Path:
    """The file of all datastores."""
    return settings.cache_dir() / "repository.json"


def repository() -> Repository:
    """The datastores defined so far.

    Raises:
        InitializationError: If the settings are damaged.
    """
    state = settings.read_state(repository_path(), VERSION)
    try:
        stores = {label: parsed(label, str(entry["source"])) for label, entry in state.get("datastores", {}).items()}
        return Repository(stores, state.get("selected"))
    except (KeyError, TypeError, AttributeError, OptionError) as error:
        raise settings.damaged(repository_path()) from error


def parsed(label: str, source: str) -> Datastore:
    """The datastore of a source.

    Raises:
        OptionError: If the source is no address of a store.
    """
    if source == "local":
        return Datastore(label, "local", "local")
    where = f"select {source}"
    found = _ADDRESS.match(source)
    kind = SCHEMES.get(found[1].lower()) if found else None
    if found is None or kind is None or not kind.named:
        schemes = " ".join(f"{scheme}://" for scheme, each in SCHEMES.items() if each.named)
        raise OptionError("there is no access to such a store", where=where, hint=f"addresses begin with {schemes}")
    name, prefix = found[2], found[3] or ""
    if kind.web:
        return _parse_url(label, kind, name, prefix)
    if "@" in name:
        raise OptionError("an address must not hold credentials", where=f"select {found[1]}://", hint="give options")
    if not _BUCKET.match(name):
        hint = "it has 2 to 255 letters, digits, '.', '-' and '_', as in s3://my-bucket/folder"
        raise OptionError(f"bad name '{name}' of a bucket or container", where=where, hint=hint)
    prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    return Datastore(label, kind.name, f"{kind.name}://{name}" + (f"/{prefix}" if prefix else ""), name, prefix)


def _parse_url(label: str, kind: Kind, name: str, path: str) -> Datastore:
    """The datastore of a URL, whose path is percent-encoded. Nothing of what may be a secret is repeated.

    Raises:
        OptionError: If it is no URL of a folder.
    """
    where = f"select {kind.name}://"
    name = name.lower()
    if "@" in name:
        raise OptionError(
            "an address must not hold credentials", where=where, hint="files behind a password cannot be read yet"
        )
    if re.search(r"[?#]", name + path):
        raise OptionError("an address of a folder has no '?' or '#'", where=where, hint="write %3F or %23 in a name")
    host = _HOST.match(name)
    if host is None or int(host["port"] or 1) > _LAST_PORT:
        raise OptionError(f"bad name '{name}' of a host", where=where, hint="give a host, or host:port")
    folder = unquote(path, errors="surrogateescape")
    folder = folder if not folder or folder.endswith("/") else f"{folder}/"
    if any(part in ("", ".", "..") for part in folder.split("/")[:-1]) or "\0" in folder:
        raise OptionError(f"bad folder in {kind.name}://{name}", where=where, hint="no part may be blank, '.' or '..'")
    quoted = quote(folder, errors="surrogateescape")
    return Datastore(label, kind.name, f"{kind.name}://{name}/{quoted}", name, folder)


def with_own(kind: str, given: Credentials) -> Credentials:
    """The values given, completed from the settings; the key comes from one of the two alone."""
    names = {name for name, _ in given.values}
    identity = KINDS[kind].identity
    left_out = names | identity if names & identity else names
    return Credentials(
        (*given.values, *((name, value) for name, value in own_credentials(kind).values if name not in left_out))
    )


def stored_keys(store: Datastore) -> Credentials:
    """The keys that were given for a datastore.

    Raises:
        InitializationError: If their file is damaged.
    """
    path = store.folder / KEYS
    values = settings.read_state(path, VERSION).get("credentials", {})
    try:
        known = KINDS[store.kind].settings
        return Credentials(tuple((name, str(value)) for name, value in values.items() if name in known))
    except AttributeError as error:
        raise settings.damaged(path) from error


def datastore(label: str | None = None) -> Datastore:
    """The datastore of that label, or the selected one.

    Raises:
        OptionError: If there is no such label.
        InitializationError: If none is selected.
    """
    known = repository()
    if label is not None:
        return known_datastore(known, label, "--label")
    if known.selected is None or known.selected not in known.datastores:
        raise InitializationError("no datastore is selected", where="datastore", hint="run: ess select local")
    return known.datastores[known.selected]


def known_datastore(known: Repository, label: str, where: str) -> Datastore:
    """The datastore of a label.

    Raises:
        OptionError: If there is none.
    """
    if label in known.datastores:
        return known.datastores[label]
    close = difflib.get_close_matches(label, list(known.datastores), n=1)
    labels = ", ".join(sorted(known.datastores)) or "none"
    raise OptionError(
        f"no datastore '{label}'",
        where=where,
        hint=f"did you mean '{close[0]}'?" if close else f"the labels are: {labels}; see ess repository",
    )
