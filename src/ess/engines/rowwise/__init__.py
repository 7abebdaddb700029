"""The row engine: a program becomes one Python function that loops over the rows of a batch.

- ``runner``: the entry; ``rules``: the loop; ``keyed``: the loop over the keys of a database.
- ``statements``: what both loops share; ``expressions``: expressions; ``inline``: simple functions.
- ``code``: pieces of source; ``storing``: conversion to a slot's type.
"""

from ess.engines.rowwise.runner import compile_rowwise

__all__ = ["compile_rowwise"]
