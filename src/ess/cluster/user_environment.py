"""The surroundings of the user who runs ``ess``, for the commands on every node."""

from __future__ import annotations

from collections.abc import Mapping

from ess.cluster.commands import Setting
from ess.lake.command_environment import command_environment
from ess.settings import SETTINGS
from ess.surroundings import current_folder, umask

#: The variables that mean something only on the machine where they are set; and how the names of others begin.
_OF_A_MACHINE = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "PWD",
        "OLDPWD",
        "TMPDIR",
        "TEMP",
        "TMP",
        "MAIL",
        "HOSTNAME",
        "DISPLAY",
        "XAUTHORITY",
        "VIRTUAL_ENV",
        "ESS_CACHE_DIR",
        "ESS_WORK_DIR",
        "ESS_RUNTIME_DIR",
        "TZDIR",
        "SHLVL",
        "TERMINFO",
        "TMUX",
        "_",
    }
)
_FAMILIES_OF_A_MACHINE = ("XDG_", "SSH_", "DBUS_", "LD_", "PYTHON", "CONDA", "SUDO_", "DASK_", "DISTRIBUTED_")


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


def belongs_to_a_machine(variable: str) -> bool:
    """True if the value of a variable is worth nothing on another machine.

    >>> belongs_to_a_machine("PATH"), belongs_to_a_machine("XDG_RUNTIME_DIR"), belongs_to_a_machine("LANG")
    (True, True, False)
    """
    return variable in _OF_A_MACHINE or variable.startswith(_FAMILIES_OF_A_MACHINE)


def of_another_machine(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """The variables ``wanted`` by a user here, on a machine whose own ones are ``there``."""
    return {
        **{name: value for name, value in wanted.items() if not belongs_to_a_machine(name)},
        **{name: value for name, value in there.items() if belongs_to_a_machine(name)},
    }
