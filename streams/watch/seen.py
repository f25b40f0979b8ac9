"""How the pipeline is, as values: what onlookers put together, judge, and show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from storage.lookups.watch import LettersCounted, ReplaySeen, TableMeasured
from streams.watch.cluster import Group
from streams.watch.errors import SilentError
from streams.watch.workers import WorkerSeen


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group is in a partition. Offsets; `lag` counts them, so markers of transactions too."""

    group: str
    topic: str
    partition: int
    start: int
    end: int
    """First offset that committed readers may not have yet."""
    committed: int | None
    """The group's offset in Kafka: for the history only a hint."""
    written: int | None
    """Postgres' own offset; None for the stock group, or when Postgres has none or does not answer."""
    lag: int
    lag_s: float | None
    """Age of the oldest unread record; 0 when none is left, None when it is not known."""


class KindSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of worker: its group, and what its workers are doing."""

    kind: str
    group: Group
    state: str
    """running, recovering, starting, stopping, rebalancing, dead, or waiting (for Postgres, say)."""
    unowned: Sequence[int]
    """Partition numbers that no member has."""
    last_unit: Mapping[int, float]
    """Unix time of the last unit by partition number, as far as it is known."""


class TableSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the stock worker: records of its changelog, at most one of which per key will stay."""

    table: str
    changelog_records: int
    rows: int | None
    """Rows in the workers that answered; None when none did."""
    on_disk: int | None


class Wrong(msgspec.Struct, frozen=True):
    """Something that needs a person: what, where, and what to do."""

    what: str
    where: str
    remedy: str


class Silent(msgspec.Struct, frozen=True):
    """A part that cannot be asked; `answers`: it is there, but what is asked for is not."""

    part: str
    what: str
    remedy: str
    answers: bool = False

    @classmethod
    def of(cls, error: SilentError) -> Silent:
        """Keep what the error says."""
        return cls(error.part, error.what, error.remedy, error.answers)


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. What could not be seen is empty, and stands in `silent`."""

    at: float
    silent: Sequence[Silent]
    kinds: Sequence[KindSeen]
    positions: Sequence[Position]
    tables: Sequence[TableSeen]
    workers: Sequence[WorkerSeen]
    letters: Sequence[LettersCounted]
    exceptions: Mapping[str, int]
    replay: ReplaySeen | None
    database_bytes: int | None
    history_tables: Sequence[TableMeasured]
    missing: Sequence[str]
    """Topics that there are not."""
    headless: Sequence[str]
    """Partitions without a leader, about which nothing can be asked."""
    set_up: bool
    """Whether there is any topic of this installation, or Kafka did not say."""
