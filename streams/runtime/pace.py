"""When a lane may commit next: at once when idle, spaced when busy, and not too often over all lanes."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class Budget:
    """Commits per second that all lanes of a worker share."""

    __slots__ = ("_clock", "_next", "_spacing")

    def __init__(self, commits_per_s: float, clock: Clock = time.monotonic) -> None:
        self._spacing = 1.0 / commits_per_s
        self._clock = clock
        self._next = clock()

    def reserve(self) -> float:
        """Take the next free slot; returns the seconds until it begins."""
        now = self._clock()
        begins = max(now, self._next)
        self._next = begins + self._spacing
        return begins - now


class Pace:
    """Spaces the units of one lane: transactions back to back wait for each other's markers."""

    __slots__ = ("_budget", "_clock", "_free_at", "_interval")

    def __init__(self, interval_s: float, budget: Budget, clock: Clock = time.monotonic) -> None:
        self._interval = interval_s
        self._budget = budget
        self._clock = clock
        self._free_at = clock()

    def wait_s(self) -> float:
        """Seconds to wait before the next unit; reserves its slot in the shared budget."""
        own = max(0.0, self._free_at - self._clock())
        return max(own, self._budget.reserve())

    def done(self) -> None:
        """A unit was committed just now."""
        self._free_at = self._clock() + self._interval
