"""The columns that are made of others, for all rows of a batch: as the rules of ``made``, faster where it pays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ess.formats.known.log_times import log_times
from ess.formats.known.made import NUMBERS, REQUEST_PARTS, RULES, request_parts
from ess.formats.known.placed_requests import placed_request_part
from ess.formats.known.placed_times import placed_log_times
from ess.formats.known.text_places import places_of

#: The rules that take many times at once, and how many milliseconds make one of theirs.
_LOG_TIMES = {"log seconds": 1000, "log milliseconds": 1}


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
    if rule in _LOG_TIMES and (places := places_of(texts)) is not None:
        return pl.Series(placed_log_times(places) // _LOG_TIMES[rule])
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
    places = places_of(texts)
    if places is not None:
        return placed_request_part(places, number)
    known: dict[bytes, bytes] = {}
    for text in (listed := texts.to_list()):
        if text not in known:
            known[text] = request_parts(text)[number]
    return pl.Series([known[text] for text in listed], dtype=pl.Binary)
