"""The row engine: a program becomes one Python function that loops over the rows of a batch."""

from ess.engines.rowwise.runner import compile_rowwise

__all__ = ["compile_rowwise"]
