"""The words behind ``udbd start``: ports and a run directory."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ess.errors import InitializationError, OptionError
from ess.surroundings import absolute

_SPEC = re.compile(r"(?P<start>[0-9]*)(?:(?P<kind>[-+])(?P<end>[0-9]+))?\Z")

#: More servers than this on one machine is a slip of the finger.
MOST_SERVERS = 256


#: The exit code of a server whose port is taken, so that its starter can tell.
PORT_IN_USE = 98


class PortInUse(InitializationError):
    """Another program uses the port of a server (exit code 3), or a server of ours with another run directory."""

    def __init__(
        self,
        port: int,
        *,
        hint: str = "stop it, or choose another port",
        folder: str = "",
        owner: str = "",
        lost: bool = False,
    ) -> None:
        """``owner`` is who has it, for a person; ``lost``: its run directory is not there any more."""
        shown = f" ({owner})" if owner else ""
        what = f"another program{shown} uses the port {port}"
        if folder:
            state = ", and was removed" if lost else ""
            what = f"one of our servers{shown} uses the port {port} already, its run directory is {folder}{state}"
            hint = f"to stop it: udbd stop {'--port ' if lost else ''}{port}"
            hint += "" if lost else f" {shlex.quote(folder)}"
        super().__init__(what, where=f"udbd-{port}", hint=hint)
        self.port = port
        self.folder = folder
        self.owner = owner


def parse_ports(words: Sequence[str], *, base: int, where: str) -> tuple[list[int], str]:
    """Ports and the run directory, which may come last.

    Args:
        words: Each ``Port``, ``[Start]-End`` or ``[Start]+Number``; the last may be a directory
            that exists or has a ``/`` in its name (write ``./10`` for one whose name looks like a port).
        base: The start when none is given.
        where: The verb, for errors.

    Returns:
        The ports, ascending, each once, empty if none was given; the directory or "".

    Raises:
        OptionError: For a word of another form, or ports out of range.

    >>> parse_ports(["10010+2", "-10010", "/tmp/run"], base=10010, where="udbd start")
    ([10010, 10011], '/tmp/run')
    """
    ports: set[int] = set()
    folder = ""
    for place, word in enumerate(words):
        match = _SPEC.match(word) if word else None
        if match is None:
            hint = "the forms are Port, [Start]-End, [Start]+Number"
            if place == len(words) - 1 and word and word[0] not in "+-0123456789":
                if "/" in word or absolute(word).is_dir():
                    folder = word
                    continue
                hint += f"; for a new run directory write ./{word}"
            raise OptionError(f"bad port spec '{word}'", where=where, hint=hint)
        start = int(match["start"] or base)
        end = start
        if match["kind"] == "-":
            end = int(match["end"])
        elif match["kind"] == "+":
            end = start + int(match["end"]) - 1
        if not 0 < start <= end < 65536:
            raise OptionError(f"'{word}' is no range of ports", where=where, hint="a port is from 1 to 65535")
        if end - start >= MOST_SERVERS:
            raise OptionError(f"'{word}' are more than {MOST_SERVERS} ports", where=where)
        ports.update(range(start, end + 1))
    return sorted(ports), folder
