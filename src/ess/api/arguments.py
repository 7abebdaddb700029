"""Arguments of a wrong Python type: one line that names the argument, in place of an error from deep inside."""

from __future__ import annotations

# Read by type checkers only. The module typing itself would cost each aq_* start more than all of this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """True for a whole number, also one of numpy or Polars."""
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    # A single string is a sequence of strings too, but sort="price" means one column and not five.
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _is_sink(value: object) -> bool:
    return callable(getattr(value, "write", None))


def _is_anything(value: object) -> bool:
    return True


#: What an annotation of a public function stands for: its test, and how an error names it.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "a str"),
    "bool": (_is_switch, "True or False"),
    "int": (is_number, "an int"),
    "Sequence[str]": (_is_texts, "a list or tuple of str"),
    "Sink": (_is_sink, "a binary file open for writing"),
    "Callable": (callable, "a function"),
    # Which of the two is told by the option that it is for.
    "str | bool": (_is_anything, "a str or True or False"),
    # Dates have rules of their own (ess.lake.ranges.bound_text).
    "str | date": (_is_anything, "a date"),
}


def checked(function: F) -> F:
    """Make a public function refuse arguments of a wrong type with an OptionError that names the argument.

    An argument that is missing, unknown or given twice stays the TypeError that Python makes of it.

    Raises:
        KeyError: When the module is imported, for an annotation that has no row in the table.
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    kinds = {name: function.__annotations__[name] for name in names}
    for annotation in kinds.values():
        _kind(annotation)

    # Not a plumbing of options: what comes in goes on unchanged.
    def call(*arguments: object, **options: object) -> object:
        for name, value in [*zip(names, arguments, strict=False), *options.items()]:
            if name in kinds:
                refuse_other(function.__name__, name, value, kinds[name])
        return function(*arguments, **options)

    call.__name__ = function.__name__
    call.__qualname__ = function.__qualname__
    call.__module__ = function.__module__
    call.__doc__ = function.__doc__
    call.__annotations__ = function.__annotations__
    call.__wrapped__ = function  # type: ignore[attr-defined]  # inspect.signature, help() and doctest look there
    return call  # type: ignore[return-value]


def _kind(annotation: str) -> tuple[Callable[[Any], bool], str, bool]:
    plain = annotation.removesuffix(" | None")
    return (*_KINDS["Callable" if plain.startswith("Callable[") else plain], plain != annotation)


def refuse_other(function: str, name: str, value: object, annotation: str) -> None:
    """Refuse a value that is not what an argument's annotation says.

    Raises:
        OptionError: It names the function and the argument.
    """
    accepts, description, may_be_none = _kind(annotation)
    if (value is None and may_be_none) or accepts(value):
        return
    from ess.errors import OptionError

    raise OptionError(
        f"{name} must be {description}{' or None' if may_be_none else ''}, not {type(value).__name__}",
        where=f"ess.{function}",
    )
