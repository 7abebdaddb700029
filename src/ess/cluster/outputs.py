"""Output on its way from a node to the process that runs the job, over the cluster's own TLS connections.

A node keeps what the commands of a bundle wrote in files of its own. The job's process fetches them, piece by piece,
from the worker itself: nothing passes through the scheduler, neither side holds more than a piece in memory, and a
node's slot gets no other bundle before its output was taken. The files go when the job's process lets go of the
bundle, or is gone itself: then the scheduler drops the task.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from distributed import Client, Worker
from distributed.diagnostics.plugin import WorkerPlugin

from ess.cluster.work import Outcome
from ess.errors import SystemFailure

#: Bytes that travel at a time, and so are held in memory on both sides.
PIECE = 1 << 20

#: How long a worker may take for a piece, in seconds.
PIECE_SECONDS = 10.0

_HANDLER = "ess_output"


def output_folder(worker: Worker, key: str) -> Path:
    """The folder on the node for the output of a bundle, by the key of its task."""
    return Path(worker.local_directory) / "output" / key


class NodeOutputs(WorkerPlugin):
    """Gives out the output of bundles, and removes it once nobody wants them any more."""

    def setup(self, worker: Worker) -> None:
        """Begin to serve."""
        self._worker = worker
        worker.handlers[_HANDLER] = self._give

    def transition(self, key: object, start: str, finish: str, **_more: object) -> None:
        """Remove the output of a bundle that was dropped."""
        if finish in ("released", "forgotten"):
            shutil.rmtree(output_folder(self._worker, str(key)), ignore_errors=True)

    async def _give(self, key: str, name: str, offset: int) -> bytes:
        path = output_folder(self._worker, Path(key).name) / Path(name).name
        return await asyncio.to_thread(_piece, path, offset)


def _piece(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), PIECE, offset)


def fetch(client: Client, address: str, key: str, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Bring the output of a bundle into ``folder``.

    Args:
        client: The connection to the cluster.
        address: That of the worker.
        key: The task that ran the bundle.
        outcomes: Its outcomes, which name the files.
        folder: Where files of these names are made.

    Raises:
        TimeoutError: If the worker has not answered for :data:`PIECE_SECONDS`.
        OSError: If it cannot be reached, or does not have the files any more.
        SystemFailure: If they cannot be written here.
    """
    for name in (name for each in outcomes for name in (each.stdout, each.stderr) if name):
        target = folder / Path(name).name
        client.sync(_fetch, client, address, key, name, target)  # type: ignore[no-untyped-call]


async def _fetch(client: Client, address: str, key: str, name: str, target: Path) -> None:
    worker = client.rpc(address)
    try:
        file = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise _cannot_write(target, error) from error
    with file:
        offset = 0
        while True:
            asked = worker.ess_output(key=key, name=name, offset=offset)
            piece = await asyncio.wait_for(asked, PIECE_SECONDS)
            if not piece:
                return
            try:
                file.write(piece)
            except OSError as error:
                raise _cannot_write(target, error) from error
            offset += len(piece)


def _cannot_write(path: Path, error: OSError) -> SystemFailure:
    return SystemFailure(f"cannot write ({error.strerror})", where=str(path), hint="check the space on the disk")
