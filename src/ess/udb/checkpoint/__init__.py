"""``aq_udb -save`` and ``-load``: a database as Parquet files.

- ``checkpoint``: saving and loading; ``location``: what a place for them must offer, and a folder of this machine.
- ``bucket``: the same in an object store.
"""
