"""The names of the objects that ``--s3out LABEL:PATH`` writes: which store, and which key for each file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ess.cluster.substitution import SUBSTITUTIONS
from ess.errors import EssError, OptionError, OutputWriteError, printable
from ess.lake.datastores import Datastore, datastore, repository
from ess.stores.kinds import KINDS, Access
from ess.surroundings import expand_user

_FORM = "give LABEL:PATH, e.g. results:daily/%FILE; ess repository lists the labels"
_OF_FILES = ("%path", "%file", "%FILE")
_OF_NODES = ("%node_id",)
_THIS_DISK = Datastore("local", "local", "local")
_WORD = re.compile("|".join(sorted(SUBSTITUTIONS, key=len, reverse=True)))


@dataclass(frozen=True)
class Target:
    """A place for objects.

    Attributes:
        access: The store, with its credentials.
        root: What the names of all its objects begin with: ``/``, or ``s3://bucket/``.
        template: The key of an object, with strings such as ``%file`` in it.
        flat: Whether the store has keys only, of any characters; else folders.
    """

    access: Access
    root: str
    template: str
    flat: bool

    def __str__(self) -> str:
        """The place, for a person."""
        return f"{self.root}{self.template}"


def parse_target(text: str) -> Target:
    """The place that ``LABEL:PATH`` means. A path that is blank or ends in ``/`` is a folder.

    Raises:
        OptionError: If it is none, or nothing can be written there.
    """
    label, colon, path = text.partition(":")
    if not colon or path.startswith("//"):
        hint = _FORM
        if path.startswith("//"):
            hint = f"select it (ess select {label}://...), then {_FORM}"
        raise OptionError("it is not a label and a path", where="--s3out", hint=hint)
    place = _writable(label)
    if any(ord(character) < 32 for character in path):
        raise OptionError("its path has control characters", where="--s3out", hint="leave them out")
    access = place.access
    if path.startswith("/"):
        key = path.lstrip("/") if KINDS[place.kind].named else path[1:]
    elif KINDS[place.kind].named:
        key = place.prefix + path
    else:
        expanded = expand_user(path)
        key = (expanded if expanded.startswith("/") else f"{place.base.rstrip('/')}/{expanded}")[1:]
    return Target(access, place.root, key, access.open().flat)


def _writable(label: str) -> Datastore:
    if label == _THIS_DISK.label and label not in repository().datastores:
        return _THIS_DISK  # which need not be selected first
    try:
        place = datastore(label)
    except OptionError as error:
        raise OptionError(error.what, where="--s3out", hint=error.hint) from None
    if KINDS[place.kind].web:
        raise OptionError(
            "web servers are only read", where=f"--s3out {label}", hint="name a bucket, a container or this disk"
        )
    return place


def require_target(target: Target) -> None:
    """Make sure that the store is there and lets us in.

    Raises:
        EssError: If it is not.
    """
    target.access.open().require(writing=True)


def names_of_files(target: Target, source: Access, paths: Sequence[str]) -> list[str | EssError]:
    """The key of the object of each file; an error for a file whose name can be none there.

    ``%path`` is the folder of the file in its store, ``%file`` its name without the last extension, ``%FILE`` its name.

    Args:
        target: Where the objects go.
        source: The store of the files.
        paths: The files.

    Raises:
        OptionError: If several files would be one object, or one would replace the file it is made of.
    """
    template = _checked(target.template, _OF_FILES, "the name of the object of a file")
    if not template or template.endswith("/"):
        template += "%FILE"
    root = source.open().at("")
    names = [_filled(template, path.removeprefix(root), flat=target.flat) for path in paths]
    _refuse_the_same(names, paths, target, "add %path, %file or %FILE")
    if _place(target.access) == _place(source):
        for name, path in zip(names, paths, strict=True):
            if target.root + str(name) == path:
                raise OptionError(
                    "it would be replaced by its own output", where=printable(path), hint="give another path"
                )
    return names


def names_of_nodes(target: Target, count: int) -> list[str]:
    """The keys of the objects of so many nodes, or of their shares of the files; ``%node_id`` counts from 0.

    Raises:
        OptionError: If several would be one object.
    """
    template = _checked(target.template, _OF_NODES, "the name of the object of a node")
    if not template or template.endswith("/"):
        template += "node-%node_id"
    names: list[str | EssError] = [template.replace("%node_id", str(number)) for number in range(count)]
    _refuse_the_same(names, [f"node {number}" for number in range(count)], target, "add %node_id, or a / at the end")
    return [str(name) for name in names]


def _checked(template: str, known: Sequence[str], what: str) -> str:
    if other := next((word for word in _WORD.findall(template) if word not in known), ""):
        raise OptionError(
            f"{other} has no value in {what}", where=f"--s3out {printable(template)}", hint=f"known: {' '.join(known)}"
        )
    return template


def _refuse_the_same(names: Sequence[str | EssError], of: Sequence[str], target: Target, hint: str) -> None:
    first: dict[str, str] = {}
    for name, each in zip(names, of, strict=True):
        if isinstance(name, str) and (other := first.setdefault(name, each)) != each:
            raise OptionError(
                f"{printable(other)} and {printable(each)} would both be {printable(target.root + name)}",
                where="--s3out",
                hint=hint,
            )


def _filled(template: str, key: str, *, flat: bool) -> str | EssError:
    folder, _, name = key.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    values = {"%path": folder, "%file": stem if dot and stem.strip(".") else name, "%FILE": name}
    if flat and not _is_utf8(key):
        return OutputWriteError("its name is not UTF-8, as keys of a store are", where=key, hint="rename the file")
    if not flat:
        parts = [*(folder.split("/") if folder else ()), *([name] if name else ("",))]
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            return OutputWriteError("no file can have its name here", where=key, hint="write to a bucket")

    def value(found: re.Match[str]) -> str:
        word, slash = found.group(1), found.group(2)
        return values[word] + (slash if word != "%path" or folder else "")

    return re.sub(r"(%path|%file|%FILE)(/?)", value, template)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # bytes of this disk's names that are not
        return False
    return True


def _place(access: Access) -> tuple[str, ...]:
    """Two ways to the same store have the same, whoever asks."""
    said = (access.credentials.get(name) for name in KINDS[access.kind].settings if _TELLS_WHERE.search(name))
    return (access.kind, access.name, *said)


_TELLS_WHERE = re.compile("ENDPOINT|ACCOUNT|CONNECTION")
