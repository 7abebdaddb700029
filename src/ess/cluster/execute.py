"""``ess exec``: a command on every node, output in node order; a plain ``aq_udb`` call once for all."""

from __future__ import annotations

from collections.abc import Callable

from ess.cluster import ledger
from ess.cluster.database_calls import asks_whole_database
from ess.cluster.delivery import Delivery, Sink
from ess.cluster.driver import drive
from ess.cluster.opening import open_runtime
from ess.cluster.report import ExecResult, Failure
from ess.cluster.targets import Target, names_of_nodes, require_target
from ess.cluster.unbroken import holding_back
from ess.cluster.user_environment import surroundings
from ess.cluster.work import Job, Outcome, Task
from ess.lake.content import THIS_DISK


def execute(
    command: str,
    *,
    stdout: Sink,
    stderr: Sink,
    master: bool = False,
    trace: Callable[[str], None] | None = None,
    output: Target | None = None,
) -> ExecResult:
    """Run ``command`` once on every node, or once on this machine if there is no cluster.

    A command of plain ``aq_udb`` calls runs once on this machine, over the servers of all nodes.
    In any other command on several nodes, ``aq_udb`` sees the servers of its node.

    Args:
        command: For bash; ``%num_nodes %node_id %num_threads %thread_id`` are substituted.
        stdout: Takes the commands' output, node by node.
        stderr: Takes their messages.
        master: Run it here only.
        trace: Gets a line for each node: how it ended.
        output: The object that the output of each node becomes; None to deliver it.

    Raises:
        BrokenPipeError: If nobody reads the output any more; everything is stopped then.
    """
    if output is not None:
        require_target(output)
        names_of_nodes(output, 0)
    job_id, folder = ledger.new_job()
    book = ledger.Ledger(job_id, folder)
    outcomes: list[Outcome] = []
    try:
        book.begin(f"ess exec {command}", "")
        runtime = open_runtime(folder, threads=1, master=master or asks_whole_database(command))
        try:
            nodes = sorted({slot.node_id for slot in runtime.slots()})
            names = names_of_nodes(output, len(nodes)) if output is not None else [None] * len(nodes)
            job = Job(job_id, command, surroundings(), output=output.access if output is not None else THIS_DISK)
            share = {node: {"ESS_UDB_NODE": f"{node}/{len(nodes)}"} if len(nodes) > 1 else {} for node in nodes}
            tasks = [Task(index, None, share[node], node, names[index]) for index, node in enumerate(nodes)]
            with holding_back() as unbroken:
                delivery = Delivery(
                    folder,
                    stdout,
                    stderr,
                    name=lambda outcome: f"node {outcome.node_id}" if len(nodes) > 1 else "",
                    all_messages=True,
                    delivered=outcomes.append,
                    unbroken=unbroken,
                )
                bundles = [[task] for task in tasks]
                drive(job, bundles, runtime, outcome=delivery.take, notice=delivery.notice, attempts=1)
        finally:
            runtime.close()
        failures = tuple(
            Failure(f"node {each.node_id}", each.ended.exit_code, each.node_id, each.ended.problem)
            for each in outcomes
            if each.ended.exit_code != 0
        )
        if trace:
            for each in outcomes:
                trace(f"node {each.node_id}: exit code {each.ended.exit_code}, {each.ended.seconds:.2f} s")
        exit_code = failures[0].exit_code if failures else 0
        book.end(exit_code)
        written = [each.written for each in outcomes if each.written is not None]
        return ExecResult(exit_code, len(nodes), failures, len(written), sum(each.size for each in written))
    finally:
        book.close()
        ledger.clear_output(folder)
