"""A failure with all taken away that it does not need: fewer faults, fewer records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.simulation.world import Outcome, Plan

MOST_RUNS = 300


class Shrunk:
    """A plan's smaller form; `faults` and `inputs` are the places in the plan of what is left."""

    def __init__(self, plan: Plan, run: Callable[[Plan], Outcome]) -> None:
        self._plan = plan
        self._run = run
        self._runs = 0
        self.faults = list(range(len(plan.faults)))
        self.inputs = list(range(len(plan.inputs)))
        self.outcome = run(plan)

    @property
    def plan(self) -> Plan:
        return part_of(self._plan, self.faults, self.inputs)

    def shrink(self) -> Shrunk:
        """Leave out what can be left out, largest parts first, until nothing more can."""
        before = -1
        while before != (before := len(self.faults) + len(self.inputs)) and self._runs < MOST_RUNS:
            self.faults = self._fewer(self.faults, lambda kept: (kept, self.inputs))
            self.inputs = self._fewer(self.inputs, lambda kept: (self.faults, kept))
        return self

    def _fewer(
        self, places: list[int], split: Callable[[list[int]], tuple[list[int], list[int]]]
    ) -> list[int]:
        size = len(places)
        while size:
            at = 0
            while at < len(places) and self._runs < MOST_RUNS:
                kept = places[:at] + places[at + size :]
                if self._fails(*split(kept)):
                    places = kept
                else:
                    at += size
            size //= 2
        return places

    def _fails(self, faults: list[int], inputs: list[int]) -> bool:
        self._runs += 1
        outcome = self._run(part_of(self._plan, faults, inputs))
        if outcome.broken is None:
            return False
        self.outcome = outcome
        return True


def part_of(plan: Plan, faults: Sequence[int], inputs: Sequence[int]) -> Plan:
    """Return the plan with these of its faults and inputs only."""
    return replace(
        plan,
        faults=tuple(plan.faults[place] for place in faults),
        inputs=tuple(plan.inputs[place] for place in inputs),
    )
