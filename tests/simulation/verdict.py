"""What a run came to: nothing lost or doubled, and the same as one worker decides to whom nothing happens."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from streams.agents.decision import UnitReader
from streams.domain import backlog
from streams.domain.books import Books, Moment
from streams.runtime.batch import Batch
from streams.runtime.unit import KafkaUnit
from tests.plan import Plan
from tests.pure_checks import check_books
from tests.pure_reader import Reader
from tests.simulation.bench import ROW_OF, Unit, stock_agents
from tests.simulation.log import New
from tests.simulation.world import World
from topics.codec import DECODERS
from topics.event import Event, Source
from topics.ids import StoreId
from topics.online_stock import OnlineStock
from topics.registry import INBOUND, OUTBOUND


class Captured:
    """A produce batch that notes what is written, of every topic, in the order of the writing."""

    def __init__(self, written: list[New]) -> None:
        self._written = written

    def append(self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Any) -> object:
        self._written.append(New(key, value, tuple(headers)))
        return self


class Single:
    """One worker that owns a partition from the first record to the last."""

    def __init__(self, world: World, partition: int) -> None:
        self._world = world
        self._partition = partition
        self._plan = Plan(lambda: Captured([]))
        self._worker = stock_agents(world.plan.partitions)
        self._lane: tuple[str, int] | None = None
        self.written: defaultdict[str, list[New]] = defaultdict(list)
        self.events: list[Event] = []

    def repeat(self, told: Unit) -> None:
        """Decide a unit again."""
        if told.lane != self._lane:  # whoever takes over looks what is left to do
            self._lane = told.lane
            self._worker.on_start(self._partition, KafkaUnit(self._partition, self._plan, self._plan))
        order: list[tuple[str, New]] = []
        unit = _TellingUnit(self._partition, self._plan, order)
        unit.now = told.now
        if told.kind == "continue":
            self._worker.continue_(unit)
        for topic, begin, after, offsets in told.batches:
            log = self._world.cluster.log(topic, self._partition)
            records: Any = [log.records[offset] for offset in offsets]
            handle = self._worker.handlers[topic]
            if records and handle is not None:
                handle(Batch(topic, self._partition, records, after, begin), unit)
        unit.seal().apply()
        for name, new in order:
            self.written[name].append(new)
            if name != "dead.letters" and new.value is not None:
                event: Any = DECODERS[name](new.value)
                self.events.append(event)

    def check(self) -> None:
        """Assert that the topics and the tables are those of this worker, and the books right (DOMAIN 5)."""
        world, partition = self._world, self._partition
        for topic in OUTBOUND:
            found = [
                New(record.key, record.value, tuple(record.headers))
                for record in world.cluster.log(topic.name, partition).visible()
            ]
            due = self.written[topic.name]
            if found != due:
                raise AssertionError(f"{topic.name}/{partition}: {_difference(due, found)}")
        for table in self._plan.tables:
            rows = {
                record.key: record.value
                for record in world.cluster.log(f"stock-{table}-changelog", partition).visible()
            }
            kept = {key: value for key, value in rows.items() if value is not None}
            assert kept == self._plan.rows(table, partition).data, f"table {table}/{partition} differs"
        self._check_books()

    def _check_books(self) -> None:
        tables = UnitReader(KafkaUnit(self._partition, self._plan, self._plan))
        assert not list(backlog.stores(tables)), "a store has something left to do, and nobody does it"
        readers: defaultdict[StoreId, Reader] = defaultdict(Reader)
        for event in self.events:
            reader = readers[event.store_id]
            if isinstance(event, OnlineStock) and _is_as_before(event, reader):
                continue  # a unit tells a level once, also when it is back where it was
            reader.take(event)
        now = KafkaUnit(self._partition, self._plan, self._plan).now
        for store_id, reader in readers.items():
            source = Source(topic="", partition=self._partition, offset=-1)
            check_books(Books(store_id, tables, Moment(source, now, now)), reader)


class _TellingUnit(KafkaUnit):
    """A unit that tells what is emitted, over all topics in one order."""

    __slots__ = ("_order",)

    def __init__(self, partition: int, plan: Plan, order: list[tuple[str, New]]) -> None:
        super().__init__(partition, plan, plan)
        self._order = order

    def emit(
        self, topic: str, key: bytes, value: bytes | None, headers: Any = (), timestamp_ms: Any = None
    ) -> None:
        super().emit(topic, key, value, headers, timestamp_ms)
        self._order.append((topic, New(key, value, tuple(headers))))


def _is_as_before(event: OnlineStock, reader: Reader) -> bool:
    before = reader.online.get(event.sku)
    return before is not None and (before.level, before.product_id) == (event.level, event.product_id)


def judge(world: World) -> None:
    """Assert all that must hold of a run that is over."""
    for partition, units in world.units.items():
        _check_read(world, partition, units)
        single = Single(world, partition)
        for unit in units:
            single.repeat(unit)
        single.check()
    _check_history(world)


def _check_read(world: World, partition: int, units: list[Unit]) -> None:
    """Assert that every record that was published for good was decided, once."""
    decided = Counter(
        (topic, offset) for unit in units for topic, _, _, offsets in unit.batches for offset in offsets
    )
    published = Counter(
        (topic.name, record.offset)
        for topic in INBOUND
        for record in world.cluster.log(topic.name, partition).visible()
    )
    assert decided == published, f"lost {published - decided}, decided twice {decided - published}"


def _check_history(world: World) -> None:
    """Assert that Postgres holds each event once, and of each thing the last revision."""
    rows: dict[tuple[str, str], tuple[int, bytes]] = {}
    written = set()
    for topic, name in ROW_OF.items():
        for partition in range(world.plan.partitions):
            for record in world.cluster.log(topic, partition).visible():
                assert record.value is not None
                event: Any = DECODERS[topic](record.value)
                written.add((topic, partition, record.offset))
                key, revision = (topic, name(event)), getattr(event, "revision", 1)
                before = rows.get(key)
                assert revision == 1 if before is None else revision == before[0] + 1, (
                    f"{topic}: {key[1]} goes from revision {before and before[0]} to {revision}"
                )
                rows[key] = (revision, record.value)
    contents = world.server.contents
    assert contents.written == written, (
        f"events that Postgres lacks: {sorted(written - contents.written)[:5]},"
        f" or that no topic has: {sorted(contents.written - written)[:5]}"
    )
    assert contents.rows == rows, "Postgres does not hold the last revision of everything"


def _difference(due: list[New], found: list[New]) -> str:
    for place, (one, other) in enumerate(zip(due, found, strict=False)):
        if one != other:
            return f"event {place} is {_shown(other, one)}, and {_shown(one, other)} is due"
    return f"{len(found)} events, and {len(due)} are due"


def _shown(new: New, other: New) -> dict[str, Any]:
    """Return what of an event is not as in another."""
    fields, others = (_fields(one) for one in (new, other))
    return {
        name: value
        for name, value in fields.items()
        if name in {"event_id", "dead_letter_id"} or others.get(name) != value
    }


def _fields(new: New) -> dict[str, Any]:
    fields: dict[str, Any] = {"key": new.key, "headers": new.headers}
    return fields if new.value is None else fields | msgspec.json.decode(new.value)
