"""The processes of a cluster: ``python -m ess.cluster.daemon scheduler`` and ``... worker NODE``.

They listen on the address that they are given, on this machine that of the loopback interface, with mutual TLS:
nobody gets in without a certificate of this cluster's own authority. That matters more than usual, because Dask's
processes exchange pickled objects, which can run code: whoever holds such a certificate can do what the user can.
The HTTP servers that Dask would open beside are left out.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from typing import Any

import dask
from distributed import Scheduler, Worker

from ess.cluster import node, state
from ess.cluster.asking import answer_questions
from ess.cluster.groups import Groups
from ess.cluster.inputs import NodeInputs
from ess.cluster.leftovers import new_folder
from ess.cluster.outputs import NodeOutputs
from ess.cluster.processes import identify, this_process
from ess.cluster.security import security
from ess.cluster.strangers import bound_strangers
from ess.errors import EssError, InitializationError
from ess.logs import keep_small
from ess.udb.server.activity import ACTIVE, touch

#: The most bundles a worker can run at a time; how many it does is up to each job.
MOST_THREADS = 256

#: The connections and files that the scheduler can have, if the system allows.
_DESCRIPTORS = 8192

#: How often the timer of a machine is told that something runs (ess.cluster.cloud.timer), in seconds.
_TOUCH_SECONDS = 20.0

_CONFIGURATION = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.work-stealing": False,  # jobs say themselves what runs where
    # Dask counts these seconds by the time of the day: where the clock is set, all workers would be dropped. A worker
    # that is dead closes its connection, and one that is stopped is seen by the job (ess.cluster.runtime).
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "1h",
}


class _NoHttp:
    """Keeps a Dask server from opening an HTTP port."""

    def start_http_server(
        self, routes: object, dashboard_address: object, default_port: int = 0, ssl_options: object = None
    ) -> None:
        """Open nothing."""


class _Scheduler(_NoHttp, Scheduler):
    pass


class _Worker(_NoHttp, Worker):
    pass


async def _run_scheduler(address: str) -> None:
    # It starts no programs, which would inherit this.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    async with _Scheduler(
        host=address, port=0, protocol="tls", security=security("scheduler"), dashboard=False
    ) as server:
        _leave_path()
        answer_questions(server)
        state.write_daemon("scheduler", state.Daemon(this_process(), server.address))
        await server.finished()


async def _scheduler_address() -> str:
    """The address of the scheduler, which starts at the same time as its workers."""
    for _ in range(600):
        daemon = state.read_daemon("scheduler")
        if daemon is not None:
            return daemon.address
        await asyncio.sleep(0.1)
    raise InitializationError("the scheduler is not running", where="cluster", hint="run: ess cluster start")


async def _run_worker(node_id: int, address: str, *, far: bool) -> None:
    name = f"worker-{node_id}"
    scheduler = await _scheduler_address()
    groups = Groups()
    inputs = NodeInputs()
    node.set_groups(groups, inputs if far else None)
    options: dict[str, Any] = {"memory_limit": 0, "nthreads": MOST_THREADS, "death_timeout": 30}
    async with _Worker(
        scheduler,
        name=str(node_id),
        host=address,
        security=security(name),
        dashboard=False,
        plugins=(NodeOutputs(), inputs),
        **options,
    ) as server:
        _leave_path()
        answer_questions(server)
        reaper = identify(groups.reaper_pid)
        state.write_daemon(name, state.Daemon(this_process(), server.address, reaper, scheduler))
        awake = asyncio.create_task(_keep_awake())
        await server.finished()
        awake.cancel()


async def _keep_awake(path: str = ACTIVE, seconds: float = _TOUCH_SECONDS) -> None:
    """Tell the timer of the machine what runs here."""
    before = node.activity()
    while True:
        now = node.activity()
        if now != before or now % 2:
            touch(path)
        before = now
        await asyncio.sleep(seconds)


def _leave_path() -> None:
    """Take Dask's scratch folder off Python's path: what is imported is what was installed."""
    scratch = str(state.scratch_folder())
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(scratch)]


def main(arguments: list[str]) -> int:
    """Run one process of the cluster until it is told to end."""
    os.umask(0o077)
    dask.config.set(_CONFIGURATION)
    # The last argument only marks the process, see ess.cluster.daemons.
    address = next(word.removeprefix("--listen=") for word in arguments if word.startswith("--listen="))
    name = "scheduler" if arguments[0] == "scheduler" else f"worker-{int(arguments[1])}"
    try:
        keep_small(state.log_path(name))
        bound_strangers()
        # Dask's own choice would be a folder of one name for all users of the machine, in the temporary folder.
        dask.config.set({"temporary-directory": str(new_folder(state.scratch_folder()))})
        if arguments[0] == "scheduler":
            asyncio.run(_run_scheduler(address))
        else:
            asyncio.run(_run_worker(int(arguments[1]), address, far="--far" in arguments))
    except EssError as error:
        print(f"ess cluster: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
