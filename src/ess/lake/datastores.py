"""Datastores: the places whose files commands work on, and which of them is selected.

This disk is one; buckets, containers and folders of web servers are others. A datastore's *label* names it in
``--label`` and in the settings. Each label has its own categories. Keys that were given stand in an owner-only file of
the label, keys that the settings or a vendor's own files have do not stand anywhere of ours.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ess import settings
from ess.errors import EssError, InitializationError, OptionError
from ess.stores.kinds import KINDS, SCHEMES, Access, Credentials, Kind, own_credentials
from ess.surroundings import current_folder

VERSION = 1
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_NO_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(?:/(.*))?\Z", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
#: A host, and perhaps a port.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[1-9]\d{0,4}))?\Z")
_LAST_PORT = 65535
_KEYS = "credentials.json"


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
        return Access(self.kind, self.name, _with_own(self.kind, _stored_keys(self)))

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


def _path() -> Path:
    return settings.cache_dir() / "repository.json"


def repository() -> Repository:
    """The datastores defined so far.

    Raises:
        InitializationError: If the settings are damaged.
    """
    state = settings.read_state(_path(), VERSION)
    try:
        stores = {label: _parse(label, str(entry["source"])) for label, entry in state.get("datastores", {}).items()}
        return Repository(stores, state.get("selected"))
    except (KeyError, TypeError, AttributeError, OptionError) as error:
        raise settings.damaged(_path()) from error


def _save(content: Repository) -> None:
    stores: dict[str, Any] = {
        label: {"kind": store.kind, "source": store.source} for label, store in content.datastores.items()
    }
    settings.write_state(_path(), VERSION, {"selected": content.selected, "datastores": stores})


def select(
    source: str, *, label: str | None = None, overwrite: bool = False, credentials: Credentials | None = None
) -> Datastore:
    """Make a datastore the selected one, defining it first if need be.

    Args:
        source: ``local``, an address such as ``s3://bucket/prefix`` or ``https://host/folder/``, or the label of a
            datastore that is defined.
        label: Another name for it; each label has its own categories.
        overwrite: Whether the label may be given to another source, and its keys replaced.
        credentials: Keys and other values of the settings of the store's kind, which are kept; None for none.

    Raises:
        OptionError: If the source or label is not valid, or keys are there already.
        EssError: If the store of an address does not let us in.
    """
    if label is not None and not _LABEL.match(label):
        raise OptionError(f"bad label '{label}'", where="--label", hint="use 1 to 64 letters, digits, '_', '-' and '.'")
    with settings.lock(settings.cache_dir()):
        known = repository()
        origin = _origin(source, known)
        store = Datastore(label or origin.label, origin.kind, origin.source, origin.name, origin.prefix)
        before = known.datastores.get(store.label)
        if before is not None and before != store and not overwrite:
            raise OptionError(
                f"the label '{store.label}' stands for {before.source}",
                where="--label",
                hint="give another --label, or add --overwrite",
            )
        given = credentials if credentials is not None and credentials.values else None
        if given is not None:
            if not KINDS[store.kind].named:
                raise OptionError("this disk needs no keys", where=f"select {source}", hint="leave them out")
            kept = _stored_keys(store)
            if before == store and kept not in (Credentials(), given, _public(store, given)) and not overwrite:
                raise OptionError("it has other keys", where=store.label, hint="add --overwrite to replace them")
        if KINDS[store.kind].named:
            tried = given or (_stored_keys(store) if before == store else Credentials())
            admitted = _admitted(store, tried)
            given = admitted if admitted != tried else given
        # Only now, as the store has let us in. The old keys go first: another store must not be shown them.
        if before != store:
            (store.folder / _KEYS).unlink(missing_ok=True)
        _save(Repository({**known.datastores, store.label: store}, store.label))
        if given is not None:
            settings.write_state(store.folder / _KEYS, VERSION, {"credentials": dict(given.values)})
    return store


def _admitted(store: Datastore, given: Credentials) -> Credentials:
    """The values that the store has let us in with: those given, or if they hold no key, perhaps without one.

    Raises:
        EssError: If it does not let us in.
    """
    try:
        Access(store.kind, store.name, _with_own(store.kind, given)).open().require(writing=False)
    except EssError:
        public = _public(store, given)
        if public is None:
            raise
        with contextlib.suppress(EssError):
            Access(store.kind, store.name, _with_own(store.kind, public)).open().require(writing=False)
            return public
        raise
    return given


def _public(store: Datastore, given: Credentials) -> Credentials | None:
    """The values given, to ask without a key; None unless they name an account and nothing else that says who asks."""
    kind = KINDS[store.kind]
    if kind.public is None or {name for name, _ in given.values} & kind.identity != {kind.public.account}:
        return None
    return Credentials((*given.values, (kind.public.setting, "1")))


def _origin(source: str, known: Repository) -> Datastore:
    """The datastore that a source means: one that is defined, or a new one with a label made from it."""
    if source in known.datastores:
        return known.datastores[source]
    if "://" in source:
        wanted = _parse("", source)
        same = (store for store in known.datastores.values() if store.source == wanted.source)
        label = _NO_LABEL.sub("-", wanted.name).strip("-.")
        if label in known.datastores and known.datastores[label].kind != wanted.kind:
            label = f"{label}-{wanted.kind}"
        return next(same, _parse(label, source))
    if source == "local":
        return _parse("local", source)
    close = difflib.get_close_matches(source, ["local", *known.datastores], n=1)
    raise OptionError(
        f"unknown datastore '{source}'",
        where="select",
        hint=f"did you mean '{close[0]}'?"
        if close
        else "use local, s3://Bucket, blob://Container, https://Host/Folder or a label",
    )


def _parse(label: str, source: str) -> Datastore:
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


def _with_own(kind: str, given: Credentials) -> Credentials:
    """The values given, completed from the settings; the key comes from one of the two alone."""
    names = {name for name, _ in given.values}
    identity = KINDS[kind].identity
    left_out = names | identity if names & identity else names
    return Credentials(
        (*given.values, *((name, value) for name, value in own_credentials(kind).values if name not in left_out))
    )


def _stored_keys(store: Datastore) -> Credentials:
    path = store.folder / _KEYS
    values = settings.read_state(path, VERSION).get("credentials", {})
    try:
        known = KINDS[store.kind].settings
        return Credentials(tuple((name, str(value)) for name, value in values.items() if name in known))
    except AttributeError as error:
        raise settings.damaged(path) from error


def purge(label: str) -> None:
    """Forget a datastore, its keys and its categories; its files stay untouched.

    Raises:
        OptionError: If there is no such label.
    """
    with settings.lock(settings.cache_dir()):
        known = repository()
        store = _known(known, label, "purge")
        rest = {name: other for name, other in known.datastores.items() if name != label}
        # The entry goes first: categories without a datastore do no harm, the reverse would.
        _save(Repository(rest, None if known.selected == label else known.selected))
        shutil.rmtree(store.folder, ignore_errors=True)


def datastore(label: str | None = None) -> Datastore:
    """The datastore of that label, or the selected one.

    Raises:
        OptionError: If there is no such label.
        InitializationError: If none is selected.
    """
    known = repository()
    if label is not None:
        return _known(known, label, "--label")
    if known.selected is None or known.selected not in known.datastores:
        raise InitializationError("no datastore is selected", where="datastore", hint="run: ess select local")
    return known.datastores[known.selected]


def _known(known: Repository, label: str, where: str) -> Datastore:
    if label in known.datastores:
        return known.datastores[label]
    close = difflib.get_close_matches(label, list(known.datastores), n=1)
    labels = ", ".join(sorted(known.datastores)) or "none"
    raise OptionError(
        f"no datastore '{label}'",
        where=where,
        hint=f"did you mean '{close[0]}'?" if close else f"the labels are: {labels}; see ess repository",
    )
