"""Lifecycle as decisions: whatever a cluster is, the steps lead to what it shall be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ess.cluster.lifecycle import (
    Desired,
    EndScheduler,
    EndWorker,
    Health,
    Observed,
    StartScheduler,
    StartWorker,
    Step,
    steps,
)

HEALTHS = st.sampled_from(Health)
OBSERVED = st.builds(Observed, HEALTHS, st.dictionaries(st.integers(0, 5), HEALTHS))
DESIRED = st.builds(Desired, st.integers(1, 5), st.booleans())


def apply(observed: Observed, taken: list[Step]) -> Observed:
    """Do what a provider does, and check the rules it relies on."""
    scheduler, workers = observed.scheduler, dict(observed.workers)
    for step in taken:
        if isinstance(step, StartScheduler):
            assert scheduler is Health.ABSENT
            scheduler = Health.RUNNING
        elif isinstance(step, EndScheduler):
            assert Health.RUNNING not in workers.values(), "workers end before their scheduler"
            scheduler = Health.ABSENT
        elif isinstance(step, StartWorker):
            assert scheduler is Health.RUNNING
            assert workers.get(step.node_id, Health.ABSENT) is Health.ABSENT, "a lost one is cleared away first"
            workers[step.node_id] = Health.RUNNING
        else:
            workers[step.node_id] = Health.ABSENT
    return Observed(scheduler, {number: health for number, health in workers.items() if health is not Health.ABSENT})


@given(DESIRED, OBSERVED)
def test_steps_lead_to_what_is_desired_and_then_there_are_none(desired: Desired, observed: Observed) -> None:
    after = apply(observed, steps(desired, observed))
    if desired.running:
        assert after == Observed(Health.RUNNING, dict.fromkeys(range(desired.workers), Health.RUNNING))
    else:
        assert after == Observed(Health.ABSENT, {})
    assert steps(desired, after) == []


def test_what_runs_well_is_left_alone() -> None:
    observed = Observed(Health.RUNNING, {0: Health.RUNNING, 1: Health.LOST, 2: Health.RUNNING})
    assert steps(Desired(2), observed) == [EndWorker(1), EndWorker(2), StartWorker(1)]
