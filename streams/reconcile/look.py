"""Looks at everything that says something of a store's stock, at points that can be held together.

Postgres is asked first, in one snapshot: what it must have is exactly what lies on the topics before its own
offsets. The table is read before the movements: they must have what it has, and it what they had before. All
that a unit of work decides bears the unit's time, so sales count up to the time of the last movement. What is
different all the same is looked at again: the parts of a unit appear at once, but a moment apart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import msgspec
from aiokafka.structs import ConsumerRecord

from storage.lookups.reconcile import StoreRows, store_rows
from streams.explain.reading import Reading, time_of
from streams.linkbook import current_link
from streams.progress import SILENT, Progress
from streams.reconcile.counts import Counts
from streams.reconcile.ledger import LedgerOf, Ledgers
from streams.reconcile.sold import Sold
from streams.reconcile.standing import LevelKey
from streams.reconcile.table import StockTable, changelog_of_stock
from streams.settings import Settings
from topics.ids import StoreId
from topics.links import StoreLink
from topics.numbers import ZERO

MOVEMENTS, SALES, COUNTS = "stock.movements", "sales", "pos.inventory"
BETWEEN_LOOKS_S = 0.5
MOST_LOOKS = 6
LAST_RECORDS = 20
"""A take-over may bring a clock that is behind: the latest time of so many records is taken."""


class Seen(msgspec.Struct, kw_only=True):
    """What was seen.

    `apart` are levels whose table and movements stay at different revisions, `unlike_promises` those that
    stay unlike what sales hold; what is `moving` was different at each look, and cannot be judged. Of `fresh`
    ones a count was decided in the last moment.
    """

    store_id: StoreId
    link: StoreLink | None
    rows: StoreRows
    sales_topic: str
    table: StockTable
    ledgers: Mapping[LevelKey, LedgerOf]
    sold: Sold
    counts: Counts
    whole: bool
    """All of the topics was read, so that what is not there is nowhere."""
    behind: Mapping[str, int]
    """How many records Postgres has still to write, by topic."""
    apart: set[LevelKey] = set()
    unlike_promises: set[LevelKey] = set()
    moving: set[LevelKey] = set()
    fresh: set[LevelKey] = set()


class Look:
    """Reads a store, and reads on when it is asked to look again."""

    def __init__(
        self,
        settings: Settings,
        reading: Reading,
        link: StoreLink | None,
        rows: StoreRows,
        ends: Mapping[str, int],
        since: datetime | None,
        progress: Progress,
    ) -> None:
        worker = settings.worker
        self.settings = settings
        self._reading = reading
        self._link = link
        self._rows = rows
        self._since = since
        self._progress = progress
        self._changelog = changelog_of_stock(worker)
        self._at: dict[str, int] = {}
        self._moved_at: datetime | None = None
        """Up to when movements were read, of any store on the partition, by when they were decided."""
        self._written = {topic: rows.positions.get(worker.topic(topic), 0) for topic in ends}
        self._behind = {topic: max(0, end - self._written[topic]) for topic, end in ends.items()}
        self.table = StockTable(reading.store_id)
        self.ledgers = Ledgers(self._written[MOVEMENTS], rows.due_since)
        self.sold = Sold(self._written[SALES])
        self.counts = Counts()

    @property
    def store_id(self) -> StoreId:
        return self._reading.store_id

    @classmethod
    @asynccontextmanager
    async def at(
        cls,
        settings: Settings,
        store_id: StoreId,
        connection: Any,
        since: datetime | None = None,
        progress: Progress = SILENT,
        *,
        with_sales: bool = True,
    ) -> AsyncIterator[Self]:
        """Open the topics and take Postgres' snapshot, with the rows of sales or without."""
        topics = (MOVEMENTS, SALES, COUNTS, changelog_of_stock(settings.worker))
        async with Reading.of(settings, store_id, topics) as reading:
            rows = await store_rows(
                connection,
                store_id,
                consumer=settings.worker.app_id("history"),
                partition=reading.partition,
                since=since,
                with_sales=with_sales,
            )
            ends = await reading.ends((MOVEMENTS, SALES))
            link = await current_link(settings, store_id)
            yield cls(settings, reading, link, rows, ends, since, progress)

    async def see(self) -> Seen:
        """Read everything to its end, again and again until it can be held together."""
        await self._begin()
        apart: set[LevelKey] = set()
        promises: dict[LevelKey, Decimal] = {}
        for _ in range(MOST_LOOKS):
            known = {key: ledger.revision for key, ledger in self.ledgers.levels.items()}
            decided = await self._decided()
            await self._read_on()
            self.counts.settle(decided)
            now_apart, now_promises = self._apart(known), self._promises()
            moving = now_apart - apart
            moving |= {key for key, lacks in now_promises.items() if promises.get(key) != lacks}
            apart, promises = now_apart, now_promises
            if not moving:
                break
            await asyncio.sleep(BETWEEN_LOOKS_S)
        return Seen(
            store_id=self._reading.store_id,
            link=self._link,
            rows=self._rows,
            sales_topic=self._reading.place(SALES).topic,
            table=self.table,
            ledgers=self.ledgers.levels,
            sold=self.sold,
            counts=self.counts,
            whole=self._since is None,
            behind=self._behind,
            apart=apart - moving,
            unlike_promises=set(promises) - moving,
            moving=moving,
            # Counts that were decided since may be in the table or not.
            fresh=self.counts.undecided_at(await self._decided()),
        )

    async def _decided(self) -> int:
        return (await self._reading.decided((COUNTS,)))[COUNTS]

    async def _begin(self) -> None:
        if self._at:
            return
        first = await self._reading.since((MOVEMENTS, SALES), self._since)
        begin = await self._reading.begins((self._changelog, COUNTS))
        ends = await self._reading.ends((MOVEMENTS, SALES, self._changelog, COUNTS))
        self._at = first | begin
        self._progress.expect(sum(max(0, ends[topic] - at) for topic, at in self._at.items()))

    async def _read_on(self) -> None:
        """Read the table, then what led to it: the movements, and the sales as of the last of these."""
        end = await self._end(self._changelog)
        first = self._at[self._changelog]
        async for batch in self._reading.batches(self._changelog, first, end, self._progress):
            for record in batch:
                self.table.take(record.key, record.value)
        self._at[self._changelog] = end
        end = await self._end(MOVEMENTS)
        async for batch in self._reading.batches(MOVEMENTS, self._at[MOVEMENTS], end, self._progress):
            self._take(batch, self.ledgers.take)
            times = [self._moved_at, *(_decided_at(record.value) for record in batch[-LAST_RECORDS:])]
            self._moved_at = max((time for time in times if time is not None), default=None)
        self._at[MOVEMENTS] = end
        end = await self._end(SALES)
        async for batch in self._reading.batches(SALES, self._at[SALES], end, self._progress):
            self._take(batch, self.sold.take)
        self._at[SALES] = end
        self.sold.settle(self._moved_at)
        end = await self._end(COUNTS)
        async for record in self._reading.records(COUNTS, self._at[COUNTS], end, self._progress):
            self.counts.take(record.offset, time_of(record), record.value)
        self._at[COUNTS] = end

    async def _end(self, topic: str) -> int:
        return (await self._reading.ends((topic,)))[topic]

    def _take(self, batch: Iterable[ConsumerRecord], take: Callable[[int, bytes], None]) -> None:
        for record in batch:
            if record.key == self._reading.key:
                try:
                    take(record.offset, record.value or b"")
                except msgspec.DecodeError:
                    continue  # no event of ours: the history worker has made a dead letter of it

    def _apart(self, known: Mapping[LevelKey, int]) -> set[LevelKey]:
        """Return levels whose table and movements are not at one revision, though they should be by now.

        `known` are the movements as of before the table was read: it must have those. The movements were read
        after it: they must have what it has.
        """
        found = set()
        for key in self.table.keys() | set(known):
            level = self.table.level(key)
            at = 0 if level is None else level.revision
            ledger = self.ledgers.levels.get(key)
            told = 0 if ledger is None else ledger.revision
            if at < known.get(key, 0) or (at > told and (ledger is not None or self._since is None)):
                found.add(key)
        return found

    def _promises(self) -> dict[LevelKey, Decimal]:
        """Return levels that have not allocated what the sales hold, and by how much they differ."""
        if self._since is not None:
            return {}  # older sales hold something, too
        found = {}
        for key in self.ledgers.levels.keys() | self.sold.promised.keys():
            ledger = self.ledgers.levels.get(key)
            lacks = self.sold.promised.get(key, ZERO) - (ZERO if ledger is None else ledger.after.allocated)
            if lacks:
                found[key] = lacks
        return found


class _Timed(msgspec.Struct, gc=False):
    processed_at: datetime


def _decided_at(value: bytes | None) -> datetime | None:
    """Return when an event was decided; None when it is no event of ours."""
    try:
        return msgspec.json.decode(value or b"", type=_Timed).processed_at
    except msgspec.DecodeError:
        return None
