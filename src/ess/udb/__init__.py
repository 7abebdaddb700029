"""UDB: a keyed in-memory database, spread over a pool of servers by the hash of the key.

The rooms, in an order in which each uses only those before it (``tests/test_layering.py`` checks that):

- ``spec``: what a database is.
- ``wire``: how clients and servers talk.
- ``shard``: one server's share of the rows, in memory.
- ``scan``: going through it with rules.
- ``journal``: what makes it outlive the server.
- ``client``: imports and exports over all servers.
- ``checkpoint``: saving to a folder or an object store.
- ``command``: what ``aq_udb`` does.
- ``admin``: databases and server processes of a working folder.
- ``server``: the server process.
"""
