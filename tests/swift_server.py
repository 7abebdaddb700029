"""OpenStack Swift with its S3 interface: another server of S3 than moto, which checks signatures and takes all keys.

It is four processes and a folder. It comes with ``make swift``, in an environment of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "swift" / "bin"
KEY, SECRET = "test:tester", "testing"
_STORAGE = ("account", "container", "object")

_SERVER = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user = {user}
log_level = ERROR
log_address = {folder}/nowhere
fallocate_reserve = 0
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}
log_level = ERROR
log_address = {folder}/nowhere
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
min_segment_size = 1
[filter:slo]
use = egg:swift#slo
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
"""
_CONSTRAINTS = """[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
"""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _prepare(folder: Path, user: str) -> dict[str, int]:
    """Write what the servers are told; the port of each."""
    ports = dict(zip((*_STORAGE, "proxy"), _free_ports(4), strict=True))
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(_CONSTRAINTS)
    for name in _STORAGE:
        ring = str(folder / f"{name}.builder")
        device = f"r1z1-127.0.0.1:{ports[name]}/d1"
        for words in (["create", "4", "1", "0"], ["add", device, "1"], ["rebalance"]):
            # What it depends on says at every start that it is old.
            builder = [str(BIN / "swift-ring-builder"), ring, *words]
            subprocess.run(builder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, port in ports.items():
        template = _PROXY if name == "proxy" else _SERVER
        (folder / f"{name}.conf").write_text(template.format(name=name, port=port, folder=folder, user=user))
    return ports


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def swift(folder: Path) -> Iterator[int]:
    """Run it; the port of its S3 interface."""
    if not (BIN / "swift-proxy-server").exists():
        pytest.skip("swift is not on this machine; run: make swift")
    home = folder / "swift"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    ports = _prepare(home, pwd.getpwuid(os.geteuid()).pw_name)
    logs = []
    processes = []
    try:
        for name in ports:
            log = (home / f"{name}.log").open("wb")
            logs.append(log)
            words = [str(BIN / f"swift-{name}-server"), str(home / f"{name}.conf")]
            processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for name, port in ports.items():
            while not _answers(port):
                ended = next((process for process in processes if process.poll() is not None), None)
                if ended is not None:
                    pytest.fail(f"swift does not start: {(home / f'{name}.log').read_text('utf-8', 'replace')}")
        yield ports["proxy"]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in logs:
            log.close()
