"""The server process.

- ``daemon``: its main program; ``server``: the Flight service; ``catalog``: the databases that it holds.
- ``database``: one database with its shard and its log; ``gate``: its locks; ``pending``: imports under way.
- ``sessions``: looking at a database, and changing it.
- ``conversations``: streams of imports and sessions; ``validation``: what a peer's rows must be.
- ``verdicts``: asks another server how a commit was decided; ``cancellation``: ends work that nobody waits for.
- ``memory``: the memory limit; ``strangers``: bounds on connections without the token.
- ``activity``: tells a machine that is paid for that it is not idle.
"""
