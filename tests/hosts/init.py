"""The first process of a test host: makes its file tree, runs ``sshd``, and ends with its standard input.

    python init.py FOLDER HIDDEN...     in mount and process namespaces of its own; FOLDER becomes the user's home

Whoever ends it, or the process that started it, ends all processes of the host: it is number 1 of their namespace.
"""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

HOME = Path("/home/node")


def mount(*words: object) -> None:
    """Mount something, for this host only."""
    subprocess.run(["mount", *map(str, words)], check=True)


def main(folder: str, hidden: list[str]) -> None:
    """Run the host."""
    own = HOME / ".host"
    mount("-t", "tmpfs", "none", "/home")
    HOME.mkdir(0o700)
    mount("--bind", folder, HOME)
    (own / "tmp").mkdir(0o700, exist_ok=True)
    mount("--bind", own / "passwd", "/etc/passwd")
    mount("--bind", own / "tmp", "/tmp")
    mount("-t", "tmpfs", "none", "/run")
    Path("/run/sshd").mkdir(0o755)
    for path in hidden:
        if Path(path).is_dir():
            mount("-t", "tmpfs", "none", path)
    os.chdir(HOME)
    with (own / "log").open("ab") as log:
        subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", own / "sshd_config"], stdin=subprocess.DEVNULL, stderr=log
        )
    print(flush=True)
    threading.Thread(target=_end_with_input, daemon=True).start()
    while True:
        with contextlib.suppress(ChildProcessError):
            os.wait()


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
