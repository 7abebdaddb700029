"""The works of the data lake: listings, the index, and names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench import listing_s3, programs
from bench.data import Data
from bench.equal import Columns
from bench.process import BenchError
from bench.work import OUT, Contestant, Goal, Work, python, tool

_BUCKET = "bench"


@dataclass(frozen=True)
class _Lake:
    """Settings of their own, for a bucket with keys alone or an index without files.

    Args:
        folder: For the settings.
        keys: The number of keys of a bucket.
        indexed: The number of files in the index of this disk, in fifty categories and in one.
    """

    folder: Path
    keys: int = 0
    indexed: int = 0
    _settings: dict[str, str] = field(default_factory=dict)
    _server: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which commands find them; filled by :meth:`begin`."""
        self._settings["ESS_CACHE_DIR"] = str(self.folder.absolute())
        return self._settings

    def begin(self) -> None:
        """Start the server, or fill the index."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        source = "local"
        if self.keys:
            source = f"s3://{_BUCKET}"
            program = (sys.executable, listing_s3.__file__, _BUCKET, str(self.keys))
            self._server.append(subprocess.Popen(program, stdout=subprocess.PIPE, text=True))
            output = self._server[0].stdout
            assert output is not None
            self._settings.update(
                {
                    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{output.readline().strip()}",
                    "AWS_ACCESS_KEY_ID": "bench",
                    "AWS_SECRET_ACCESS_KEY": "bench",
                    "AWS_REGION": "us-east-1",
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "AWS_EC2_METADATA_DISABLED": "true",
                }
            )
        self._run(tool("ess"), "select", source)
        if self.indexed:
            self._run(*python(programs.FILL_INDEX, self.indexed))

    def end(self) -> None:
        """Remove all."""
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


def keys(data: Data) -> Work:
    """All keys of a bucket."""
    count = data.keys
    lake = _Lake(data.folder / "lake-keys", keys=count)
    ours = f"echo key; {tool('ess')} ls -r --nameonly '*'"
    return Work(
        "keys",
        f"list {count:,} keys of an S3 server on this machine",
        (
            Contestant("ess ls", ("bash", "-c", ours), stdout=True, environment=lake.environment),
            Contestant(
                "boto3's paginator", python(programs.BOTO3_LIST, _BUCKET, OUT), "boto3", environment=lake.environment
            ),
        ),
        (Goal("at most a tenth of boto3's paginator", {"boto3's paginator": 0.1}),),
        Columns(("text",), sort_by=(0,)),
        begin=lake.begin,
        end=lake.end,
    )


def index(data: Data) -> Work:
    """Listings and summaries of an index."""
    lake = _Lake(data.folder / "lake-index", indexed=data.names)
    ess = tool("ess")
    commands = {
        "ess ls --cat": (ess, "ls", "--cat", "app07"),
        "ess ls --cat --dates": (ess, "ls", "--cat", "all", "--dates", "2014-09-01", "2014-09-07"),
        "ess summary": (ess, "summary"),
        "ess ls --cat of all": (ess, "ls", "--cat", "all"),
    }
    fast = [label for label in commands if not label.endswith("all")]
    return Work(
        "index",
        f"`ess` on an index of {data.names:,} files in 50 categories, and in one",
        tuple(
            Contestant(label, command, stdout=True, environment=lake.environment, output=False)
            for label, command in commands.items()
        ),
        (
            *(Goal(f"`{label}` under 1 s", constant=1.0, of=label) for label in fast),
            *(Goal(f"`{label}` under 200 MB", constant=200.0, memory=True, of=label) for label in commands),
        ),
        begin=lake.begin,
        end=lake.end,
    )


def classify(data: Data) -> Work:
    """Names, their categories and dates."""
    names = data.folder / f"names-{data.names}.txt"

    def begin() -> None:
        if not names.exists():
            subprocess.run(python(programs.NAMES, data.names, names), check=True)

    return Work(
        "classify",
        f"{data.names:,} names into 50 categories, with dates, on one core",
        (
            Contestant("all at once", python(programs.CLASSIFY, names, 1, OUT)),
            Contestant("one at a time", python(programs.CLASSIFY, names, 0, OUT)),
        ),
        (Goal("under 10 s", constant=10.0),),
        Columns(("number", "text", "number")),
        begin=begin,
    )


WORKS = {"keys": keys, "index": index, "classify": classify}
