"""The settings of a work: a category of files on this disk or in a store on this machine, a bucket, or an index."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import BenchError
from bench.work import tool

#: The bucket of all servers.
BUCKET = "bench"


@dataclass(frozen=True)
class Lake:
    """Settings of their own.

    Args:
        folder: For the settings.
        server: The module of a server of S3, and its words behind the name of the bucket; without it, this disk.
        commands: Run once the datastore is chosen.
    """

    folder: Path
    server: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    _settings: dict[str, str] = field(default_factory=dict)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which commands find them; filled by :meth:`begin`."""
        self._settings["ESS_CACHE_DIR"] = str(self.folder.absolute())
        return self._settings

    def begin(self) -> None:
        """Start the server, choose the datastore, and run the commands."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.server:
            self._start_server()
        self._run(tool("ess"), "select", f"s3://{BUCKET}" if self.server else "local")
        for command in self.commands:
            self._run(*command)

    def end(self) -> None:
        """Remove all."""
        while self._started:
            server = self._started.pop()
            server.terminate()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_server(self) -> None:
        module, *words = self.server
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        program = (sys.executable, "-m", module, BUCKET, *words)
        server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment)
        self._started.append(server)
        assert server.stdout is not None
        self._settings.update(
            {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        )

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"{' '.join(command)[:300]}: {done.stderr.strip()}")


def sales(folder: Path, files: Path, columns: tuple[str, ...], *, bucket: bool = False) -> Lake:
    """Settings under which a category ``sales`` has all files of a folder.

    Args:
        folder: For the settings.
        files: The folder with the files, and nothing else.
        columns: Those of the category.
        bucket: The files are read from a bucket.
    """
    pattern = "*" if bucket else f"{files.absolute()}/*"
    add = ("category", "add", "sales", pattern, "--columnspec", shlex.join(columns), "--dateregex", "none")
    return Lake(folder, ("bench.static_s3", str(files)) if bucket else (), ((tool("ess"), *add),))
