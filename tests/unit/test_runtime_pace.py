"""When lanes may commit."""

import pytest

from streams.runtime.pace import Budget, Pace


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_idle_lane_commits_at_once() -> None:
    clock = Clock()
    pace = Pace(0.025, Budget(200, clock), clock)
    clock.now += 60
    assert pace.wait_s() == 0


def test_a_busy_lane_waits_from_the_end_of_its_last_commit() -> None:
    clock = Clock()
    pace = Pace(0.025, Budget(200, clock), clock)
    pace.wait_s()
    clock.now += 0.010  # the unit took this long
    pace.done()
    clock.now += 0.005
    assert pace.wait_s() == pytest.approx(0.020)


def test_many_lanes_share_the_budget_of_commits() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    lanes = [Pace(0.025, budget, clock) for _ in range(16)]
    waits = [lane.wait_s() for lane in lanes]
    assert waits == pytest.approx([number * 0.01 for number in range(16)])


def test_an_unused_budget_does_not_pile_up() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    clock.now += 60
    assert [budget.reserve() for _ in range(3)] == pytest.approx([0, 0.01, 0.02])
