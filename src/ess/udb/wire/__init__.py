"""The talk between clients and servers: requests, access, connections, and the protocol of a commit.

- ``protocol``: the requests as JSON of fixed form, and how errors travel.
- ``access``: authority, certificate and token of a working folder; ``connection``: one client at one server;
  ``kept``: those that outlive a command of the tool server.
- ``transactions``: the commit in two phases as a state machine; ``watch``: notices a server that stops answering.
- ``running``: servers of this machine, found without any file.
"""
