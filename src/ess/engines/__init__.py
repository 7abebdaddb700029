"""Two compilers of one checked tree: row by row, and column by column.

- ``base``: what an engine promises; ``select``: chooses one for a program.
- ``rowwise``: generated Python, which defines the language; ``columnar``: Polars expressions, the same but faster.
- ``tables``: work on whole tables; ``ordering`` and ``sort_keys``: sorting.
"""
