"""The work of ``aq_udb``.

- ``operations``: from options to one checked operation; ``perform``: carries it out over all servers.
- ``query``: exports and counts for Python programs.
"""
