"""The limits after which machines stop by themselves, as pure decisions.

They are kept on the machines (``timer``), so that they hold when nobody looks any more. A machine that shuts down is
stopped, and its disk is kept, unless it was ordered so that nothing of it is left (:func:`on_shutdown`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ess.errors import OptionError

#: Minutes before the end from which commands warn.
WARN_MINUTES = 15


@dataclass(frozen=True)
class Limits:
    """The limits as the user has given them.

    Attributes:
        idle: Minutes without a job or a command of the database; 0 for no such limit.
        max_age: Hours since the cluster was made; 0 for no such limit.
        budget: Dollars for the machines that are made together; 0 for no such limit.
    """

    idle: int = 30
    max_age: float = 0.0
    budget: float = 0.0

    def check(self) -> None:
        """Refuse limits that make no sense.

        Raises:
            OptionError: If one is negative, or no number.
        """
        for name, value in (("--idle", self.idle), ("--max-age", self.max_age), ("--budget", self.budget)):
            if not 0 <= value < float("inf"):
                raise OptionError(f"bad limit {value}", where=name, hint="give a positive number, or 0 for no limit")


@dataclass(frozen=True)
class Deadlines:
    """The limits of one machine, as its timer knows them; 0 for none.

    Attributes:
        idle: Minutes without work.
        ends: Seconds since 1970.
        runs: Minutes that it may run in all, over all its starts.
    """

    idle: int = 0
    ends: int = 0
    runs: int = 0


class Reason(enum.StrEnum):
    """The reasons for a machine to stop."""

    IDLE = "idle"
    AGE = "max-age"
    BUDGET = "budget"


def deadlines(limits: Limits, created: int, machines: int, hourly: float | None) -> Deadlines:
    """The limits of each of some machines that are made together.

    Args:
        limits: As the user has given them.
        created: The time that the cluster was made, in seconds since 1970.
        machines: How many share the budget.
        hourly: What a machine costs in an hour; None if nobody knows.

    Raises:
        OptionError: If there is a budget, and no price.

    >>> deadlines(Limits(30, 2, 1.0), 1000, 2, 0.1)
    Deadlines(idle=30, ends=8200, runs=300)
    """
    limits.check()
    runs = 0
    if limits.budget:
        if hourly is None:
            raise OptionError("the price of these machines is not known", where="--budget", hint="give --price as well")
        runs = int(limits.budget / machines / hourly * 60) if hourly > 0 else 0
        if hourly > 0 and runs < 1:
            raise OptionError(
                f"{limits.budget:g} dollars are less than a minute of {machines} machines at {hourly:g} an hour",
                where="--budget",
                hint="give more, or make fewer",
            )
    return Deadlines(limits.idle, created + round(limits.max_age * 3600) if limits.max_age else 0, runs)


def due(limits: Deadlines, now: int, ran: int, idle: int) -> Reason | None:
    """The reason to stop now; None if there is none. It is what the timer decides each minute.

    Args:
        limits: Those of the machine.
        now: Seconds since 1970.
        ran: Minutes that it has run in all.
        idle: Minutes without work.
    """
    if limits.ends and now >= limits.ends:
        return Reason.AGE
    if limits.runs and ran >= limits.runs:
        return Reason.BUDGET
    return Reason.IDLE if limits.idle and idle >= limits.idle else None


def minutes_left(limits: Deadlines, now: int, ran: int) -> tuple[int, Reason] | None:
    """The minutes until a machine ends whatever it does, and why; None if it does not.

    >>> minutes_left(Deadlines(ends=600, runs=100), 0, 95)
    (5, <Reason.BUDGET: 'budget'>)
    """
    found = []
    if limits.ends:
        found.append((max(0, (limits.ends - now) // 60), Reason.AGE))
    if limits.runs:
        found.append((max(0, limits.runs - ran), Reason.BUDGET))
    return min(found, default=None)


def warning(limits: Deadlines, now: int, ran: int) -> str | None:
    """A line for commands and for ``status`` when a machine is about to end; None while there is time.

    >>> warning(Deadlines(ends=600), 0, 0)
    'the machines end in 10 minutes (--max-age)'
    """
    left = minutes_left(limits, now, ran)
    if left is None or left[0] > WARN_MINUTES:
        return None
    return f"the machines end in {left[0]} minute{'' if left[0] == 1 else 's'} (--{left[1]})"


def on_shutdown(limits: Limits, *, spot: bool) -> str:
    """The meaning of a shutdown for EC2: ``stop`` keeps the disk, ``terminate`` leaves nothing.

    Machines that may be idle are stopped, so that the database comes back. Those of the spot market cannot be; and
    without a limit of idleness a shutdown means that their time or money is up.
    """
    return "terminate" if spot or (not limits.idle and (limits.max_age or limits.budget)) else "stop"
