"""Questions to the processes of a cluster, over its TLS connections: a process says itself who and what it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from distributed.core import Server, rpc
from distributed.security import Security

from ess.cluster.versions import versions
from ess.errors import InitializationError

#: How long a process may take to answer, in seconds.
ANSWER_SECONDS = 10.0

_HANDLER = "ess_versions"


def answer_questions(server: Server) -> None:
    """Let a process of the cluster answer."""
    known = dict(versions())
    server.handlers[_HANDLER] = lambda: known


def ask_versions(addresses: Sequence[str], security: Security) -> list[Mapping[str, str]]:
    """The versions of the processes at these addresses, which are all asked at once.

    Raises:
        TimeoutError: If one has not answered for :data:`ANSWER_SECONDS`.
        OSError: If one cannot be reached.
    """

    async def ask_all() -> list[Mapping[str, str]]:
        asked = (_ask(address, security) for address in addresses)
        return list(await asyncio.wait_for(asyncio.gather(*asked), ANSWER_SECONDS))

    with ThreadPoolExecutor(1) as thread:  # this thread may have a loop of its own, as in a notebook
        return thread.submit(asyncio.run, ask_all()).result()


async def _ask(address: str, security: Security) -> Mapping[str, str]:
    arguments = security.get_connection_args("client")  # type: ignore[no-untyped-call]
    async with rpc(address, connection_args=arguments) as process:  # type: ignore[no-untyped-call]
        found = await process.ess_versions()
    return {str(name): str(version) for name, version in found.items()}


def check_versions(name: str, found: Mapping[str, str]) -> None:
    """Refuse to work with a process of another version.

    Raises:
        InitializationError: If one of its versions differs from ours.
    """
    for part, version in versions().items():
        other = found.get(part)
        if other != version:
            raise InitializationError(
                f"{name} runs {part} {other}, this is {version}",
                where="cluster",
                hint="run: ess cluster stop, then: ess cluster start",
            )
