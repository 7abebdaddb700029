"""Datastores: the places whose files commands work on, and which of them is selected.

The local disk is one; a datastore's *label* names it in ``--label`` and in the settings. Each
label has its own categories. S3 and Azure are recognized and declared as not available yet.
"""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ess import settings
from ess.errors import InitializationError, OptionError
from ess.stores.kinds import Access

VERSION = 1
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_CLOUD = {"s3://": "S3", "blob://": "Azure"}


@dataclass(frozen=True)
class Datastore:
    """A datastore: its label, its kind (``local``) and its source as given to ``ess select``."""

    label: str
    kind: str
    source: str

    @property
    def folder(self) -> Path:
        """The folder of its categories."""
        return settings.cache_dir() / "datastores" / self.label

    @property
    def access(self) -> Access:
        """The way to its files, here or on a node; credentials come along."""
        return Access(self.kind)


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
        stores = {
            label: Datastore(label, str(entry["kind"]), str(entry["source"]))
            for label, entry in state.get("datastores", {}).items()
        }
        return Repository(stores, state.get("selected"))
    except (KeyError, TypeError, AttributeError) as error:
        raise settings.damaged(_path()) from error


def _save(content: Repository) -> None:
    stores: dict[str, Any] = {
        label: {"kind": store.kind, "source": store.source} for label, store in content.datastores.items()
    }
    settings.write_state(_path(), VERSION, {"selected": content.selected, "datastores": stores})


def select(source: str, *, label: str | None = None, overwrite: bool = False) -> Datastore:
    """Make a datastore the selected one, defining it first if need be.

    Args:
        source: ``local``, or the label of a datastore that is defined.
        label: Another name for it; each label has its own categories.
        overwrite: Whether the label may be given to another source.

    Raises:
        OptionError: If the source or label is not valid.
    """
    where = "select"
    for scheme, name in _CLOUD.items():
        if source.lower().startswith(scheme):
            raise OptionError(
                f"{name} datastores are not available yet",
                where=f"{where} {source}",
                hint="copy the files to this disk",
            )
    if label is not None and not _LABEL.match(label):
        raise OptionError(f"bad label '{label}'", where="--label", hint="use 1 to 64 letters, digits, '_', '-' and '.'")
    with settings.lock(settings.cache_dir()):
        known = repository()
        if source != "local" and source not in known.datastores:
            close = difflib.get_close_matches(source, ["local", *known.datastores], n=1)
            raise OptionError(
                f"unknown datastore '{source}'",
                where=where,
                hint=f"did you mean '{close[0]}'?" if close else "use 'local' or the label of a datastore",
            )
        origin = known.datastores.get(source) or Datastore("local", "local", "local")
        store = Datastore(label or origin.label, origin.kind, origin.source)
        before = known.datastores.get(store.label)
        if before is not None and before != store and not overwrite:
            raise OptionError(
                f"the label '{store.label}' stands for {before.source}", where="--label", hint="add --overwrite"
            )
        _save(Repository({**known.datastores, store.label: store}, store.label))
    return store


def purge(label: str) -> None:
    """Forget a datastore and its categories; its files stay untouched.

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
