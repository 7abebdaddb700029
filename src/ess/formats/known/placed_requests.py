"""The parts of the first lines of requests, where they stand: the same as ``ess.formats.known.made.request_parts``."""

from __future__ import annotations

import numpy as np
import polars as pl

from ess.formats.fields import Positions
from ess.formats.known.made import request_parts
from ess.formats.known.text_places import TextPlaces

#: Requests that begin and end so are cut there; others are looked at one by one.
_METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE", b"PROPFIND")
_PROTOCOLS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/2", b"HTTP/3")
_WORD = 8
_BLANK = 0x20


def placed_request_part(requests: TextPlaces, number: int) -> pl.Series:
    """The method (0), target (1) or protocol (2) of each request."""
    placed, starts = requests.placed, requests.starts
    ends = starts + requests.lengths
    if not placed.all():
        ends[~placed] = ends[placed.argmax()]
    methods = _length_of_one(requests, starts, _METHODS, at_end=False)
    protocols = _length_of_one(requests, ends - _WORD, _PROTOCOLS, at_end=True)
    begins = starts + methods + 1
    lengths = ends - protocols - 1 - begins
    plain = placed & (methods > 0) & (protocols > 0) & (lengths > 0)
    # Blanks around a target are no part of it.
    stops = begins + lengths
    for place in (begins - 1, stops):
        plain &= requests.bytes_at(place) == _BLANK
    for place in (begins, stops - 1):
        plain &= requests.bytes_at(place) != _BLANK
    begins, lengths = ((starts, methods), (begins, lengths), (ends - protocols, protocols))[number]
    if plain.all():
        return requests.cut(begins, lengths)
    odd = np.flatnonzero(~plain).astype(np.int64, copy=False)
    made = requests.cut(np.where(plain, begins, 0), np.where(plain, lengths, 0))
    values = [b""] * len(made)
    for row, text in zip(odd.tolist(), requests.some(odd), strict=True):
        values[row] = request_parts(text)[number]
    return made.zip_with(pl.Series(plain), pl.Series(values, dtype=pl.Binary))


def _length_of_one(requests: TextPlaces, places: Positions, words: tuple[bytes, ...], *, at_end: bool) -> Positions:
    """The length of the one of some words that begins or ends the eight bytes there; 0 if none does."""
    there = requests.words(places)
    lengths = np.zeros(len(places), dtype=np.int64)
    for word in words:
        text = np.uint64(int.from_bytes(word, "little"))
        others = np.uint64(8 * (_WORD - len(word)))
        found = there >> others == text if at_end else there << others == text << others
        lengths[found] = len(word)
        if lengths.all():
            break
    return lengths
