"""What goes wrong in a run: drawn from the seed, and what can be left out when a failure is looked into."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

STOCK_REQUESTS = {
    "commit": 7, "produce": 3, "offsets": 2, "init": 2, "ends": 1, "restore": 1, "committed": 1, "ranges": 1,
    "seek": 1, "fetch": 1, "join": 1, "shows": 2, "decided": 1, "undecided": 1, "mark": 2,
}  # fmt: skip
HISTORY_REQUESTS = {
    "pg commit": 6, "pg move": 2, "pg read": 1, "pg connect": 1, "fetch": 1, "join": 1, "ranges": 1,
}  # fmt: skip
"""What processes ask of others, and how often it goes wrong in proportion."""


class Fault(NamedTuple):
    """One thing that goes wrong: at a time, or at a request that a process makes after it."""

    at: float
    act: str
    """`kill`, `pause`, `lose` (a request or its answer), `stop` (SIGTERM), `rebalance`, `leave`, of
    the brokers `no leader`, or of Postgres `pg away`, `pg backup`, `pg restore`."""
    slot: int = 0
    seconds: float = 0.0
    request: str = ""
    after: bool = False
    """Whether the request was still done."""
    skip: int = 0
    """So many such requests pass before."""

    def __str__(self) -> str:
        where = f" {'after' if self.after else 'before'} {self.request} +{self.skip}" if self.request else ""
        return f"{self.at:.2f} s: {self.act} slot {self.slot}{where} ({self.seconds:.2f} s)"


def draw(random: Random, slots: int, until: float) -> list[Fault]:
    """Draw a run's faults; the first half of the slots are stock workers, the others history workers."""
    faults = []
    for _ in range(random.choice((0, 2, 3, 4, 6, 9))):
        at = random.random() * until
        slot = random.randrange(slots)
        requests = STOCK_REQUESTS if slot < slots // 2 else HISTORY_REQUESTS
        act = random.choices(
            ("kill", "pause", "lose", "stop", "rebalance", "leave", "no leader", "pg away", "pg restore"),
            (20, 35, 25, 5, 5, 3, 10, 4, 3),
        )[0]
        seconds = random.choice((0.2, 1.5, 2.0, 3.0, 5.0)) * (0.7 + 0.6 * random.random())
        if act == "pg restore":
            faults.append(Fault(at * random.random(), "pg backup"))
            faults.append(Fault(at, act))
        elif act == "lose" or (act in {"kill", "pause"} and random.random() < 0.8):
            faults.append(
                Fault(
                    at,
                    act,
                    slot,
                    seconds,
                    random.choices(*zip(*requests.items(), strict=True))[0],
                    random.random() < 0.5,
                    random.choice((0, 0, 1, 2)),
                )
            )
        else:
            faults.append(Fault(at, act, slot, seconds))
    return sorted(faults)
