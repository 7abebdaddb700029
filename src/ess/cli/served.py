"""The commands of ``ess`` on the tool server, which calls this module by its name (``ess.tools.launch``).

A command is served if it is on the list: it reads or changes settings, looks at files, or runs commands on them. All
others run directly: those that start or end processes which stay, or ask a question at the terminal. So does every
command whose environment changes how Python or the parser of command lines works: the server has loaded both without.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module

#: Commands that are served, whatever follows.
_WORDS = frozenset(
    {
        *("select", "summary", "repository", "probe", "purge", "ls", "cat", "lsa", "category", "create", "drop", "use"),
        *("completion", "schema", "-h", "--help", "-v", "--version"),
    }
)
#: Those that run commands of the user's: they take a process for themselves, and only where nothing sets them apart.
_LONG = frozenset({"stream", "exec", "top", "hist", "days", "sessions", "head"})
#: Those of a group that are served.
_PAIRS = frozenset(
    {("cluster", word) for word in ("set", "status", "iplist")}
    | {("udbd", word) for word in ("status", "ckmem", "cklog")}
    | {("server", "summary")}
)
#: Variables of Python that change nothing here.
_HARMLESS = frozenset(
    (b"PYTHONPATH", b"PYTHONHOME", b"PYTHONUNBUFFERED", b"PYTHONDONTWRITEBYTECODE", b"PYTHONPYCACHEPREFIX")
)
_CHANGING = (b"PYTHON", b"TYPER_", b"_TYPER_")
_UTF_8 = re.compile(rb"(C|POSIX|.*\.utf-?8(@.*)?)?", re.IGNORECASE | re.DOTALL)

#: What the served commands import as they run.
_PRELOADED = (
    "ess.api.datastores",
    "ess.api.lake",
    "ess.api.results",
    "ess.api.summaries",
    "ess.cli.plot",
    "ess.lake.archives",
    "ess.lake.key_files",
    "ess.lake.key_options",
    "ess.lake.days",
    "ess.lake.organize",
    "ess.stores.disk",
    "ess.udb.admin.admin",
    "ess.udb.admin.service",
    "ess.api.jobs",
    "ess.questions.answering",
    "ess.questions.asked",
    "ess.questions.described",
    "ess.cluster.embedded",
    "ess.cluster.execute",
    "ess.cluster.lifecycle",
    "ess.cluster.opening",
    "ess.cluster.providers",
    "ess.cluster.stream",
    "ess.tools.udbd",
    "typer._click.decorators",
    "rich.emoji",
    "rich.highlighter",
    "rich.markdown",
    "rich.panel",
    "rich.table",
    "rich.traceback",
    "importlib.metadata",
    "importlib.resources",
    "difflib",
    "stringprep",
    "unicodedata",
    "zoneinfo",
)


def is_served(arguments: Sequence[str]) -> bool:
    """True if the command of these arguments may run on the server.

    >>> [is_served(words.split()) for words in ("ls -r *.gz", "stream logs * * wc", "udbd status", "udbd start", "")]
    [True, True, True, False, True]
    >>> is_served(["summary", "logs"]), is_served(["summary", "logs", "--scan"])
    (True, False)
    """
    if arguments[:1] == ["summary"] and any(word.startswith("--sc") for word in arguments):
        return False  # it reads all files
    return not arguments or arguments[0] in _WORDS | _LONG or tuple(arguments[:2]) in _PAIRS


def is_long(arguments: Sequence[str]) -> bool:
    """True if a command that is served runs commands of the user's."""
    return bool(arguments) and arguments[0] in _LONG


def is_usual(environment: Sequence[bytes]) -> bool:
    """True if Python would read and print text as the server does, with these entries ``NAME=value``.

    >>> is_usual([b"LANG=de_DE.UTF-8", b"LC_ALL="]), is_usual([b"LANG=de_DE.ISO-8859-1"]), is_usual([b"PYTHONUTF8=0"])
    (True, False, False)
    """
    variables = dict(entry.split(b"=", 1) for entry in environment if b"=" in entry)
    if any(name.startswith(_CHANGING) and name not in _HARMLESS for name in variables):
        return False
    locale = next((variables[name] for name in (b"LC_ALL", b"LC_CTYPE", b"LANG") if variables.get(name)), b"")
    return _UTF_8.fullmatch(locale) is not None


def preload() -> None:
    """Load what commands need, in the server: no command has to do it any more."""
    from ess.cli.app import whole

    whole()
    for name in _PRELOADED:
        import_module(name)


def main(arguments: list[str]) -> int:
    """Run a command on the server; its exit code."""
    from ess.cli import app

    try:
        app.prepare_streams()
        return app.run(arguments)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException:  # as the interpreter ends a program
        sys.excepthook(*sys.exc_info())
        return 1


def command() -> None:
    """Run ``ess`` directly, as this process."""
    from ess.cli import main as run

    run()
