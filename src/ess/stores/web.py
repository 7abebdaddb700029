"""Web servers, read only: folders by their index pages, files by ranges of one version.

A key is the path of a URL, decoded: any character can stand in a name. Only the server that was named is asked, never
another one that it points to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import BinaryIO
from urllib.parse import quote, urljoin, urlsplit

from ess.errors import EssError, InputOpenError, OutputWriteError
from ess.stores.kinds import Credentials
from ess.stores.store import Entry, Folder, Item, NoSuchObject, Sink, all_names, changed, opened
from ess.stores.web_pages import Listed, http_time, is_plain, read_index
from ess.stores.wire import (
    Answer,
    Client,
    Damaged,
    Replaced,
    Request,
    Unanswered,
    Untrusted,
    byte_range,
    first_then,
    read_object,
    tag,
    unsigned,
)

#: How often a server may send us to another place of its own for one file.
_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
#: Files of one folder that are asked about at the same time, where its page does not tell their sizes.
_ASKERS = 8
#: Folders in folders: a link that leads back looks like a folder on a server.
_DEEPEST = 64
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,260}\Z")


class Site:
    """A web server; see :class:`ess.stores.store.Store`. Its keys are listed folder by folder.

    Args:
        scheme: ``http`` or ``https``.
        name: The host, and behind ``:`` the port.
        credentials: There are none yet.
    """

    flat = True
    ranged = False
    late = False

    def __init__(self, scheme: str, name: str, credentials: Credentials) -> None:
        del credentials
        self.address = f"{scheme}://{name}"
        self._client = Client(self.address, where=self.address)

    def at(self, key: str) -> str:
        """The address of a key, decoded."""
        return f"{self.address}/{key}"

    def require(self, *, writing: bool) -> None:
        """See that the server answers; its first page need not be there."""
        if writing:
            raise _read_only(self.address)
        self._send("HEAD", "/", "")

    # Looking ---------------------------------------------------------------------------------------------------------

    def entries(self, prefix: str = "", *, start_after: str = "") -> Iterator[Entry]:
        """All files whose keys begin with ``prefix``, from the pages of its folder and those below."""
        folder = prefix[: prefix.rfind("/") + 1]
        try:
            first = self._listed(folder)
        except _NoIndex as failure:
            try:
                found = self.head(prefix)
            except NoSuchObject:
                raise failure.error from None
            if prefix.encode(errors="surrogateescape") > start_after.encode(errors="surrogateescape"):
                yield found
            return
        yield from self._below(folder, first, prefix, start_after.encode(errors="surrogateescape"), ())

    def _below(
        self,
        folder: str,
        listed: tuple[Listed, ...],
        prefix: str,
        start: bytes,
        above: tuple[tuple[Listed, ...], ...],
    ) -> Iterator[Entry]:
        """The files of a folder and below it, in the order of the bytes of their keys."""

        def wanted(key: str, *, is_folder: bool) -> bool:
            encoded = key.encode(errors="surrogateescape")
            return (key.startswith(prefix) or (is_folder and prefix.startswith(key))) and (
                encoded > start or (is_folder and start.startswith(encoded))
            )

        if len(above) >= _DEEPEST:
            raise InputOpenError(
                f"folders in folders, more than {_DEEPEST} deep: one of them seems to lead back to itself",
                where=self.address,
                hint="name a folder beside it in the pattern",
            )
        some = [one for one in listed if wanted(_key(folder, one), is_folder=one.folder)]
        some.sort(key=lambda one: _key(folder, one).encode(errors="surrogateescape"))
        files = self._entries_of(folder, [one for one in some if not one.folder])
        for one in some:
            if not one.folder:
                entry = next(files)
                if entry is not None:
                    yield entry
                continue
            key = _key(folder, one)
            try:
                inside = self._listed(key)
            except _NoIndex as failure:
                raise failure.error from None
            if not _leads_back(inside, (*above, listed)):
                yield from self._below(key, inside, prefix, start, (*above, listed))

    def level(self, folder: str, wanted: Callable[[str], bool] = all_names) -> Iterator[Item]:
        """The files and folders of an index page."""
        try:
            listed = self._listed(folder)
        except _NoIndex as failure:
            raise failure.error from None
        for one in listed:
            if one.folder:
                yield Folder(_key(folder, one), modified=one.modified or 0.0)
        for entry in self._entries_of(folder, [one for one in listed if not one.folder and wanted(one.name)]):
            if entry is not None:
                yield entry

    def is_folder(self, key: str) -> bool:
        """True if there is an index page of that name."""
        try:
            return bool(self._listed(f"{key}/"))
        except _NoIndex:
            return False

    def head(self, key: str) -> Entry:
        """The size, time and version of a file."""
        self._check(key)
        answer, target = self._ask("HEAD", key)
        if answer.status != 200:
            raise self._explained(answer, key)
        if target.endswith("/"):
            raise NoSuchObject("no such file, but a folder", where=self.at(key), hint="add a '/' to list it")
        size = answer.headers.get("Content-Length", "")
        if not size.isdigit():
            raise InputOpenError("the server does not say how large it is", where=self.at(key), hint="copy it here")
        return Entry(key, int(size), http_time(answer.headers.get("Last-Modified")) or 0.0, _version(answer.headers))

    def _entries_of(self, folder: str, listed: list[Listed]) -> Iterator[Entry | None]:
        """The files in their order, asked about where the page tells too little; None for one that is gone."""
        unknown = [one for one in listed if one.size is None or one.modified is None]
        if not unknown:
            yield from (Entry(_key(folder, one), one.size or 0, one.modified or 0.0) for one in listed)
            return

        def look(one: Listed) -> Entry | None:
            key = _key(folder, one)
            try:
                return self.head(key)
            except NoSuchObject:
                return None
            except _Refused:
                return Entry(key, 0, 0.0)  # it hides no other; whoever reads it is told

        with ThreadPoolExecutor(_ASKERS) as askers:
            yield from askers.map(look, listed)

    def _listed(self, folder: str) -> tuple[Listed, ...]:
        """The content of a folder by its index page; nothing if there is no such folder.

        Raises:
            _NoIndex: If the server shows none.
        """
        if any(not is_plain(part) for part in folder.split("/")[:-1]):
            return ()
        answer, target = self._ask("GET", folder)
        if answer.status in (404, 410) and folder:
            return ()
        found = None
        if answer.status == 200 and target.endswith("/"):
            found = read_index(answer.body, answer.headers.get("Content-Type", ""), target)
        if found is not None:
            return found
        if answer.status not in (200, 403, 404, 410):
            raise self._explained(answer, folder)
        error = InputOpenError(
            "the server shows no index page of this folder",
            where=self.at(folder),
            hint="name a single file; or let the server list the folder (autoindex of nginx, Indexes of Apache)",
        )
        raise _NoIndex(error)

    # Reading ---------------------------------------------------------------------------------------------------------

    def open(self, key: str, *, offset: int = 0, length: int | None = None, version: str = "") -> BinaryIO:
        """The bytes of a file, of one version; a connection that breaks off goes on at its byte."""
        self._check(key)
        source = self._pieces(key, offset, length, version)
        first = next(source, b"")  # so that what is wrong is said by this call
        return opened(first_then(first, source))

    def _pieces(self, key: str, offset: int, length: int | None, version: str) -> Generator[bytes]:
        target = _target(key)
        end = None if length is None else offset + length

        def request(at: int, expected: str) -> Request:
            return Request("GET", target, {**_condition(expected), **byte_range(at, end)})

        for _ in range(_REDIRECTS + 1):
            begun = False
            try:
                for piece in read_object(
                    lambda asked: self._client.begin(asked, unsigned),
                    request,
                    offset=offset,
                    end=end,
                    version=version,
                    explain=_NotThere,
                    version_of=_version,
                ):
                    begun = True
                    yield piece
            except _NotThere as failure:
                if begun and failure.answer.status in _MOVED:
                    raise changed(self.at(key)) from None
                if failure.answer.status not in _MOVED:
                    raise self._explained(failure.answer, key) from None
                target = self._moved(failure.answer, target, key)
                if target.endswith("/"):
                    raise NoSuchObject("no such file, but a folder", where=self.at(key)) from None
                continue
            except Replaced:
                raise changed(self.at(key)) from None
            except Damaged:
                raise InputOpenError(
                    "what came is not what was asked for", where=self.at(key), hint="try again"
                ) from None
            except Unanswered as failure:
                raise self._silent(failure, key) from None
            return
        raise self._lost(key)

    # Writing ---------------------------------------------------------------------------------------------------------

    def create(self, key: str) -> AbstractContextManager[Sink]:
        """Refused."""
        raise _read_only(self.at(key))

    def put(self, key: str, content: bytes, *, expected: str | None = None) -> None:
        """Refused."""
        raise _read_only(self.at(key))

    def delete(self, key: str) -> None:
        """Refused."""
        raise _read_only(self.at(key))

    def remove(self, folder: str) -> None:
        """Refused."""
        raise _read_only(self.at(folder))

    # Requests --------------------------------------------------------------------------------------------------------

    def _check(self, key: str) -> None:
        """A server would take dots and doubled slashes out of a path, and give another file."""
        if any(not is_plain(part) for part in key.split("/")):
            raise NoSuchObject("no such file", where=self.at(key))

    def _ask(self, method: str, key: str) -> tuple[Answer, str]:
        """The answer for a key, and the path where it came from: the server may have sent us elsewhere in it."""
        target = _target(key)
        for _ in range(_REDIRECTS + 1):
            answer = self._send(method, target, key)
            if answer.status not in _MOVED:
                return answer, target
            target = self._moved(answer, target, key)
        raise self._lost(key)

    def _send(self, method: str, target: str, key: str) -> Answer:
        try:
            return self._client.send(Request(method, target), unsigned)
        except Unanswered as failure:
            raise self._silent(failure, key) from None

    def _moved(self, answer: Answer, target: str, key: str) -> str:
        """The path that an answer sends us to.

        Raises:
            InputOpenError: If it is on another server.
        """
        try:
            url = urlsplit(urljoin(self.address + target, answer.headers.get("Location", "")))
            port = url.port
        except ValueError:
            raise self._lost(key) from None
        here = urlsplit(self.address)
        default = {"http": 80, "https": 443}
        origin = url.scheme, (url.hostname or "").lower(), port or default.get(url.scheme)
        if origin == (here.scheme, here.hostname, here.port or default[here.scheme]) and "@" not in url.netloc:
            # What stands there goes over the wire again, so nothing in it may end a line.
            path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~", errors="surrogateescape")
            return path + (f"?{quote(url.query, safe='/%:@!$&()*+,;=?~')}" if url.query else "")
        place = f"{url.scheme}://{url.netloc}"
        raise InputOpenError(
            "the server sends us to another one" + (f", {place}" if _ORIGIN.match(place) else ""),
            where=self.at(key),
            hint="select the address of that one, if it is the right one",
        )

    def _lost(self, key: str) -> InputOpenError:
        return InputOpenError(
            "the server sends us from place to place", where=self.at(key), hint="name the address where the file is"
        )

    def _explained(self, answer: Answer, key: str) -> EssError:
        """The error for an answer; nothing of what the server has said comes along."""
        where = self.at(key)
        if answer.status in (404, 410):
            return NoSuchObject("no such file", where=where)
        if answer.status == 412:
            return changed(where)
        if answer.status in (401, 403, 407):
            return _Refused(
                f"the server refuses access (HTTP status {answer.status})",
                where=where,
                hint="files behind a password cannot be read yet",
            )
        return InputOpenError(f"the server does not give it (HTTP status {answer.status})", where=where)

    def _silent(self, failure: Unanswered, key: str) -> EssError:
        if isinstance(failure, Untrusted):
            return InputOpenError(
                "the certificate of the server is not one that this machine trusts",
                where=self.at(key),
                hint="check its name; SSL_CERT_FILE names a file of the authorities to trust",
            )
        if failure.status:
            return InputOpenError(
                f"the server has failed (HTTP status {failure.status})",
                where=self.at(key),
                hint="try again later; ESS_STORE_TIMEOUT says how long to try",
            )
        return InputOpenError(
            "the server cannot be reached, or does not answer",
            where=self.at(key),
            hint="check its name and port, and the network",
        )


class _NotThere(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _NoIndex(Exception):
    def __init__(self, error: InputOpenError) -> None:
        super().__init__()
        self.error = error


class _Refused(InputOpenError):
    """A password is asked for, or nobody may read it."""


def _read_only(where: str) -> OutputWriteError:
    return OutputWriteError("web servers are only read", where=where, hint="write to this disk or to a bucket")


def _key(folder: str, listed: Listed) -> str:
    return folder + listed.name + ("/" if listed.folder else "")


def _target(key: str) -> str:
    return "/" + quote(key, safe="/", errors="surrogateescape")


def _version(headers: Mapping[str, str]) -> str:
    """The version that an answer tells: a strong tag, else the time and size, else blank."""
    found = tag(headers)
    if found:
        return f'"{found}"'
    modified = headers.get("Last-Modified", "")
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return f"{modified}/{size}" if modified else ""


def _condition(version: str) -> dict[str, str]:
    """The header that asks for a version only."""
    if version.startswith('"'):
        return {"If-Match": version}
    return {"If-Unmodified-Since": version.rpartition("/")[0]} if version else {}


def _leads_back(listed: tuple[Listed, ...], above: tuple[tuple[Listed, ...], ...]) -> bool:
    """True if a folder looks like one that it lies in, with the same files and folders of the same times and sizes.

    A server does not tell that a folder is a link. One with nothing in it but folders may look like another by chance.
    """
    return listed in above and any(not one.folder and one.size for one in listed)
