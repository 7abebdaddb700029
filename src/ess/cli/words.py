"""Words of the command line as values, without pydantic where a word needs no look at it.

Typer has pydantic convert every value. To load it and build its validators takes 0.1 s, half of the start of ``ess``;
what our options are made of (text, switches, whole numbers, one of a few words) needs one line each. Whatever is not
plainly right is left to Typer, which says what is wrong with it.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer.core
from typer._coercion import RuntimeParam, TypeDescriptor, build_runtime_param

if TYPE_CHECKING:
    from typer._click import Context
    from typer.core import _TyperParameter

_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class _Plain(RuntimeParam):
    """The conversion of one parameter's values."""

    descriptor: TypeDescriptor

    def _coerce_value(self, value: Any, param: _TyperParameter, ctx: Context) -> Any:
        kind = self.annotation
        if kind is str and type(value) is str:
            return value
        if kind is bool and type(value) is bool:
            return value
        if kind is int and not self.descriptor.is_ranged and _WHOLE_NUMBER.fullmatch(str(value)):
            return int(value)
        if kind == list[str] and isinstance(value, (list, tuple)) and all(type(each) is str for each in value):
            return list(value)
        if isinstance(kind, type) and issubclass(kind, enum.StrEnum) and value in [*kind]:
            return kind(value)
        return build_runtime_param(self.descriptor)._coerce_value(value, param=param, ctx=ctx)


def convert_without_pydantic() -> None:
    """Have Typer convert the values of all commands of this process this way."""

    def plain(descriptor: TypeDescriptor) -> RuntimeParam:
        return _Plain(descriptor.parameter_info, descriptor.annotation, descriptor)

    typer.core.build_runtime_param = plain  # type: ignore[attr-defined]  # its name for what it imports
