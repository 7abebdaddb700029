"""The error tree: every failure a user can meet is one of these.

An error says what went wrong, where, and what to try; its class fixes the exit code.
The codes are those of the reference manuals (section "Exit Status" of ``aq_pp`` and
``aq_udb``). Foreign exceptions are translated where they enter; only ``ess.cli`` and
``ess.tools`` turn an error into an exit.
"""

from __future__ import annotations

from typing import ClassVar


class EssError(Exception):
    """A failure with a cause, a place and a way out.

    Args:
        what: What went wrong, as one clause without a final full stop.
        where: The option, file, record, column, server or setting it concerns.
        hint: What the user can try.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """One line, free of control characters: ``where: what; hint``."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.hint:
            text = f"{text}; {self.hint}"
        return printable(text)


class EssWarning(UserWarning):
    """Something that a user should know, and that stops nothing; ``ess`` prints it on stderr."""


def printable(text: str) -> str:
    """``text`` with control characters escaped, so that names cannot forge log lines."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class OutOfMemory(EssError):
    """A memory limit was reached (exit code 1)."""

    exit_code = 1


class OptionError(EssError):
    """A wrong option, column spec, expression or argument (exit code 2)."""

    exit_code = 2


class CategoryExists(OptionError):
    """A category of that name is there already (exit code 2)."""


class InitializationError(EssError):
    """A part could not be made ready (exit code 3)."""

    exit_code = 3


class SystemFailure(EssError):
    """The operating system refused (exit code 4)."""

    exit_code = 4


class InputOpenError(EssError):
    """An input could not be opened (exit code 11)."""

    exit_code = 11


class InputReadError(EssError):
    """An input broke off or its compression is damaged (exit code 12)."""

    exit_code = 12


class InputDataError(EssError):
    """A record was rejected (exit code 13)."""

    exit_code = 13


class OutputOpenError(EssError):
    """An output could not be opened (exit code 21)."""

    exit_code = 21


class OutputWriteError(EssError):
    """An output could not be written (exit code 22)."""

    exit_code = 22


class UdbConnectError(EssError):
    """A UDB server cannot be reached (exit code 31)."""

    exit_code = 31


class UdbCommunicationError(EssError):
    """A UDB server was lost during a request (exit code 32)."""

    exit_code = 32


class UdbAuthenticationError(EssError):
    """A UDB server did not accept the token, or its certificate was wrong (exit code 33)."""

    exit_code = 33


class ProgramFault(EssError):
    """An internal error of the program (exit code 70)."""

    exit_code = 70

    @classmethod
    def of(cls, error: BaseException) -> ProgramFault:
        """That of an exception that nobody has foreseen: what it says, and where it was raised."""
        place, last = "", error.__traceback__
        while last is not None:
            code = last.tb_frame.f_code
            if "/ess/" in code.co_filename:
                place = f" ({code.co_filename.rpartition('/ess/')[2]}, line {last.tb_lineno})"
            last = last.tb_next
        text = " ".join(str(error).split())
        return cls(
            f"unexpected {type(error).__name__}{': ' if text else ''}{text}{place}",
            hint="this is a fault of the program; please report it",
        )


class UdbRequestError(EssError):
    """A UDB server cannot do what was asked, e.g. an unknown database (exit code 34)."""

    exit_code = 34
