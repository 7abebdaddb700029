"""Categories as a file that people share: written by ``ess category export``, taken by ``ess category import``.

The file is JSON with a version. It has the rules and the layout of categories, and no data, no numbers of files, no key
and nothing of the datastore but what stands in patterns. A pattern below the datastore's own folder is written as seen
from there, so the file fits another bucket. What is read is checked like options that a user types, and nothing of it
is run; a stranger's file is data.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ess import settings
from ess.errors import InputOpenError, InputReadError, OptionError
from ess.lake.categories import Category, Stats, check_name, parse_columnspec, parse_delimiter, put_all
from ess.lake.datastores import Datastore
from ess.lake.dates import DateRule, DateRuleKind, date_rule
from ess.lake.patterns import absolute, compile_exclude
from ess.lake.probing import check_compression
from ess.lake.record_format import check_format
from ess.schema import parse_column

#: The member that says what the file is, and its version.
FORMAT = "essentia categories"
VERSION = 1

#: More than this is no list of categories.
LARGEST = 16 << 20

#: What belongs to one machine or shows data.
_OWN = frozenset({"name", "datastore", "stats", "lines", "remarks"})
_SHARED = tuple(item for item in dataclasses.fields(Category) if item.name not in _OWN)


def exported(categories: Sequence[Category], store: Datastore) -> str:
    """The text of the file.

    Raises:
        OptionError: If a category holds the value of a secret.
    """
    states = {each.name: _to_json(each, store) for each in categories}
    secrets = [value for name, value in store.access.credentials.values if settings.is_secret(name) and value]
    for name, state in states.items():
        for key, value in state.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if settings.concealed(text) != text or any(secret in text for secret in secrets):
                raise OptionError(
                    f"its {key} holds a secret, which must not be shared",
                    where=f"category {name}",
                    hint=f"name an environment variable in its place: ess category change {key} {name} ...",
                )
    return json.dumps({"format": FORMAT, "version": VERSION, "categories": states}, indent=1) + "\n"


def _to_json(category: Category, store: Datastore) -> dict[str, Any]:
    state = {item.name: getattr(category, item.name) for item in _SHARED}
    rule = category.date_rule
    return state | {
        "patterns": [_from_base(text, store) for text in category.patterns],
        "date_rule": {"kind": rule.kind.value, "text": rule.text},
    }


def _from_base(pattern: str, store: Datastore) -> str:
    """A pattern as seen from the datastore's folder; on this disk, where that is any folder, it stays as it is."""
    if store.root == "/":
        return pattern
    if pattern.startswith(store.base):
        rest = pattern[len(store.base) :]
        return rest if not rest.startswith("/") and not rest.startswith(store.root) else pattern[len(store.root) - 1 :]
    return pattern[len(store.root) - 1 :] if pattern.startswith(store.root) else pattern


def imported(text: bytes, store: Datastore, *, where: str) -> list[Category]:
    """The categories that a file describes, for a datastore; no file of that is looked at.

    Raises:
        InputReadError: If it is no such file, or damaged.
        OptionError: If something in it is not valid.
    """
    if len(text) > LARGEST:
        raise InputReadError(f"it is larger than {LARGEST >> 20} MB", where=where, hint=_EXPECTED)
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputReadError("it is no file of categories", where=where, hint=_EXPECTED)
        if content.get("version") != VERSION or isinstance(content["version"], bool):
            raise InputReadError(
                f"its version {content.get('version')!r} is not known", where=where, hint="use a newer Essentia"
            )
        found = content["categories"]
        if not isinstance(found, dict) or set(content) - {"format", "version", "categories"}:
            raise ValueError(content)
    except (ValueError, KeyError, RecursionError) as error:
        raise InputReadError("it is damaged", where=where, hint=_EXPECTED) from error
    return [_from_json(name, state, store, where) for name, state in found.items()]


