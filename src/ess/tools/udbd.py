"""``udbd``: starts and stops the database servers of this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ess.errors import OptionError
from ess.pipeline.options import Option, OptionTable, is_option_word
from ess.pipeline.page import help_page
from ess.settings import udb_port
from ess.tools.process import run_tool
from ess.udb.admin.ports import parse_ports

if TYPE_CHECKING:
    from pathlib import Path

    from ess.udb.admin.processes import StartOptions

OPTIONS = OptionTable(
    "udbd",
    "Starts and stops the database servers of this machine: udbd [Option ...] start|stop|restart|status|ckmem|cklog "
    "[PortSpec ...] [RunDir]. A PortSpec is Port, [Start]-End or [Start]+Number; without one, start means one server "
    "at ESS_UDB_PORT (default 10010), the others mean all servers that run. A server answers the users of its working "
    "folder (ESS_WORK_DIR) only. Its pid, log and lock files are in RunDir, by default udb in the working folder; the "
    "name of a RunDir that does not exist yet has a / in it. What was committed to a server is in a folder there too, "
    "and is read when the server starts. stop --port Port ends a server of yours whose RunDir was removed.",
    (
        Option("-v", "Show the version and exit."),
        Option("-q", "Say nothing but errors."),
        Option(
            "-mem",
            "Limit each server's memory; negative: the machine's memory less that. A server needs 150 MB without rows.",
            ("KiloBytes",),
        ),
        Option(
            "-memx",
            "The same for all servers together (default: the machine's memory less 500 MB), in place of -mem.",
            ("KiloBytes",),
        ),
        Option("-maxfd", "Let each server open as many files and connections as the system allows."),
        Option("-volatile", "Keep nothing on disk: everything is gone when the server ends."),
        Option("-listen", "The address to listen on (default 127.0.0.1, this machine only).", ("Address",)),
    ),
)

NAME = OPTIONS.tool
VERBS = ("start", "stop", "restart", "status", "ckmem", "cklog")


@dataclass(frozen=True)
class _Request:
    verb: str
    ports: list[int]
    folder: str
    quiet: bool
    each: int | None
    total: int | None
    all_descriptors: bool
    volatile: bool
    host: str
    port: int = 0


def main(argv: list[str]) -> int:
    """Run ``udbd`` with these arguments; the exit code, 1 when ``status`` finds a server missing.

    Raises:
        EssError: If it fails.
    """
    if argv and argv[0] in ("-h", "--help"):
        sys.stdout.write(help_page(OPTIONS))
        return 0
    if argv and argv[0] == "-v":
        sys.stdout.write(f"{NAME}: essentia {_version()}\n")
        return 0
    request = _parse(argv)
    from ess.udb.admin import processes, service  # load the transport

    folder = processes.run_folder(request.folder)
    for line in _ways(request)[request.verb](folder):
        if not request.quiet:
            print(line, flush=True)
    if request.verb == "status" and not service.all_running(folder, request.ports):
        return 1
    return 0


def command() -> NoReturn:
    """The command ``udbd``."""
    run_tool(NAME, main)


def _ways(request: _Request) -> dict[str, Callable[[Path], Iterator[str]]]:
    from ess.udb.admin import service

    ports = request.ports
    start_ports = ports or [udb_port()]

    def options(count: int) -> StartOptions:
        return service.start_options(
            count,
            each=request.each,
            total=request.total,
            everything=request.all_descriptors,
            host=request.host,
            volatile=request.volatile,
        )

    return {
        "start": lambda folder: service.start(folder, start_ports, options(len(start_ports))),
        "stop": lambda folder: service.stop_port(request.port) if request.port else service.stop(folder, ports),
        "restart": lambda folder: service.restart(folder, ports, options(len(ports or service.running_ports(folder)))),
        "status": lambda folder: service.status(folder, ports),
        "ckmem": lambda folder: service.memory(folder, ports),
        "cklog": lambda folder: service.logs(folder, ports),
    }


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("essentia-lake")
    except PackageNotFoundError:
        return "(not installed)"


def _parse(argv: list[str]) -> _Request:
    """The request of a command line; only words before the verb are options: ports may look like them (``-10011``)."""
    place = next((n for n, word in enumerate(argv) if word in VERBS), len(argv))
    if place == len(argv):
        other = next((word for word in argv[-1:] if not is_option_word(word)), "")
        what = f"unknown verb '{other}'" if other else "no verb is given"
        raise OptionError(what, where=NAME, hint=f"use one of {' '.join(VERBS)}")
    uses = OPTIONS.parse(argv[:place])
    verb = argv[place]
    values = {use.name: use.arguments for use in uses}
    if "-v" in values:
        raise OptionError("-v takes no other words beside it", where=NAME)
    words, port = argv[place + 1 :], 0
    if verb == "stop" and words[:1] == ["--port"]:
        ports, folder = parse_ports(words[1:], base=udb_port(), where=f"{NAME} {verb} --port")
        if len(ports) != 1 or folder:
            raise OptionError("it takes one port", where=f"{NAME} stop --port")
        port = ports[0]
    else:
        ports, folder = parse_ports(words, base=udb_port(), where=f"{NAME} {verb}")
    return _Request(
        verb,
        ports,
        folder,
        "-q" in values,
        _kilobytes(values, "-mem"),
        _kilobytes(values, "-memx"),
        "-maxfd" in values,
        "-volatile" in values,
        values.get("-listen", ("127.0.0.1",))[0],
        port,
    )


def _kilobytes(values: dict[str, tuple[str, ...]], name: str) -> int | None:
    if name not in values:
        return None
    try:
        return int(values[name][0])
    except ValueError:
        raise OptionError(f"'{values[name][0]}' is not a number of kilobytes", where=name) from None
