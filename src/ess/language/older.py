"""Functions of earlier versions, translated to today's spelling."""

from __future__ import annotations

import os
from dataclasses import replace

from ess.language import syntax

#: Functions that had another name, or other arguments that ``of_today`` understands.
OLDER = {"searchkey2": "SearchKey", "agentparse2": "AgentParse", "kdec": "KeyDec"}
#: Functions whose arguments were others, and those that replace them.
REPLACED = {"kdec": "KeyDec", "qryparmext": "QryDec"}


def of_today(call: syntax.Invocation) -> syntax.Invocation:
    """The call that an older one means; ``call`` itself if it is not older, or not as it was written then.

    ``KDec(Key, "Col1;I:;Col3")`` is ``KeyDec(Key, Col1, "I", Col3)``.
    """
    key = call.name.lower()
    if key in OLDER and key not in REPLACED:
        return replace(call, name=OLDER[key])
    match call.arguments:
        case (decoded, syntax.Text(position, value)) if key == "kdec" and value:
            parts = [os.fsdecode(part).strip() for part in value.split(b";")]
            components = [
                syntax.Text(position, os.fsencode(part[:-1])) if part.endswith(":") else syntax.Name(position, part)
                for part in parts
            ]
            return replace(call, name="KeyDec", arguments=(decoded, *components))
    return call
