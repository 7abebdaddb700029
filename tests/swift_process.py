"""OpenStack Swift as one process: started by ``swift_server.py`` with the Python that has it, and a folder.

Its three kinds of storage servers and the proxy run side by side in green threads, as in Swift's own tests.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import eventlet
import eventlet.wsgi
from swift.common import constraints, utils, wsgi
from swift.common.ring import RingBuilder

STORAGE = ("account", "container", "object")

SERVER = """[DEFAULT]
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
PROXY = """[DEFAULT]
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
CONSTRAINTS = """[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
"""


def main(folder: Path) -> None:
    """Serve until killed; the port of the S3 interface is printed."""
    utils.monkey_patch()
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(CONSTRAINTS)
    listening = {name: eventlet.listen(("127.0.0.1", 0)) for name in (*STORAGE, "proxy")}
    ports = {name: listener.getsockname()[1] for name, listener in listening.items()}
    for name in STORAGE:
        builder = RingBuilder(4, 1, 0)
        device = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": ports[name], "device": "d1", "weight": 1}
        builder.add_dev({**device, "replication_ip": "127.0.0.1", "replication_port": ports[name]})
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{name}.ring.gz"))
    for name, listener in listening.items():
        path = folder / f"{name}.conf"
        template = PROXY if name == "proxy" else SERVER
        path.write_text(template.format(name=name, port=ports[name], folder=folder, user=getpass.getuser()))
        _, _, words, _ = wsgi.check_config(str(path), f"{name}-server")
        app = wsgi.loadapp(str(path), global_conf=words)
        # As swift.common.wsgi.run_server does, which begins with a hub of its own.
        eventlet.spawn(
            eventlet.wsgi.server,
            listener,
            app,
            wsgi.NullLogger(),
            protocol=wsgi.SwiftHttpProtocol,
            socket_timeout=60.0,
            capitalize_response_headers=False,
            url_length_limit=constraints.MAX_REQUEST_LINE,
        )
    print(f"http://127.0.0.1:{ports['proxy']}", flush=True)
    while True:
        eventlet.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
