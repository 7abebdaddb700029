"""The columns that are made of others, for all rows of a batch: as the rules of ``made``, faster where it pays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ess.formats.known.log_times import log_times
from ess.formats.known.made import NUMBERS, REQUEST_PARTS, RULES, request_parts

#: Requests that begin and end so are divided at their blanks; others are looked at one by one.
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PROPFIND"]
#: The rules that take many times at once, and how many milliseconds make one of theirs.
_LOG_TIMES = {"log seconds": 1000, "log milliseconds": 1}
_PROTOCOLS = ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/3"]


def make_column(rule: str, sources: Sequence[pl.Series]) -> pl.Series:
    """The values that a rule makes of the columns of some records: bytes or numbers.

    Args:
        rule: Its name.
        sources: The columns that it takes, of one length.
    """
    if rule in NUMBERS:
        return _numbers(rule, sources[0])
    if rule in REQUEST_PARTS:
        return _request_part(sources[0], REQUEST_PARTS[rule])
    return pl.Series(RULES[rule]([source.to_list() for source in sources]))


def _numbers(rule: str, texts: pl.Series) -> pl.Series:
    """The numbers of texts: the first of each run of equal ones is looked at, as logs are in order of time."""
    if not len(texts):
        return pl.Series([], dtype=pl.Int64)
    begins = np.flatnonzero((texts != texts.shift(1)).fill_null(value=True).to_numpy())
    firsts = texts.gather(pl.Series(begins)).to_list()
    if rule in _LOG_TIMES:
        values = log_times(firsts) // _LOG_TIMES[rule]
    else:
        known: dict[bytes, int] = {}
        make = NUMBERS[rule]
        for text in firsts:
            if text not in known:
                known[text] = make(text)
        values = np.array([known[text] for text in firsts], dtype=np.int64)
    return pl.Series(np.repeat(values, np.diff(begins, append=len(texts))))


def _request_part(texts: pl.Series, number: int) -> pl.Series:
    """The method (0), target (1) or protocol (2) of requests."""
    parts = _text(texts).str.splitn(" ", 3).struct.unnest()
    method, target, protocol = parts.get_columns()
    plain = (method.is_in(_METHODS) & protocol.is_in(_PROTOCOLS) & (target != "")).fill_null(value=False)
    made = parts.get_columns()[number].cast(pl.Binary)
    if plain.all():
        return made
    odd = np.flatnonzero(~plain.to_numpy())
    values = [b""] * len(texts)
    for row, text in zip(odd.tolist(), texts.gather(pl.Series(odd)).to_list(), strict=True):
        values[row] = request_parts(text)[number]
    return made.zip_with(plain, pl.Series(values, dtype=pl.Binary))


def _text(texts: pl.Series) -> pl.Series:
    """The texts as Polars takes them; those that are not UTF-8 are blank."""
    try:
        return texts.cast(pl.String)
    except pl.exceptions.ComputeError:  # it refuses all for one
        return pl.Series([text.decode() if _is_utf8(text) else "" for text in texts.to_list()], dtype=pl.String)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
