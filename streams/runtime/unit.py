"""A unit of work of the stock worker: what its records changed, committed whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, overload

from aiokafka.structs import TopicPartition

from streams.runtime.errors import RecordTooLargeError
from streams.runtime.store import Rows
from streams.runtime.tables import TableSpec, TableView
from streams.runtime.tally import COUNTED, Counted, CountingBuilder

T = TypeVar("T")

# Topics take records of 8 MiB; key, headers and the batch's own header share that.
MAX_VALUE_BYTES = (8 << 20) - (64 << 10)

Header = tuple[str, bytes]


class BatchBuilder(Protocol):
    """aiokafka's builder of one produce batch."""

    def append(
        self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Sequence[Header]
    ) -> object: ...

    def close(self) -> None: ...

    def record_count(self) -> int: ...


class BatchMaker(Protocol):
    """What makes such builders: a producer."""

    def create_batch(self) -> BatchBuilder: ...


class UnitPlan(Protocol):
    """What every unit of a worker has in common."""

    @property
    def topics(self) -> Mapping[str, str]:
        """Output topics: name in the registry to name in Kafka."""

    @property
    def tables(self) -> Mapping[str, TableSpec[Any]]:
        """Tables by name."""

    def changelog(self, table: str) -> str:
        """The topic that holds a table's changes, as it is called in Kafka."""

    def rows(self, table: str, partition: int) -> Rows:
        """The committed rows of a table in one partition."""


class KafkaUnit:
    """Collects events and table changes of one partition; handlers write to it, the lane commits it.

    An event is appended to its produce batch at once: that is the cheapest way, and a unit that fails is
    dropped with its batches.
    """

    __slots__ = (
        "_maker", "_open", "_plan", "_views", "batches", "counts", "events", "now", "partition", "pending",
    )  # fmt: skip

    def __init__(self, partition: int, plan: UnitPlan, maker: BatchMaker) -> None:
        self.partition = partition
        self.now = datetime.now(UTC)
        """When the unit began; the same for all its records."""
        self.pending = False
        """Set by a handler that has more to do than fits a unit: `continue_` goes on at once."""
        self.events = 0
        self.counts: Counter[Counted] = Counter()
        """Of the events, those that someone may have to look at."""
        self.batches: dict[str, list[BatchBuilder]] = {}
        self._plan = plan
        self._maker = maker
        self._open: dict[str, BatchBuilder | CountingBuilder] = {}
        self._views: dict[str, TableView[Any]] = {}

    @overload
    def table(self, table: TableSpec[T]) -> TableView[T]: ...
    @overload
    def table(self, table: str) -> TableView[Any]: ...
    def table(self, table: TableSpec[Any] | str) -> TableView[Any]:
        """The table (by name or spec) as this unit sees it."""
        name = table if isinstance(table, str) else table.name
        view = self._views.get(name)
        if view is None:
            spec = self._plan.tables.get(name)
            if spec is None:
                raise KeyError(
                    f"no table {name!r} in this worker; it has {', '.join(sorted(self._plan.tables))}"
                )
            view = self._views[name] = TableView(spec, self._plan.rows(name, self.partition))
        return view

    def emit(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        headers: Sequence[Header] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        """Send an event to `topic` (its name in the registry), on this unit's partition number.

        `timestamp_ms` is Unix time in milliseconds, None means now. Raises `RecordTooLargeError` when the
        value does not fit a record; nothing was sent then.
        """
        if value is not None and len(value) > MAX_VALUE_BYTES:
            raise RecordTooLargeError(
                f"an event of {len(value)} bytes for {topic} does not fit a record of {MAX_VALUE_BYTES} bytes"
            )
        if type(headers) is not list:
            headers = list(headers)  # aiokafka's builder takes nothing else
        builder = self._open.get(topic)
        if builder is None:
            name = self._plan.topics.get(topic)
            if name is None:
                raise KeyError(
                    f"{topic!r} is no output of this worker; it has {', '.join(sorted(self._plan.topics))}"
                )
            builder = self._begin(topic, name)
        if builder.append(timestamp=timestamp_ms, key=key, value=value, headers=headers) is None:
            # Full; an empty batch takes any one record.
            builder = self._begin(topic, self._plan.topics[topic])
            builder.append(timestamp=timestamp_ms, key=key, value=value, headers=headers)
        self.events += 1

    def seal(self) -> Sealed:
        """Encode the table changes behind the events; the unit takes no more."""
        changes: list[tuple[TableView[Any], list[tuple[bytes, bytes | None]]]] = []
        for name, view in self._views.items():
            changed = view.changes()
            if not changed:
                continue
            changes.append((view, changed))
            topic = self._plan.changelog(name)
            builder = self._begin(topic, topic)
            for key, value in changed:
                if builder.append(timestamp=None, key=key, value=value, headers=[]) is None:
                    builder = self._begin(topic, topic)
                    builder.append(timestamp=None, key=key, value=value, headers=[])
        self._open.clear()
        return Sealed(self.batches, changes)

    def _begin(self, topic: str, name: str) -> BatchBuilder | CountingBuilder:
        made = self._maker.create_batch()
        self.batches.setdefault(name, []).append(made)
        count = COUNTED.get(topic)
        builder = made if count is None else CountingBuilder(made.append, count, self.counts)
        self._open[topic] = builder
        return builder


class Sealed:
    """What a finished unit will write."""

    __slots__ = ("_changes", "batches")

    def __init__(
        self,
        batches: dict[str, list[BatchBuilder]],
        changes: list[tuple[TableView[Any], list[tuple[bytes, bytes | None]]]],
    ) -> None:
        self.batches = batches
        self._changes = changes

    @property
    def changed_rows(self) -> int:
        """Rows that the unit puts or removes, over all tables."""
        return sum(len(changed) for _, changed in self._changes)

    def apply(self) -> None:
        """The transaction is committed: make the changes the tables'."""
        for view, changed in self._changes:
            view.apply(changed)


Offsets = Mapping[TopicPartition, int]
