"""The surroundings of the user who runs ``ess``, for the commands on every node."""

from __future__ import annotations

from collections.abc import Mapping

from ess.cluster.commands import Setting
from ess.lake.command_environment import command_environment
from ess.settings import SETTINGS
from ess.surroundings import current_folder, umask


def surroundings() -> Setting:
    """Environment (without secrets), folder and umask of the user.

    Relative folders of the settings stay valid, because the folder goes along.
    """
    return Setting(_without_other_jobs(command_environment()), current_folder(), umask())


def _without_other_jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of one job must not reach another job that runs inside it.

    >>> _without_other_jobs({"LANG": "C", "ESS_IMPORT_ID": "y"})
    {'LANG': 'C'}
    """
    internal = {row.variable for row in SETTINGS.values() if row.internal}
    return {
        name: value for name, value in environment.items() if name not in internal and not name.startswith("ESS_LOOP_")
    }
