"""The messages between clients and servers: JSON requests of fixed form, and errors.

Rules travel as the client has checked them: trees and programs as lists of plain values, which the server checks anew;
nothing a peer sends is parsed, unpickled or evaluated. Every request carries the protocol's number, and a server
refuses any other.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from ess import errors
from ess.errors import EssError, UdbRequestError
from ess.language.plain import PlainList, plain_list

#: Changes whenever a client and a server of two versions could misunderstand each other.
PROTOCOL = 4

#: The birth that a server states for a database whose files it cannot read.
DAMAGED = "?"

#: The name in every server's certificate. A pool has an authority of its own, so the name need not be the host's.
CERTIFICATE_NAME = "essentia-udb"


@dataclass(frozen=True)
class DatabaseRequest:
    """Concerns a database as a whole, or one of its tables (``table`` may be blank).

    ``session``: the attempt of a session that is open, in which it is done. Blank: it is done by itself, on this
    server alone. So in all requests.
    """

    database: str
    definition: str
    table: str = ""
    session: str = ""


@dataclass(frozen=True)
class CreateRequest:
    """Makes a database known.

    ``birth`` is a number that all servers of the database have alike; blank: the server chooses one, unless it has
    the database already. ``volatile``: it is not logged.
    """

    database: str
    definition: str
    birth: str
    volatile: bool


@dataclass(frozen=True)
class OrderRequest:
    """Sort a table's rows within their keys, every table by its time (both blank), or the keys (no table)."""

    database: str
    definition: str
    table: str
    columns: tuple[str, ...]
    descending: bool
    ignore_case: bool
    session: str = ""


@dataclass(frozen=True)
class ShuffleRequest:
    """Put a table's rows within their keys, or the keys (``table`` blank), into an order that ``seed`` decides.

    A seed below 0 stands for any.
    """

    database: str
    definition: str
    table: str
    seed: int
    session: str = ""


@dataclass(frozen=True)
class SessionRequest:
    """Opens a session: a state of the database, the same on all servers that it is opened on.

    Opened on one server after the other, in the order of the spec; ``decider`` is the address of the first, blank for
    the first itself. Until the client says ``release`` or ``commit``, nothing else is committed. ``definition`` is
    blank where any will do.
    """

    database: str
    definition: str
    attempt: str
    decider: str
    birth: str


@dataclass(frozen=True)
class LoadRequest:
    """Opens a stream of rows that are put into a table (blank: keys that are put into the database) in a session."""

    database: str
    table: str
    session: str


@dataclass(frozen=True)
class StageRequest:
    """Opens an import's stream to one server.

    ``decider`` is the address of the server that decides, blank for the decider itself. ``table``
    is blank when only keys are imported. ``birth`` says which database of that name is meant.
    """

    database: str
    definition: str
    table: str
    identity: str
    attempt: str
    decider: str
    job: str
    sequence: int
    only_known: bool
    only_new: bool
    birth: str


@dataclass(frozen=True)
class VerdictRequest:
    """A server in doubt asks the decider about an attempt."""

    database: str
    identity: str
    attempt: str


@dataclass(frozen=True)
class ScanRequest:
    """Go through a table (or the keys, when ``table`` is blank), and count or export what passes.

    Args:
        rules: Groups of checked rules (see ``ess.udb.scan.portable_scan``); empty for none.
        variables: ``-var``: columns of the Var vector, each with a constant.
        outputs: The columns wanted, ``Col`` or ``Vec.Col``, each once.
        sort: Sort columns, among ``outputs``.
        segments: First, last and number of segments and the variant; empty for all.
        key_rows: The maximum number of rows a key; -1 for all, as with the other limits.
        seed: Where ``$Random`` starts.
        module: ``-mod``: the name of a module of the server's folder, with arguments; blank for none.
        module_digest: Of the file that is meant (SHA-256); blank for whatever is installed under that name.
        first, last: The maximum number of rows from the beginning or the end of the sorted result.
    """

    database: str
    definition: str
    table: str
    rules: PlainList = PlainList(())  # noqa: RUF009 - a tuple
    variables: PlainList = PlainList(())  # noqa: RUF009
    outputs: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    descending: bool = False
    ignore_case: bool = False
    segments: tuple[int, ...] = ()
    key_rows: int = -1
    keys: int = -1
    rows: int = -1
    first: int = -1
    last: int = -1
    seed: int = 1
    module: str = ""
    module_digest: str = ""
    session: str = ""


