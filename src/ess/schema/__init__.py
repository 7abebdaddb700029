"""Column types and column specs.

- ``types``: the seven column types; ``columns``: column specs; ``batch``: the batch of rows that all parts hand on.
"""

from ess.schema.columns import Column, ColumnAttributes, parse_column, valid_name
from ess.schema.types import ColumnType

__all__ = ["Column", "ColumnAttributes", "ColumnType", "parse_column", "valid_name"]
