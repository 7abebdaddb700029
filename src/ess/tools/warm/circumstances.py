"""The inheritance of a command from its caller, besides arguments, folder and descriptors."""

# ruff: noqa: PTH116, PTH123
from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from dataclasses import dataclass

import psutil

_LIMITS = tuple(sorted(name for name in dir(resource) if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"))
#: Signals that a caller may have told its commands to ignore, as ``nohup`` does.
_IGNORABLE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
#: Variables that may differ from one command of a process to the next: shells set these for themselves, and those of
#: Essentia are read each time they are asked for (``ess.settings``).
_CHANGING = (b"_", b"OLDPWD", b"SHLVL")
_CHANGING_PREFIX = b"ESS_"
#: What a process may do and see, which another one cannot take on.
_RIGHTS = (b"Uid", b"Gid", b"Groups", b"CapInh", b"CapPrm", b"CapEff", b"CapBnd", b"CapAmb", b"NoNewPrivs", b"Seccomp")
_NAMESPACES = ("ipc", "mnt", "net", "pid", "user", "uts")


@dataclass(frozen=True)
class Circumstances:
    """The circumstances that two commands must share to run in one process, one after the other.

    Attributes:
        environment: The entries of the environment, ``NAME=value``, sorted, without those that may change.
        umask: The file mode mask.
        niceness: The scheduling priority, -20 to 19.
        processors: The processors that the caller may use.
        limits: Of each resource limit its number, soft and hard value.
        ignored: The numbers of the signals that are ignored.
    """

    environment: tuple[bytes, ...]
    umask: int
    niceness: int
    processors: frozenset[int]
    limits: tuple[tuple[int, int, int], ...]
    ignored: tuple[int, ...]

    @property
    def lasting(self) -> bool:
        """True if a process can serve several commands: not if the kernel adds up their processor time."""
        return all(soft == resource.RLIM_INFINITY for number, soft, _ in self.limits if number == resource.RLIMIT_CPU)


def circumstances_of(process: int, environment: list[bytes]) -> Circumstances:
    """The circumstances of a living process, with the environment that it sent.

    Raises:
        OSError: If the kernel does not tell; the process belongs to somebody else, or is not seen from here.
        ValueError: If what it tells is incomplete.
    """
    with open(f"/proc/{process}/status", "rb") as file:
        told = dict(line.split(b":", 1) for line in file if b":" in line)
    try:
        umask, mask = int(told[b"Umask"], 8), int(told[b"SigIgn"], 16)
    except KeyError as error:
        raise ValueError(f"the kernel does not tell {error} of a process") from error
    limits = []
    for name in _LIMITS:
        number: int = getattr(resource, name)
        limits.append((number, *resource.prlimit(process, number)))
    lasting = [
        entry
        for entry in environment
        if not entry.startswith(_CHANGING_PREFIX) and entry.partition(b"=")[0] not in _CHANGING
    ]
    return Circumstances(
        tuple(sorted(lasting)),
        umask,
        os.getpriority(os.PRIO_PROCESS, process),
        frozenset(os.sched_getaffinity(process)),
        tuple(limits),
        tuple(number for number in _IGNORABLE if mask >> number - 1 & 1),
    )


def rights_of(process: int) -> tuple[object, ...]:
    """The user, groups, rights, namespaces, root folder and blocked signals of a process.

    Raises:
        OSError: If the kernel does not tell.
    """
    with open(f"/proc/{process}/status", "rb") as file:
        told = dict(line.split(b":", 1) for line in file if b":" in line)
    blocked = int(told[b"SigBlk"], 16) if b"SigBlk" in told else 0
    places = [os.stat(f"/proc/{process}/{name}") for name in ("root", *(f"ns/{each}" for each in _NAMESPACES))]
    return (*(told.get(name) for name in _RIGHTS), blocked, *((place.st_dev, place.st_ino) for place in places))


def standing_of(process: int) -> tuple[object, ...]:
    """The share of the machine that a process has: of its control group, and by the kernel's order of what comes first.

    Raises:
        OSError: If the kernel does not tell.
    """
    told = []
    for name in ("cgroup", "oom_score_adj", "attr/current"):
        try:
            with open(f"/proc/{process}/{name}", "rb") as file:
                told.append(file.read())
        except OSError:  # this kernel has none
            told.append(b"")
    scheduler = os.sched_getscheduler(process), os.sched_getparam(process).sched_priority
    try:
        return (*told, scheduler, *psutil.Process(process).ionice())
    except psutil.Error as error:
        raise ProcessLookupError(str(error)) from error


def take(circumstances: Circumstances) -> None:
    """Make them those of this process, but for the environment.

    Raises:
        OSError, ValueError: If this process may not have them, e.g. a limit above its own.
    """
    os.umask(circumstances.umask)
    if os.getpriority(os.PRIO_PROCESS, 0) != circumstances.niceness:
        os.setpriority(os.PRIO_PROCESS, 0, circumstances.niceness)
    if os.sched_getaffinity(0) != circumstances.processors:
        os.sched_setaffinity(0, circumstances.processors)
    for number, soft, hard in circumstances.limits:
        if resource.getrlimit(number) != (soft, hard):
            resource.setrlimit(number, (soft, hard))
    for number in circumstances.ignored:
        signal.signal(number, signal.SIG_IGN)


def take_environment(entries: list[bytes]) -> None:
    """Make the entries, ``NAME=value``, the environment of this process, its time zone included."""
    wanted = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
    for name in [name for name in os.environb if name not in wanted]:
        del os.environb[name]
    for name, value in wanted.items():
        if os.environb.get(name) != value:
            with contextlib.suppress(ValueError):  # an empty name, which nothing can ask for
                os.environb[name] = value
    time.tzset()
