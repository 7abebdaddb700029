"""The layering of ARCHITECTURE.md, read from the imports: a part uses only the parts before it.

Imports inside functions count too: they save start-up time, they do not change who depends on whom.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "ess"

ORDER = (
    "processor",
    "interrupts",
    "errors",
    "memory_limit",
    "surroundings",
    "settings",
    "logs",
    "certificates",
    "stores",
    "schema",
    "language",
    "engines",
    "formats",
    "pipeline",
    "udb",
    "tools",
    "lake",
    "cluster",
    "questions",
    "warehouse",
    "sql",
    "api",
    "__init__",
    "web",
    "cli",
)

ADAPTERS = {
    "polars": {"schema", "engines", "formats", "udb", "api"},
    "pyarrow": {"engines", "formats", "udb"},
    "numpy": {"engines", "formats", "udb"},
    "datasketches": {"engines"},
    "crawleruseragents": {"language"},
    "iptocc": {"language"},
    "maxminddb": {"language"},
    "iso3166": {"language"},
    "regex": {"language"},
    "ua_parser": {"language"},
    "isal": {"formats"},
    "zstandard": {"formats"},
    "cryptography": {"certificates"},
    "anycrc": {"stores"},
    "azure": {"stores"},
    "boto3": {"cluster"},
    "botocore": {"stores", "cluster"},
    "urllib3": {"stores"},
    "dask": {"cluster"},
    "distributed": {"cluster"},
    "tornado": {"cluster"},
    "psutil": {"udb", "tools"},
    "typer": {"cli"},
    "rich": {"cli"},
}
"""Who may import what is not Python's own. A package that is not named here may not be imported at all."""

UDB_ROOMS = ("spec", "wire", "shard", "scan", "journal", "client", "checkpoint", "command", "admin", "server")
"""The folders of ``udb``, in the same kind of order."""

LONGEST = 550
"""Lines of a file: past about 500 it holds two concepts (house rule 2)."""

FILES = sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The part a file belongs to: its first folder, or its own name."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def statements(path: Path) -> tuple[ast.AST, ...]:
    """The module of a file and all its statements, also those inside others; expressions hold none."""
    module = ast.parse(path.read_text("utf-8"), str(path))
    return (module, *_below(module))


