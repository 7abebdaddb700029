"""The thin client: hands a command to the tool server and behaves as the command would.

The launchers (``launchers/bin``) hold the same client in Perl, which starts in a quarter of the time,
and come here where they cannot do it: no Perl, no server yet, an unusual start. Everything that
goes wrong before the command has begun means "run it directly" (the answer is None). It imports
only what is compiled into the interpreter, for the reason ``protocol`` gives; ``_socket`` and
``_signal`` are the compiled halves of ``socket`` and ``signal``.
"""

# pathlib costs more to import than the whole rest of a warm start:
# ruff: noqa: PTH101, PTH102, PTH120, PTH208
from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # no stubs; `signal` is this, wrapped in enums
import _socket
import os
import select
import sys
import time

from ess.tools.warm import protocol

#: Signals that a terminal or another process sends to the client and that are meant for the command.
_FORWARDED = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2)
LOST = (
    b"the tool server was lost while the command ran: see what it has done before you run it again; "
    b"ESS_WARM=0 does without\n"
)


def run(tool: str, arguments: list[str]) -> int | None:
    """Run a command on the tool server.

    Args:
        tool: The command's name, e.g. ``aq_pp``.
        arguments: Its arguments, without the name.

    Returns:
        The wait status of the command as ``os.wait`` gives it, or None if it has not run and the
        caller must run it directly. A missing server is started for the next command.
    """
    if os.environ.get("ESS_WARM", "1") == "0":
        return None
    path = protocol.socket_path()
    if not protocol.is_private(os.path.dirname(path)):
        _start_server(path)
        return None
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        _start_server(path)
        return None
    except OSError:
        connection.close()
        return None
    server = int.from_bytes(connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 4), sys.byteorder)
    if is_stopped(server):  # it would take the command's descriptors and not give them back
        connection.close()
        return None
    descriptors = _inherited_descriptors(connection.fileno())
    request = protocol.pack(_sections(tool, arguments, descriptors))
    if len(descriptors) + protocol.OWN_DESCRIPTORS > protocol.MAX_DESCRIPTORS or len(request) > protocol.MAX_REQUEST:
        connection.close()
        return None
    question, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _send(connection, request, [theirs.fileno(), *descriptors])
        theirs.close()
        command = receive(connection, protocol.BEGUN) if _comes(connection, tool, server) else None
    except OSError:
        command = None
    if command is None:
        connection.close()
        question.close()
        return None
    return _follow(connection, question, command, tool, server)


def finish(status: int) -> None:
    """End this process as the command ended: with its exit code, or by its signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def _inherited_descriptors(own: int) -> list[int]:
    """Every descriptor that a command started here would have."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor == own:
            continue
        try:
            if descriptor <= 2 or os.get_inheritable(descriptor):
                found.append(descriptor)
        except OSError:  # the listing's own descriptor, gone by now
            continue
    return sorted(found)


def _sections(tool: str, arguments: list[str], descriptors: list[int]) -> list[list[bytes]]:
    return [
        [
            protocol.package_directory().encode("utf-8", "surrogateescape"),
            sys.prefix.encode("utf-8", "surrogateescape"),
        ],
        [tool.encode(), *(os.fsencode(argument) for argument in arguments)],
        [name + b"=" + value for name, value in os.environb.items()],
        [str(descriptor).encode() for descriptor in descriptors],
    ]


def _send(connection: _socket.socket, request: bytes, descriptors: list[int]) -> None:
    # O_PATH: the working directory may be one that we may enter but not list.
    directory = os.open(".", os.O_PATH | os.O_DIRECTORY)
    try:
        rights = b"".join(d.to_bytes(4, sys.byteorder) for d in (directory, *descriptors))
        sent = connection.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        # Nothing more may be sent, not even an empty message: the command may have ended by then, which would be an
        # error here, and the caller would run it again.
        if sent < len(request):
            connection.sendall(request[sent:])
    finally:
        os.close(directory)


def receive(connection: _socket.socket, kind: bytes) -> int | None:
    """The number of the next message, or None if it is of another kind or the connection has ended."""
    data = b""
    while len(data) < protocol.MESSAGE_BYTES:
        part = connection.recv(protocol.MESSAGE_BYTES - len(data))
        if not part:
            return None
        data += part
    return int.from_bytes(data[1:], "big") if data[:1] == kind else None


