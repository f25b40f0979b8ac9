"""What a worker is doing and has done: a plain object that status, metrics and tests read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

# The thread of the consumer is asked once a second; one that is silent for so long hangs.
SILENT_S = 60.0


class State(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    RECOVERING = "recovering"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DEAD = "dead"


@dataclass(slots=True)
class LaneHealth:
    """Counters of one partition number since the worker began to own it; times in seconds."""

    partition: int
    units: int = 0
    records: int = 0
    events: int = 0
    changed_rows: int = 0
    decide_s: float = 0.0
    commit_s: float = 0.0
    queued: int = 0
    """Records that wait in the lane."""
    committed_at: float = 0.0
    """Unix time of the last commit; 0 when there was none."""
    positions: dict[str, int] = field(default_factory=dict)
    """Next offset per topic, as committed."""
    lag: dict[str, int] = field(default_factory=dict)
    """Committed offsets still to read per topic, sampled each second."""
    waits_s: float = 0.0
    """Age of the oldest record that the lane has taken and not committed, sampled each second; 0: none."""


@dataclass(slots=True)
class TableHealth:
    """Of the tables that need not be in memory whole."""

    memory: int = 0
    """Bytes of memory that their rows take, about."""
    moved: int = 0
    """Rows that left memory for the disk, recovery included."""
    read: int = 0
    """Rows that were read from disk."""


class TableSize(NamedTuple):
    """Rows of a table over the partitions that the worker owns; those on disk are counted about."""

    table: str
    memory_rows: int
    disk_rows: int


def _no_tables() -> Iterable[TableSize]:
    return ()


def _nothing() -> int:
    return 0


def _no_trouble() -> str | None:
    return None


@dataclass(slots=True)
class WorkerHealth:
    """Of one worker process."""

    kind: str
    member: str
    state: State = State.STARTING
    since: float = field(default_factory=time.time)
    """Unix time when `state` began."""
    reason: str = ""
    """Why it is dead."""
    lanes: dict[int, LaneHealth] = field(default_factory=dict)
    """The partition numbers that it owns."""
    assignments: int = 0
    transaction_retries: int = 0
    """Times that a broker had aiokafka ask again inside a transaction."""
    restored_rows: int = 0
    """Of the last recovery, like `restore_s`; about, when some are not in memory."""
    restore_s: float = 0.0
    tables: TableHealth = field(default_factory=TableHealth)
    table_sizes: Callable[[], Iterable[TableSize]] = _no_tables
    """Asked when someone looks."""
    disk_bytes: Callable[[], int] = _nothing
    """What table rows take on local disk; asked when someone looks."""
    trouble: Callable[[], str | None] = _no_trouble
    """What it waits for at the moment, such as Postgres; it goes on by itself."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How decisions ended."""
    exceptions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Committed changes of exceptions: kind, and opened, told anew or closed."""
    refused: Counter[str] = field(default_factory=Counter)
    """Committed dead letters by reason."""
    heard_at: float = field(default_factory=time.monotonic)
    """When the consumer's thread answered last; a `time.monotonic()`."""

    def enter(self, state: State, reason: str = "") -> None:
        """Begin a state; death is final."""
        if self.state is State.DEAD:
            return
        self.state, self.since, self.reason = state, time.time(), reason
        self.heard_at = time.monotonic()

    @property
    def live(self) -> bool:
        """Whether a new start would not help: it is not dead, and its consumer's thread answers."""
        if self.state is State.RUNNING:
            return time.monotonic() - self.heard_at < SILENT_S
        return self.state is not State.DEAD

    @property
    def ready(self) -> bool:
        """Whether it works on records."""
        return self.state is State.RUNNING and self.live

    @property
    def records(self) -> int:
        """Input records committed by the lanes that it owns."""
        return sum(lane.records for lane in self.lanes.values())

    @property
    def lag(self) -> int:
        """Offsets still to read, over all lanes."""
        return sum(sum(lane.lag.values()) for lane in self.lanes.values())

    def snapshot(self) -> dict[str, Any]:
        """As values that JSON can carry."""
        return {
            "kind": self.kind,
            "member": self.member,
            "state": str(self.state),
            "since": self.since,
            "reason": self.reason,
            "live": self.live,
            "ready": self.ready,
            "trouble": self.trouble(),
            "assignments": self.assignments,
            "transaction_retries": self.transaction_retries,
            "restored_rows": self.restored_rows,
            "restore_s": round(self.restore_s, 3),
            "tables": {name: getattr(self.tables, name) for name in TableHealth.__slots__}
            | {"disk": self.disk_bytes()},
            "table_rows": {
                size.table: {"memory": size.memory_rows, "disk": size.disk_rows}
                for size in self.table_sizes()
            },
            "outcomes": dict(self.outcomes),
            "lag": self.lag,
            "lanes": [
                {name: getattr(lane, name) for name in LaneHealth.__slots__}
                for _, lane in sorted(self.lanes.items())
            ],
        }
