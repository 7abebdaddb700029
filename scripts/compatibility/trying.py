"""Tries names of the manuals on the program itself: the option tables, the function table, and the tools."""

from __future__ import annotations

import contextlib
import enum
import inspect
import io
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compatibility.names import Group
from ess.cli.app import whole
from ess.cli.manual_forms import as_ours
from ess.errors import EssError, OptionError
from ess.language.function import Function
from ess.language.functions import FUNCTIONS
from ess.language.older import OLDER
from ess.pipeline.old_spellings import respelled
from ess.pipeline.options import OptionTable
from ess.tools.udbd import VERBS
from ess.udb.admin import service
from ess.udb.admin.ports import parse_ports
from ess.udb.spec.spec_file import read_spec

_DATABASE_PAGE = Path(__file__).resolve().parents[2] / "docs" / "manual" / "database.md"

_SPEC = """@Server:
  127.0.0.1
@Port:10010
@PKey:
  S:user
@Table:sales
  S:page
  I:n
@Vector:profile
  L,+bor:flag
@Var:
  L,+add:total
"""
_FILES = {
    ".conf/wood.spec": _SPEC,
    "in.csv": "a,1\nb,2\n",
    "one.csv": "a,1\n",
    "table.csv": "a,x\n",
    "blank.csv": ",\n",
    "address.csv": "1,a\n",
    "in.fix": "a 1\nb 2\n",
    "in.div": "a [1]\nb [2]\n",
    "in.html": "<table><tr><td>a</td><td>1</td></tr></table>\n",
    "in.json": '{"s":"a","n":{"k":[1,2]}}\n',
    "list.json": '[{"n":1},{"n":2}]\n',
    "in.xml": "<root><s>a</s><n>1</n></root>\n",
    "own.py": "def row(row):\n    return None\n",
    "own.cpp": "int main() { return 0; }\n",
    "own.so": "\x7fELF",
    "own.pmod": "MOD_INIT() { }\n",
    "own.umod": "MOD_INIT() { }\n",
}
_PREPARED = (
    "aq_pp -f in.csv -d S:s I:n -o,bin in.bin",
    "aq_cnt -f in.csv -d S:s I:n -kX,aq in.aq k s STATS:n",
)


@contextlib.contextmanager
def samples() -> Iterator[None]:
    """A working folder with the data that the probes use."""
    before = {name: os.environ.get(name) for name in ("ESS_WORK_DIR", "ESS_ENGINE", "UDBD_MEM")}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in before:
            os.environ.pop(name, None)
        for path, text in _FILES.items():
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(text, "latin-1")
        for command in _PREPARED:
            if (failure := _failure(command)) is not None:
                raise RuntimeError(f"{command}: {failure}")
        try:
            yield
        finally:
            for name, value in before.items():
                if value is not None:
                    os.environ[name] = value


def function(name: str) -> Function | None:
    """A function's row of the table, if it has one."""
    return FUNCTIONS.get(OLDER.get(name.lower(), name).lower())


def failure(group: Group, tried: str) -> str | None:
    """The reason why a name does not work; None if it does. Call it within ``samples``.

    Args:
        group: The group of the name.
        tried: The name as it is tried.
    """
    if group.functions:
        return None if function(tried) else "there is no such function"
    if group.tool:
        table: OptionTable = import_module(f"ess.tools.{group.tool}").OPTIONS
        found = table.find(respelled(tried).partition(",")[0])
        return None if found and tried not in dict(table.missing) else "there is no such option"
    return _failure(group.probe.replace("{}", tried))


def _failure(command: str) -> str | None:
    tool, _, rest = command.partition(" ")
    try:
        if tool == "spec":
            spec = Path("probe.spec")
            spec.write_text(_SPEC + "\n".join(rest.split()) + "\n")
            read_spec(spec)
            return None
        if tool == "section":
            return None if rest in _SPEC and _failure(f"spec {rest.rstrip(':')}s:") else "it is not known"
        if tool == "command":
            return None if find_spec(f"ess.tools.{rest}") else "there is no such command"
        if tool == "section-of-database":
            return None if f"\n## {rest}\n" in _DATABASE_PAGE.read_text("utf-8") else "the manual has no such section"
        if tool == "ess":
            return _of_ess(rest.split())
        if tool == "bare":
            path = rest.split()
            return None if as_ours(path) == path[:-1] else "a value is required"
        if tool == "environment":
            return None if rest in inspect.getsource(service) else "it is not asked for"
        argv = shlex.split(rest)
        if tool == "udbd":
            if argv[0] not in VERBS:
                raise OptionError("there is no such action")
            parse_ports(argv[1:], base=10010, where=command)
            return None
        code = _run(tool, argv)
    except EssError as error:
        return str(error)
    return f"exit code {code}" if code else None


def _of_ess(words: list[str]) -> str | None:
    """The reason why a command of ``ess`` lacks its last word, which is a command, an option or a word it takes."""
    command: Any = whole()
    for word in words[:-1]:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return "the command is not available yet"
    last = words[-1]
    if last in getattr(command, "commands", {}):
        return _unless_promised(command.commands[last].help or "")
    for parameter in command.params:
        if last in (*parameter.opts, *parameter.secondary_opts):
            return _unless_promised(getattr(parameter, "help", "") or "")
        kind = parameter.type_descriptor.annotation
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and last in [each.value for each in kind]:
            return None
    return "there is no such option or command"


def _unless_promised(text: str) -> str | None:
    """Nothing, unless its help says that it is not there yet."""
    return "it is not available yet" if "not available yet" in text.lower() else None


def _run(tool: str, argv: list[str]) -> int:
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"a,1\n"))
    sys.stdout = io.TextIOWrapper(io.BytesIO())
    sys.stderr = io.TextIOWrapper(io.BytesIO())
    try:
        code: int = import_module(f"ess.tools.{tool}").main(argv)
        return code
    except OSError as error:
        raise OptionError(str(error)) from error
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
