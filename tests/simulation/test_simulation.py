"""The workers' own code over a played broker and database: whatever goes wrong, nothing shows of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.breakages import BREAKAGES
from tests.simulation.faults import Fault
from tests.simulation.shrink import Shrunk
from tests.simulation.verdict import judge
from tests.simulation.world import Outcome, Plan, plan_of, run

RUNS = 35
"""Each is about 50 ms of CPU; `python -m tests.simulation` does as many as one likes."""
MOST_RUNS = 20
"""So many runs at most until a broken build is found out."""

SOON = (0.0, 0.3, 0.8, 1.5)
STOCK, HISTORY = (0, 1), (2, 3)


def struck(
    act: str, request: str, slots: tuple[int, ...], *, after: bool, seconds: float = 0.0
) -> tuple[Fault, ...]:
    """Return faults that strike these workers again and again, at the request that matters."""
    return tuple(Fault(at, act, slot, seconds, request, after) for at in SOON for slot in slots)


LOST_ANSWERS = struck("lose", "commit", STOCK, after=True)
LOST_REQUESTS = struck("lose", "commit", STOCK, after=False)
KILLED_BEFORE = struck("kill", "commit", STOCK, after=False)
KILLED_AFTER = struck("kill", "commit", STOCK, after=True)
ZOMBIES = struck("pause", "produce", (0,), after=False, seconds=2.0) + KILLED_BEFORE[:2]
ASLEEP_IN_POSTGRES = struck("pause", "pg connect", HISTORY, after=True, seconds=2.5)
LEFT_OUT = (
    *(Fault(at, "no leader", seconds=0.4) for at in SOON),
    *(Fault(at, "kill", slot, 0.0, "commit", False, 1) for at in SOON for slot in STOCK),
)
KILLED_IN_POSTGRES = struck("kill", "pg commit", HISTORY, after=True)

FINDS_OUT = {
    "no fencing": ZOMBIES,
    "offsets outside the transaction": KILLED_AFTER,
    "tables before the commit": (),
    "going on after a failed commit": LOST_REQUESTS,
    "trying a failed commit again": LOST_ANSWERS,
    "not looking whether a commit shows": LEFT_OUT,
    "not looking what the last owner left": LEFT_OUT,
    "no recovery": KILLED_AFTER,
    "tables from uncommitted changes": KILLED_BEFORE,
    "uncommitted reads": (),
    "from the end where no offset is": (),
    "no fencing in Postgres": ASLEEP_IN_POSTGRES,
    "progress outside the transaction": KILLED_IN_POSTGRES,
}
"""What has to go wrong for a broken build to show."""


def done(plan: Plan, broken: str | None = None) -> Outcome:
    return run(plan, BREAKAGES[broken], judge) if broken else run(plan, judge=judge)


def plans(faults: tuple[Fault, ...]) -> Iterator[Plan]:
    for seed in range(1, MOST_RUNS + 1):
        yield replace(plan_of(seed), faults=faults) if faults else plan_of(seed)


def test_whatever_goes_wrong_all_is_decided_and_written_as_if_nothing_had() -> None:
    starts = faults = 0
    for seed in range(1, RUNS + 1):
        outcome = done(plan_of(seed))
        assert outcome.broken is None, (
            f"{outcome.broken}\nTo see how: python -m tests.simulation --seed {seed}"
        )
        starts += outcome.lives
        faults += len(outcome.plan.faults)
    assert faults > RUNS
    assert starts > 4 * RUNS, "nothing was ever started again"


@pytest.mark.parametrize("broken", BREAKAGES)
def test_a_broken_build_is_found_out(broken: str) -> None:
    assert any(done(plan, broken).broken for plan in plans(FINDS_OUT[broken]))


@pytest.mark.parametrize(
    "faults", [LOST_ANSWERS, LOST_REQUESTS, ZOMBIES, KILLED_BEFORE, LEFT_OUT, ASLEEP_IN_POSTGRES], ids=len
)
def test_what_finds_a_broken_build_out_does_no_harm_to_this_one(faults: tuple[Fault, ...]) -> None:
    for plan in list(plans(faults))[:3]:
        assert done(plan).broken is None


def test_a_partition_that_stays_goes_on_behind_its_last_commit_though_the_offsets_show_later() -> None:
    rebalances = tuple(Fault(at / 10, "rebalance") for at in range(1, 20, 3))
    for seed in range(1, 9):
        plan = replace(plan_of(seed), faults=rebalances, late_offsets_s=1.0)
        assert done(plan).broken is None


def test_a_seed_is_the_same_run_for_ever() -> None:
    script = "from tests.simulation.world import *; print(run(plan_of(7)).trace.digest())"
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    )
    assert elsewhere.stdout.strip() == run(plan_of(7)).trace.digest()


def test_a_failure_is_shrunk_to_what_it_needs() -> None:
    broken = "from the end where no offset is"
    plan = next(plan for plan in plans(()) if plan.faults and done(plan, broken).broken)
    shrunk = Shrunk(plan, lambda part: done(part, broken)).shrink()
    assert len(shrunk.plan.faults) == 0
    assert len(shrunk.plan.inputs) == 1
    assert shrunk.outcome.broken is not None
