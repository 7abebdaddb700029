"""The entries of ``ess`` and the ``aq_*`` commands: through the tool server where it can be, directly else.

The commands that are installed are the launchers (``launchers/bin``), which come here through ``ess-tool``
when they cannot use the server themselves. This module is small because its imports are what a start costs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from ess import interrupts
from ess.tools.warm import client

#: The commands, each the module ``ess.tools.<name>``, that the tool server can run.
TOOLS = ("aq_pp", "aq_udb", "aq_cnt", "aq_ord", "aq_rst", "aq_cat", "aq_sess", "loginf")

#: Those that it cannot: they start once, and processes of their own.
UNSERVED = ("udbd",)

#: The command that it runs in part, and its module, which says what of it. It comes after this one in the order of the
#: layers, so it is called by its name, as ``pyproject.toml`` names commands.
ESS, ESS_MODULE = "ess", "ess.cli.served"


def main() -> None:
    """The command ``ess-tool``: another command, named by the path of its launcher, and its arguments."""
    tool = sys.argv[1].rpartition("/")[2] if len(sys.argv) > 1 else ""
    if tool not in (*TOOLS, *UNSERVED, ESS):
        sys.exit(f"ess-tool starts one of {', '.join((*TOOLS, *UNSERVED, ESS))}; run these by themselves")
    del sys.argv[0]
    _start(tool)


def aq_rst() -> None:
    """The command ``aq_rst``."""
    _start("aq_rst")


def aq_ord() -> None:
    """The command ``aq_ord``."""
    _start("aq_ord")


def aq_cnt() -> None:
    """The command ``aq_cnt``."""
    _start("aq_cnt")


def aq_cat() -> None:
    """The command ``aq_cat``."""
    _start("aq_cat")


def aq_sess() -> None:
    """The command ``aq_sess``."""
    _start("aq_sess")


def loginf() -> None:
    """The command ``loginf``."""
    _start("loginf")


def aq_pp() -> None:
    """The command ``aq_pp``."""
    _start("aq_pp")


def aq_udb() -> None:
    """The command ``aq_udb``."""
    _start("aq_udb")


def _start(tool: str) -> None:
    """Run a command on the tool server and end as it ended, or run it here; does not return."""
    try:
        interrupts.take_over()
        status = client.run(tool, sys.argv[1:]) if _may_be_served(tool) else None
        if status is not None:
            client.finish(status)
        _load(tool).command()
    except KeyboardInterrupt:
        interrupts.end()


def _may_be_served(tool: str) -> bool:
    if tool == ESS:
        served: bool = import_module(ESS_MODULE).is_served(sys.argv[1:])
        return served
    return tool in TOOLS


def _load(tool: str) -> ModuleType:
    from ess import memory_limit
    from ess.errors import EssError

    try:
        memory_limit.check()
        return import_module(ESS_MODULE if tool == ESS else f"ess.tools.{tool}")
    except EssError as error:
        os.write(2, f"{tool}: {error}\n".encode("utf-8", "backslashreplace"))
        os._exit(error.exit_code)