#: The largest number that a request can hold.
MOST = (1 << 63) - 1

Request = TypeVar("Request")


def encode(request: Any) -> bytes:
    """A request dataclass as JSON.

    >>> encode(VerdictRequest("wood", "job:file", "1"))
    b'{"protocol":4,"database":"wood","identity":"job:file","attempt":"1"}'
    """
    return json.dumps({"protocol": PROTOCOL, **dataclasses.asdict(request)}, separators=(",", ":")).encode()


def request_fields(request: Any) -> dict[str, Any]:
    """A request as JSON values."""
    return dataclasses.asdict(request)


def decode(kind: type[Request], data: bytes) -> Request:
    """Read a request that :func:`encode` made; anything else is refused.

    Raises:
        UdbRequestError: If it is of another version or form.
    """
    fields = read_object(data)
    require_protocol(fields)
    return read_request(kind, fields)


def read_request(kind: type[Request], fields: dict[str, Any]) -> Request:
    """A request from its JSON values.

    Raises:
        UdbRequestError: If they are not of its form.
    """
    hints = _hints(kind)
    if set(fields) - {"protocol"} != set(hints):
        raise UdbRequestError("the request is malformed", hint="use the same version on both sides")
    return kind(**{name: _checked(fields[name], hint, name) for name, hint in hints.items()})


#: What each kind of request has; to find it out takes as long as to read one.
_HINTS: dict[type, dict[str, Any]] = {}


def _hints(kind: type) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


def require_protocol(fields: dict[str, Any]) -> None:
    """Refuse a peer of another version."""
    theirs = fields.get("protocol")
    if theirs != PROTOCOL:
        shown = theirs if isinstance(theirs, int) else "none"
        raise UdbRequestError(
            f"the server speaks version {PROTOCOL} of the UDB protocol, the client version {shown}",
            hint="install the same version of Essentia on both sides, then: ess udbd restart",
        )


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object, or an UdbRequestError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UdbRequestError("the message is not a JSON object")
    return value


def _checked(value: Any, hint: Any, name: str) -> Any:
    if hint in (str, bool, int):
        if type(value) is hint and _is_sound(value):
            return value
    elif hint is PlainList:
        found = plain_list(value)
        if found is not None:
            return found
    elif isinstance(value, list):
        inner = hint.__args__[0]
        return tuple(_checked(part, inner, name) for part in value)
    raise UdbRequestError(f"the request is malformed at '{name}'", hint="use the same version on both sides")


def _is_sound(value: str | bool | int) -> bool:
    """True if a value can be one of ours: JSON allows numbers of any size, and half characters."""
    if isinstance(value, str):
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return False
        return True
    return -MOST - 1 <= value <= MOST


_CLASSES: dict[int, type[EssError]] = {
    kind.exit_code: kind
    for kind in (
        errors.OutOfMemory,
        errors.OptionError,
        errors.InitializationError,
        errors.SystemFailure,
        errors.InputDataError,
        errors.UdbConnectError,
        errors.UdbCommunicationError,
        errors.UdbAuthenticationError,
        errors.UdbRequestError,
    )
}


def shortened(error: EssError) -> EssError:
    """An error that fits into an answer: the transport drops one that is longer than some thousand bytes."""
    return type(error)(_cut(error.what, 1200), where=_cut(error.where, 600), hint=_cut(error.hint, 600))


def _cut(text: str, most: int) -> str:
    """A text cut to a maximum number of bytes in transport."""
    kept = text
    while len(json.dumps(kept)) > most:
        kept = kept[: len(kept) * 3 // 4]
    return kept if kept == text else f"{kept}..."


def encode_error(error: EssError) -> bytes:
    """An error for the way to the client."""
    fields = {"code": error.exit_code, "what": error.what, "where": error.where, "hint": error.hint}
    return json.dumps(fields).encode()


def decode_error(data: bytes, *, server: str) -> EssError | None:
    """The error in a server's answer, with the server's name; None if there is none."""
    try:
        fields = json.loads(data)
        kind = _CLASSES[fields["code"]]
        where = f"server {server}: {fields['where']}" if fields["where"] else f"server {server}"
        return kind(str(fields["what"]), where=where, hint=str(fields["hint"]))
    except (ValueError, KeyError, TypeError):
        return None
