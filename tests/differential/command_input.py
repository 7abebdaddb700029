"""Rows as the text of a file in one of the input formats, with dirt."""

from __future__ import annotations

import html
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from ess.formats.values import address_text
from ess.schema import ColumnType
from tests.differential.data import COLUMNS, Row

_DIRT = [b"TBD", b"", b'"', b'a"b', b"99999999999999999999", b"-1", b"1.5", b"\xff\xfe", b" 7 ", b"0x1F", b"1e999"]
_DIRT += [b'"x,y"', b'"un""quoted"', b"\0", b"4294967296", b"18446744073709551616", b"nan", b"-inf", b"<", b"&amp;"]
_DIRT += [b"\\", b"\r", b"</k>", b"]", b"1" * 400]
_DIRT += [b"\xef\xbb\xbf", b'"a\r\nb"', b'""""', b'"', b"-", b"+5", b"1e", b".", b"::1", b"1.2.3", b"x" * 66000]
_WIDTH = 24


@dataclass(frozen=True)
class Form:
    """An input format: its attribute, the column specs, and how a record is written."""

    attribute: str
    specs: Callable[[list[str]], list[str]]
    record: Callable[[list[bytes]], bytes]


def _as_is(specs: list[str]) -> list[str]:
    return specs


def _quoted(fields: list[bytes]) -> bytes:
    # A field of dirt is itself, quotes and all.
    return b",".join(fields)


def _divided(specs: list[str]) -> list[str]:
    return [word for spec in specs for word in (spec, "sep: | ")][:-1]


def _fixed(specs: list[str]) -> list[str]:
    return [spec.replace(":", f",n={_WIDTH},trm:", 1) for spec in specs]


def _with_keys(specs: list[str]) -> list[str]:
    return [f"{spec}:{spec.partition(':')[2]}" for spec in specs]


def _object(fields: list[bytes]) -> bytes:
    members = zip((key for key, _ in COLUMNS), fields, strict=False)
    return json.dumps(
        {key: field.decode("utf-8", "surrogateescape") for key, field in members}, ensure_ascii=False
    ).encode("utf-8", "surrogateescape")


def _element(fields: list[bytes]) -> bytes:
    members = zip((key for key, _ in COLUMNS), fields, strict=False)
    inner = b"".join(b"<%s>%s</%s>" % (k.encode(), _escaped(f), k.encode()) for k, f in members)
    return b"<k>" + inner + b"</k>"


def _table_row(fields: list[bytes]) -> bytes:
    return b"<tr>" + b"".join(b"<td>" + _escaped(field) for field in fields) + b"</tr>"


def _escaped(field: bytes) -> bytes:
    if len(field) == 1:
        return field  # dirt
    return html.escape(field.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


_CSV = Form("", _as_is, _quoted)
_OTHERS = [
    Form(",sep=\\x01", _as_is, b"\x01".join),
    Form(",sep=;,esc", _as_is, b";".join),
    Form(",div", _divided, b" | ".join),
    Form(",fix", _fixed, lambda fields: b"".join(field.ljust(_WIDTH)[:_WIDTH] for field in fields)),
    Form(",jsn", _with_keys, _object),
    Form(",xml,base=k", _with_keys, _element),
    Form(",tab", _as_is, _table_row),
]


def make_input(rows: list[Row], source: random.Random) -> tuple[str, list[str], list[bytes]]:
    """Attributes of ``-f``, column specs, and the lines of the rows, some of them dirty."""
    form = _CSV if source.random() < 0.6 else source.choice(_OTHERS)
    clean = source.random() < 0.2
    lines = [_line(row, form, source, clean=clean) for row in rows]
    if lines and source.random() < 0.3:
        lines[-1] = lines[-1].rstrip(b"\r\n")
    specs = [_spec(kind, key, source) for key, kind in COLUMNS]
    attributes = form.attribute + source.choice(["", "", "", ",nox", ",bz=150"])
    return attributes, form.specs(specs), lines


def _spec(kind: ColumnType, key: str, source: random.Random) -> str:
    if source.random() < 0.9:
        return f"{kind.value}:{key}"
    choices = ["trm", "lo", "up,trm", "clf"] if kind is ColumnType.S else ["trm", "hex" if kind.is_integer else "trm"]
    return f"{kind.value},{source.choice(choices)}:{key}"


def _line(row: Row, form: Form, source: random.Random, *, clean: bool) -> bytes:
    dirty = 0.0 if clean else 0.01
    fields = [_field(value, key, form, source, dirty) for value, (key, _) in zip(row, COLUMNS, strict=True)]
    if source.random() < 3 * dirty:
        fields = fields[: source.randrange(len(fields))]
    elif source.random() < dirty:
        fields.append(b"more")
    text = form.record(fields)
    if source.random() < dirty:
        at = source.randint(0, len(text))
        text = text[:at] + source.choice(_DIRT) + text[at:]
    return text + source.choice([b"\n", b"\n", b"\r\n"])


def _field(value: object, key: str, form: Form, source: random.Random, dirty: float) -> bytes:
    if source.random() < dirty:
        return source.choice(_DIRT)
    if key == "ip1" and isinstance(value, bytes):
        return address_text(value)
    if isinstance(value, bytes):
        return b'"' + value.replace(b'"', b'""') + b'"' if form is _CSV else value
    return repr(value).encode()
