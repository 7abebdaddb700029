"""``-alt``: another Var vector for a database that is there."""

from __future__ import annotations

from ess.errors import UdbRequestError
from ess.udb.changes import Alter
from ess.udb.spec import Definition, Kind, Table
from ess.udb.spec_file import parse_definition
from ess.udb.store import Shard


def alter(shard: Shard, definition: str) -> None:
    """Take over the Var vector of a definition; columns that stay keep their values, new ones are 0 or blank.

    Args:
        shard: What is changed.
        definition: The text of a spec.

    Raises:
        UdbRequestError: If anything else differs.
    """
    wanted = parse_definition(definition, source="the new definition")
    before, after = _fixed(shard.definition), _fixed(wanted)
    different = [name for name in (*before, *after) if before.get(name) != after.get(name)]
    if wanted.key != shard.definition.key or different:
        what = f"'{different[0]}' differs" if different else "the key differs"
        raise UdbRequestError(
            f"only the Var vector can be altered, and {what}",
            where="-alt",
            hint="clear the database to change more: aq_udb -clr DbName",
        )
    if wanted.var != shard.definition.var:
        shard.do(Alter(definition))


def _fixed(definition: Definition) -> dict[str, Table]:
    return {table.key: table for table in definition.tables if table.kind is not Kind.VAR}
