"""Operations and imports as the tools do them, without a command line."""

from __future__ import annotations

import random
from typing import Any


def operation(name: str, *arguments: str, filt: str = "", change: bool = False) -> Any:
    """A checked operation of ``aq_udb``."""
    from ess.pipeline.options import Option, Use
    from ess.udb.command.operations import plan

    uses = [Use(Option(name, ""), (), arguments, name)]
    if filt:
        uses.append(Use(Option("-filt", ""), (), (filt,), "-filt"))
    if change:
        uses.append(Use(Option("-eval", ""), (), ("value", "value + 1"), "-eval"))
    return plan(uses)


def put(table: str, rows: list[tuple[Any, ...]], database: str = "db") -> None:
    """Import rows."""
    import polars as pl

    from ess.language.tree import Slot
    from ess.schema.batch import PHYSICAL
    from ess.udb.client.import_claims import ImportIdentity
    from ess.udb.client.importing import Import, ImportOptions
    from ess.udb.spec.target import find_target

    target = find_target(f"{database}:{table}", where="test")
    assert target.table is not None
    slots = [Slot(c.key, c.name, c.type) for c in target.table.columns]
    identity = ImportIdentity(f"once:{random.SystemRandom().randbytes(8).hex()}")
    sink = Import(target, target.spec.servers, slots, ImportOptions(), identity, where="test")
    columns = [pl.Series(slot.key, [row[n] for row in rows], dtype=PHYSICAL[slot.type]) for n, slot in enumerate(slots)]
    try:
        sink.write(pl.DataFrame(columns))
        sink.commit()
    except BaseException:
        sink.abort()
        raise
