"""Choosing an engine for a program."""

from __future__ import annotations

import os

from ess.engines.base import Runner, Unsupported
from ess.engines.columnar import compile_columnar
from ess.engines.rowwise import compile_rowwise
from ess.errors import OptionError
from ess.language.program import Program

#: What may be asked for. Both "auto" and "columnar" leave to the row engine what the columnar
#: engine declares unsupported.
ENGINES = ("auto", "row", "columnar")

#: The environment variable that decides where the caller does not.
ENGINE_VARIABLE = "ESS_ENGINE"


def compile_program(program: Program, engine: str = "auto") -> Runner:
    """Compile ``program`` for the engine that suits it; all engines give the same results.

    Args:
        program: A checked chain of rules.
        engine: One of ``ENGINES``; ``ESS_ENGINE`` replaces "auto".

    Raises:
        OptionError: If there is no such engine.
    """
    name = os.environ.get(ENGINE_VARIABLE, engine) if engine == "auto" else engine
    if name not in ENGINES:
        raise OptionError(f"no engine '{name}'", where=ENGINE_VARIABLE, hint=f"use one of {' '.join(ENGINES)}")
    if name == "row":
        return compile_rowwise(program)
    try:
        return compile_columnar(program)
    except Unsupported:
        return compile_rowwise(program)
