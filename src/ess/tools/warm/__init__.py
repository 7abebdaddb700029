"""The warm start: a resident server that has imported the tools, and the thin client that uses it.

``protocol`` is what both speak, ``client`` runs in every ``aq_*`` start and imports next to
nothing, ``server`` forks one process a command. ``ESS_WARM=0`` turns all of it off.
"""
