"""Column types and column specs."""

from ess.schema.columns import Column, ColumnAttributes, parse_column, valid_name
from ess.schema.types import ColumnType

__all__ = ["Column", "ColumnAttributes", "ColumnType", "parse_column", "valid_name"]
