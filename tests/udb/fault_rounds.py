"""Rounds in which servers and commands are killed, and what was there before and after is compared with the model."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ess.errors import EssError
from tests.udb.fault_model import (
    CLIENTS,
    DEFINITION,
    IMPORTS,
    State,
    Task,
    change_command,
    choose,
    import_command,
    look,
)
from tests.udb.fault_processes import Command, Servers
from tests.waiting import until

#: What two_phases says when it is not known whether something counts, and when it counts in spite of the error.
_OPEN = "before it said whether what was sent counts"
_DONE_ANYHOW = "what was sent is committed, but then"


@dataclass
class Client:
    """One client, and what is known of what it has."""

    number: int
    batch: int = 0
    #: What it had and has: the last one is the present one, unless ``doubt`` is.
    states: list[State] = field(default_factory=lambda: [State()])
    #: What it would have if what is under way were done.
    planned: State | None = None
    #: Whether what was under way when something was killed may be done.
    in_doubt: bool = False
    #: An import to repeat, as a task that is run again: its command, its identity, and whether it counts already.
    last: tuple[Task, list[str], str] | None = None
    last_counts: bool | None = False
    #: What a load of its checkpoint may give: of each client the states; None: there may be no checkpoint.
    saved: list[list[list[State]] | None] = field(default_factory=lambda: [None])
    #: What its copy of the database may hold, likewise; None: nothing.
    copied: list[list[list[State]] | None] = field(default_factory=lambda: [None])
    wrong: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """Rounds of faults on one database, each from what the round before has left.

    Args:
        servers: Its servers.
        folder: For checkpoints and what is printed.
        seed: Of everything that is chosen.
    """

    servers: Servers
    folder: Path
    seed: str
    clients: list[Client] = field(default_factory=lambda: [Client(n) for n in range(CLIENTS)])
    done: int = 0
    refused: int = 0
    doubtful: int = 0
    loaded: int = 0
    where: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _running: dict[int, Command] = field(default_factory=dict)

    def begin(self) -> None:
        """Write the specs, start the servers, define the database."""
        lines = "\n".join(f"@Server: 127.0.0.1:{port}" for port in self.servers.ports)
        backwards = "\n".join(f"@Server: 127.0.0.1:{port}" for port in reversed(self.servers.ports))
        conf = Path(os.environ["ESS_WORK_DIR"])
        conf.mkdir(exist_ok=True)
        (conf / "db.spec").write_text(lines + DEFINITION)
        # Copies have the servers in another order, and one of them only.
        (conf / "copy0.spec").write_text(backwards + DEFINITION)
        (conf / "copy1.spec").write_text(f"@Server: 127.0.0.1:{self.servers.ports[0]}{DEFINITION}")
        self.servers.start()
        for name in ("db", "copy0", "copy1"):
            self._foreground("aq_udb", "-crt", name)

    # A round ------------------------------------------------------------------------------------------------------

    def round(self, number: int) -> None:
        """Start what does not run, let clients work, kill, start again, and compare."""
        generator = random.Random(f"{self.seed}/{number}")
        self.where = f"seed {self.seed} round {number}"
        self.servers.start(generator)
        self._ended.clear()
        threads = [threading.Thread(target=self._work, args=(c, generator.randrange(1 << 30))) for c in self.clients]
        threads.append(threading.Thread(target=self._watch))
        for thread in threads:
            thread.start()
        self._strike(generator, threads[:-1])
        self._ended.set()
        if generator.random() < 0.5:
            for number in range(CLIENTS):
                self._kill(number)
        for thread in threads:
            thread.join()
        assert not any(client.wrong for client in self.clients), (self.where, [c.wrong for c in self.clients])
        self.servers.end_deadly()
        self.servers.start()
        self._compare()
        for client in self.clients:
            self._compare_copies(client)

    def _strike(self, generator: random.Random, workers: list[threading.Thread]) -> None:
        for _ in range(generator.randint(1, 2)):
            # In the middle of what follows something that was done: where nothing was, nothing can be lost.
            goal = self.done + generator.randint(1, 2 if self.servers.real else 6)
            until(partial(self._has_come_to, goal, workers))
            time.sleep(generator.uniform(0.0, 1.0 if self.servers.real else 0.3))
            victims = [*range(CLIENTS), *self.servers.ports]
            for victim in generator.sample(victims, generator.randint(1, len(victims) - 1)):
                if victim < CLIENTS:
                    self._kill(victim)
                else:
                    self.servers.end(victim, generator.choice([signal.SIGKILL] * 4 + [signal.SIGTERM]))
            if generator.random() < 0.3:
                self.servers.start(generator)  # while clients go on

    def _has_come_to(self, goal: int, workers: list[threading.Thread]) -> bool:
        return self.done >= goal or not any(thread.is_alive() for thread in workers)

    def _kill(self, client: int) -> None:
        with self._lock:
            if client in self._running:
                self._running[client].kill()

    # Clients ------------------------------------------------------------------------------------------------------

    def _work(self, client: Client, seed: int) -> None:
        generator = random.Random(seed)
        try:
            while not self._ended.is_set() and not client.in_doubt:
                client.batch += 1
                task = choose(generator, client.number, client.batch)
                if task.kind == "save":
                    self._save(client)
                elif task.kind == "load":
                    self._load(client)
                elif task.kind == "repeat":
                    self._repeat(client)
                else:
                    self._do(client, task)
        except AssertionError as error:
            client.wrong.append(str(error))

    def _do(self, client: Client, task: Task) -> None:
        client.planned = client.states[-1].after(task)
        if task.kind in IMPORTS:
            identity = f"job:{client.number}-{task.batch}"
            client.last = (task, import_command(task, self.folder), identity)
            client.last_counts = self._try(client, client.last[1], {"ESS_IMPORT_ID": identity})
        else:
            self._try(client, change_command(task))

    def _repeat(self, client: Client) -> None:
        """As a task that is run again, because it failed or seems to have."""
        if client.last is None:
            return
        task, command, identity = client.last
        client.planned = client.states[-1] if client.last_counts else client.states[-1].after(task)
        done = self._try(client, command, {"ESS_IMPORT_ID": identity})
        client.last_counts = client.last_counts or done

    def _try(self, client: Client, command: list[str], variables: dict[str, str] | None = None) -> bool | None:
        """Run a command that does what is planned; whether that is done, or None where it is not known."""
        code, said = self._command(client, command, variables)
        assert client.planned is not None
        assert "Traceback" not in said, said
        if code == 0 or _DONE_ANYHOW in said:
            with self._lock:
                client.states.append(client.planned)
                client.planned = None
                self.done += 1
            return True
        if code < 0 or _OPEN in said:
            client.in_doubt = True
            return None
        with self._lock:
            client.planned = None
            self.refused += 1
        return False

    def _command(self, client: Client, words: list[str], variables: dict[str, str] | None = None) -> tuple[int, str]:
        with self._lock:
            command = Command(words, self.folder / f"said-{client.number}", variables or {}, real=self.servers.real)
            self._running[client.number] = command
        code = command.wait()
        with self._lock:
            del self._running[client.number]
        said = command.said()
        assert code in (0, -signal.SIGKILL) or (said.count("\n") == 1 and said.startswith(words[0])), (code, said)
        return code, said

    # Checkpoints --------------------------------------------------------------------------------------------------

    def _save(self, client: Client) -> None:
        since = self._now()
        code, _ = self._command(client, ["aq_udb", "-save", "db", str(self._place(client))])
        may_hold = self._between(since)
        client.saved = [may_hold] if code == 0 else [*client.saved, may_hold]

    def _load(self, client: Client) -> None:
        name = f"copy{client.number}"
        if self._command(client, ["aq_udb", "-clr", name])[0] != 0:
            client.copied = [*client.copied, None]
            return
        client.copied = [None]
        code, said = self._command(client, ["aq_udb", "-load", name, str(self._place(client))])
        self._require_clear(client, code, said)
        client.copied = [s for s in client.saved if s is not None] if code == 0 else [None, *client.saved]

    def _require_clear(self, client: Client, code: int, said: str) -> None:
        """Check that a saved database can be loaded, and that an unsaved one is reported as missing."""
        if code > 0 and "cannot be reached" not in said and "the server" not in said:
            assert None in client.saved, said
            assert "no database was saved there" in said, said

    def _place(self, client: Client) -> Path:
        return self.folder / f"saved-{client.number}"

    def _now(self) -> list[int]:
        with self._lock:
            return [len(client.states) - 1 for client in self.clients]

    def _between(self, since: list[int]) -> list[list[State]]:
        """The states that each client may have had since a moment."""
        with self._lock:
            found = [c.states[n:] for c, n in zip(self.clients, since, strict=True)]
            for states, client in zip(found, self.clients, strict=True):
                if client.planned is not None:
                    states.append(client.planned)
            return found

    # Comparing ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Check that everything seen meanwhile consists of whole imports and whole changes, or is an error."""
        while not self._ended.wait(0.05):
            since = self._now()
            before = [client.planned for client in self.clients]
            try:
                found = look()
            except EssError:
                continue  # a server is gone
            except AssertionError as error:
                self.clients[0].wrong.append(str(error))
                return
            for client, seen, states in zip(self.clients, found, self._between(since), strict=True):
                states += [state for state in (before[client.number],) if state is not None]
                for part in ("log", "extra", "sums"):
                    if getattr(seen, part) not in [getattr(state, part) for state in states]:
                        client.wrong.append(f"while it went on: {part} {_difference(seen, states[0])}")

    def _compare(self) -> None:
        found = look()
        for client, seen in zip(self.clients, found, strict=True):
            allowed = [client.states[-1], *([client.planned] if client.in_doubt and client.planned else [])]
            if seen not in allowed:
                raise AssertionError(f"{self.where}, client {client.number}: {[_difference(seen, a) for a in allowed]}")
            self.doubtful += client.in_doubt
            if client.in_doubt and client.last_counts is None:
                # Where it changes nothing that can be seen, a repetition changes nothing either, whatever it was.
                client.last_counts = seen == client.planned
            client.states, client.planned, client.in_doubt = [seen], None, False

    def _compare_copies(self, client: Client) -> None:
        name = f"copy{client.number}"
        self._foreground("aq_udb", "-crt", name)  # it is gone if it was cleared
        self._require_one_of(client.copied, look(name), f"client {client.number}, {name}")
        self._foreground("aq_udb", "-clr", name)
        self._foreground("aq_udb", "-crt", name)
        words = ["aq_udb", "-load", name, str(self._place(client))]
        code, said = self._command(client, words, {"ESS_WARM": "1"})
        self._require_clear(client, code, said)
        assert code == 0 or None in client.saved, said
        found = look(name)
        self._require_one_of([None] if code else client.saved, found, f"client {client.number}, checkpoint")
        client.copied = [[[state] for state in found]]
        if code == 0:
            self.loaded += 1
            client.saved = list(client.copied)
            parts = list(self._place(client).glob("data-*"))
            assert len(parts) <= 4, parts  # one for each save that was killed since the last whole one
        for path in self.folder.glob(f"{client.number}-*.csv"):
            if client.last is None or str(path) not in client.last[1]:
                path.unlink()

    def _require_one_of(self, allowed: list[list[list[State]] | None], found: list[State], what: str) -> None:
        if None in allowed and found == [State()] * CLIENTS:
            return
        for states in allowed:
            if states is not None and all(f in s for f, s in zip(found, states, strict=True)):
                return
        shown = [None if s is None else [_difference(f, x[0]) for f, x in zip(found, s, strict=True)] for s in allowed]
        raise AssertionError(f"{self.where}, {what}: {shown}")

    def _foreground(self, *words: str) -> None:
        # By the tool server, as users have it; those that are killed run by themselves, so that the signal ends them.
        command = Command(list(words), self.folder / "said", {"ESS_WARM": "1"}, real=self.servers.real)
        assert command.wait() == 0, (self.where, command.said())

    def remove_checkpoints(self) -> None:
        """Forget them, so that the first save is tried again."""
        for client in self.clients:
            shutil.rmtree(self._place(client), ignore_errors=True)
            client.saved = [None]


def _difference(found: State, expected: State) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    parts: list[Callable[[State], dict[Any, Any]]] = [lambda s: s.log, lambda s: s.extra, lambda s: s.sums]
    for name, part in zip(("log", "extra", "sums"), parts, strict=True):
        more = {k: v for k, v in part(found).items() if part(expected).get(k) != v}
        less = {k: v for k, v in part(expected).items() if part(found).get(k) != v}
        if more or less:
            shown[name] = f"found {more}, expected {less}"
    return shown
