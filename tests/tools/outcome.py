"""The outcome of a tool: its end and its output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The outcome of a tool: its end and its output."""

    code: int
    out: str
    err: str


Tool = Callable[..., Outcome]
