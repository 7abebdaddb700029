"""The surroundings of the user who runs ``ess``, for the commands on every node."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from ess import processor
from ess.cluster.commands import Setting
from ess.errors import SystemFailure
from ess.settings import SETTINGS, without_secrets


def surroundings() -> Setting:
    """Environment (without secrets), folder and umask of this process.

    Relative folders of the settings stay valid, because the folder goes along. The folder of the
    ``aq_*`` commands of this installation is on the path, also if the user's shell does not know it.
    """
    umask = os.umask(0)
    os.umask(umask)
    environment = processor.without_ours(_without_other_jobs(without_secrets(os.environ)))
    scripts = sysconfig.get_path("scripts")
    path = environment.get("PATH", os.defpath)
    if scripts not in path.split(os.pathsep):
        environment["PATH"] = f"{scripts}{os.pathsep}{path}"
    try:
        folder = str(Path.cwd())
    except FileNotFoundError as error:
        raise SystemFailure(
            "the current folder no longer exists", where="commands", hint="cd to another folder"
        ) from error
    return Setting(environment, folder, umask)


def _without_other_jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of one job must not reach another job that runs inside it.

    >>> _without_other_jobs({"LANG": "C", "ESS_IMPORT_ID": "y"})
    {'LANG': 'C'}
    """
    internal = {row.variable for row in SETTINGS.values() if row.internal}
    return {
        name: value for name, value in environment.items() if name not in internal and not name.startswith("ESS_LOOP_")
    }
