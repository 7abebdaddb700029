"""A checked scan, and the parts of the shard that both ways of going through the rows need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ess.language.tree import Slot
from ess.udb.scan.rules import Rules
from ess.udb.shard.merge import KEY_NUMBER
from ess.udb.shard.shard import Shard
from ess.udb.spec.placement import segments_of

Value = bytes | int | float


@dataclass(frozen=True)
class ScanPlan:
    """A checked scan.

    Args:
        rules: Its rules; the main ones tell the target.
        wanted: The slots of the target's scope that the caller wants of the rows that pass.
        set_variables: The values of ``-var``, by Var column.
        segments: First, last, number and variant of the segments of keys; empty for all keys.
        seed: Where ``$Random`` starts.
    """

    rules: Rules
    wanted: tuple[Slot, ...]
    set_variables: Mapping[str, Value]
    segments: tuple[int, ...]
    seed: int

    def selected(self, shard: Shard) -> npt.NDArray[np.int64] | None:
        """The numbers of the keys in the segments; None for all keys."""
        if not self.segments:
            return None
        first, last, count, variant = self.segments
        numbers = segments_of(shard.keys(), shard.definition.key, count, variant)
        return np.flatnonzero((numbers >= first) & (numbers <= last))

    def variables(self, shard: Shard) -> dict[str, Value]:
        """The values of all Var columns as the scan begins: those of ``-var``, else what is stored."""
        var = shard.definition.var
        if var is None:
            return {}
        stored = shard.view(var)
        return {c.key: self.set_variables.get(c.key, stored[c.key][0]) for c in var.columns}


def row_counts(shard: Shard, table: str) -> npt.NDArray[np.int64]:
    """The number of rows of each key in a table; in a vector 1 where something was stored."""
    keys, rows = shard.contents()
    return np.bincount(rows[table][KEY_NUMBER].to_numpy(), minlength=keys.height).astype(np.int64)
