"""Servers and clients that are killed at bad moments, and what must be there afterwards.

A server is a process that ends itself with SIGKILL at a chosen write, sync or rename of its files (in the middle of the
write, too), or is killed from outside after a while. A client is a process that says over a pipe what it begins and
what is done. The model holds what was done; what was begun only must be there as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from ess.errors import EssError

DEFINITION = """
@Table:log      s,pkey:user i:client i:batch i:n i:value
@Table:extra    s,pkey:user i:client i:batch
@Vector:totals  s,pkey:user l,+add:count
"""

#: Imports of more rows than this have a file of their own here, so that both ways are tried.
MANY_ROWS = 400

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["ess.udb.server", "ess.udb.client", "ess.udb.export"])


# Servers --------------------------------------------------------------------------------------------------------------


def serve(work_folder: str, folder: str, port: int, dies_at: int, ready: Pipe) -> None:
    """The process of a server.

    Args:
        work_folder: Where its access files are.
        folder: Where it logs.
        port: Where it listens.
        dies_at: At which write, sync or rename it ends itself; 0: never.
        ready: Is told when it listens.
    """
    from ess.udb import journal
    from ess.udb.access import read_server_access
    from ess.udb.server import UdbServer

    os.environ["ESS_WORK_DIR"] = work_folder
    logging.basicConfig(filename=f"{folder}.log", level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    journal.LARGE_LOG = 30_000
    _small_imports_only(8_000)
    if dies_at:
        _die_at(dies_at)
    server = UdbServer("127.0.0.1", port, read_server_access(), folder=Path(folder))
    ready.send("ready")
    threading.Thread(target=_snapshots, args=(server,), daemon=True).start()
    signal.pause()


def _small_imports_only(limit: int) -> None:
    from ess.udb import database

    database.LARGE_IMPORT = limit  # type: ignore[attr-defined]


def _snapshots(server: Any) -> None:
    while True:
        time.sleep(0.03)
        server.catalog.take_snapshots()


def _die_at(count: int) -> None:
    """End this process at the so-many-th operation on its files."""
    left = [count]
    counting = threading.Lock()
    write, fdatasync, fsync, rename = os.write, os.fdatasync, os.fsync, Path.rename

    def is_last() -> bool:
        with counting:
            left[0] -= 1
            return left[0] == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying_write(file: int, data: Any) -> int:
        if file > 2 and is_last():
            write(file, bytes(data)[: max(1, len(data) // 2)])
            die()
        return write(file, data)

    def dying_fdatasync(file: int) -> None:
        if is_last():
            die()
        fdatasync(file)

    def dying_fsync(file: int) -> None:
        if is_last():
            die()
        fsync(file)

    def dying_rename(path: Path, target: Any) -> Path:
        if is_last():
            die()
        done = rename(path, target)
        if is_last():
            die()
        return done

    os.write = dying_write
    os.fdatasync = dying_fdatasync  # type: ignore[assignment]
    os.fsync = dying_fsync  # type: ignore[assignment]
    Path.rename = dying_rename  # type: ignore[method-assign, assignment]


@dataclass
class Pool:
    """Two servers with their folders, which outlive them."""

    folder: Path
    ports: tuple[int, ...]
    processes: dict[int, Any] = field(default_factory=dict)

    def start(self, generator: random.Random, *, deadly: bool) -> None:
        """Start those that do not run. One that is to die may do so while it starts; then it is started again."""
        for port in self.ports:
            while not self.runs(port):
                dies_at = generator.choice([0, generator.randint(1, 25), generator.randint(1, 80)]) if deadly else 0
                here, there = CONTEXT.Pipe()
                process = CONTEXT.Process(
                    target=serve,
                    args=(os.environ["ESS_WORK_DIR"], str(self.folder / f"udbd-{port}.data"), port, dies_at, there),
                    daemon=True,
                )
                process.start()
                there.close()
                self.processes[port] = process
                with contextlib.suppress(EOFError):
                    if not here.poll(60):
                        raise AssertionError("a server does not start")
                    here.recv()

    def runs(self, port: int) -> bool:
        process = self.processes.get(port)
        return process is not None and process.is_alive()

    def kill(self, port: int) -> None:
        if self.runs(port):
            self.processes[port].kill()
            self.processes[port].join()

    def stop(self) -> None:
        for port in self.ports:
            self.kill(port)


# Clients --------------------------------------------------------------------------------------------------------------


def work(work_folder: str, client: int, seed: int, batch: int, told: Pipe) -> None:
    """The process of a client: says ``(kind, batch, rows)`` before it begins something, and ``done`` after."""
    os.environ["ESS_WORK_DIR"] = work_folder
    generator = random.Random(seed)
    try:
        while True:
            batch += 1
            kind = generator.choice(
                ["import", "import", "import", "large", "totals", "change", "extra", "clear", "order"]
            )
            rows = generator.randint(MANY_ROWS, 2 * MANY_ROWS) if kind == "large" else generator.randint(1, 40)
            told.send((kind, batch, rows))
            try:
                act(client, kind, batch, rows)
            except EssError as error:
                told.send(str(error))
                return
            told.send("done")
    except (BrokenPipeError, ConnectionError):
        return


def act(client: int, kind: str, batch: int, rows: int) -> None:
    """Do one thing with the database."""
    from ess.udb.perform import perform

    if kind in ("import", "large"):
        put("log", [(user(n), client, batch, n, 0) for n in range(rows)])
    elif kind == "extra" and client == 0:  # who alone clears it, so that the order of both is known
        put("extra", [(user(n), client, batch) for n in range(rows)])
    elif kind == "totals":
        put("totals", [(user(n), 1) for n in range(rows)])
    elif kind == "change":
        perform(operation("-scn", "db:log", filt=f"client == {client} && batch % 2 == 0", change=True))
    elif kind == "clear" and client == 0:
        perform(operation("-clr", "db:extra"))
    elif kind == "order":
        perform(operation("-ord", "db:log", "n"))


def user(number: int) -> bytes:
    """Few keys, so that rows of many imports meet."""
    return b"u%d" % (number % 23)


def operation(name: str, *arguments: str, filt: str = "", change: bool = False) -> Any:
    """A checked operation of ``aq_udb``."""
    from ess.pipeline.options import Option, Use
    from ess.udb.operations import plan

    uses = [Use(Option(name, ""), (), arguments, name)]
    if filt:
        uses.append(Use(Option("-filt", ""), (), (filt,), "-filt"))
    if change:
        uses.append(Use(Option("-eval", ""), (), ("value", "value + 1"), "-eval"))
    return plan(uses)


def put(table: str, rows: list[tuple[Any, ...]]) -> None:
    """Import rows."""
    import polars as pl

    from ess.engines.batch import PHYSICAL
    from ess.language.tree import Slot
    from ess.udb.client import Import, ImportIdentity, ImportOptions
    from ess.udb.target import find_target

    target = find_target(f"db:{table}", where="test")
    assert target.table is not None
    slots = [Slot(c.key, c.name, c.type) for c in target.table.columns]
    identity = ImportIdentity(f"once:{random.SystemRandom().randbytes(8).hex()}")
    sink = Import(target, target.spec.servers, slots, ImportOptions(), identity, where="test")
    columns = [pl.Series(slot.key, [row[n] for row in rows], dtype=PHYSICAL[slot.type]) for n, slot in enumerate(slots)]
    try:
        sink.write(pl.DataFrame(columns))
        sink.commit()
    except BaseException:
        sink.abort()
        raise


# The model ------------------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """What must be there: of each client the batches of ``log`` with how often they were changed, and so on."""

    log: dict[tuple[int, int], list[int]] = field(default_factory=dict)  #: (client, batch) -> [rows, value]
    extra: Counter[tuple[int, int]] = field(default_factory=Counter)
    totals: int = 0

    def apply(self, client: int, kind: str, batch: int, rows: int) -> None:
        """Something was done."""
        if kind in ("import", "large"):
            self.log[client, batch] = [rows, 0]
        elif kind == "extra" and client == 0:
            self.extra[client, batch] = rows
        elif kind == "totals":
            self.totals += rows
        elif kind == "change":
            for (owner, number), entry in self.log.items():
                if owner == client and number % 2 == 0:
                    entry[1] += 1
        elif kind == "clear" and client == 0:
            self.extra.clear()

    def copy(self) -> Model:
        return Model({key: list(entry) for key, entry in self.log.items()}, Counter(self.extra), self.totals)

    def seen(self) -> tuple[Any, ...]:
        """In the form of :func:`look`."""
        log = {key: (rows, value) for key, (rows, value) in self.log.items()}
        return log, dict(self.extra), self.totals


def look() -> tuple[Any, ...]:
    """What is there; each batch of ``log`` must be whole and have one value."""
    from ess.udb.query import export_batch

    log, _ = export_batch("db:log")
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for (client, batch), rows in log.group_by("client", "batch"):
        numbers = sorted(rows["n"].to_list())
        assert numbers == list(range(len(numbers))), f"batch {batch} of client {client} is not whole: {numbers}"
        assert all(key == user(n) for key, n in rows.select("user", "n").rows())
        values = set(rows["value"].to_list())
        assert len(values) == 1, f"batch {batch} of client {client} was changed in part: {values}"
        found[int(client), int(batch)] = (len(numbers), values.pop())
    extra, _ = export_batch("db:extra")
    counts = Counter((int(c), int(b)) for c, b in extra.select("client", "batch").rows())
    totals, _ = export_batch("db:totals")
    return found, dict(counts), int(totals["count"].sum())


# Rounds ---------------------------------------------------------------------------------------------------------------


@dataclass
class Campaign:
    """Rounds of faults on one database, each from what the round before has left."""

    pool: Pool
    seed: int
    clients: int = 2
    model: Model = field(default_factory=Model)
    batches: list[int] = field(default_factory=lambda: [0, 0])
    done: int = 0
    doubtful: int = 0
    seen_wrong: list[str] = field(default_factory=list)

    def round(self, number: int) -> None:
        """Start what does not run, let clients work, kill, start again, and compare."""
        generator = random.Random(f"{self.seed}/{number}")
        self.pool.start(generator, deadly=True)
        pipes: list[Pipe] = []
        processes = []
        for client in range(self.clients):
            here, there = CONTEXT.Pipe()
            arguments = (os.environ["ESS_WORK_DIR"], client, generator.randrange(1 << 30), self.batches[client], there)
            processes.append(CONTEXT.Process(target=work, args=arguments, daemon=True))
            processes[-1].start()
            there.close()
            pipes.append(here)
        watch = threading.Thread(target=self._watch)
        watch.start()
        time.sleep(generator.uniform(0.0, 0.7))
        victims = generator.sample(range(self.clients + len(self.pool.ports)), generator.randint(1, 4))
        for victim in victims:
            if victim < self.clients:
                processes[victim].kill()
            else:
                self.pool.kill(self.pool.ports[victim - self.clients])
        time.sleep(0.05)
        for process in processes:  # the others have seen what they have seen
            process.kill()
            process.join()
        watch.join()
        doubts = [self._heard(client, pipe) for client, pipe in enumerate(pipes)]
        self.pool.start(generator, deadly=False)
        self._compare([doubt for doubt in doubts if doubt is not None], f"seed {self.seed} round {number}")

    def _heard(self, client: int, pipe: Pipe) -> tuple[int, str, int, int] | None:
        """Take what a client has done into the model; what it had begun, if that is open."""
        begun: tuple[int, str, int, int] | None = None
        with contextlib.suppress(EOFError):
            while True:
                said = pipe.recv()
                if said == "done" and begun is not None:
                    self.model.apply(*begun)
                    self.done += 1
                    begun = None
                elif isinstance(said, tuple):
                    begun = (client, *said)
                    self.batches[client] = said[1]
        return begun

    def _compare(self, doubts: list[tuple[int, str, int, int]], where: str) -> None:
        assert not self.seen_wrong, f"{where}, while it went on: {self.seen_wrong}"
        self.doubtful += len(doubts)
        candidates = [self.model]
        for doubt in doubts:
            for model in list(candidates):
                candidates.append(model.copy())
                candidates[-1].apply(*doubt)
        found = look()
        for model in candidates:
            if model.seen() == found:
                self.model = model
                return
        seen = self.model.seen()
        names = ("log", "extra")
        more = {name: {k: v for k, v in found[n].items() if seen[n].get(k) != v} for n, name in enumerate(names)}
        less = {name: {k: v for k, v in seen[n].items() if found[n].get(k) != v} for n, name in enumerate(names)}
        raise AssertionError(
            f"{where}: found {more}, totals {found[2]}; expected {less}, totals {seen[2]}; with or without {doubts}"
        )

    def _watch(self) -> None:
        """What is seen meanwhile is made of whole imports and whole changes, or an error."""
        try:
            for _ in range(3):
                look()
        except AssertionError as error:
            self.seen_wrong.append(str(error))
        except EssError:
            pass  # a server is gone