def take(
    file: str, names: Sequence[str], store: Datastore, *, new_name: str | None, overwrite: bool, commands: bool
) -> list[Category]:
    """Store the categories of a file; see :func:`ess.api.category_import`."""
    content = imported(_content(file), store, where=file)
    known = {each.name: each for each in content}
    for name in names:
        if name not in known:
            raise OptionError(f"it has no category '{name}'", where=file, hint=f"it has: {' '.join(known) or 'none'}")
    chosen = [known[name] for name in dict.fromkeys(names)] if names else content
    if new_name is not None:
        check_name(new_name, where="--as")
        if len(chosen) != 1:
            raise OptionError("it names one category", where="--as", hint=f"name one of: {' '.join(known)}")
        chosen = [dataclasses.replace(chosen[0], name=new_name)]
    for each in chosen:
        if each.preprocess and not commands:
            raise OptionError(
                f"category {each.name} sends its data through a command of the file: {each.preprocess}",
                where=file,
                hint="if you trust it, add --commands; nothing is imported now",
            )
    put_all(chosen, store, overwrite=overwrite)
    return chosen


def _content(file: str) -> bytes:
    try:
        with Path(file).open("rb") as opened:
            return opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputOpenError(f"cannot open it: {reason}", where=file, hint="check the name") from error


_EXPECTED = "ess category export writes such files"


def _without_repetition(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of two members of one name, readers would see different ones."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(name)
        found[name] = value
    return found


def _from_json(name: str, state: object, store: Datastore, where: str) -> Category:
    check_name(name, where=where)
    about = f"{where}: category {name}"
    if not isinstance(state, dict):
        raise InputReadError("it is damaged", where=about, hint=_EXPECTED)
    known = {item.name: str(item.type) for item in _SHARED}
    for key, value in state.items():
        if key not in known:
            raise InputReadError(f"'{key}' is not known", where=about, hint="use a newer Essentia, or leave it out")
        if not _HAS_TYPE[known[key]](value):
            raise InputReadError(f"'{key}' has a wrong value", where=about, hint=_EXPECTED)
    if not state.get("patterns"):
        raise InputReadError("it has no patterns", where=about, hint=_EXPECTED)
    return _checked(name, state, store, about)


#: Whether a member of the file is what its attribute's type asks for.
_HAS_TYPE: Mapping[str, Any] = {
    "str": lambda value: isinstance(value, str) and "\0" not in value,
    "str | None": lambda value: value is None or (isinstance(value, str) and "\0" not in value),
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": lambda value: (
        isinstance(value, list) and all(isinstance(v, str) and "\0" not in v for v in value)
    ),
    "DateRule": lambda rule: (
        isinstance(rule, dict) and set(rule) == {"kind", "text"} and all(isinstance(v, str) for v in rule.values())
    ),
}


def _checked(name: str, state: dict[str, Any], store: Datastore, where: str) -> Category:
    """The category, after what an option would be refused for."""
    compile_exclude(state.get("exclude"), where=where, root=store.root)
    compile_exclude(state.get("archive"), where=where)
    columns = tuple(state.get("columns", ()))
    if columns:
        parse_columnspec(" ".join(columns), where=where)
    pkey = state.get("pkey", "")
    names = [parse_column(spec, where=where, with_path=True).name.lower() for spec in columns if ":" in spec]
    if pkey and columns and pkey.lower() not in names:
        raise OptionError(f"no column '{pkey}'", where=where, hint=f"the columns are {' '.join(columns)}")
    rule = state.get("date_rule", {"kind": "auto", "text": ""})
    try:
        kind = DateRuleKind(rule["kind"])
    except ValueError as error:
        raise InputReadError(f"the kind of date '{rule['kind']}' is not known", where=where, hint=_EXPECTED) from error
    found_rule = DateRule(kind)
    if kind in (DateRuleKind.REGEX, DateRuleKind.FORMAT):
        is_regex = kind is DateRuleKind.REGEX
        found_rule = date_rule(rule["text"] if is_regex else None, None if is_regex else rule["text"])
    found_compression = state.get("found_compression", "")
    if found_compression != "mixed":
        found_compression = check_compression(found_compression)
    delimiter = state.get("delimiter", "")
    attributes = {
        **state,
        "patterns": tuple(absolute(pattern, store.base) for pattern in state["patterns"]),
        "columns": columns,
        "date_rule": found_rule,
        "format": check_format(state.get("format", ""), where=where),
        "compression": check_compression(state.get("compression", "")),
        "found_compression": found_compression,
        "delimiter": parse_delimiter(delimiter, where=where) if delimiter else "",
        "stats": Stats(),
    }
    return Category(name=name, datastore=store.label, **attributes)
