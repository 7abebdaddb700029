"""The ``ess`` command: parse, call :mod:`ess.api`, render, exit."""

import sys


def main() -> None:
    """The console entry point of ``ess``."""
    try:
        from ess.cli.app import main as run  # the terminal libraries load only when the command is run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
