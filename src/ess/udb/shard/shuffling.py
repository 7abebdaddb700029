"""``-shf``: rows of each key, or the keys, in a random order."""

from __future__ import annotations

import numpy as np
import polars as pl

from ess.errors import OptionError
from ess.udb.shard.changes import PLACE, RearrangeKeys, RearrangeRows
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Kind


def shuffle(shard: Shard, table: str, seed: int) -> None:
    """Put a table's rows, within their keys, or the keys (``table`` blank) into a random order.

    Args:
        shard: What is changed.
        table: Its name.
        seed: The same one gives the same order of the same rows; below 0: another order each time.

    Raises:
        OptionError: If the table has one row a key.
    """
    if table and shard.definition.get(table, where="-shf").kind is not Kind.TABLE:
        raise OptionError("there is one row for a key", where=f"-shf {table}", hint="only tables can be shuffled")
    counts = shard.counts()
    random = np.random.default_rng(seed if seed >= 0 else None)
    places = pl.DataFrame([pl.Series(PLACE, random.permutation(counts[table or "pkey"]), dtype=pl.UInt32)])
    shard.do(RearrangeRows(table, places) if table else RearrangeKeys(places))
