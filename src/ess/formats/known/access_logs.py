"""The access logs of web servers: the common and the combined log format and what is put around them."""

from __future__ import annotations

from ess.formats.attributes import Format
from ess.formats.known.definition import Field, KnownFormat, Made
from ess.schema.types import ColumnType

_APACHE = "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html"
_NGINX = "https://nginx.org/en/docs/http/ngx_http_log_module.html"

#: What a line of all of them has in the middle, for recognition; the request may hold anything, escaped.
# A user that begins with a lone dash is that of a line with something in front of the host.
_HOST = r"\S+ \S+ (?!- [^\[])[^\[]+"
_TIME = r"\[[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}\]"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_TEXT = r'"((?:[^"\\]|\\.)*+)"'
_COMMON = rf"{_HOST} {_TIME} {_QUOTED} (?:[0-9]{{3}}|-) (?:[0-9]+|-)"
_COMBINED = rf"{_COMMON} {_QUOTED} {_QUOTED}"
_VHOST = r"[A-Za-z0-9_.\[\]*-]+:[0-9]+ "
_ADDRESS = r"(?:[0-9.]{7,15}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+)"

TIME = Field("time", help="when the request came, e.g. 12/Mar/2026:10:15:32 +0100")
REQUEST = Field("request", escaped=True, help="the first line of the request")

#: What is made of the time and the request.
REQUEST_COLUMNS = (
    Made("method", ColumnType.S, "the method of the request, e.g. GET", "request method", ("request",)),
    Made("url", ColumnType.S, "the path and query of the request", "request url", ("request",)),
    Made("protocol", ColumnType.S, "the protocol of the request, e.g. HTTP/1.1", "request protocol", ("request",)),
)
EPOCH = Made("epoch", ColumnType.L, "the time in seconds since 1970", "log seconds", ("time",))

_FIRST = (
    Field("host", help="the client, an address or a name"),
    Field("ident", help="the user by identd, nearly always -"),
    Field("user", help="the user by HTTP authentication"),
    TIME,
    REQUEST,
    Field("status", ColumnType.I, help="the status of the response"),
    Field("bytes", ColumnType.L, help="the size of the response"),
)
_BROWSER = (
    Field("referer", escaped=True, help="the page that the request came from"),
    Field("agent", escaped=True, help="the program of the user"),
)
_FORWARDED = Field("forwarded_for", escaped=True, help="the X-Forwarded-For header: the clients behind proxies")
_VHOSTS = (
    Field("vhost", help="the virtual host"),
    Field("port", ColumnType.I, help="the port of the server"),
)
_MADE = (EPOCH, *REQUEST_COLUMNS)

_COMMON_TEXTS = (b"", b" ", b" ", b" [", b'] "', b'" ', b" ", b"")
_COMBINED_TEXTS = (*_COMMON_TEXTS[:-1], b' "', b'" "', b'"')


def _row(
    name: str, summary: str, fields: tuple[Field, ...], separators: tuple[bytes, ...], signature: str, source: str
) -> KnownFormat:
    return KnownFormat(name, summary, source, Format.DIVIDED, fields, _MADE, separators=separators, signature=signature)


_CLF = _row("clf", "the common log format of web servers", _FIRST, _COMMON_TEXTS, _COMMON, _APACHE)
_COMBINED_LOG = _row(
    "combined",
    "the combined log format of Apache and nginx: the common one with referer and user agent",
    (*_FIRST, *_BROWSER),
    _COMBINED_TEXTS,
    _COMBINED,
    _APACHE,
)
_COMBINED_XFF = _row(
    "combined_xff",
    "the combined log format and X-Forwarded-For behind it, as main in the nginx.conf of nginx.org",
    (*_FIRST, *_BROWSER, _FORWARDED),
    (*_COMBINED_TEXTS[:-1], b'" "', b'"'),
    rf"{_COMBINED} {_QUOTED}",
    _NGINX,
)
_XFF_COMBINED = KnownFormat(
    "xff_combined",
    "the combined log format with X-Forwarded-For in the place of the client",
    _APACHE,
    Format.PATTERN,
    (_FORWARDED, *_FIRST[1:], *_BROWSER),
    _MADE,
    pattern=rf"((?:[^ ,]+, *)*[^ ]+) ([^ ]+) (.+?) \[([^\]]*)\] {_TEXT} ([^ ]+) ([^ ]+) {_TEXT} {_TEXT}",
    signature=rf"(?:{_ADDRESS}, *)+{_ADDRESS} \S+ [^\[]+ {_COMBINED.removeprefix(_HOST + ' ')}",
)
_VHOST_CLF = _row(
    "vhost_clf",
    "the common log format behind virtual host and port",
    (*_VHOSTS, *_FIRST),
    (b"", b":", b" ", *_COMMON_TEXTS[1:]),
    _VHOST + _COMMON,
    _APACHE,
)
_VHOST_COMBINED = _row(
    "vhost_combined",
    "the combined log format behind virtual host and port, as in Debian's apache2.conf",
    (*_VHOSTS, *_FIRST, *_BROWSER),
    (b"", b":", b" ", *_COMBINED_TEXTS[1:]),
    _VHOST + _COMBINED,
    _APACHE,
)

#: A line is recognised by the first one that fits, so those with more in front come first.
FORMATS = (_XFF_COMBINED, _VHOST_CLF, _VHOST_COMBINED, _CLF, _COMBINED_LOG, _COMBINED_XFF)
