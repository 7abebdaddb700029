"""The surroundings of a user, in place of those of the process: environment, current folder and umask.

A program that serves several users, as a web page does, enters the workspace of each while it works for that user;
several can be entered at once, in threads or tasks of their own. Without one, the surroundings are the process's, as
for a command. Everything that reads an environment variable, a relative path or the umask asks here.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from ess.errors import SystemFailure

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True, repr=False)
class Workspace:
    """The surroundings of one user.

    Attributes:
        folder: The current folder, absolute: relative paths and commands start there.
        environment: All environment variables, with ``ESS_CACHE_DIR`` and the like. They may be secret.
        umask: The rights that new files of commands do not get.
    """

    folder: str
    environment: Mapping[str, str]
    umask: int

    def __repr__(self) -> str:
        """The folder only."""
        return f"Workspace({self.folder!r})"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Work for this user, in this thread or task."""
        token = _entered.set(self)
        try:
            yield
        finally:
            _entered.reset(token)


_entered: contextvars.ContextVar[Workspace | None] = contextvars.ContextVar("workspace", default=None)


def environment() -> Mapping[str, str]:
    """The environment variables of the user."""
    workspace = _entered.get()
    return os.environ if workspace is None else workspace.environment


def umask() -> int:
    """The umask of the user."""
    workspace = _entered.get()
    return process_umask() if workspace is None else workspace.umask


def is_process_folder(folder: str) -> bool:
    """True if a path is the current folder of the process."""
    try:
        return folder == os.getcwd()  # noqa: PTH109 - for each file of a stream
    except OSError:
        return False


def process_umask() -> int:
    """The umask of the process. It is read without changing it, as other threads write files."""
    with open("/proc/self/status", "rb") as file:  # noqa: PTH123 - not a file of the user
        for line in file:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    return 0o077


def current_folder() -> str:
    """The current folder of the user.

    Raises:
        SystemFailure: If it does not exist any more.
    """
    workspace = _entered.get()
    if workspace is not None:
        return workspace.folder
    try:
        return str(Path.cwd())
    except FileNotFoundError as error:
        raise SystemFailure(
            "the current folder no longer exists", where="current folder", hint="cd to another folder"
        ) from error


def absolute(path: str | Path) -> Path:
    """A path seen from the current folder of the user, whose home folder ``~`` is.

    Raises:
        SystemFailure: If the current folder or the home folder does not exist.
    """
    expanded = expand_user(os.fspath(path))
    return Path(expanded) if expanded.startswith("/") else Path(current_folder(), expanded)


def expand_user(path: str) -> str:
    """A path with the home folder of the user in place of ``~``."""
    home = environment().get("HOME")
    if home and (path == "~" or path.startswith("~/")):
        return home.rstrip("/") + path[1:] if home != "/" or path == "~" else path[1:]
    return os.path.expanduser(path)  # noqa: PTH111 - another user's, or without HOME; an unknown user stays as written


def carried(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function that works in the workspace of its maker, also in another thread. It can be called once at a time."""
    context = contextvars.copy_context()

    def run(*arguments: _P.args, **options: _P.kwargs) -> _R:
        return context.run(work, *arguments, **options)

    return run
