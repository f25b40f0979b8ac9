"""What a run of chaos is asked for, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec

from deploy.chaos.plan import Kind
from deploy.verify.verdict import Verdict


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `rate` is orders per second, `lives` percent of them are dealt with in the shop."""

    rounds: int = 20
    seed: int = 1
    orders_per_round: int = 3_000
    faults_per_round: int = 4
    rate: float = 200.0
    stores: int = 8
    lives: float = 10.0


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds, of so many that were measured."""

    p50: float
    p99: float
    count: int

    @classmethod
    def of(cls, measured: Sequence[float]) -> Self | None:
        """Return that of some measurements, None of none."""
        if not measured:
            return None
        ranked = sorted(measured)
        last = len(ranked) - 1
        p50, p99 = (round(ranked[min(last, int(share * len(ranked)))]) for share in (0.5, 0.99))
        return cls(p50, p99, len(ranked))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The sum: what was done, what was found.

    `rounds` that were played, of those asked for. `left_out` are the kinds of faults that could not be
    brought about here, with the reason. `records` is all that was read from the outgoing topics. What follows
    `lost` is explained at `deploy.verify.findings.Wrongs` (`lost` is `missing` there, `duplicated` is
    `duplicates`). `take_over_ms` is from a stock worker's kill or stop until another worker has
    committed the next decision on one of its partitions, while other faults may be under way;
    `back_ms` until it has itself, started at once. `worker_ends` counts exit codes of workers that ended by
    themselves.
    """

    seed: int
    rounds: int
    faults: Mapping[Kind, int]
    left_out: Mapping[Kind, str]
    orders: int
    sales: int
    records: int
    lost: int
    duplicated: int
    out_of_order: int
    torn: int
    gaps: int
    oversold: int
    unequal: int
    lives_wrong: int
    tables_unlike_movements: int
    postgres_unlike_topics: int
    dead_letters: int
    take_over_ms: Spread | None
    back_ms: Spread | None
    worker_ends: Mapping[str, int]
    seconds: float
    findings: tuple[str, ...]

    @classmethod
    def of(cls, verdict: Verdict, **known: object) -> Self:
        """Return the result with a verdict's counts."""
        return msgspec.convert(
            known
            | {
                "orders": verdict.orders,
                "sales": verdict.sales,
                "lost": verdict.missing,
                "duplicated": verdict.duplicates,
                "out_of_order": verdict.out_of_order,
                "torn": verdict.torn,
                "gaps": verdict.gaps,
                "oversold": verdict.oversold,
                "unequal": verdict.unequal,
                "lives_wrong": verdict.lives_wrong,
                "tables_unlike_movements": verdict.tables_unlike_movements,
                "postgres_unlike_topics": verdict.postgres_unlike_topics,
                "dead_letters": verdict.dead_letters,
                "findings": verdict.findings,
            },
            cls,
        )

    @property
    def kept(self) -> bool:
        """Whether every order is decided and written once, and all sums are right."""
        return not (
            self.lost or self.duplicated or self.out_of_order or self.torn or self.gaps or self.oversold
            or self.unequal or self.lives_wrong or self.tables_unlike_movements or self.postgres_unlike_topics
            or self.dead_letters
        ) and self.orders == self.sales  # fmt: skip
