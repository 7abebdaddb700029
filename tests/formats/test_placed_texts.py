"""Columns made of texts where they stand in a block are those that the rules make of each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ess.formats.field_views import FieldViews
from ess.formats.fields import BACK, FRONT
from ess.formats.known.made import NUMBERS, REQUEST_PARTS, log_time, request_parts
from ess.formats.known.made_columns import make_column
from ess.formats.known.text_places import places_of


def block_column(texts: Sequence[bytes]) -> pl.Series:
    """The texts as the reader of a block gives them: pieces of its bytes."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    views = FieldViews(b"\0" * FRONT + b"".join(texts) + b"\0" * BACK)
    return views.series(views.views(np.cumsum(lengths) - lengths, lengths))


def _times() -> st.SearchStrategy[bytes]:
    made = st.builds(
        lambda day, month, year, hour, minute, second, zone: (
            b"%02d/%b/%04d:%02d:%02d:%02d%b" % (day, month, year, hour, minute, second, zone)
        ),
        st.sampled_from((0, 1, 28, 29, 30, 31)),
        st.sampled_from((b"Jan", b"feb", b"DEC", b"Mai")),
        st.sampled_from((1969, 1970, 2000, 2014, 2100)),
        st.sampled_from((0, 7, 23, 24)),
        st.sampled_from((0, 59, 60)),
        st.sampled_from((0, 59, 60, 61)),
        st.sampled_from((b" +0000", b" -0130", b" +1400", b" +01:00", b"", b".12345", b".123 +0100", b"      ")),
    )
    return made | st.binary(max_size=30) | st.sampled_from((b"-", b"1/Mar/2026:10:15:32 +01:00"))


def _requests() -> st.SearchStrategy[bytes]:
    blanks = st.sampled_from((b"", b" ", b" ", b" ", b"  "))
    words = st.sampled_from((b"GET", b"GETS", b"POST", b"PROPFIND", b"PURGE", b"get", b"", b"-"))
    targets = st.sampled_from((b"/", b"/a?b=c", b"/a b", b"/a HTTP/1.0", b"", b"\xff\xfe/long/enough", b" / "))
    protocols = st.sampled_from((b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2", b"HTTP/3", b"HTTP/2.0", b"ICY/1", b"", b"HTTP/"))
    made = st.builds(lambda *parts: b"".join(parts), words, blanks, targets, blanks, protocols, blanks)
    return made | st.binary(max_size=20)


@settings(max_examples=40)
@given(st.lists(_times(), min_size=1, max_size=8), st.integers(1, 3))
@example([b"12/Mar/2026:10:15:32 +0100", b"12/Mar/2026:10:15:33 +0100", b"13/Mar/2026:00:00:00 +0100"], 1)
@example([b"1/Mar/2026:10:15:32 +01:00", b"12/Mar/2026:24:15:32 +0100", b"29/Feb/2024:10:15:32 +0100"], 2)
def test_times(texts: list[bytes], repeated: int) -> None:
    texts *= repeated
    for rule in ("log seconds", "log milliseconds"):
        assert make_column(rule, [block_column(texts)]).to_list() == [NUMBERS[rule](text) for text in texts]


@settings(max_examples=40)
@given(st.lists(_requests(), min_size=1, max_size=8))
@example([b"GET  HTTP/1.1", b"GET /a HTTP/1.0 HTTP/1.1", b"GET /a  HTTP/2", b"PROPFIND /a/b HTTP/1.1", b"-"])
@example([b"POST /a/long/path HTTP/1.1"])
def test_requests(texts: list[bytes]) -> None:
    for rule, number in REQUEST_PARTS.items():
        made = make_column(rule, [block_column(texts)])
        assert made.dtype == pl.Binary
        assert made.to_list() == [request_parts(text)[number] for text in texts]


@pytest.mark.parametrize("some", [slice(None), slice(1, None), slice(None, None, 2)])
def test_some_rows_of_a_block(some: slice) -> None:
    texts = [b"%02d/Mar/2026:10:15:%02d +0100" % (row % 28 + 1, row) for row in range(60)]
    rows = list(range(60))[some]
    column = block_column(texts).gather(rows)
    assert make_column("log milliseconds", [column]).to_list() == [log_time(texts[row]) for row in rows]


@pytest.mark.parametrize("rule", ["log seconds", "request url"])
def test_texts_that_stand_elsewhere(rule: str) -> None:
    texts = [b"12/Mar/2026:10:15:32 +0100", b"GET /a/long/path HTTP/1.1", b"-"]
    elsewhere = pl.Series(texts, dtype=pl.Binary)
    pieces = pl.concat([elsewhere, block_column(texts)], rechunk=False)
    assert places_of(pieces) is None
    for column in (elsewhere, pieces):
        assert make_column(rule, [column]).to_list() == make_column(rule, [block_column(column.to_list())]).to_list()
