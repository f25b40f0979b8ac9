"""What is to go wrong, when, and for how long: all of it follows from the seed."""

from collections.abc import Collection, Iterator
from random import Random
from typing import Literal, get_args

import msgspec

Kind = Literal["kill", "stop", "cut", "delay", "clock", "broker", "stall", "postgres", "disk"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SLOTS = 2
"""Workers of each kind."""
SESSION_S = 3.0
"""After so long without a sign of life a worker is replaced."""
BROKER_SESSION_S = 2.0
"""After so long without a sign of life the broker's partitions have no leader."""
LAST = 0.7
"""The last fault begins when this part of a round's orders is published at the latest."""

# How often each kind is in the pack. The pack is dealt out whole before it is shuffled again, so that no kind
# is missed for long.
_PACK: dict[Kind, int] = {
    "kill": 5, "stop": 4, "cut": 2, "delay": 1, "clock": 1, "broker": 1, "stall": 2, "postgres": 1,
    "disk": 1,
}  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, when `after` orders of its round are published, and `lasts_s` seconds long.

    `target` is a worker (`stock`, `stock-1`, `history`, `history-1`), its way to a server
    (`kafka <worker>`, …), or a server. `amount` is the delay each way, or how far the clock is off:
    seconds.
    """

    kind: Kind
    target: str
    after: int
    lasts_s: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        lasts = f"for {self.lasts_s:.1f} s"
        match self.kind:
            case "kill":
                what = f"kill -9 {self.target}, " + (f"away {lasts}" if self.lasts_s else "started at once")
            case "stop":
                what = f"stop {self.target} (SIGSTOP) {lasts}, then let it go on"
            case "cut":
                what = f"cut {self.target} {lasts}"
            case "delay":
                what = f"delay {self.target} by {self.amount * 1000:.0f} ms each way {lasts}"
            case "clock":
                what = f"kill -9 {self.target}, started with its clock {self.amount:+.0f} s off"
            case "broker":
                what = f"kill -9 the broker, started after {self.lasts_s:.1f} s"
            case "stall":
                what = f"stop the broker (SIGSTOP) {lasts}, then let it go on"
            case "postgres":
                what = f"stop Postgres at once, started after {self.lasts_s:.1f} s"
            case "disk":
                what = f"no space left for Postgres {lasts}"
        return f"after {self.after:,} orders: {what}"


Round = tuple[Fault, ...]


def draw(
    seed: int, rounds: int, orders: int, faults: int, kinds: Collection[Kind] = KINDS
) -> tuple[Round, ...]:
    """Return so many faults for each round of so many orders, in the order in which they begin."""
    chance = Random(seed)  # noqa: S311 - a reproducible plan, not a secret
    pack = _deal(chance, kinds)
    plan = []
    for _ in range(rounds):
        moments = sorted(chance.randrange(1, max(2, int(orders * LAST))) for _ in range(faults))
        plan.append(tuple(_fault(chance, next(pack), after) for after in moments))
    return tuple(plan)


def workers() -> list[str]:
    """Return the names of all workers."""
    return [f"{kind}-{slot}" if slot else kind for kind in ("stock", "history") for slot in range(SLOTS)]


def _deal(chance: Random, kinds: Collection[Kind]) -> Iterator[Kind]:
    while True:
        pack = [kind for kind, count in _PACK.items() for _ in range(count)]
        chance.shuffle(pack)
        yield from (kind for kind in pack if kind in kinds)


def _fault(chance: Random, kind: Kind, after: int) -> Fault:
    # What is known of every kind is drawn for every kind: one that is left out changes no other.
    worker = chance.choice((*workers()[:SLOTS], *workers()))  # those that decide, twice as often
    long, short, share = chance.uniform(1.5, 2.5) * SESSION_S, chance.uniform(0.0, 2.0), chance.random()
    match kind:
        case "kill":
            return Fault(kind=kind, target=worker, after=after, lasts_s=_s(long) if share < 0.6 else 0.0)
        case "stop":
            return Fault(kind=kind, target=worker, after=after, lasts_s=_s(long))
        case "cut":
            return Fault(
                kind=kind, target=_way(worker, share), after=after, lasts_s=_s(long if share < 0.5 else short)
            )
        case "delay":
            return Fault(
                kind=kind,
                target=_way(worker, share),
                after=after,
                lasts_s=_s(long),
                amount=round(0.02 + share / 5, 3),
            )
        case "clock":
            off = round((share - 0.5) * 2 * MOST_OFF_S)
            return Fault(kind=kind, target=worker, after=after, amount=off)
        case "broker":
            return Fault(kind=kind, target="kafka", after=after, lasts_s=_s(short))
        case "stall":
            # Long enough to be fenced, most of the time.
            return Fault(
                kind=kind, target="kafka", after=after, lasts_s=_s((1.0 + share / 2) * BROKER_SESSION_S)
            )
        case "postgres" | "disk":
            return Fault(
                kind=kind, target="postgres", after=after, lasts_s=_s(short if kind == "postgres" else long)
            )


MOST_OFF_S = 1_800
"""Half an hour either way. A broker refuses what is stamped more than an hour ahead of its own clock."""


def _way(worker: str, share: float) -> str:
    """Return a worker's way to a server; a history worker has two."""
    server = "postgres" if worker.startswith("history") and share % 0.5 < 0.25 else "kafka"
    return f"{server} {worker}"


def _s(seconds: float) -> float:
    return round(seconds, 1)
