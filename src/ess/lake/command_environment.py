"""The environment of a command that a user has given for data: the user's, without secrets."""

from __future__ import annotations

import os
import sysconfig

from ess import processor
from ess.settings import without_secrets
from ess.surroundings import environment


def command_environment() -> dict[str, str]:
    """The variables for a command.

    The folder of the ``aq_*`` commands of this installation is on the path, also if the user's shell does not know it.
    """
    variables = processor.without_ours(without_secrets(environment()))
    scripts = sysconfig.get_path("scripts")
    path = variables.get("PATH", os.defpath)
    if scripts not in path.split(os.pathsep):
        variables["PATH"] = f"{scripts}{os.pathsep}{path}"
    return variables
