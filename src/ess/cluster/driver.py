"""The loop that keeps a runtime's slots busy with a job's bundles, until all are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ess.cluster.commands import Ended
from ess.cluster.dispatch import ATTEMPTS, Dispatch, NodeLost, Notice, Runtime
from ess.cluster.work import Job, Outcome, Task

#: The longest pause between two looks at what the user wants, in seconds.
PAUSE = 0.5


def drive(
    job: Job,
    bundles: Sequence[Sequence[Task]],
    runtime: Runtime,
    *,
    outcome: Callable[[Outcome], None],
    notice: Callable[[str], None] = lambda _text: None,
    cancelled: Callable[[], bool] = lambda: False,
    attempts: int = ATTEMPTS,
) -> bool:
    """Run all bundles, handing each task's outcome to ``outcome`` in whatever order they end.

    Args:
        job: What to run.
        bundles: The tasks, in the order of their start; none is empty.
        runtime: Where.
        outcome: Gets each outcome, in this thread; what it raises ends the job.
        notice: Gets a line about whatever does not answer.
        cancelled: Asked after each event or pause; true ends the job as Ctrl-C does.
        attempts: How often a bundle is tried at most, when nodes are lost.

    Returns:
        Whether everything was run; False if a failure ended the job (``quit_on_error``).

    Raises:
        KeyboardInterrupt: After Ctrl-C, or if it was cancelled.
    """
    dispatch = Dispatch([bundle[0].node_id for bundle in bundles], attempts=attempts)
    while not dispatch.complete:
        if cancelled():
            raise KeyboardInterrupt
        for slot, number, attempt in dispatch.assign(runtime.slots()):
            runtime.start(slot, number, attempt, job, list(bundles[number]))
        for event in runtime.wait(PAUSE):
            if isinstance(event, Notice):
                notice(event.text)
                continue
            if isinstance(event, NodeLost):
                given_up = dispatch.lost(event.node_id)
            elif not dispatch.runs(event.slot, event.bundle, event.attempt):
                continue
            else:
                ended = [each for each in event.outcomes if not each.ended.stopped]
                if failed := job.quit_on_error and any(each.ended.exit_code for each in ended):
                    runtime.stop()
                if failed or len(ended) == len(bundles[event.bundle]):
                    dispatch.finished(event.slot, event.bundle, event.attempt)
                    for each in ended:
                        outcome(each)
                    if failed:
                        return dispatch.complete
                    continue
                given_up = dispatch.broken_off(event.slot)  # a worker dropped it, although nobody told it to
            for number in given_up:
                for task in bundles[number]:
                    outcome(_given_up(task, attempts))
    return True


def _given_up(task: Task, attempts: int) -> Outcome:
    name = task.entry.path if task.entry else "the command"
    lost = "its node was lost while it ran" if attempts == 1 else f"{attempts} nodes were lost while they ran it"
    return Outcome(task.index, Ended(4, 0.0, (), f"{name}: {lost}"), task.node_id or 0, attempts, "", "")
