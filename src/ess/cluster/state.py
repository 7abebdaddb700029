"""The files of the cluster below ``ESS_CACHE_DIR/cluster``: what is wanted, and which processes there are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ess import settings
from ess.cluster.lifecycle import Desired
from ess.cluster.processes import ProcessId
from ess.errors import InitializationError

VERSION = 1

#: The providers a user can choose (``ess cluster set``), see :data:`ess.cluster.machines.PROVIDERS`.
MODES = ("local", "cloud", "custom")


@dataclass(frozen=True)
class ClusterState:
    """The known state of the user's cluster.

    ``mode`` is what ``ess cluster set`` chose. ``id`` and ``desired`` are None if there is no cluster.
    """

    mode: str = "local"
    id: str | None = None
    desired: Desired | None = None


@dataclass(frozen=True)
class Daemon:
    """A process of the cluster as it described itself: ``address`` to reach it, ``reaper`` beside a worker."""

    process: ProcessId
    address: str
    reaper: ProcessId | None = None
    scheduler: str = ""


def cluster_folder() -> Path:
    """The folder of the cluster's files."""
    return settings.cache_dir() / "cluster"


def certificates_folder() -> Path:
    """The folder of the cluster's authority and certificates."""
    return cluster_folder() / "tls"


def scratch_folder() -> Path:
    """The folder for files of the cluster's processes that nobody needs once they are gone."""
    return cluster_folder() / "scratch"


def log_path(name: str) -> Path:
    """The log of the process ``name`` (``scheduler``, ``worker-0`` ...)."""
    return cluster_folder() / "logs" / f"{name}.log"


def read_cluster() -> ClusterState:
    """The cluster as it was last written.

    Raises:
        InitializationError: If the file is damaged.
    """
    path = cluster_folder() / "cluster.json"
    content = settings.read_state(path, VERSION)
    try:
        wanted = content.get("desired")
        desired = None if wanted is None else Desired(int(wanted["workers"]), bool(wanted["running"]))
        mode, name = str(content.get("mode", "local")), content.get("id")
        if mode not in MODES or not isinstance(name, str | None) or (name is None) != (desired is None):
            raise ValueError
        return ClusterState(mode, name, desired)
    except (KeyError, TypeError, ValueError) as error:
        raise InitializationError("the file is damaged", where=str(path), hint="ess cluster reset clears it") from error


def write_cluster(state: ClusterState) -> None:
    """Write what is wanted."""
    settings.make_private_folder(settings.cache_dir())
    desired = None if state.desired is None else asdict(state.desired)
    settings.write_state(
        cluster_folder() / "cluster.json", VERSION, {"mode": state.mode, "id": state.id, "desired": desired}
    )


def read_daemon(name: str) -> Daemon | None:
    """The self-description of the process ``name`` on this machine; None if there is none (usable)."""
    try:
        return parse_daemon(_daemon_path(name).read_bytes())
    except OSError:
        return None


def parse_daemon(content: bytes) -> Daemon | None:
    """The self-description that a process has written; None if it makes no sense."""
    try:
        found = json.loads(content)
        if found["version"] != VERSION:
            return None
        return Daemon(
            _process(found["process"]),
            str(found["address"]),
            _process(found["reaper"]) if found["reaper"] else None,
            str(found["scheduler"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def write_daemon(name: str, daemon: Daemon) -> None:
    """Write what other processes need to know of this one."""
    settings.write_state(_daemon_path(name), VERSION, asdict(daemon))


def clear(*, everything: bool) -> None:
    """Delete the cluster's files; without ``everything``, the logs and the chosen mode stay."""
    folder = cluster_folder()
    if everything:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in [*folder.glob("worker-*.json"), folder / "scheduler.json", folder / "machines.json"]:
        path.unlink(missing_ok=True)
    (folder / "hosts.json").unlink(missing_ok=True)
    for name in ("tls", "scratch"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _daemon_path(name: str) -> Path:
    return cluster_folder() / f"{name}.json"


def _process(content: Mapping[str, Any]) -> ProcessId:
    return ProcessId(int(content["pid"]), int(content["started"]))
