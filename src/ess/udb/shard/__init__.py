"""One server's share of a database, in memory. Nothing here reads or writes anything.

- ``shard``: keys and the rows that hang on them; ``changes``: what an operation changes, as data.
- ``grouping`` and ``merge``: which rows belong together, and what ``+add``, ``+first`` and the like make of them.
- ``sorting``, ``reordering`` and ``shuffling``: the order of rows and keys; ``conversion``: from one type to another.
- ``altering``: another definition for an existing shard.
"""
