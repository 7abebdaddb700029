"""The columnar engine: compiles a program to Polars expressions over whole batches.

- ``runner``: the entry; ``rules``: chains of rules; ``running``: variables as cumulative columns.
- ``plan``: a compiled expression; ``expressions``: one function a kind of node; ``numbers``: C arithmetic.
- ``functions``: calls; ``kernels``: those with a columnar form; ``distinct``: the others, once a distinct value.
- ``dates``, ``date_runs`` and ``date_text``: dates; ``text``: case; ``lookup``: tables.
- ``storage``: types of columns and values; ``storing``: calls that store; ``support``: what is not compiled, and why.
"""

from ess.engines.columnar.runner import compile_columnar

__all__ = ["compile_columnar"]
