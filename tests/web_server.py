"""nginx on this machine, with folders and ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ess.certificates import issue, make_authority
from tests.waiting import PATIENCE

#: For each port, what the server does with folders.
SORTS = {
    "html": "autoindex on;",
    "json": "autoindex on; autoindex_format json;",
    "rounded": "autoindex on; autoindex_exact_size off;",  # sizes as Apache has them
    "stored": "index index.html;",  # pages that a test has put there
    "none": "",
    "untagged": "etag off;",  # a version is known by its time and size only
}


class Nginx:
    """A server of the files in a folder.

    Attributes:
        folder: What it serves.
        ports: A port for each of :data:`SORTS`.
        authority: The file of the authority of its certificate, if it has one.
    """

    def __init__(self, folder: Path, ports: dict[str, int], authority: Path | None) -> None:
        self.folder = folder
        self.ports = ports
        self.authority = authority


@contextlib.contextmanager
def nginx(place: Path, more: str = "", *, secure: bool = False) -> Iterator[Nginx]:
    """Run nginx with its files in ``place``; ``more`` goes into the configuration of every port."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not on this machine; run: apt-get install nginx-light")
    folder = place / "files"
    folder.mkdir()
    # It takes over sockets that listen already, so no port is lost to another process, and none is waited for.
    sockets = {sort: socket.create_server(("127.0.0.1", 0)) for sort in SORTS}
    ports = {sort: int(each.getsockname()[1]) for sort, each in sockets.items()}
    listen, authority = "", None
    if secure:
        make_authority(place / "ca", "web")
        ours = issue(place / "ca", "server")
        authority = ours.authority
        listen, more = " ssl", f"ssl_certificate {ours.certificate}; ssl_certificate_key {ours.key}; {more}"
    servers = "".join(
        f"server {{ listen 127.0.0.1:{ports[sort]}{listen}; root {folder}; {words} {more} }}\n"
        for sort, words in SORTS.items()
    )
    temporary = "".join(
        f"{name}_temp_path {place}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker has another user, who may not look in here
    (place / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {place}/pid; error_log {place}/errors.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; default_type application/octet-stream; keepalive_requests 100000;\n"
        f"types {{ text/html html; }}\n{temporary}{servers} }}\n"
    )
    numbers = [each.fileno() for each in sockets.values()]
    with (place / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [program, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", str(place / "errors.log")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=numbers,
            env={**os.environ, "NGINX": "".join(f"{number};" for number in numbers)},
        )
    for each in sockets.values():
        each.close()
    try:
        yield Nginx(folder, ports, authority)
        errors = (place / "errors.log").read_text("utf-8", "replace")
        assert process.poll() is None, errors
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
