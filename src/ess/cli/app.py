"""The command ``ess``: its subcommands, and the handling of errors and signals.

Whatever goes wrong is one line on stderr that says where, what and what to try. Wrong usage
exits with 2, other failures with the code of their class in :mod:`ess.errors`, Ctrl-C with 130.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TextIO

import typer

from ess import interrupts
from ess.api.messages import concealed
from ess.cli.manual_forms import as_ours
from ess.cli.words import convert_without_pydantic
from ess.errors import (
    EssError,
    EssWarning,
    OptionError,
    OutOfMemory,
    OutputOpenError,
    OutputWriteError,
    ProgramFault,
    SystemFailure,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typer._click.core import Command

#: The exit code that a shell reports for a command ended by Ctrl-C.
INTERRUPTED = 130

#: The modules of the commands, in the order of the help, and the commands of each: only the module of the command that
#: is run is loaded, and only that command is made.
PARTS = {
    "lake": ("select", "summary", "repository", "probe", "purge", "ls", "cat", "lsa", "category"),
    "questions": ("top", "hist", "days", "sessions", "head", "schema"),
    "cluster": ("stream", "exec", "file", "cluster"),
    "udb": ("create", "drop", "use", "server", "udbd"),
    "completion": ("completion",),
}

#: Commands of the manual that are not built yet.
_NOT_YET = ("query", "redshift")

#: The day of the version in pyproject.toml.
_RELEASED = "2026-11-30"

_VERSION = ("-v", "--version")


def _print_version() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("essentia-lake")
    except PackageNotFoundError:
        number = "(not installed)"
    typer.echo(f"Essentia : {number}\nAQ Tools : {number} --- {_RELEASED}")


def _asked_for_version(wanted: bool) -> None:
    if wanted:
        _print_version()
        raise typer.Exit


def _ess(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option(*_VERSION, help="Show the version and exit.", callback=_asked_for_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def application(parts: Iterable[str] = tuple(PARTS)) -> typer.Typer:
    """The command ``ess`` with the commands of these modules."""
    made = typer.Typer(
        name="ess",
        help="Raw, dirty, compressed log files in; answers out.",
        add_completion=False,  # `ess completion` is for all commands
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(invoke_without_command=True)(_ess)
    for part in parts:
        import_module(f"ess.cli.{part}").add_commands(made)
    return made


@functools.cache
def whole() -> Command:
    """The command ``ess`` with all its commands, made once in a process."""
    return typer.main.get_command(application())


def _parser(arguments: list[str]) -> Command:
    """The command ``ess`` with the command that is called, or all where it takes them to answer."""
    word = arguments[0] if arguments else ""
    part = next((part for part, names in PARTS.items() if word in names and part != "completion"), None)
    if part is None or whole.cache_info().currsize:
        return whole()
    made = application([part])
    made.registered_commands = [each for each in made.registered_commands if each.name == word]
    made.registered_groups = [each for each in made.registered_groups if each.name == word]
    return typer.main.get_command(made)


def run(arguments: list[str]) -> int:
    """Run ``ess`` with these arguments and return its exit code; errors are printed to stderr."""
    try:
        with _warnings_told():
            code = _command(arguments)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except EssError as error:
        return _fail(error)
    except typer.TyperException as error:
        return _fail(_usage_error(error, arguments))
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 128 + signal.SIGPIPE
    except SystemExit as end:
        # the argument parser turns a broken pipe inside a command into an exit
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _silence_stdout()
        return 128 + signal.SIGPIPE
    except OSError as error:
        return _fail(_output_error(error))
    except MemoryError:
        return _fail(OutOfMemory("out of memory", hint="raise the limit, or stop other programs"))
    except Exception as error:
        return _fail(ProgramFault.of(error))


@contextlib.contextmanager
def _warnings_told() -> Iterator[None]:
    """Warnings of ours are lines on stderr, like notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", EssWarning)
        shown = warnings.showwarning

        def tell(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if isinstance(message, EssWarning):
                print(f"ess: {printable(str(message))}", file=sys.stderr)
            else:
                shown(message, category, filename, lineno, file, line)

        warnings.showwarning = tell
        yield


def _command(arguments: list[str]) -> object:
    """Parse the arguments and run the command. An option may be shortened to what only it begins with.

    A wrong option is found before anything has been done, so the words can be parsed once more.
    """
    if len(arguments) == 1 and arguments[0] in _VERSION:
        _print_version()
        return 0
    convert_without_pydantic()
    arguments = as_ours(arguments)
    command = _parser(arguments)
    while True:
        try:
            return command.main(arguments, prog_name="ess", standalone_mode=False)
        except typer.TyperException as error:
            short = str(getattr(error, "option_name", ""))
            context = getattr(error, "ctx", None)
            if not short.startswith("--") or context is None:
                raise
            known = [name for each in context.command.params for name in (*each.opts, *each.secondary_opts)]
            known += context.help_option_names
            meant = sorted(name for name in known if name.startswith(short))
            if len(meant) > 1:
                raise OptionError(
                    f"option '{short}' is ambiguous",
                    where=context.command_path.removeprefix("ess").strip(),
                    hint=f"it may be {' or '.join(meant)}",
                ) from None
            at = next((n for n, word in enumerate(arguments) if word.partition("=")[0] == short), None)
            if not meant or at is None:
                raise
            arguments = [*arguments[:at], meant[0] + arguments[at][len(short) :], *arguments[at + 1 :]]


def _fail(error: EssError) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        _silence_stdout()
    try:
        print(f"ess: {concealed(str(error))}", file=sys.stderr, flush=True)
    except OSError:  # nobody can be told, but by the exit code
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    return error.exit_code


def _output_error(error: OSError) -> EssError:
    """The error of a failure that no other part took: without a file name it is writing the results."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return SystemFailure(
            reason, where=str(error.filename), hint="check that the file is there and your rights on it"
        )
    hint = "make room, or send it elsewhere" if error.errno == errno.ENOSPC else "check what it is redirected to"
    return OutputWriteError(f"cannot write the output: {reason}", where="standard output", hint=hint)


def _silence_stdout() -> None:
    """Nobody reads stdout any more; keep the interpreter from complaining when it flushes it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


#: Commands that take another command as one word: an example of each.
_COMMAND_IN_QUOTES = {"stream": "ess stream sales '*' '*' 'aq_pp -f - -d %cols'", "exec": "ess exec 'aq_udb -cnt shop'"}
_PYDANTIC_INTEGER = "Input should be a valid integer, unable to parse string as an integer"


def _usage_error(error: typer.TyperException, arguments: list[str]) -> OptionError:
    """The error of the argument parser in our words: one line, with the nearest command or option."""
    import difflib  # only a failure needs it

    context = getattr(error, "ctx", None)
    where = context.command_path.removeprefix("ess").strip() if context is not None else _called(arguments)
    command = f"ess {where}".strip()
    what = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    hint = f"see: {command} --help"
    known: list[str] = []
    if what.startswith("No such command"):
        wrong = what.split("'")[1] if "'" in what else ""
        if not where and wrong in _NOT_YET:
            hint = "the commands are in: ess --help"
            return OptionError("the command is not available yet", where=wrong, hint=hint)
        what, known = f"unknown command '{wrong}'", sorted(context.command.commands) if context is not None else []
        close = difflib.get_close_matches(wrong, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"the commands are: {', '.join(known)}"
        if where == "category change" and not close:
            hint = f"write: ess category change WHAT CATEGORY VALUE; WHAT is one of: {', '.join(known)}"
        if where == "category" and not close:
            hint += "; to make a category: ess category add NAME PATTERN"
    elif what.startswith("Missing command"):
        known = sorted(context.command.commands) if context is not None else []
        what, hint = "a subcommand is missing", f"give one of: {', '.join(known)}"
    elif what.startswith("No such option"):
        option = str(getattr(error, "option_name", ""))
        close = list(getattr(error, "possibilities", None) or [])
        what = f"unknown option '{option}'"
        hint = f"did you mean '{close[0]}'?" if close else hint
    else:
        what = what[:1].lower() + what[1:].replace(_PYDANTIC_INTEGER, "it is not a whole number")
        if context is not None and what.startswith("missing argument"):
            hint = re.sub(r"[{}]|\[OPTIONS\] ", "", " ".join(context.command.get_usage(context).split()))
            hint = hint.replace("Usage:", "usage:")
    too_many = what.startswith("got unexpected extra")
    if where in _COMMAND_IN_QUOTES and (too_many or re.match("unknown option '-[^-]", what)):
        hint = f"quote '*' and the command, as in: {_COMMAND_IN_QUOTES[where]}"
    elif where in ("ls", "category add") and too_many:
        hint = f"quote patterns, so that the shell leaves * alone; several are one argument; see: {command} --help"
    return OptionError(printable(what), where=where, hint=hint)


def _called(arguments: list[str]) -> str:
    """The words of these that name a command, where the error does not say which it was."""
    found: list[str] = []
    command: Command | None = whole()
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        found.append(word)
    return " ".join(found)


def main() -> NoReturn:
    """The console entry point."""
    prepare_streams()
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        interrupts.end()
    interrupts.let_go()
    sys.exit(code)


def prepare_streams() -> None:
    """Make stdout and stderr fit for names in any bytes, full disks and closed pipes.

    With PYTHONUNBUFFERED Python does not notice that a write took only a part, so stdout gets a
    buffer in any case.
    """
    if sys.stderr is None:  # closed by the caller
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        print("ess: stdout: it is closed; open it, e.g. with >/dev/null", file=sys.stderr)
        sys.exit(OutputOpenError.exit_code)
    encoding = sys.stdout.encoding
    sys.stdout = open(1, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
