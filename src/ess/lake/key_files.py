"""Files of keys, as Amazon's console hands them out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ess.errors import InputDataError, InputOpenError
from ess.surroundings import absolute

_KEY = "access key id"
_SECRET = "secret access key"  # noqa: S105 - the name of a column
_LARGEST = 1 << 20


def read_key_file(path: Path) -> tuple[str, str]:
    """The access key and the secret key in a CSV file: the columns ``Access Key Id`` and ``Secret Access Key``.

    The console's older files have ``User Name`` before them; upper and lower case do not matter.

    Raises:
        InputOpenError: If it cannot be read.
        InputDataError: If it has no such columns, or nothing in them; nothing of it is repeated.
    """
    try:
        with absolute(path).open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        hint = "name the CSV file with your key that Amazon's console has handed out"
        raise InputOpenError(f"cannot read it ({error.strerror})", where=f"--credentials {path}", hint=hint) from error
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"), newline="")))
    for row in rows:
        values = {str(name).strip().lower(): str(value or "").strip() for name, value in row.items()}
        if values.get(_KEY) and values.get(_SECRET):
            return values[_KEY], values[_SECRET]
    raise InputDataError(
        "it has no key",
        where=f"--credentials {path}",
        hint="give the CSV file of the console: a line of titles with Access Key Id and Secret Access Key, then a key",
    )
