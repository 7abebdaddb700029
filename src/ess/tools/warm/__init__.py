"""The warm start: a resident server that has imported the tools, and the thin client that uses it.

- ``protocol``: what both speak; ``client``: runs in every start of ``aq_*`` and ``ess`` and imports next to nothing.
- ``server``: gives each command to a process of its own; ``worker``: such a process.
- ``circumstances``: what a command inherits; ``caller_liveness``: asks whether the caller still lives.
- ``program``: what is installed, by its content: a server of another version is not used.

``ESS_WARM=0`` turns all of it off.
"""
