"""The surroundings of the user who runs ``ess``, for the commands on every node."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from ess import processor
from ess.cluster.commands import Setting
from ess.errors import SystemFailure

#: Variables of this kind do not travel to nodes and are not given to commands.
_SECRET = re.compile(r"SECRET|PASSW|TOKEN|CREDENTIAL|PRIVATE_?KEY|ACCOUNT_KEY|API_?KEY|ACCESS_KEY", re.IGNORECASE)

#: The settings of one job must not reach another job that runs inside it.
_OWN = frozenset({"ESS_COUNTS", "ESS_IMPORT_ID", "ESS_IMPORT_PLACE", "ESS_IMPORT_SEQ", "ESS_UDB_NODE", "ESS_NODE_ID"})


def surroundings() -> Setting:
    """Environment (without secrets), folder and umask of this process.

    Relative folders of the settings stay valid, because the folder goes along. The folder of the
    ``aq_*`` commands of this installation is on the path, also if the user's shell does not know it.
    """
    umask = os.umask(0)
    os.umask(umask)
    environment = processor.without_ours(without_secrets(os.environ))
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


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables whose names do not speak of a secret.

    >>> without_secrets({"LANG": "C", "AWS_SECRET_ACCESS_KEY": "x", "ESS_IMPORT_ID": "y"})
    {'LANG': 'C'}
    """
    return {
        name: value
        for name, value in environment.items()
        if name not in _OWN and not name.startswith("ESS_LOOP_") and not _SECRET.search(name)
    }
