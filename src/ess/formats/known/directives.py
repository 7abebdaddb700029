r"""Formats that the configuration of a web server describes: Apache's ``LogFormat`` and nginx's ``log_format``.

The text may be the format alone or the whole line of the configuration, with its quotes. Each variable becomes a field
with a name of its own; texts between them divide the line. Both servers write quotes and control characters that come
from outside with a backslash, so that they are told apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ess.errors import OptionError
from ess.formats.attributes import Format
from ess.formats.known.access_logs import EPOCH, REQUEST_COLUMNS
from ess.formats.known.definition import Field, KnownFormat, Made
from ess.schema.types import ColumnType

_S, _I, _L, _F, _IP = ColumnType.S, ColumnType.I, ColumnType.L, ColumnType.F, ColumnType.IP

_APACHE = "https://httpd.apache.org/docs/2.4/mod/mod_log_config.html"
_NGINX = "https://nginx.org/en/docs/http/ngx_http_log_module.html"

#: A directive of Apache: conditions and redirections, a parameter in braces, and its letters.
_DIRECTIVE = re.compile(r"%(?:!?[0-9,]+)?[<>]?(?:\{([^}]*)\})?(\^t[io]|[A-Za-z%])")
_VARIABLE = re.compile(r"\$(?:([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")

#: Apache's letters without parameters.
_LETTERS: dict[str, Field] = {
    "a": Field("client_ip", _IP),
    "A": Field("local_ip", _IP),
    "B": Field("bytes", _L),
    "b": Field("bytes", _L),
    "D": Field("duration_us", _L),
    "f": Field("filename", escaped=True),
    "h": Field("host"),
    "H": Field("protocol", escaped=True),
    "I": Field("bytes_in", _L),
    "k": Field("keepalive", _I),
    "l": Field("ident"),
    "L": Field("log_id"),
    "m": Field("method", escaped=True),
    "O": Field("bytes_out", _L),
    "p": Field("port", _I),
    "P": Field("pid", _L),
    "q": Field("query", escaped=True),
    "r": Field("request", escaped=True),
    "R": Field("handler"),
    "s": Field("status", _I),
    "S": Field("bytes_total", _L),
    "t": Field("time"),
    "T": Field("duration", _L),
    "u": Field("user", escaped=True),
    "U": Field("url", escaped=True),
    "v": Field("vhost"),
    "V": Field("vhost"),
    "X": Field("connection"),
}
_TIMES = {"sec": Field("epoch", _L), "msec": Field("epoch_ms", _L), "usec": Field("epoch_us", _L)}
#: What a letter with a parameter is called: a prefix for the parameter.
_NAMED = {"i": "", "o": "out_", "C": "cookie_", "e": "env_", "n": "note_", "x": "ssl_", "^ti": "", "^to": "out_"}
_HEADERS = {"user-agent": "agent", "referer": "referer", "x-forwarded-for": "forwarded_for"}

#: The types of nginx's variables that are no text; what begins with ``upstream_`` may hold several values.
_VARIABLES: dict[str, ColumnType] = {
    **dict.fromkeys(("remote_addr", "server_addr", "realip_remote_addr", "proxy_protocol_addr"), _IP),
    **dict.fromkeys(("status", "remote_port", "server_port", "connection_requests"), _I),
    **dict.fromkeys(("body_bytes_sent", "bytes_sent", "request_length", "bytes_received", "connection"), _L),
    **dict.fromkeys(("content_length", "http_content_length", "sent_http_content_length", "pid"), _L),
    **dict.fromkeys(("request_time", "msec", "session_time", "gzip_ratio", "connection_time"), _F),
}
_PLAIN = frozenset(("time_local", "time_iso8601"))


def apache_format(text: str, *, where: str) -> KnownFormat:
    r"""The format of a ``LogFormat``.

    Raises:
        OptionError: If it has no directive, an unknown one, or nothing between two.

    >>> apache_format('%h %t "%r" %>s', where="-f").separators
    (b'', b' [', b'] "', b'" ', b'')
    """
    line = re.match(r"\s*(?:LogFormat|CustomLog\s+(?:\"[^\"]*\"|\S+))\s+(.*)\Z", text, re.IGNORECASE | re.DOTALL)
    body = (line[1] if line else text).strip()
    if body.startswith('"') and (quoted := re.match(r'"((?:[^"\\]|\\.)*)"(?:\s+\S+)*\Z', body, re.DOTALL)):
        body = quoted[1]
    body = body.replace(r"\"", '"').replace(r"\t", "\t").replace(r"\\", "\\")
    return _divided("apache", body, _DIRECTIVE, _apache_field, _APACHE, where)


def nginx_format(text: str, *, where: str) -> KnownFormat:
    """The format of a ``log_format``.

    Raises:
        OptionError: If it has no variable, or nothing between two.

    >>> nginx_format("log_format t '$remote_addr' ' $status';", where="-f").names
    ('remote_addr', 'status')
    """
    body = text.strip()
    line = re.match(r"log_format\s+\S+\s+(?:escape=\S+\s+)?(.*)\Z", body, re.DOTALL)
    if line or body.startswith("'"):
        body = (line[1] if line else body).strip().removesuffix(";").strip()
        pieces = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\"]+)", body, re.DOTALL)
        body = "".join(re.sub(r"\\(['\"\\])", r"\1", "".join(piece)) for piece in pieces)
    return _divided("nginx", body, _VARIABLE, _nginx_field, _NGINX, where)


def _divided(
    name: str,
    body: str,
    pattern: re.Pattern[str],
    field_of: Callable[[re.Match[str], str], tuple[Field, str, str]],
    source: str,
    where: str,
) -> KnownFormat:
    """The format of a text with variables in it."""
    fields: list[Field] = []
    texts = [""]
    position = 0
    for match in pattern.finditer(body):
        texts[-1] += body[position : match.start()]
        position = match.end()
        if match[0] == "%%":
            texts[-1] += "%"
            continue
        if fields and not texts[-1]:
            raise OptionError(
                f"nothing divides {match[0]} from what stands before it",
                where=where,
                hint="describe the lines by a regular expression with named groups, -f,rx='(?P<name>...) ...'",
            )
        field, before, after = field_of(match, where)
        texts[-1] += before
        fields.append(field)
        texts.append(after)
    texts[-1] += body[position:]
    if not fields:
        example = "%h %l %u %t" if name == "apache" else "$remote_addr $status"
        raise OptionError(f"'{body}' names no values", where=where, hint=f"e.g. -f,{name}='{example} ...'")
    separators = tuple(text.encode("utf-8", "surrogateescape") for text in texts)
    return KnownFormat(
        name,
        f"lines of {name} by its configuration",
        source,
        Format.DIVIDED,
        tuple(fields),
        _made_of(fields),
        separators=separators,
    )


def _made_of(fields: list[Field]) -> tuple[Made, ...]:
    """The columns that can be made of these fields, unless it is there."""
    titles = {field.title for field in fields}
    help_ = EPOCH.help
    made: list[Made] = []
    if titles & {"time", "time_local"}:
        made.append(Made("epoch", _L, help_, "log seconds", ("time" if "time" in titles else "time_local",)))
    elif "time_iso8601" in titles:
        made.append(Made("epoch", _L, help_, "iso seconds", ("time_iso8601",)))
    elif "msec" in titles:
        made.append(Made("epoch", _L, help_, "number seconds", ("msec",)))
    if "msec" in titles:
        made.append(Made("epoch_ms", _L, "the time in milliseconds", "number milliseconds", ("msec",)))
    if "request" in titles:
        made += REQUEST_COLUMNS
    return tuple(each for each in made if each.name not in titles)


def _apache_field(match: re.Match[str], where: str) -> tuple[Field, str, str]:
    """The field of a directive, and what Apache prints around it."""
    parameter, letter = match[1], match[2]
    if parameter is None and letter in _LETTERS:
        return _LETTERS[letter], *(("[", "]") if letter == "t" else ("", ""))
    if parameter is not None:
        if letter == "t":
            kind = parameter.removeprefix("begin:").removeprefix("end:")
            return _TIMES.get(kind, Field("time_text")), "", ""
        if letter == "T" and parameter in ("s", "ms", "us"):
            return Field("duration" if parameter == "s" else f"duration_{parameter}", _L), "", ""
        if letter in ("a", "h", "p", "P"):
            return Field(f"{parameter}_{_LETTERS[letter].title}", _LETTERS[letter].type), "", ""
        if letter in _NAMED:
            known = _HEADERS.get(parameter.lower()) if letter == "i" else None
            return Field(known or f"{_NAMED[letter]}{parameter}".lower().replace("-", "_"), escaped=True), "", ""
    raise OptionError(f"'{match[0]}' is no directive of a LogFormat that is known", where=where, hint=f"see {_APACHE}")


def _nginx_field(match: re.Match[str], _where: str) -> tuple[Field, str, str]:
    name = match[1] or match[2]
    kind = _VARIABLES.get(name, _S)
    return Field(name, kind, escaped=kind is _S and name not in _PLAIN), "", ""
