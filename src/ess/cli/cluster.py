"""``ess cluster``, and the commands that run on its nodes: parse, call, render."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ess import api
from ess.api.messages import concealed
from ess.cli import stream
from ess.cli.render import table
from ess.errors import EssError, OptionError, printable

if TYPE_CHECKING:
    from ess.cluster.cloud.belongings import Thing
    from ess.cluster.cloud.overview import Overview
    from ess.cluster.providers import ClusterStatus

file = typer.Typer(help="Copy files to the nodes of a cluster, and from them.", no_args_is_help=False)
cluster = typer.Typer(help="Make, watch and end a cluster of worker nodes.", no_args_is_help=False)


class Mode(enum.StrEnum):
    """The providers of nodes."""

    LOCAL = "local"
    CLOUD = "cloud"
    CUSTOM = "custom"


def add_commands(app: typer.Typer) -> None:
    """Add ``stream``, ``exec`` and ``cluster`` to ``ess``."""
    app.command("stream")(stream.stream)
    app.command("exec")(stream.execute)
    app.add_typer(file, name="file")
    app.add_typer(cluster, name="cluster")


@file.command()
def push(
    files: Annotated[list[str], typer.Argument(help="files and folders of this machine")],
    dest: Annotated[str, typer.Option(help="folder on the nodes that takes them; made if it is missing")] = "",
) -> None:
    """Copy files to all nodes."""
    api.file_push(files, dest=dest)


@file.command("get")
def fetch(name: Annotated[list[str], typer.Argument(help="files and folders on the nodes, or patterns")]) -> None:
    """Fetch files from all nodes, each node's into the folder worker-N."""
    for path in api.file_get(name):
        print(printable(path))


@file.command()
def mkdir(name: Annotated[str, typer.Argument(help="folder to make")]) -> None:
    """Make a folder on all nodes."""
    api.file_mkdir(name)


_CredentialsFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="CSV file of Amazon's console with an access key, for the cloud")
]
_AccessKey = Annotated[
    str | None, typer.Option("--aws_access_key", metavar="KEY", help="access key; others can see it while ess runs")
]
_SecretKey = Annotated[
    str | None, typer.Option("--aws_secret_access_key", metavar="SECRET", help="secret of that key; can be seen, too")
]
_Region = Annotated[str | None, typer.Option(metavar="REGION", help="region of AWS; with --all also: all")]


@cluster.command("set")
def set_mode(
    mode: Annotated[
        Mode,
        typer.Argument(help="local: this machine; custom: hosts reached by SSH; cloud: instances of EC2"),
    ],
) -> None:
    """Choose where nodes come from."""
    state = api.cluster_set(mode.value)
    if state.desired is not None:
        _say(f"there is a cluster of {state.desired.workers} workers; ess cluster terminate ends it")


@cluster.command()
def create(
    number: Annotated[int, typer.Option(metavar="N", help="number of worker nodes")] = 1,
    instance_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="type of cloud machines; m7i.large if nothing is said")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="add this number of workers to the cluster")] = False,
    credentials: _CredentialsFile = None,
    aws_access_key: _AccessKey = None,
    aws_secret_access_key: _SecretKey = None,
    hosts: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST...", help="hosts to be nodes, in a custom cluster: [USER@]NAME or alias of SSH"),
    ] = None,
    error_return_code: Annotated[
        bool, typer.Option("--error_return_code", help="fail if some of the workers did not start")
    ] = False,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="region of cloud machines")] = None,
    image: Annotated[str | None, typer.Option(metavar="AMI", help="their image; else Amazon Linux 2023")] = None,
    subnet: Annotated[
        list[str] | None, typer.Option(metavar="SUBNET", help="a subnet to try; can be given several times")
    ] = None,
    spot: Annotated[bool, typer.Option("--spot", help="buy them on the spot market")] = False,
    disk: Annotated[int | None, typer.Option(metavar="GB", help="size of their disks")] = None,
    role: Annotated[str | None, typer.Option(metavar="PROFILE", help="instance profile that they get")] = None,
    idle: Annotated[
        int | None, typer.Option(metavar="MINUTES", help="they stop after so long without work; 30, or 0 for never")
    ] = None,
    max_age: Annotated[float | None, typer.Option(metavar="HOURS", help="they end after so long")] = None,
    budget: Annotated[float | None, typer.Option(metavar="DOLLARS", help="they end when they have cost that")] = None,
    price: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="what one costs in an hour, if no price list can be read")
    ] = None,
) -> None:
    """Start worker nodes."""
    ordered = (instance_type, region, image, subnet, spot or None, disk, role, idle, max_age, budget, price)
    with api.cloud_keys(credentials, aws_access_key, aws_secret_access_key):
        if any(each is not None for each in ordered):
            api.cloud_order(
                region=region,
                type=instance_type,
                image=image,
                subnets=subnet or (),
                spot=spot,
                disk=disk,
                role=role,
                idle=idle,
                max_age=max_age,
                budget=budget,
                price=price,
            )
        _say_running(api.cluster_create(number, add=add, hosts=hosts or ()), fail=error_return_code)


