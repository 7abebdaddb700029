"""UDB: a keyed in-memory database, spread over a pool of servers by the hash of the key."""
