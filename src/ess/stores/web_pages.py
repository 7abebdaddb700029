"""Index pages of web servers: what a folder has in it. nginx's own, also as JSON, and Apache's; pure text here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

_TITLE = re.compile(r"\s*(index of|directory listing)\b", re.IGNORECASE)
#: What nginx puts behind a link. The sizes of Apache are rounded and its times are local, so they do not count.
_NGINX_ROW = re.compile(r"\s+(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d)\s+(\d+|-)\s*\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Listed:
    """A file or folder as an index page has it.

    Attributes:
        name: Its own name, decoded, without a ``/``; bytes that are not UTF-8 are kept as in names of files.
        folder: Whether it is a folder.
        size: Bytes of a file; None if the page does not tell them exactly.
        modified: When it was written, in seconds since 1970; None if the page does not tell it.
    """

    name: str
    folder: bool
    size: int | None = None
    modified: float | None = None


def read_index(content: bytes, media_type: str, target: str) -> tuple[Listed, ...] | None:
    """The files and folders that an index page lists of its own folder, each once; None if it is another page.

    Links to anywhere else than directly below the folder are left out: those to the folder above, to other servers,
    and those that sort.

    Args:
        content: The page.
        media_type: What the server says it is.
        target: The path of the folder as it was asked for, percent-encoded, with a ``/`` at its end.
    """
    text = content.decode("utf-8", "surrogateescape")
    if media_type.partition(";")[0].strip().lower().endswith("json"):
        return _of_json(text)
    page = _Page()
    page.feed(text)
    page.close()
    if not _TITLE.match(page.title):
        return None
    return _once(found for link, behind in page.links if (found := _of_link(link, behind, target)) is not None)


def _once(found: Iterable[Listed]) -> tuple[Listed, ...]:
    by_name: dict[str, Listed] = {}
    for each in found:
        by_name.setdefault(each.name, each)
    return tuple(by_name.values())


def is_plain(name: str) -> bool:
    """True if a server takes a part of a path for what it is: it is not blank, ``.`` or ``..``."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _of_json(text: str) -> tuple[Listed, ...] | None:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list):
        return None
    found: list[Listed] = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not isinstance(row.get("type"), str):
            return None
        if is_plain(row["name"]) and row["type"] in ("file", "directory"):
            size = row.get("size")
            exact = size if type(size) is int and size >= 0 else None
            found.append(Listed(row["name"], row["type"] == "directory", exact, http_time(row.get("mtime"))))
    return _once(found)


def http_time(text: object) -> float | None:
    """The seconds since 1970 of a time as HTTP has it; None if it is none.

    >>> http_time("Thu, 01 Jan 1970 00:01:00 GMT"), http_time("soon")
    (60.0, None)
    """
    try:
        return parsedate_to_datetime(str(text)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def below(link: str, target: str) -> str | None:
    """The part of a path that a link puts behind ``target``, still encoded; None if it leads elsewhere.

    >>> below("a%2Fb.gz", "/logs/"), below("/logs/x/", "/logs/"), below("./y", "/logs/")
    ('a%2Fb.gz', 'x/', 'y')
    >>> below("/other/x", "/logs/"), below("?C=N;O=D", "/logs/"), below("http://elsewhere/logs/x", "/logs/")
    (None, None, None)
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or parts.query or parts.fragment:
        return None
    path = parts.path
    if path.startswith("/"):
        folder = unquote(target, errors="surrogateescape")
        # A server may encode its own path in another way than we do, so the folders are compared decoded.
        at = path.rfind("/", 0, len(path) - 1) + 1
        if unquote(path[:at], errors="surrogateescape") != folder:
            return None
        path = path[at:]
    return path.removeprefix("./") or None


def _of_link(link: str, behind: str, target: str) -> Listed | None:
    path = below(link, target)
    if path is None:
        return None
    name = unquote(path.removesuffix("/"), errors="surrogateescape")
    if not is_plain(name):
        return None
    folder = path.endswith("/")
    row = _NGINX_ROW.match(behind)
    if row is None or row[2] not in _MONTHS:
        return Listed(name, folder)
    try:
        month = _MONTHS.index(row[2]) + 1
        modified = datetime(int(row[3]), month, int(row[1]), int(row[4]), int(row[5]), tzinfo=UTC).timestamp()
    except ValueError:
        return Listed(name, folder)
    return Listed(name, folder, int(row[6]) if row[6].isdigit() and not folder else None, modified)


class _Page(HTMLParser):
    """The title of a page, and its links with the text behind each."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.links: list[tuple[str, str]] = []
        self._link: str | None = None
        self._behind: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins; what stands behind the one before has ended."""
        if tag == "a":
            self._end()
            self._link = dict(attrs).get("href")
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        """The text after the end of a link stands behind it."""
        if tag == "pre":
            self._end()
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Keep the title, and what stands behind a link."""
        if self._within == "title" and not self.links and self._link is None:
            self.title += data
        elif self._within == "" and self._link is not None:
            self._behind.append(data)

    def close(self) -> None:
        """The last link has ended."""
        super().close()
        self._end()

    def _end(self) -> None:
        if self._link is not None:
            self.links.append((self._link, "".join(self._behind)))
        self._link, self._behind = None, []
