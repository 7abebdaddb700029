"""A machine that is reached by SSH: the system's own client does the connecting.

So the user's ``~/.ssh/config``, agents, jump hosts and hardware keys work. What belongs to the cluster is beside its
state: a configuration that includes the user's, and the keys of the hosts. A key is kept when a host is first met, and
another one is refused from then on.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import shlex
import subprocess
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ess import settings
from ess.cluster import state
from ess.cluster.host import Ran, exchanged
from ess.cluster.user_environment import of_another_machine
from ess.errors import EssError, InitializationError, OptionError, SystemFailure, printable
from ess.surroundings import environment, expand_user
from ess.tools.warm import protocol

#: How long a connection stays open for further commands, in seconds.
KEPT_SECONDS = 60

#: The exit code of ssh if it, and not the program, has failed.
_FAILED = 255

#: The most bytes of the path of a socket; ssh adds 17 to that of a connection while it makes it.
_SOCKET_BYTES = 107 - 17

#: The digits that ssh puts in place of ``%C``.
_DIGITS = 40

#: A user and a host; nothing that ssh would take for an option or a shell for more than a word.
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_\[:][A-Za-z0-9_.:%\]-]*\Z")

#: The login shell there sees only these words, whatever is run. The program comes as the first line of the input.
_RUN = 'exec /bin/sh -c \'read -r line; eval "$(echo "$line" | base64 -d)"\''

_PUT = 'umask 077; mkdir -p -- "${0%/*}" && t="$0.$1" && trap \'rm -f -- "$t"\' EXIT && cat >"$t" && mv -f -- "$t" "$0"'

#: Exit code 44 for a file that is not there: not one of cat.
_GET = '[ -e "$0" ] || exit 44; exec cat -- "$0"'
_NO_FILE = 44


def require_name(name: str) -> str:
    """Refuse what is no name of a host.

    >>> require_name("me@10.0.0.2")
    'me@10.0.0.2'

    Raises:
        OptionError: If it is none.
    """
    if not _NAME.match(name) or len(name) > 250:
        raise OptionError(
            f"'{printable(name)}' is no name of a host", where="--hosts", hint="give HOST, USER@HOST or an address"
        )
    return name


@dataclass(frozen=True)
class Place:
    """The places of the cluster's files on a host, and what else is known of it.

    Attributes:
        folder: The folder of the cluster's files.
        python: The Python that has this program.
        variables: The environment that its user has there.
    """

    folder: str
    python: str
    variables: Mapping[str, str]


class SshHost:
    """A machine reached by SSH; see :class:`ess.cluster.host.Host`.

    Args:
        name: As the user calls it: a name, an address or an alias of ``~/.ssh/config``, with ``USER@`` before it.
        place: What is known of it; None before anybody has looked.
        identity: A file with a key; None to use what the user's configuration says.
    """

    shares_files = False

    def __init__(self, name: str, place: Place | None = None, *, identity: Path | None = None) -> None:
        self.name = require_name(name)
        self._place = place
        self._identity = identity

    @property
    def folder(self) -> str:
        """The folder of the cluster's files there."""
        return self._known().folder

    @property
    def python(self) -> str:
        """The Python there that has this program."""
        return self._known().python

    def environment(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """That of the user there, with what does not belong to this machine."""
        return of_another_machine(wanted, self._known().variables)

    def run(self, words: Sequence[str], *, environment: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
        """Run a program."""
        mark = secrets.token_hex(8)
        head = _first_line(words, environment, mark)
        try:
            done = subprocess.run(
                [*self._client(), self.name, _RUN],
                input=head + stdin,
                capture_output=True,
                cwd="/",
                start_new_session=True,
                check=False,
            )
        except OSError as error:
            raise _no_client(error) from error
        return self._ended(words, mark, done.returncode, done.stdout, done.stderr)

    def exchange(
        self,
        words: Sequence[str],
        *,
        write: Callable[[BinaryIO], None] | None = None,
        read: Callable[[BinaryIO], None] | None = None,
    ) -> Ran:
        """Run a program with much to read or to write."""
        mark = secrets.token_hex(8)
        begun: list[bytes] = []

        def give(out: BinaryIO) -> None:
            out.write(_first_line(words, None, mark))
            if write is not None:
                write(out)

        def take(source: BinaryIO) -> None:
            for line in source:
                begun.append(line)
                if line == mark.encode() + b"\n":
                    if read is not None:
                        read(source)
                    return

        try:
            done = exchanged([*self._client(), self.name, _RUN], give, take)
        except OSError as error:
            raise _no_client(error) from error
        return self._ended(words, mark, done.exit_code, b"".join(begun), done.stderr)

    def put(self, path: str, content: bytes) -> None:
        """Write a file there."""
        done = self.run(["/bin/sh", "-c", _PUT, path, secrets.token_hex(4)], stdin=content)
        if done.exit_code:
            raise SystemFailure(
                f"cannot write {path} ({_last(done.stderr)})", where=self.name, hint="check the space on its disk"
            )

    def get(self, path: str) -> bytes | None:
        """Read a file there."""
        done = self.run(["/bin/sh", "-c", _GET, path])
        if done.exit_code and path.startswith("/proc/"):
            return None  # the process has ended meanwhile
        if done.exit_code not in (0, _NO_FILE):
            raise SystemFailure(f"cannot read {path} ({_last(done.stderr)})", where=self.name, hint="check its rights")
        return None if done.exit_code else done.stdout

    def let_go(self) -> None:
        """Close the connection that is kept open."""
        with contextlib.suppress(OSError, EssError):
            subprocess.run(
                [*self._client(), "-O", "exit", self.name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,
                check=False,
            )

    def _known(self) -> Place:
        if self._place is None:
            raise SystemFailure("nothing is known of it yet", where=self.name)
        return self._place

    def _client(self) -> list[str]:
        identity = [] if self._identity is None else ["-i", str(self._identity), "-o", "IdentitiesOnly=yes"]
        return ["ssh", "-F", str(_configuration()), *identity]

    def _ended(self, words: Sequence[str], mark: str, exit_code: int, stdout: bytes, stderr: bytes) -> Ran:
        # What comes before the mark was said by the start-up files of the user's shell.
        begun, _, output = stdout.partition(mark.encode() + b"\n")
        if len(begun) == len(stdout):
            if exit_code == _FAILED:
                raise explained(self.name, stderr)
            raise InitializationError(
                f"it runs no programs ({_last(stderr) or _last(stdout)})",
                where=self.name,
                hint=f"try: ssh {self.name} /bin/sh -c true",
            )
        if exit_code == _FAILED and _LOST.search(stderr):
            raise explained(self.name, stderr)
        if exit_code == 127 and not output and b"not found" in stderr:
            raise InitializationError(f"cannot start it ({_last(stderr)})", where=words[0], hint=f"on {self.name}")
        return Ran(exit_code, output, stderr)


_LOST = re.compile(
    rb"(?m)^(client_loop: send disconnect|Timeout, server .* not responding|Connection (to .* closed|closed by|reset)"
    rb"|mux_client|Shared connection to|Read from remote host)"
)


def explained(name: str, stderr: bytes) -> EssError:
    """The error of a connection that ssh could not make, or has lost."""
    said = stderr.decode("utf-8", "replace")
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said or "Host key verification failed" in said:
        keys = known_hosts()
        return InitializationError(
            "its host key is not the one that it had when it was first met: somebody may be in its place, or it was"
            " installed anew",
            where=name,
            hint=f"if you know why, run: {_forget(_key_name(said, name), keys)}",
        )
    if "Permission denied" in said or "Too many authentication failures" in said:
        return InitializationError(
            "it does not let you in (no key of yours, and no agent's, is accepted)",
            where=name,
            hint=f"try: ssh {name}; a passphrase needs ssh-agent; User and IdentityFile stand in ~/.ssh/config",
        )
    return InitializationError(
        f"it cannot be reached ({_last(stderr) or 'ssh said nothing'})",
        where=name,
        hint=f"is it running, and does this work: ssh {name} true",
    )


def _forget(name: str, keys: Path) -> str:
    """The command that forgets a key."""
    return f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(keys))}"


def _key_name(said: str, name: str) -> str:
    """The name of a host in the file of keys, as ssh tells it."""
    found = re.search(r"[Hh]ost key for (\S+) has changed", said)
    return found[1] if found else name.rpartition("@")[2]


def known_hosts() -> Path:
    """The file with the keys of the hosts, which stays when a cluster is terminated."""
    return state.cluster_folder() / "ssh" / "known_hosts"


def _configuration() -> Path:
    """The configuration for ssh. The first value that it finds counts, so what the user may not change comes first."""
    folder = settings.make_private_folder(state.cluster_folder() / "ssh")
    socket = _socket()
    kept = ["ControlMaster auto", f"ControlPath {_quoted(socket, '-%C')}", f"ControlPersist {KEPT_SECONDS}"]
    home = expand_user("~")
    seconds = max(1, round(settings.answer_timeout()))
    lines = [
        "# Made by ess: it is written anew when it differs.",
        "BatchMode yes",
        f"ConnectTimeout {seconds}",
        f"ServerAliveInterval {max(1, seconds // 3)}",
        "ServerAliveCountMax 3",
        "StrictHostKeyChecking accept-new",
        f"UserKnownHostsFile {_quoted(str(known_hosts()))}",
        "GlobalKnownHostsFile /dev/null",
        "UpdateHostKeys no",
        "VerifyHostKeyDNS no",
        "HashKnownHosts no",
        "ForwardAgent no",
        "ForwardX11 no",
        "ClearAllForwardings yes",
        "PermitLocalCommand no",
        "RequestTTY no",
        "RemoteCommand none",
        "LogLevel ERROR",
        *(kept if socket else ["ControlMaster no", "ControlPath none"]),
        f"Include {_quoted(f'{home}/.ssh/config')}",
        "Include /etc/ssh/ssh_config",
        "",
    ]
    path = folder / "config"
    content = "\n".join(lines).encode("utf-8", "surrogateescape")
    try:
        if path.read_bytes() == content:
            return path
    except FileNotFoundError:
        pass
    settings.write_private(path, content)
    return path


def _socket() -> str:
    """The beginning of the paths of sockets of kept connections; blank if no folder of ours has a short name."""
    runtime = environment().get("ESS_RUNTIME_DIR") or protocol.runtime_directory()
    # Another cluster folder has other keys of hosts, so a connection of its own.
    ours = zlib.crc32(os.fsencode(state.cluster_folder()))
    try:
        folder = settings.make_private_folder(Path(runtime).absolute())
    except EssError:
        return ""
    path = f"{folder}/{ours:08x}"
    return path if len(os.fsencode(path)) + len("-") + _DIGITS <= _SOCKET_BYTES else ""


def _quoted(text: str, token: str = "") -> str:
    """A path in the configuration, with a token that ssh replaces behind it.

    Raises:
        OptionError: If none can say it.
    """
    if '"' in text or "\n" in text:
        raise OptionError("the path has a character that ssh cannot take", where=text, hint="set ESS_CACHE_DIR")
    return f'"{text.replace("%", "%%")}{token}"'


def _first_line(words: Sequence[str], environment: Mapping[str, str] | None, mark: str) -> bytes:
    """The line that makes the shell there run a program: quoted as data, and then without a special character."""
    whole = list(words)
    if environment is not None:
        whole = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *whole]
    script = f"cd /; printf '%s\\n' {mark}; exec {shlex.join(whole)}"
    return base64.b64encode(os.fsencode(script)) + b"\n"


def _last(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return printable(lines[-1]) if lines else ""


def _no_client(error: OSError) -> InitializationError:
    return InitializationError(
        f"cannot start ssh ({error.strerror})", where="PATH", hint="install the OpenSSH client (openssh-client)"
    )
