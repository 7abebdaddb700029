"""Another definition for an existing database: another Var vector (``-alt``), or a table less."""

from __future__ import annotations

from ess.errors import UdbRequestError
from ess.udb.shard.changes import Alter, Clear
from ess.udb.shard.merge import is_zero
from ess.udb.shard.shard import Shard
from ess.udb.spec.spec import Definition, Kind, Table
from ess.udb.spec.spec_file import definition_text, parse_definition


def drop(shard: Shard, name: str) -> None:
    """Remove a table with its rows; the keys stay.

    Raises:
        OptionError: If there is none of that name.
    """
    table = shard.definition.get(name, where="drop")
    shard.do(Clear(table.key))
    shard.do(Alter(definition_text(shard.definition.without(table.key))))


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
        _require_convertible(shard, wanted.var)
        shard.do(Alter(definition))


def _require_convertible(shard: Shard, wanted: Table | None) -> None:
    """Refuse to lose a value: numbers become others, as storing makes them, but nothing else changes its type."""
    var = shard.definition.var
    if var is None or wanted is None or not shard.has_variables():
        return
    values = shard.view(var)
    for column in wanted.columns:
        old = var.find(column.key)
        if old is None or old.type is column.type or (old.type.is_numeric and column.type.is_numeric):
            continue
        if not is_zero(old, values[old.key]).all():
            raise UdbRequestError(
                f"'{old.name}' has a value, and is of type {old.type.value}; it cannot become {column.type.value}",
                where="-alt",
                hint="give the new column another name, or set the old one to 0 or blank before",
            )


def _fixed(definition: Definition) -> dict[str, Table]:
    return {table.key: table for table in definition.tables if table.kind is not Kind.VAR}
