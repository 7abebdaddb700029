"""Choosing an engine for a program."""

from __future__ import annotations

from ess import settings
from ess.engines.base import Runner, Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.rowwise import compile_rowwise
from ess.language.program import Program


def compile_program(program: Program, engine: str = "auto") -> Runner:
    """Compile ``program`` for the engine that suits it; both engines give the same results.

    Args:
        program: A checked chain of rules.
        engine: ``row``, ``columnar``, or ``auto`` for what ``ESS_ENGINE`` says. ``auto`` and
            ``columnar`` leave to the row engine what the columnar engine declares unsupported.

    Raises:
        OptionError: If ``ESS_ENGINE`` names no engine.
    """
    if engine == "auto":
        engine = settings.engine()
    if engine == "row":
        return compile_rowwise(program)
    try:
        return compile_columnar(program)
    except Unsupported:
        return compile_rowwise(program)
