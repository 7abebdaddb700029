"""The columnar engine: compiles a program to Polars expressions over whole batches."""

from ess.engines.columnar.runner import compile_columnar

__all__ = ["compile_columnar"]
