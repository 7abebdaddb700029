"""``aq_udb -save`` and ``-load``: a database as Parquet files.

- ``checkpoint``: saving and loading; ``location``: what a place for them must offer, and which one an address means.
- ``bucket``: a place in a store of any kind; ``folder``: one in a folder of this disk, which has locks beside.
"""
