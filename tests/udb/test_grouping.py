"""Rows that agree: found through hashes as a dictionary of the values finds them, also where hashes collide."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ess.udb.shard import grouping
from ess.udb.shard.grouping import first_rows

#: More rows than are taken one by one.
ROWS = 6_000


def model(rows: list[tuple[object, ...]]) -> list[int]:
    """The first row of each one's values."""
    first: dict[tuple[object, ...], int] = {}
    return [first.setdefault(row, place) for place, row in enumerate(rows)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.binary(max_size=20), min_size=1, max_size=50),
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20),
    seed=st.integers(0, 2**32 - 1),
    pieces=st.integers(1, 5),
    hash_bits=st.sampled_from([0, 1, 2, 5, 64]),
)
def test_rows_are_grouped_by_their_values_whatever_the_hashes_are(
    texts: list[bytes], numbers: list[int], seed: int, pieces: int, hash_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(seed)
    columns = {
        "text": pl.Series([texts[n] for n in draw.integers(0, len(texts), ROWS)], dtype=pl.Binary),
        "number": pl.Series([numbers[n] for n in draw.integers(0, len(numbers), ROWS)], dtype=pl.UInt64),
    }
    whole = pl.DataFrame(columns)
    bounds = [ROWS * piece // pieces for piece in range(pieces + 1)]
    frame = pl.concat([whole.slice(begin, end - begin) for begin, end in itertools.pairwise(bounds)], rechunk=False)
    true_hashes = grouping._hashes
    top = 64 - hash_bits

    def coarse(columns: pl.DataFrame) -> pl.Series:
        hashes = true_hashes(columns).to_numpy()
        return pl.Series(hashes >> np.uint64(top) << np.uint64(top) if hash_bits else np.zeros_like(hashes))

    with monkeypatch.context() as patched:
        patched.setattr(grouping, "_hashes", coarse)
        for names in (["text"], ["number"], ["number", "text"]):
            assert first_rows(frame, names).tolist() == model(frame.select(names).rows())


def test_few_rows_and_floats_are_grouped_by_their_values() -> None:
    few = pl.DataFrame({"text": [b"a", b"b", b"a"]})
    assert first_rows(few, ["text"]).tolist() == [0, 1, 0]
    floats = pl.DataFrame({"number": [0.0, float("nan"), -0.0, 1.5, float("nan")] * 2_000})
    assert first_rows(floats, ["number"]).tolist() == [0, 1, 0, 3, 1] * 2_000
