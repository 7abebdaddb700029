"""The start and the end of a tool's process: signals, errors, exit codes.

A tool is a ``main(argv) -> int`` that raises an EssError for what goes wrong. Here that becomes
one line on stderr and the error's exit code, and here the process takes the habits of a Unix
filter: a closed pipe ends it at once and silently, Ctrl-C ends it with 130.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from ess import interrupts
from ess.errors import EssError, OutOfMemory, OutputWriteError, ProgramFault, SystemFailure
from ess.tools import freed_memory

#: The exit code that a shell reports for a command ended by Ctrl-C.
INTERRUPTED = 130


def run_tool(name: str, main: Callable[[list[str]], int]) -> NoReturn:
    """Run a tool as this process: ``main`` gets the arguments and its result is the exit code.

    The process ends without the interpreter's teardown, which would cost as long as a small run
    once the engines are loaded; what was printed has been flushed before.
    """
    # Python ignores SIGPIPE; a filter whose reader has gone must end at once instead.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    freed_memory.keep()
    code = exit_code(name, lambda: main(sys.argv[1:]))
    if sys.stderr is not None:  # the caller may have closed it
        with contextlib.suppress(OSError):
            sys.stderr.flush()
    if code == INTERRUPTED:
        interrupts.end()
    os._exit(code)


def exit_code(name: str, work: Callable[[], int]) -> int:
    """Do a tool's work, report its failure on stderr, and return the exit code."""
    try:
        code = work()
        flush_stdout()
        return code
    except EssError as error:
        _flush_rows_before(error)
        return _report(name, error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _die_of_broken_pipe()
    except MemoryError:
        return _report(name, OutOfMemory("out of memory", hint="process fewer records or columns at a time"))
    except OSError as error:
        return _report(name, SystemFailure(error.strerror or str(error), where=str(error.filename or "")))
    except SystemExit:
        raise  # from a module of the user's
    except BaseException as error:  # a panic of Polars is none of the kinds above
        return _report(name, ProgramFault.of(error))


def asks_for_help(argv: list[str]) -> bool:
    """True if the command line begins with ``-h`` or ``--help``."""
    return bool(argv) and argv[0] in ("-h", "--help")


def let_interrupts_through() -> None:
    """Make Ctrl-C end a read that waits for input; call it once the engines are loaded.

    Polars puts a handler of its own before Python's, and one that lets an interrupted read go on:
    the interrupt would be noticed only when more input arrives.
    """
    signal.siginterrupt(signal.SIGINT, True)


def flush_stdout() -> None:
    """Hand what was printed to the system; a full disk is an OutputWriteError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputWriteError(error.strerror or str(error), where="stdout") from error


def _flush_rows_before(error: EssError) -> None:
    """Print the rows before a bad record first: they have been output by definition."""
    if isinstance(error, OutputWriteError):
        return
    with contextlib.suppress(EssError, BrokenPipeError):
        flush_stdout()


def _report(name: str, error: EssError) -> int:
    from ess.settings import concealed  # only a failure needs it

    text = concealed(str(error))
    line = text if text.startswith(f"{name}:") else f"{name}: {text}"
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)
    with contextlib.suppress(OSError, EssError):
        from ess.pipeline.counts import leave_failure  # only a failure needs it

        leave_failure(name, error.exit_code)
    return error.exit_code


def _die_of_broken_pipe() -> int:
    """End the process by SIGPIPE where that has not happened by itself (a socket, say)."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE  # not reached unless the signal is blocked
