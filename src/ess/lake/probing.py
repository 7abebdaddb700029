"""Probing: reading the beginnings of a few files to find out how a category's data is laid out."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ess.errors import EssError, InputReadError, OptionError
from ess.formats.dialect import Dialect, find_dialect
from ess.lake.categories import shown_delimiter
from ess.lake.content import COMPRESSIONS, THIS_DISK, compression_of, open_data, open_raw
from ess.lake.entry import FileEntry
from ess.stores.kinds import Access

#: How many bytes of content are read of each sample file.
SAMPLE_BYTES = 256 << 10
_SAMPLE_FILES = 3
_PREPROCESS_SECONDS = 60


@dataclass(frozen=True)
class ProbeResult:
    """The result of probing: the compression by name (or ``mixed``), the dialect, the file whose lines it shows."""

    compression: str
    dialect: Dialect
    file: FileEntry | None

    @property
    def shown_delimiter(self) -> str:
        """The delimiter as text for people, see :func:`shown_delimiter`."""
        return shown_delimiter(self.dialect.delimiter)


def probe_files(
    files: Sequence[FileEntry],
    *,
    compression: str | None = None,
    delimiter: str | None = None,
    preprocess: str = "",
    sample_bytes: int = SAMPLE_BYTES,
    source: Access = THIS_DISK,
) -> ProbeResult:
    """Probe the first, the last and a middle one of ``files`` (those with content).

    Args:
        files: In their order.
        compression: The compression the files must have (``none``: take the bytes as they are).
        delimiter: The delimiter, if it is known.
        preprocess: A shell command that the data goes through first.
        sample_bytes: How much of each file's content to read.
        source: Where the files are.

    Raises:
        OptionError: If the preprocess command fails.
        InputReadError: If none of the files can be read, or they have another compression.
    """
    filled = [entry for entry in files if entry.size > 0]
    chosen = [filled[index] for index in sorted({0, len(filled) // 2, len(filled) - 1})] if filled else []
    samples: list[bytes] = []
    sampled: list[FileEntry] = []
    failure: EssError | None = None
    for entry in chosen[:_SAMPLE_FILES]:
        try:
            samples.append(_sample(entry, compression, sample_bytes, source))
            sampled.append(entry)
        except EssError as error:
            failure = failure or error
    if failure is not None and not samples:
        raise failure
    if not samples:
        return ProbeResult(compression or "none", find_dialect([]), None)
    found = {_compression_of(entry, source) for entry in sampled}
    if preprocess:
        samples = [_preprocessed(sample, preprocess) for sample in samples]
    name = compression or (found.pop() if len(found) == 1 else "mixed")
    return ProbeResult(name, find_dialect(samples, delimiter=delimiter), sampled[0])


def _compression_of(entry: FileEntry, source: Access) -> str:
    with open_raw(entry, source) as file:
        return compression_of(file.read(512))


def check_compression(name: str) -> str:
    """The compression of that name, in lower case.

    Raises:
        OptionError: If there is none.
    """
    if name.lower() not in COMPRESSIONS:
        raise OptionError(
            f"unknown compression '{name}'", where="--compression", hint=f"known are {' '.join(COMPRESSIONS)}"
        )
    return name.lower()


def _sample(entry: FileEntry, compression: str | None, size: int, source: Access) -> bytes:
    pieces: list[bytes] = []
    got = 0
    with open_data(entry, compression or "", source) as file:
        try:
            while got < size and (piece := file.read(min(size - got, 1 << 16))):
                pieces.append(piece)
                got += len(piece)
        except InputReadError:
            if not got:  # the part before the damage is a good sample
                raise
    content = b"".join(pieces)
    if got >= size and b"\n" in content:
        return content[: content.rindex(b"\n") + 1]
    # a whole file's last line is complete, also without a line end
    return content + b"\n" if content and got < size else content


def _preprocessed(sample: bytes, command: str) -> bytes:
    try:
        done = subprocess.run(
            ["bash", "-c", command], input=sample, capture_output=True, timeout=_PREPROCESS_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise OptionError(
            f"the command ran for more than {_PREPROCESS_SECONDS} seconds",
            where="--preprocess",
            hint="try it on a file",
        ) from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f": {lines[-1]}" if lines else ""
        raise OptionError(f"the command fails with exit code {done.returncode}{reason}", where="--preprocess")
    return done.stdout
