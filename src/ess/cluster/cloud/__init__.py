"""Machines of Amazon EC2 for a cluster. boto3 is loaded in ``account`` only, and only when something is asked of AWS.

Facts and decisions, which ask nobody:
    - ``shapes``: instances, subnets and types as they were found, and what was ordered.
    - ``plan``: tags, tokens, images, the order of subnets, and which machines to make, keep or end.
    - ``limits``: when a machine stops by itself, and what has to be said before; ``costs``: what it has cost.
    - ``launching``: the parameters of a launch; ``timer``: the script that a machine starts with.
    - ``permissions``: the actions that calls need, and the policies that grant them.
    - ``refusals``: errors of AWS in words that say what to change.

What asks AWS:
    - ``account``: who asks, in which region; ``prices``: the price list.
    - ``network``: where machines are put, and who may reach them; ``place``: this machine, if it is an instance.
    - ``machines``: the provider: make, list, stop, start and end; ``making``: the steps of a launch.
    - ``nodes``: these machines as hosts that are reached by SSH, which is what a cluster takes.
    - ``belongings``: everything that has the tag of a cluster, also forgotten ones, and its end.
    - ``overview``: all this as ``ess cluster`` shows and orders it.
    - ``record``: what this machine knows of its cluster; it holds no secret.
"""
