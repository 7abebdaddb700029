"""The start of ``ess``: commands that touch no data."""

from __future__ import annotations

import shutil
import sys

from bench.data import Data
from bench.lake import sales
from bench.work import Contestant, Goal, Work, tool
from bench.works_tools import PURCHASES

_FILES = 10
_BARE = "python -c pass"
_COMMANDS = ("repository", "summary", "ls @files/*", "ls --cat sales", "udbd status")


def start(data: Data) -> Work:
    """Commands on datastores, categories, a small index and databases."""
    files = (data.folder / "start").absolute()
    lake = sales(data.folder / "lake-start", files, PURCHASES)
    variables = {**lake.environment, "ESS_WORK_DIR": str(lake.folder.absolute() / "conf")}

    def begin() -> None:
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir(parents=True)
        for number in range(_FILES):
            shutil.copy(data.ten_rows, files / f"sales_{number}.csv")
        lake.begin()

    def ours(words: str) -> tuple[str, ...]:
        return (tool("ess"), *words.replace("@files", str(files)).split())

    return Work(
        "start-ess",
        f"`ess` commands that touch no data ({_FILES} files), warm start",
        (
            *(
                Contestant(f"ess {words.replace('@', '')}", ours(words), environment=variables, loops=20, output=False)
                for words in _COMMANDS
            ),
            Contestant(_BARE, (sys.executable, "-c", "pass"), "python", loops=20, output=False),
        ),
        tuple(
            Goal(
                f"`ess {words.replace('@', '')}`: at most 4 times `{_BARE}`",
                {_BARE: 4.0},
                of=f"ess {words.replace('@', '')}",
            )
            for words in _COMMANDS
        ),
        begin=begin,
        end=lake.end,
    )


WORKS = {"start-ess": start}
