"""The warm start: a resident server that has imported the tools, and the thin client that uses it.

- ``protocol``: what both speak; ``client``: runs in every ``aq_*`` start and imports next to nothing.
- ``server``: gives each command to a process of its own; ``worker``: such a process.
- ``circumstances``: what a command inherits; ``caller_liveness``: asks whether the caller still lives.

``ESS_WARM=0`` turns all of it off.
"""
