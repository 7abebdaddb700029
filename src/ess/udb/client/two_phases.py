"""The client's side of a commit on several servers; see :mod:`ess.udb.wire.transactions`."""

from __future__ import annotations

from collections.abc import Sequence

from ess.errors import EssError, UdbCommunicationError
from ess.udb.client.stage_stream import StageStream


def commit(streams: Sequence[StageStream]) -> bool:
    """Make what was sent on streams count on all servers; the first stream's server decides.

    Returns:
        Whether it counts; False if the same import has counted before.

    Raises:
        EssError: If a server is lost or refuses. Where that leaves open whether it counts, or is after it has been
            decided that it does, the message says so.
    """
    for stream in streams:
        stream.say("prepare")
    for stream in streams:
        _expect(stream, "prepared")
    decider, *others = streams
    try:
        decider.say("commit")
        counted = _expect(decider, "committed")
    except UdbCommunicationError as error:
        raise UdbCommunicationError(
            f"{error.what} before it said whether what was sent counts",
            where=error.where,
            hint=f"{error.hint}; then look: it is there as a whole or not at all",
        ) from error
    # Whatever the decider committed before, the others have or are about to learn.
    failure: EssError | None = None
    for stream in others:
        try:
            stream.say("commit" if counted else "abort")
        except EssError as error:
            failure = error
    for stream in others if counted else []:
        try:
            _expect(stream, "committed")
        except EssError as error:
            failure = error
    if failure is not None and counted:
        raise type(failure)(
            f"what was sent is committed, but then: {failure.what}", where=failure.where, hint=failure.hint
        ) from failure
    return counted


def _expect(stream: StageStream, word: str) -> bool:
    answer = stream.wait()
    if word not in answer:
        raise UdbCommunicationError("the server's answer is malformed", hint="install the same version on both sides")
    return bool(answer[word])