def is_stopped(process: int) -> bool:
    """True if somebody has stopped a process, by SIGSTOP or with a debugger."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False


class Patience:
    """The processes that have been stopped for too long (``ESS_ANSWER_TIMEOUT``); each is reported once."""

    def __init__(self) -> None:
        text = os.environ.get("ESS_ANSWER_TIMEOUT", "")
        self._seconds = int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) else 10
        self._since: dict[int, float] = {}
        self._told: set[int] = set()

    def is_over(self, process: int) -> bool:
        """Ask this every second."""
        if not is_stopped(process):
            self._since.pop(process, None)
            return False
        over = time.monotonic() - self._since.setdefault(process, time.monotonic()) >= self._seconds
        over = over and process not in self._told
        if over:
            self._told.add(process)
        return over


def _comes(connection: _socket.socket, tool: str, server: int) -> bool:
    """Wait for the server's first word; a server that is stopped meanwhile is ended, and the command has not begun."""
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    patience = Patience()
    while not poller.poll(1000):
        if patience.is_over(server):
            text = (
                f"{tool}: the tool server (process {server}) is stopped; it is ended, and the command runs directly\n"
            )
            os.write(2, text.encode())
            os.kill(server, _signal.SIGKILL)
            return False
    return True


def _follow(connection: _socket.socket, question: _socket.socket, command: int, tool: str, server: int) -> int:
    """Pass signals on, and say that this process lives when asked, until the command has ended; its wait status."""

    def forward(number: int, _frame: object) -> None:
        try:
            connection.send(bytes([number]))
        except OSError:
            pass  # the command has ended; its status is on the way

    def suspend(_number: int, _frame: object) -> None:
        forward(_signal.SIGSTOP, None)
        _signal.signal(_signal.SIGTSTP, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGTSTP)  # as the terminal does it, so that a shell says the same
        _signal.signal(_signal.SIGTSTP, suspend)
        forward(_signal.SIGCONT, None)

    for number in _FORWARDED:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, forward)
    if _signal.getsignal(_signal.SIGTSTP) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGTSTP, suspend)
    poller = select.poll()
    poller.register(question.fileno(), select.POLLIN)
    poller.register(connection.fileno(), select.POLLIN)
    patience = Patience()
    while connection.fileno() not in (ready := [descriptor for descriptor, _ in poller.poll(1000)]):
        for process, name in ((server, "the tool server"), (command, "the command")) if not ready else ():
            if patience.is_over(process):
                text = f"{tool}: {name} (process {process}) is stopped; kill -CONT {process} lets it go on\n"
                os.write(2, text.encode())
        if question.fileno() in ready and not answer(question):
            poller.unregister(question.fileno())
    try:
        status = receive(connection, protocol.ENDED)
    except OSError:
        status = None
    if status is None:
        # The server is gone. The command may have read input already, so it cannot be run again.
        try:
            os.killpg(command, _signal.SIGKILL)
        except OSError:
            pass
        os.write(2, LOST)
        os._exit(4)
    return status


def answer(question: _socket.socket) -> bool:
    """Answer the command's question whether this process lives; whether more can come."""
    try:
        asked = question.recv(64)
        question.sendall(asked)
    except OSError:
        return False
    return bool(asked)


def _start_server(path: str) -> None:
    """Start a server for the commands to come, detached from this one and its descriptors."""
    directory = os.path.dirname(path)
    try:
        os.mkdir(directory, 0o700)
        os.chmod(directory, 0o700)  # a umask takes rights away from the owner too
    except FileExistsError:
        if not protocol.is_private(directory):
            return
    except OSError:
        return
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "XDG_RUNTIME_DIR", "ESS_RUNTIME_DIR", "ESS_WARM_IDLE", "PYTHONPATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    null = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]
    command = [sys.executable, "-P", "-m", "ess.tools.warm.server"]  # -P: nothing is imported from this folder
    try:
        os.posix_spawn(sys.executable, command, environment, file_actions=null, setsid=True)
    except OSError:
        return
