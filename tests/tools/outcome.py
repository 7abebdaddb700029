"""How a tool ended and what it printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """How a tool ended and what it printed."""

    code: int
    out: str
    err: str


Tool = Callable[..., Outcome]
