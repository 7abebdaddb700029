"""Databases and server processes of a working folder: ``ess create``, ``ess udbd``, ``ess server`` and ``udbd``.

- ``admin``: the verbs of ``ess``; ``service``: ``udbd`` on this machine, and what it prints.
- ``processes``: server processes are started, found and stopped; ``ports``: which ports, which run directory.
"""
