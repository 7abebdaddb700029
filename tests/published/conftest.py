"""A machine of its own for all tests of a file, without a cluster and then with one of two workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import own_places, ports_in_a_row
from tests.published.shell import Shell
from tests.waiting import PATIENCE


@pytest.fixture(scope="module", params=[0, 2], ids=["embedded", "two workers"])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in an empty folder with the commands on PATH; its servers and cluster end with the tests of the file."""
    with ports_in_a_row() as port:
        yield from _machine(request.param, tmp_path_factory, port)


def _machine(workers: int, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("machine")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**own_places(folder, port), "PATH": path, "TZ": "UTC"}
    shell = Shell(folder, {**os.environ, **own}, workers)  # with the tool server of the run, as a user has one
    try:
        if shell.workers:
            shell.run(f"ess cluster create --number {shell.workers}")
        yield shell
    finally:
        for command in ("ess udbd stop", "ess cluster terminate"):
            subprocess.run(
                ["bash", "-c", command],
                cwd=folder,
                env=shell.environment,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )


@pytest.fixture(scope="module")
def logs(shared: Path) -> Path:
    """The folder of the sixty published log files."""
    return shared / "published" / "woodworking" / "diy_woodworking"
