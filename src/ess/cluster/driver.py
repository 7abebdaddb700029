"""The loop that keeps a runtime's slots busy with a job's bundles, until all are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ess.cluster.commands import Ended
from ess.cluster.dispatch import ATTEMPTS, Dispatch, Finished, Runtime
from ess.cluster.work import Job, Outcome, Task

#: The longest pause between two looks at what the user wants, in seconds.
PAUSE = 0.5


def drive(
    job: Job,
    bundles: Sequence[Sequence[Task]],
    runtime: Runtime,
    *,
    outcome: Callable[[Outcome], None],
    attempts: int = ATTEMPTS,
) -> bool:
    """Run all bundles, handing each task's outcome to ``outcome`` in whatever order they end.

    Args:
        job: What to run.
        bundles: The tasks, in the order in which they shall start; none is empty.
        runtime: Where.
        outcome: Gets each outcome, in this thread; what it raises ends the job.
        attempts: How often a bundle is tried at most, when nodes are lost.

    Returns:
        Whether everything was run; False if a failure ended the job (``quit_on_error``).
    """
    dispatch = Dispatch([bundle[0].node_id for bundle in bundles], attempts=attempts)
    while not dispatch.complete:
        for slot, number, attempt in dispatch.assign(runtime.slots()):
            runtime.start(slot, number, attempt, job, list(bundles[number]))
        for event in runtime.wait(PAUSE):
            if isinstance(event, Finished):
                if not dispatch.finished(event.slot, event.bundle, event.attempt):
                    continue
                failed = False
                for each in event.outcomes:
                    outcome(each)
                    failed = failed or each.ended.exit_code != 0
                if failed and job.quit_on_error:
                    runtime.stop()
                    return dispatch.complete
            else:
                for number in dispatch.lost(event.node_id):
                    for task in bundles[number]:
                        outcome(_given_up(task, event.node_id, attempts))
    return True


def _given_up(task: Task, node_id: int, attempts: int) -> Outcome:
    name = task.entry.path if task.entry else "the command"
    lost = "its node was lost while it ran" if attempts == 1 else f"{attempts} nodes were lost while they ran it"
    return Outcome(task.index, Ended(4, 0.0, (), f"{name}: {lost}"), node_id, attempts, "", "")
