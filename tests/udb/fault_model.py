"""The clients' operations on the database under test, and the state that must follow.

Every client has its own rows, so what is there is known for each by itself: a list of states, one for each thing that
was done, and the state that what is under way would give. What is seen must be one of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ess.udb.command.query import export_batch

CLIENTS = 2
_KEYS = 23

DEFINITION = """
@Table:log      s,pkey:user i:client i:batch i:n i:value
""" + "".join(
    f"""
@Table:extra{client}    s,pkey:user i:batch i:n
@Vector:sums{client}   s,pkey:user l,+add:count
"""
    for client in range(CLIENTS)
)

_LOG = ("s:user", "i:client", "i:batch", "i:n", "i:value")
_EXTRA = ("s:user", "i:batch", "i:n")
_SUMS = ("s:user", "i:count")

#: What clients do, each as often as it stands here. ``more`` is large enough for a file of its own.
KINDS = (
    *("log", "log", "log", "more", "sums", "sums", "extra", "extra"),
    *("change", "delete", "order", "clear", "forget", "repeat", "save", "load"),
)
IMPORTS = {"log": "log", "more": "log", "extra": "extra", "sums": "sums"}


@dataclass(frozen=True)
class Task:
    """Something that a client does.

    Args:
        kind: One of ``KINDS``.
        batch: The number of an import.
        rows: How many rows it has.
        choice: A number that a change depends on.
    """

    client: int
    kind: str
    batch: int
    rows: int = 0
    choice: int = 0


@dataclass(frozen=True)
class State:
    """The rows of one client in the database.

    Args:
        log: Of each batch the number of its rows and how often it was changed.
        extra: Of each key the batch and number of its rows, in order.
        sums: Of each key its count.
    """

    log: dict[int, tuple[int, int]] = field(default_factory=dict)
    extra: dict[bytes, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    sums: dict[bytes, int] = field(default_factory=dict)

    def after(self, task: Task) -> State:
        """The state when a task is done."""
        if task.kind in ("log", "more"):
            return replace(self, log={**self.log, task.batch: (task.rows, 0)})
        if task.kind == "extra":
            extra = dict(self.extra)
            for key, batch, number in extra_rows(task):
                extra[key] = (*extra.get(key, ()), (batch, number))
            return replace(self, extra=extra)
        if task.kind == "sums":
            sums = dict(self.sums)
            for key, count in sums_rows(task):
                sums[key] = sums.get(key, 0) + count
            return replace(self, sums=sums)
        change = _CHANGES.get(task.kind)
        return change(self, task) if change else self


def _changed(state: State, _task: Task) -> State:
    return replace(state, log={b: (rows, value + (b % 2 == 0)) for b, (rows, value) in state.log.items()})


def _deleted(state: State, task: Task) -> State:
    return replace(state, log={batch: entry for batch, entry in state.log.items() if batch % 5 != task.choice % 5})


def _ordered(state: State, _task: Task) -> State:
    return replace(state, extra={key: tuple(sorted(rows, key=lambda row: row[1])) for key, rows in state.extra.items()})


def _cleared(state: State, _task: Task) -> State:
    return replace(state, extra={})


def _forgotten(state: State, task: Task) -> State:
    return replace(state, sums={k: n for k, n in state.sums.items() if k != sums_key(task.client, task.choice)})


_CHANGES: dict[str, Callable[[State, Task], State]] = {
    "change": _changed,
    "delete": _deleted,
    "order": _ordered,
    "clear": _cleared,
    "forget": _forgotten,
}


def choose(generator: random.Random, client: int, batch: int) -> Task:
    """The next operation of a client."""
    kind = generator.choice(KINDS)
    rows = generator.randint(400, 900) if kind == "more" else generator.randint(1, 40)
    return Task(client, kind, batch, rows, generator.randrange(1000))


# Rows and commands ----------------------------------------------------------------------------------------------------


def key(number: int) -> bytes:
    """Few keys, so that rows of many imports meet."""
    return b"u%d" % (number % _KEYS)


def sums_key(client: int, number: int) -> bytes:
    """A key that no other client and no other table has."""
    return b"s%d-%d" % (client, number % _KEYS)


def log_rows(task: Task) -> list[tuple[bytes, int, int, int, int]]:
    """The rows of an import into ``log``."""
    return [(key(n), task.client, task.batch, n, 0) for n in range(task.rows)]


def extra_rows(task: Task) -> list[tuple[bytes, int, int]]:
    """The rows of an import into ``extra``, which are not in order."""
    return [(key(n * 7), task.batch, (task.rows - n) % 10) for n in range(task.rows)]


def sums_rows(task: Task) -> list[tuple[bytes, int]]:
    """The rows of an import into ``sums``."""
    return [(sums_key(task.client, n), 1 + n % 3) for n in range(task.rows)]


def import_command(task: Task, folder: Path) -> list[str]:
    """The command of an import, and the file that it reads."""
    table = IMPORTS[task.kind]
    makers: dict[str, Callable[[Task], Iterable[tuple[bytes | int, ...]]]] = {
        "log": log_rows,
        "extra": extra_rows,
        "sums": sums_rows,
    }
    lines = [b",".join(v if isinstance(v, bytes) else b"%d" % v for v in row) for row in makers[table](task)]
    path = folder / f"{task.client}-{task.batch}.csv"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    columns = {"log": _LOG, "extra": _EXTRA, "sums": _SUMS}[table]
    name = table if table == "log" else f"{table}{task.client}"
    return ["aq_pp", "-f", str(path), "-d", *columns, "-imp", f"db:{name}"]


def change_command(task: Task) -> list[str]:
    """The command of a change."""
    client = task.client
    mine = ["aq_udb", "-scn", "db:log", "-if", "-filt"]
    commands = {
        "change": [*mine, f"client == {client} && batch % 2 == 0", "-eval", "value", "value + 1", "-endif"],
        "delete": [*mine, f"client == {client} && batch % 5 == {task.choice % 5}", "-del_row", "-endif"],
        "order": ["aq_udb", "-ord", f"db:extra{client}", "n"],
        "clear": ["aq_udb", "-clr", f"db:extra{client}"],
        "forget": [
            *("aq_udb", "-scn", "db", "-if", "-filt", f'user == "{sums_key(client, task.choice).decode()}"'),
            *("-del_key", "-endif"),
        ],
    }
    return commands[task.kind]


# What is there --------------------------------------------------------------------------------------------------------


def look(database: str = "db") -> list[State]:
    """The rows of each client in a database. Each batch of ``log`` must be whole and have one value."""
    log, _ = export_batch(f"{database}:log")
    found: list[dict[int, tuple[int, int]]] = [{} for _ in range(CLIENTS)]
    for (client, batch), rows in log.group_by("client", "batch"):
        numbers = sorted(rows["n"].to_list())
        assert numbers == list(range(len(numbers))), f"batch {batch} of client {client} is not whole: {numbers}"
        assert all(name == key(n) for name, n in rows.select("user", "n").rows())
        values = set(rows["value"].to_list())
        assert len(values) == 1, f"batch {batch} of client {client} was changed in part: {values}"
        found[int(client)][int(batch)] = (len(numbers), values.pop())
    return [State(found[client], *_look_at_own(database, client)) for client in range(CLIENTS)]


def _look_at_own(database: str, client: int) -> tuple[dict[bytes, tuple[tuple[int, int], ...]], dict[bytes, int]]:
    extra: dict[bytes, tuple[tuple[int, int], ...]] = {}
    for name, batch, number in export_batch(f"{database}:extra{client}")[0].rows():
        extra[name] = (*extra.get(name, ()), (batch, number))
    sums = {name: count for name, count in export_batch(f"{database}:sums{client}")[0].rows() if count}
    return extra, sums
