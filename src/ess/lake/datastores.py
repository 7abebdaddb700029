"""Selecting datastores, which defines them, and forgetting them; see :mod:`ess.stores.datastores`."""

from __future__ import annotations

import contextlib
import difflib
import re
import shutil
from typing import Any

from ess import settings
from ess.errors import EssError, OptionError
from ess.stores.datastores import (
    KEYS,
    VERSION,
    Datastore,
    Repository,
    datastore,
    known_datastore,
    parsed,
    repository,
    repository_path,
    stored_keys,
    with_own,
)
from ess.stores.kinds import KINDS, Access, Credentials

__all__ = ["Datastore", "Repository", "datastore", "is_empty", "purge", "repository", "select"]

_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_NO_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


def _save(content: Repository) -> None:
    stores: dict[str, Any] = {
        label: {"kind": store.kind, "source": store.source} for label, store in content.datastores.items()
    }
    settings.write_state(repository_path(), VERSION, {"selected": content.selected, "datastores": stores})


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
            kept = stored_keys(store)
            if before == store and kept not in (Credentials(), given, _public(store, given)) and not overwrite:
                raise OptionError("it has other keys", where=store.label, hint="add --overwrite to replace them")
        if KINDS[store.kind].named:
            tried = given or (stored_keys(store) if before == store else Credentials())
            admitted = _admitted(store, tried)
            given = admitted if admitted != tried else given
        # Only now, as the store has let us in. The old keys go first: another store must not be shown them.
        if before != store:
            (store.folder / KEYS).unlink(missing_ok=True)
        _save(Repository({**known.datastores, store.label: store}, store.label))
        if given is not None:
            settings.write_state(store.folder / KEYS, VERSION, {"credentials": dict(given.values)})
    return store


def is_empty(store: Datastore) -> bool:
    """True if nothing is seen in the folder of a store that a datastore is: its name may be wrong."""
    if not store.prefix:
        return False
    with contextlib.suppress(EssError):  # whoever lists it is told
        return not store.access.open().is_folder(store.prefix.removesuffix("/"))
    return False


def _admitted(store: Datastore, given: Credentials) -> Credentials:
    """The values that the store has let us in with: those given, or if they hold no key, perhaps without one.

    Raises:
        EssError: If it does not let us in.
    """
    try:
        Access(store.kind, store.name, with_own(store.kind, given)).open().require(writing=False)
    except EssError:
        public = _public(store, given)
        if public is None:
            raise
        with contextlib.suppress(EssError):
            Access(store.kind, store.name, with_own(store.kind, public)).open().require(writing=False)
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
        wanted = parsed("", source)
        same = (store for store in known.datastores.values() if store.source == wanted.source)
        label = _NO_LABEL.sub("-", wanted.name).strip("-.")
        if label in known.datastores and known.datastores[label].kind != wanted.kind:
            label = f"{label}-{wanted.kind}"
        return next(same, parsed(label, source))
    if source == "local":
        return parsed("local", source)
    close = difflib.get_close_matches(source, ["local", *known.datastores], n=1)
    raise OptionError(
        f"unknown datastore '{source}'",
        where="select",
        hint=f"did you mean '{close[0]}'?"
        if close
        else "use local, s3://Bucket, blob://Container, https://Host/Folder or a label",
    )


def purge(label: str) -> None:
    """Forget a datastore, its keys and its categories; its files stay untouched.

    Raises:
        OptionError: If there is no such label.
    """
    with settings.lock(settings.cache_dir()):
        known = repository()
        store = known_datastore(known, label, "purge")
        rest = {name: other for name, other in known.datastores.items() if name != label}
        # The entry goes first: categories without a datastore do no harm, the reverse would.
        _save(Repository(rest, None if known.selected == label else known.selected))
        shutil.rmtree(store.folder, ignore_errors=True)
