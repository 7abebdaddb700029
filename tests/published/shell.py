"""A shell as a user has it, and the result files to compare with."""

from __future__ import annotations

import gzip
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Shell:
    """Runs command lines in a folder, and keeps what they said."""

    folder: Path
    environment: dict[str, str]
    workers: int = 0

    def run(self, command: str, *, code: int = 0, seconds: float = PATIENCE) -> bytes:
        """The standard output of a command line that must end with ``code``."""
        return self.both(command, code=code, seconds=seconds)[0]

    def both(self, command: str, *, code: int = 0, seconds: float = PATIENCE) -> tuple[bytes, str]:
        """Standard output and standard error of a command line that must end with ``code``."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        errors = done.stderr.decode("utf-8", "replace")
        assert done.returncode == code, f"{command}\nended with {done.returncode}:\n{errors}\n{done.stdout[-2000:]!r}"
        assert "Traceback" not in errors, errors
        return done.stdout, errors


def unpacked(path: Path) -> bytes:
    """The content of a gzip file."""
    return gzip.decompress(path.read_bytes())
