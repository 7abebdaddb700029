"""A category for a work: settings of its own, and the files on this disk or in a store on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench import static_s3
from bench.process import BenchError
from bench.work import tool

_BUCKET = "bench"


@dataclass(frozen=True)
class Lake:
    """The settings under which a category ``sales`` has all files of a folder.

    Args:
        folder: For the settings.
        files: The folder with the files, and nothing else.
        columns: Those of the category.
        bucket: The files are read from a bucket.
    """

    folder: Path
    files: Path
    columns: tuple[str, ...]
    bucket: bool = False
    _settings: dict[str, str] = field(default_factory=dict)
    _server: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which our commands find them; filled by :meth:`begin`."""
        self._settings["ESS_CACHE_DIR"] = str(self.folder.absolute())
        return self._settings

    def begin(self) -> None:
        """Make the category."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        source, pattern = "local", f"{self.files.absolute()}/*"
        if self.bucket:
            source, pattern = f"s3://{_BUCKET}", "*"
            program = (sys.executable, static_s3.__file__, _BUCKET, str(self.files))
            self._server.append(subprocess.Popen(program, stdout=subprocess.PIPE, text=True))
            output = self._server[0].stdout
            assert output is not None
            self._settings.update(
                {
                    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{output.readline().strip()}",
                    "AWS_ACCESS_KEY_ID": "bench",
                    "AWS_SECRET_ACCESS_KEY": "bench",
                    "AWS_EC2_METADATA_DISABLED": "true",
                }
            )
        self._run(tool("ess"), "select", source)
        spec = shlex.join(self.columns)
        self._run(tool("ess"), "category", "add", "sales", pattern, "--columnspec", spec, "--dateregex", "none")

    def end(self) -> None:
        """Remove it."""
        while self._server:
            server = self._server.pop()
            server.terminate()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{' '.join(command)[:300]}: {done.stderr.strip()}")
