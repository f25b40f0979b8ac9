"""How long to wait before Postgres is asked again."""

from random import uniform

FIRST_S = 0.1
LONGEST_S = 5.0


class Backoff:
    """Doubles from 0.1 s to 5 s; each wait is a random part of it, so that lanes do not come all at once."""

    def __init__(self) -> None:
        self._limit = FIRST_S

    def next(self) -> float:
        """Return the next wait, in seconds."""
        wait = uniform(self._limit / 2, self._limit)  # noqa: S311  # spreads load, hides nothing
        self._limit = min(self._limit * 2, LONGEST_S)
        return wait