@cluster.command()
def status(
    everything: Annotated[
        bool, typer.Option("--all", help="also what has the tag of a cluster in the cloud and was forgotten")
    ] = False,
    region: _Region = None,
    credentials: _CredentialsFile = None,
    aws_access_key: _AccessKey = None,
    aws_secret_access_key: _SecretKey = None,
) -> None:
    """Show the processes of the cluster."""
    found = api.cluster_status()
    for line in status_lines(found):
        print(line)
    with api.cloud_keys(credentials, aws_access_key, aws_secret_access_key):
        if found.state.mode == "cloud" and found.state.id is not None:
            for line in machine_lines(api.cloud_machines()):
                print(line)
        if everything:
            for line in leftover_lines(api.cloud_leftovers(region)):
                print(line)


@cluster.command()
def start(
    credentials: _CredentialsFile = None, aws_access_key: _AccessKey = None, aws_secret_access_key: _SecretKey = None
) -> None:
    """Start a stopped cluster again, and replace workers that were lost."""
    with api.cloud_keys(credentials, aws_access_key, aws_secret_access_key):
        _report(api.cluster_start(partly=True).problems, fail=True)


@cluster.command()
def stop(
    credentials: _CredentialsFile = None, aws_access_key: _AccessKey = None, aws_secret_access_key: _SecretKey = None
) -> None:
    """End the processes of the cluster, and what they run; ess cluster start brings it back."""
    with api.cloud_keys(credentials, aws_access_key, aws_secret_access_key):
        api.cluster_stop()


@cluster.command()
def terminate(
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="delete its certificates and logs as well; in the cloud, end all that you have made there"
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("-y", help="do not ask for confirmation of --all")] = False,
    region: _Region = None,
    credentials: _CredentialsFile = None,
    aws_access_key: _AccessKey = None,
    aws_secret_access_key: _SecretKey = None,
) -> None:
    """End the cluster, and what it runs, and forget it."""
    if everything and not yes:
        if not sys.stdin.isatty():
            raise OptionError("this has to be confirmed", where="--all", hint="add -y")
        typer.confirm("Delete the cluster with its certificates and logs?", abort=True)
    with api.cloud_keys(credentials, aws_access_key, aws_secret_access_key):
        sweeps = everything and (region is not None or api.cluster_mode() == "cloud")
        if not api.cluster_terminate(everything=everything) and not sweeps:
            _say("there is no cluster")
        if sweeps:
            for thing in api.cloud_sweep(region):
                print(f"ended: {thing.kind} {thing.id} of {thing.cluster} in {thing.region}")


@cluster.command()
def reset() -> None:
    """Clear the configuration of the cluster, whatever state it is in; its processes end."""
    api.cluster_reset()


