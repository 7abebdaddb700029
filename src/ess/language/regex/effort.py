"""The effort of a backtracking engine for a pattern, judged while the pattern is translated."""

from __future__ import annotations

import math

#: Steps that a search may take without a watch on the time: a few seconds, fewer than its limit.
_STEPS = 2 * 10**8
#: Choices, each of which may double the work.
_MANY_CHOICES = 16
#: A counted repetition from which on it counts as an endless one.
_MANY_TIMES = 20
#: The length up to which even a pattern of exponential effort ends at once.
SHORT = 20


class Effort:
    """A judge of effort: it is told of groups, alternatives and repetitions in the order of the pattern."""

    def __init__(self) -> None:
        self.alternatives = False
        self.repeated_group = False
        self.back_reference = False
        self.anchored = False
        self.recursion = False
        self._nested = False
        self._endless = 0
        self._choices = 0
        self._varies = [False]  # whether what the open groups hold can match in several ways
        self._closed = False

    def open(self) -> None:
        """A group begins."""
        self._varies.append(False)

    def close(self) -> None:
        """A group ends."""
        if len(self._varies) > 1:
            self._closed = self._varies.pop()
            self._varies[-1] = self._varies[-1] or self._closed

    def alternative(self) -> None:
        """A ``|``."""
        self.alternatives = True
        self._varies[-1] = True
        self._choices += 1

    def refer_back(self) -> None:
        """A reference to what a group matched."""
        self.back_reference = True
        self._varies[-1] = True

    def repeat(self, least: int, most: int | None, *, group: bool) -> None:
        """Count a repetition of the group or byte before it; None means without end."""
        if group:
            self.repeated_group = True
            self._nested = self._nested or (self._closed and most != 0 and most != 1)
        if most is None or (most != least and most > _MANY_TIMES):
            self._endless += 1
        elif most != least:
            self._choices += 1
        if most != least:
            self._varies[-1] = True

    @property
    def greedy_is_longest(self) -> bool:
        """True if a greedy engine's first match is the longest, with the groups that POSIX wants."""
        return not (self.alternatives or self.repeated_group or self.back_reference)

    @property
    def unwatched(self) -> int:
        """The length of a value up to which a search ends soon; -1 if that is never certain."""
        if self.recursion:
            return -1
        if self._nested or self._choices > _MANY_CHOICES or (self.back_reference and self._endless):
            return SHORT
        degree = self._endless + (0 if self.anchored and self._endless else 1)
        # Pieces without end share n bytes in n ** degree / degree! ways.
        return int((_STEPS * math.factorial(min(degree, 20)) >> self._choices) ** (1 / degree))
