"""The surroundings of the user who runs ``ess``, for the commands on every node."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping

from ess import processor
from ess.cluster.commands import Setting
from ess.settings import SETTINGS, without_secrets
from ess.surroundings import current_folder, environment, umask


def surroundings() -> Setting:
    """Environment (without secrets), folder and umask of the user.

    Relative folders of the settings stay valid, because the folder goes along. The folder of the
    ``aq_*`` commands of this installation is on the path, also if the user's shell does not know it.
    """
    variables = processor.without_ours(_without_other_jobs(without_secrets(environment())))
    scripts = sysconfig.get_path("scripts")
    path = variables.get("PATH", os.defpath)
    if scripts not in path.split(os.pathsep):
        variables["PATH"] = f"{scripts}{os.pathsep}{path}"
    return Setting(variables, current_folder(), umask())


def _without_other_jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of one job must not reach another job that runs inside it.

    >>> _without_other_jobs({"LANG": "C", "ESS_IMPORT_ID": "y"})
    {'LANG': 'C'}
    """
    internal = {row.variable for row in SETTINGS.values() if row.internal}
    return {
        name: value for name, value in environment.items() if name not in internal and not name.startswith("ESS_LOOP_")
    }