def _below(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _below(child)


@functools.cache
def imported(path: Path) -> tuple[tuple[int, str], ...]:
    """Every import of a file as (line, absolute dotted name), wherever it stands, ``TYPE_CHECKING`` apart."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    package = ["ess", *path.relative_to(SOURCE).parts[:-1]]
    whole = statements(path)
    for_types_only = {
        id(inner)
        for node in whole
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in (statement, *_below(statement))
    }
    for node in whole:
        if id(node) in for_types_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from ess import api` imports the part `api`, not the package's own names.
            yield from ((node.lineno, f"{module}.{alias.name}" if module == "ess" else module) for alias in node.names)


def target_part(name: str) -> str:
    """The part of ``ess`` that a dotted name means; a name that ``ess`` itself exports means ``__init__``."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else "__init__"


def test_every_part_has_its_place_in_the_order() -> None:
    assert {part_of(path) for path in FILES} <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_part_imports_only_what_stands_before_it(path: Path) -> None:
    part = part_of(path)
    allowed = ORDER[: ORDER.index(part) + 1]
    wrong: list[str] = []
    for line, name in imported(path):
        top = name.split(".")[0]
        if top == "ess":
            if target_part(name) not in allowed:
                wrong.append(f"line {line}: {part} must not use {target_part(name)} ({name})")
        elif top not in sys.stdlib_module_names and part not in ADAPTERS.get(top, set()):
            wrong.append(f"line {line}: {top} is not for {part}, only for {sorted(ADAPTERS.get(top, set()))}")
    assert not wrong, "\n".join(wrong)


def test_every_room_of_udb_has_its_place_in_the_order() -> None:
    assert {path.name for path in (SOURCE / "udb").iterdir() if path.is_dir() and path.name[0] != "_"} == set(UDB_ROOMS)
    assert [path.name for path in (SOURCE / "udb").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize(
    "path", sorted((SOURCE / "udb").glob("*/*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_a_room_of_udb_imports_only_rooms_that_stand_before_it(path: Path) -> None:
    room = path.parent.name
    allowed = UDB_ROOMS[: UDB_ROOMS.index(room) + 1]
    used = [(line, name.split(".")[2]) for line, name in imported(path) if name.startswith("ess.udb.")]
    assert [(line, target) for line, target in used if target not in allowed] == []


def test_one_file_of_the_cloud_speaks_to_aws() -> None:
    """Decisions about machines ask nobody, so that they are tried without a server; boto3 loads late."""
    files = (SOURCE / "cluster").rglob("*.py")
    speaks = {path for path in files if any(name.split(".")[0] in ("boto3", "botocore") for _, name in imported(path))}
    assert speaks == {SOURCE / "cluster" / "cloud" / "account.py"}


START = {"interrupts", "memory_limit"}
"""What a process needs that is to be a command, before anything is called."""


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if part_of(path) in ("cli", "web")],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_the_command_line_and_the_web_page_call_the_api_alone(path: Path) -> None:
    allowed = {*START, "api", "errors", part_of(path)}
    used = [(line, name) for line, name in imported(path) if name.split(".")[0] == "ess"]
    assert [(line, name) for line, name in used if target_part(name) not in allowed] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_holds_one_concept(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}


def test_the_package_is_light_to_import() -> None:
    """Every ``aq_*`` start imports ``ess``: engines load where they are used."""
    code = f"import sys, ess; print(*sorted(set({sorted(ADAPTERS)}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


@pytest.mark.parametrize(
    "folder",
    sorted(path.parent for path in FILES if path.name == "__init__.py" and path.parent != SOURCE),
    ids=lambda folder: str(folder.relative_to(SOURCE)),
)
def test_the_docstring_of_a_folder_names_its_modules(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules - set(re.findall(r"``([a-z0-9_]+)``", text)) == set()


@pytest.mark.parametrize("folder", ["src", "tests", "scripts"])
def test_no_docstring_opens_with_a_question_word(folder: str) -> None:
    """Write "The rows that ...", "Return ...", "True if ...", not "What ...", "How ..." or "Whether ..."."""
    found: list[str] = []
    for path in sorted((SOURCE.parent.parent / folder).rglob("*.py")):
        for node in statements(path):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                opening = re.match(r"\W*(What|Whether|Where|How|Who|Which|Why)\b", ast.get_docstring(node) or "")
                if opening:
                    found.append(f"{path}: {getattr(node, 'name', 'module')}: {opening[1]}")
    assert found == []


OF_THE_PROCESS = re.compile(r"\bos\.(environ|getcwd|umask|chdir)\b|Path\.cwd\(|\bexpanduser\(")

MAY_ASK_THE_PROCESS = {
    "surroundings.py": "it gives the user's in place of the process's",
    "api/workspaces.py": "a workspace begins as a copy of the process's environment",
    "processor.py": "numpy reads the environment of the process",
    "udb/wire/connection.py": "so does the transport",
    "cli/summary.py": "a terminal belongs to a process",
    "cli/terminal.py": "a terminal belongs to a process",
    "pipeline/counts.py": "a tool is a process of its own",
    "cluster/daemon.py": "a daemon is a process of its own",
    "cluster/node.py": "a worker on another machine knows what its user has there",
    "cluster/node_databases.py": "what a node runs to take definitions is a process of its own",
    "cluster/node_files.py": "what a node runs to take and give files is a process of its own",
    "cluster/program.py": "what another machine runs to unpack it is a process of its own",
    "udb/server/daemon.py": "a daemon is a process of its own",
}


def test_the_environment_folder_and_umask_are_those_of_the_user() -> None:
    """One process can serve several users (``ess.surroundings``)."""
    found = {
        path.relative_to(SOURCE).as_posix() for path in FILES if OF_THE_PROCESS.search(path.read_text(encoding="utf-8"))
    }
    assert {name for name in found if not name.startswith("tools/")} == set(MAY_ASK_THE_PROCESS)
