"""The ``ess`` command: parse, call :mod:`ess.api`, render, exit.

- ``app``: the command ``ess``; ``words``: words as values; ``manual_forms``: what the reference
  manuals write in another way; ``lake``, ``questions``, ``stream``, ``cluster`` and ``udb``: its commands.
- ``summary``: ``ess summary``, with ``plot``, which draws, and ``contents``, which tells what a scan has found.
- ``render``: results as text, ``tables``: as tables; ``terminal``: what they are printed to.
- ``progress``: that of a stream; ``completion``: of command lines.
- ``category_options``: options made from their table; ``served``: what of ``ess`` runs on the tool server.
"""

import sys

from ess import interrupts, memory_limit
from ess.errors import EssError


def main() -> None:
    """The console entry point of ``ess``."""
    try:
        interrupts.take_over()
        memory_limit.check()
        from ess.cli.app import main as run  # the terminal libraries load only when the command is run

        run()
    except EssError as error:
        print(f"ess: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        interrupts.end()