@cluster.command()
def iplist(
    private: Annotated[bool, typer.Option("--private", help="private addresses only")] = False,
    public: Annotated[bool, typer.Option("--public", help="public addresses only")] = False,
) -> None:
    """List the addresses of the nodes, a line each: public and private."""
    if private and public:
        raise OptionError("give one of them", where="--private and --public", hint="or none for both addresses")
    outside: dict[int, str] = {}
    if not private and api.cluster_mode() == "cloud":
        outside = {each.number: each.instance.public or "-" for each in api.cloud_machines().machines}
    for node in api.cluster_nodes():
        address = outside.get(node.id, node.host)
        print(node.host if private else address if public else f"{address} {node.host}")


@cluster.command()
def add(reservation: Annotated[list[str], typer.Argument(help="hosts of a custom cluster")]) -> None:
    """Add hosts to the cluster; a worker starts on each."""
    _say_running(api.cluster_add(reservation), fail=True)


@cluster.command()
def remove(reservation: Annotated[list[str], typer.Argument(help="hosts of a custom cluster")]) -> None:
    """Take hosts out of the cluster; nothing of it stays on them but the installed program."""
    api.cluster_remove(reservation)


def status_lines(status: ClusterStatus) -> list[str]:
    """A table of the processes."""
    if status.state.desired is None:
        return ["There is no cluster: commands run on this machine (local)."]
    headings = ("ID", "state", "publicIP", "privateIP", "pid", "mem")
    rows: list[tuple[str, ...]] = []
    for node in status.nodes:
        memory = "-" if node.megabytes is None else f"{node.megabytes} MB"
        pid = "-" if node.pid is None else str(node.pid)
        health = "stopped" if not status.state.desired.running and node.pid is None else node.health.value
        rows.append((node.name, health, node.host, node.host, pid, memory))
    lines = table(headings, rows, [False] * len(headings))
    lost = [node.name for node in status.nodes if node.health.value == "lost"]
    notes = [f"lost: {', '.join(lost)}; ess cluster start, or the next job, replaces them"] if lost else []
    return [f"Summary for cluster {status.state.id}", "", *lines, *notes]


def machine_lines(found: Overview) -> list[str]:
    """A table of the machines in the cloud, and what they cost."""
    headings = ("machine", "state", "publicIP", "privateIP", "type", "reservation", "since")
    rows = [
        (
            each.instance.id,
            each.instance.status.value,
            each.instance.public or "-",
            each.instance.private or "-",
            each.instance.type,
            each.instance.reservation or "-",
            each.instance.launched.strftime("%Y-%m-%d %H:%M"),
        )
        for each in found.machines
    ]
    lines = table(headings, rows, [False] * len(headings))
    costs = f"cost: {_dollars(found.bill.hourly)} an hour, {_dollars(found.bill.so_far)} so far, without disks"
    return ["", *lines, costs, *([found.bill.warning] if found.bill.warning else [])]


def leftover_lines(found: Sequence[Thing]) -> list[str]:
    """A table of what has the tag of a cluster."""
    if not found:
        return ["", "Nothing in the cloud has the tag of a cluster."]
    headings = ("cluster", "what", "ID", "state", "region", "owner")
    rows = [
        (
            each.cluster,
            each.kind.value,
            each.id,
            each.instance.status.value if each.instance is not None else "-",
            each.region,
            each.owner,
        )
        for each in found
    ]
    return ["", *table(headings, rows, [False] * len(headings))]


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:.2f}" if amount >= 1 else f"${amount:.3f}"


def _say_running(status: ClusterStatus, *, fail: bool) -> None:
    wanted = status.state.desired.workers if status.state.desired else 0
    _report(status.problems, fail=fail)
    where = "this machine" if status.state.mode == "local" else "their hosts"
    print(f"cluster {status.state.id}: {wanted - len(status.problems)} of {wanted} workers are running on {where}")


def _report(problems: Sequence[EssError], *, fail: bool) -> None:
    for problem in problems:
        _say(str(problem))
    if problems and fail:
        raise typer.Exit(problems[0].exit_code)


def _say(text: str) -> None:
    print(f"ess: {concealed(text)}", file=sys.stderr)
