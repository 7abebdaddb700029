"""SearchKey: the search words in the address of a search engine's page of results."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from ess.language.function import Example, Function, Parameter, text
from ess.language.tree import ValueType


@dataclass(frozen=True)
class SearchEngine:
    """A search engine.

    Args:
        hosts: Its hosts. ``*.`` at the start stands for any names before, ``.*`` at the end for a country or
            ``com``; ``www.`` and ``m.`` may always stand before.
        keys: The query parameters that may hold the search key, the likeliest first.
    """

    hosts: tuple[str, ...]
    keys: tuple[bytes, ...] = (b"q",)


# The engines' own published forms of a search address. Hosts of a company that are no search engine
# (mail, maps, documents) must not match, so few have a leading "*.".
ENGINES = (
    SearchEngine(
        ("google.*", "images.google.*", "news.google.*", "scholar.google.*", "encrypted.google.com"), (b"q", b"as_q")
    ),
    SearchEngine(("bing.com", "cn.bing.com", "global.bing.com")),
    SearchEngine(("search.yahoo.*", "*.search.yahoo.com"), (b"p", b"q")),
    SearchEngine(("baidu.com", "image.baidu.com", "news.baidu.com", "wap.baidu.com"), (b"wd", b"word", b"kw")),
    SearchEngine(("yandex.*", "yandex.com.tr", "ya.ru", "images.yandex.*", "news.yandex.*"), (b"text", b"query")),
    SearchEngine(("duckduckgo.com", "html.duckduckgo.com", "lite.duckduckgo.com")),
    SearchEngine(("ask.com", "uk.ask.com", "de.ask.com", "fr.ask.com", "es.ask.com"), (b"q", b"query")),
    SearchEngine(("search.aol.*", "aolsearch.aol.com", "aolsearch.com"), (b"q", b"query")),
    SearchEngine(("search.msn.*", "search.live.com", "ecosia.org", "qwant.com", "search.brave.com", "mojeek.com")),
    SearchEngine(("startpage.com", "swisscows.com"), (b"query", b"q")),
    SearchEngine(("metager.de", "metager.org"), (b"eingabe",)),
    SearchEngine(("sogou.com", "pic.sogou.com"), (b"query", b"keyword")),
    SearchEngine(("so.com", "haosou.com", "m.sm.cn", "kagi.com", "coccoc.com", "presearch.com")),
    SearchEngine(("search.naver.com", "m.search.naver.com"), (b"query",)),
    SearchEngine(("search.daum.net", "search.seznam.cz", "go.mail.ru", "dogpile.com", "webcrawler.com"), (b"q",)),
    SearchEngine(("nova.rambler.ru",), (b"query",)),
    SearchEngine(
        ("search.lycos.com", "search.lycos.*", "hotbot.com", "altavista.com", "alltheweb.com"), (b"q", b"query")
    ),
    SearchEngine(("search.mywebsearch.com",), (b"searchfor",)),
    SearchEngine(("search.goo.ne.jp",), (b"MT", b"q")),
    SearchEngine(("suche.t-online.de", "suche.web.de", "search.virgilio.it"), (b"q", b"su", b"qs")),
)

_SCHEME = re.compile(rb"(?i)https?://")
_COUNTRY = r"(?:com|[a-z]{2}|com?\.[a-z]{2})"
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


@cache
def _host_patterns() -> tuple[tuple[re.Pattern[str], tuple[bytes, ...]], ...]:
    made = []
    for engine in ENGINES:
        hosts = []
        for host in engine.hosts:
            pattern = re.escape(host.removeprefix("*.").removesuffix(".*"))
            before = r"(?:[^.]+\.)+" if host.startswith("*.") else r"(?:www\.|m\.)?"
            hosts.append(before + pattern + (rf"\.{_COUNTRY}" if host.endswith(".*") else ""))
        made.append((re.compile("|".join(hosts)), engine.keys))
    return tuple(made)


@lru_cache(maxsize=4096)
def _keys_of(host: bytes) -> tuple[bytes, ...]:
    """The parameters of the engine at ``host``; none if it is no search engine."""
    name = host.lower().decode("latin-1")
    for pattern, keys in _host_patterns():
        if pattern.fullmatch(name):
            return keys
    return ()


def search_key(site: bytes, path: bytes | None = None) -> bytes:
    """The decoded search key; blank if the site is no search engine, ``-`` if it has no search key.

    >>> search_key(b"www.google.co.uk/search?hl=en&q=log+files")
    b'log files'
    """
    site = _SCHEME.sub(b"", site, count=1) if _SCHEME.match(site) else site
    host, slash, own = site.partition(b"/")
    host = host.partition(b"?")[0].partition(b"#")[0].rpartition(b"@")[2].partition(b":")[0].removesuffix(b".")
    keys = _keys_of(host)
    if not keys:
        return b""
    address, _, fragment = (slash + own if path is None else path).partition(b"#")
    if path is None and not slash:
        address, _, fragment = site.partition(b"#")
    # A page that searches without reloading keeps its query behind "#".
    for query in (address.partition(b"?")[2], fragment):
        values: dict[bytes, bytes] = {}
        for pair in query.split(b"&"):
            name, _, value = pair.partition(b"=")
            values.setdefault(name, value)
        for key in keys:
            found = _decoded(values.get(key, b""))
            if found:
                return found
    return b"-"


def _decoded(value: bytes) -> bytes:
    spaced = value.replace(b"+", b" ")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), spaced).strip()


FUNCTIONS = (
    Function(
        "SearchKey",
        (text("SiteOrUrl"), Parameter("Path", optional=True)),
        ValueType.STRING,
        "What was searched for, from the site and path, or the URL, of a search engine's page, with its + and %HH "
        "decoded. Blank if the site is not one of about 50 known search engines, '-' if there is no search key.",
        (
            Example("SearchKey('www.google.com', '/search?q=Keyword')", b"Keyword"),
            Example("SearchKey('https://search.yahoo.com/search?fr=x&p=log+files')", b"log files"),
            Example("SearchKey('www.google.com/search?q=Keyword')", b"Keyword"),
            Example("SearchKey('www.bing.com/')", b"-"),
            Example("SearchKey('www.example.com/search?q=Keyword')", b""),
        ),
        row=search_key,
        differences="The table of search engines is this version's own.",
    ),
)
