"""What a demo is asked for, and what comes of it."""

import msgspec

from deploy.verify.findings import Wrongs
from deploy.verify.seen import SeenSale


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run.

    `rate` is orders per second, None as fast as possible. `lives` percent of them are dealt with in the shop.
    """

    orders: int = 10_000
    stores: int = 8
    rate: float | None = 500.0
    seed: int = 1
    partitions: int = 4
    lives: float = 5.0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is, for the live view; `processes` are the ids of those that run, by part."""

    phase: str
    elapsed_s: float
    published: int
    decided: int
    lives: int
    under_way: int
    written: int
    wanted: int
    exceptions: int
    dead_letters: int
    recent_ms: list[float] | None
    restarts: dict[str, int]
    processes: dict[str, int]
    last_sales: tuple[SeenSale, ...]


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from an order's record to its row in Postgres."""

    p50: float
    p99: float


class Check(msgspec.Struct, frozen=True):
    """A named case or life; `ok` when it came out right. `revisions` tell a life in a few words each."""

    name: str
    title: str
    ok: bool
    revisions: tuple[str, ...] = ()


class Result(Wrongs, frozen=True, kw_only=True):
    """The sum at the end, computed from the topics and Postgres against what was published."""

    orders: int
    sales: int
    fulfillments: int
    returns: int
    refunds: int
    dead_letters: int
    exceptions: int
    cases_right: int
    cases_wrong: tuple[str, ...]
    cases: tuple[Check, ...]
    lives: tuple[Check, ...]
    lives_played: int
    findings: tuple[str, ...]
    decided_per_s: float
    end_to_end_per_s: float
    latency_ms: Latency
    restarts: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return self.none and all(one.ok for one in (*self.cases, *self.lives))
