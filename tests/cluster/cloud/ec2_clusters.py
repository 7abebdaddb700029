"""The seed page in the cloud, from ``create`` to ``terminate``: moto has the instances, each is a host of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.hosts.machines import inside
from tests.hosts.ssh_hosts import HOME, Site, SshHost, need_hosts, ssh_hosts
from tests.store_servers import FOREIGN
from tests.waiting import until

KEYS = "User name,Access key ID,Secret access key\nann,AKIATEST,a-secret-key\n"


class Region:
    """A region whose instances are the hosts of a site: they are switched on and off as their instances are."""

    def __init__(self, site: Site, runtime: str) -> None:
        self.site = site
        script = str(Path(__file__).with_name("region.py"))
        environment = {name: value for name, value in site.own.environment().items() if not FOREIGN.match(name)}
        self._process = subprocess.Popen(
            [*inside(site.own.holder), sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        assert self._process.stdout is not None
        self.told: dict[str, str] = json.loads(self._process.stdout.readline())
        self.variables = {
            "HOME": str(site.own.folder),
            "ESS_RUNTIME_DIR": runtime,
            "AWS_ENDPOINT_URL": self.told["url"],
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.told["metadata"],
            "AWS_EC2_METADATA_DISABLED": "",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        self.host_of: dict[str, SshHost] = {}
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self._watch.start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._change(json.loads(line))

    def _change(self, change: dict[str, str]) -> None:
        host = self.host_of.get(change["id"])
        if change["state"] == "running":
            if host is None:
                used = {each.name for each in self.host_of.values()}
                host = next(each for each in self.site.hosts if each.name not in used)
                place = host.folder / ".host"
                (place / "authorized_keys").write_text(change["key"])
                with (self.site.own.folder / ".ssh" / "config").open("a") as config:
                    config.write(f"Host {change['address']}\n  HostName {host.address}\n")
                self.host_of[change["id"]] = host
            host.start()
        elif host is not None:
            host.kill()
            if change["state"] in ("shutting-down", "terminated"):
                self.host_of.pop(change["id"])

    def run(
        self, *words: str, check: bool = True, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.site.own.run("ess", *words, check=check, variables={**self.variables, **(variables or {})})

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._watch.join()
        self._process.stdout.close()


@contextmanager
def region(folder: Path, hosts: int) -> Iterator[Region]:
    """A region for some instances, and a machine in it."""
    with tempfile.TemporaryDirectory(prefix="ess-") as runtime, ssh_hosts(folder, hosts) as site, ExitStack() as ended:
        for host in site.hosts:
            host.kill()
            passwd = host.folder / ".host" / "passwd"
            passwd.write_text(f"{passwd.read_text()}ec2-user:x:0:0:user:{HOME}:/bin/bash\n")
        found = Region(site, runtime)
        ended.callback(found.close)
        (site.own.folder / "key.csv").write_text(KEYS)
        yield found


def test_the_seed_page_from_create_to_terminate(tmp_path: Path) -> None:
    need_hosts()
    with region(tmp_path, 2) as cloud:
        own = cloud.site.own.folder
        key = ["--credentials", f"{own}/key.csv"]
        given = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}
        assert cloud.run("cluster", "set", "cloud").stderr == ""
        lacking = cloud.run("cluster", "create", "--region", "us-east-1", check=False)
        assert "AWS: there is no key; give --credentials FILE.csv" in lacking.stderr and lacking.returncode == 2
        made = cloud.run("cluster", "create", "--type", "m7i.large", "--disk", "40", "--price", "0.1", *key)
        assert made.stdout.endswith(": 1 of 1 workers are running on their hosts\n"), made
        assert "the network of this machine; --subnet chooses another" in made.stderr
        # The second one has the program from before, and nothing is sent.
        [first] = cloud.host_of.values()
        other = next(host for host in cloud.site.hosts if host is not first)
        programs = (first.folder / ".essentia" / "programs", other.folder / ".essentia" / "programs")
        shutil.copytree(*programs, symlinks=True, copy_function=os.link)
        made = cloud.run("cluster", "create", "--add", *key)
        assert made.stdout.endswith(": 2 of 2 workers are running on their hosts\n"), made

        shown = cloud.run("cluster", "status", *key).stdout
        assert shown.count("running") == 5 and "m7i.large" in shown
        assert "cost: $0.200 an hour, $0.00" in shown
        addresses = [line.split() for line in cloud.run("cluster", "iplist", variables=given).stdout.splitlines()]
        assert all(private.startswith("10.99.") and public != private for public, private in addresses)
        where = cloud.run("exec", "pwd; echo %node_id").stdout.split()
        assert where == [HOME, "0", HOME, "1"]
        (own / "days").mkdir()
        for day in range(1, 5):
            (own / "days" / f"d-201409{day:02}.txt").write_text(f"{day}\n" * day)
        cloud.run("select", "local")
        cloud.run("category", "add", "days", f"{own}/days/d-*.txt", "--dateformat", "auto")
        assert cloud.run("stream", "days", "*", "*", "wc -l").stdout == "1\n2\n3\n4\n"

        cloud.run("create", "database", "shop")
        cloud.run("create", "table", "days", "i,pkey:day")
        cloud.run("udbd", "start")
        cloud.run("stream", "days", "*", "*", "aq_pp -f - -d i:day -imp shop:days")
        count = ["exec", "aq_udb -exp shop:days -o,notitle - -sort day", "--master"]
        rows = cloud.run(*count).stdout
        assert sorted(rows.split()) == ["1", "2", "2", "3", "3", "3", "4", "4", "4", "4"]

        instances = sorted(cloud.host_of)
        cloud.run("cluster", "stop", *key)
        until(lambda: not any(host.processes() for host in cloud.site.hosts))
        stopped = cloud.run("stream", "days", "*", "*", "wc -l", check=False)
        assert "run: ess cluster start" in stopped.stderr
        cloud.run("cluster", "start", *key)
        assert cloud.run("stream", "days", "*", "*", "wc -l").stdout == "1\n2\n3\n4\n"
        assert sorted(cloud.host_of) == instances
        cloud.run("udbd", "start")
        assert cloud.run(*count).stdout == rows

        ended = cloud.run("cluster", "terminate", *key)
        assert ended.stderr == ""
        until(lambda: not cloud.host_of)
        left = cloud.run("cluster", "status", "--all", *key).stdout
        assert "Nothing in the cloud has the tag of a cluster." in left
        written: list[Any] = [path for path in (own / "cache").rglob("*") if path.is_file()]
        assert not [path for path in written if b"a-secret-key" in path.read_bytes()]
