"""Everything that happened to an order, from the topics and from Postgres, in the order of time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from storage.lookups.trace import OrderRows
from streams.explain.decided import OUTCOMES, Decided
from streams.explain.entry import Entry, in_order
from streams.explain.reading import Reading
from streams.explain.told import SOURCES, Marks, Subject, Told, entry
from streams.progress import SILENT, Progress
from streams.settings import Settings
from topics.ids import OrderId, StoreId, sale_id
from topics.pos_sales import PosSale

MARGIN = timedelta(days=1)
"""Clocks differ: records are looked for from so long before the first time that is known of the order."""
UNKNOWN = timedelta(days=30)
"""As far back as inbound records are kept; of an order that nothing is known of, no further is looked."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and between which times it was looked for."""

    store_id: str
    order_id: str
    sale_id: str
    pos_sale_ids: list[str]
    since: datetime | None
    """Records before were not read; none: all were."""
    notes: list[str]
    entries: list[Entry]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to trace: an order of a store. Without `since` its own times bound the search."""

    store_id: StoreId
    order_id: OrderId
    since: datetime | None = None
    personal: bool = False


async def trace(
    settings: Settings,
    wanted: Wanted,
    rows: OrderRows | None,
    progress: Progress = SILENT,
) -> Trace:
    """Read the store's partition for the order; `rows` is what Postgres has of it, None when it is away."""
    own_id = sale_id(wanted.store_id, wanted.order_id)
    subject = Subject(wanted.order_id, own_id)
    if rows is not None:
        subject.pos_sale_ids |= rows.pos_sale_ids
    async with Reading.of(settings, wanted.store_id, (*SOURCES, *OUTCOMES)) as reading:
        since = wanted.since or (rows.first - MARGIN if rows is not None and rows.first else None)
        decided_up_to = await reading.decided(SOURCES)
        told = await _read_told(reading, subject, since, progress)
        if since is None:
            first = min((one.time for one in told), default=datetime.now(UTC) - UNKNOWN + MARGIN)
            since = first - MARGIN
        decided = Decided(wanted.order_id, own_id, personal=wanted.personal)
        await _read_decided(reading, decided, told, since, progress)
        learned = {sale.pos_sale_id for sale in decided.sales if sale.pos_sale_id} - subject.pos_sale_ids
        if learned:
            # Its name in the point of sale came up only now: what the shop told under it was passed over.
            subject.pos_sale_ids |= learned
            told = await _read_told(reading, subject, since, progress)
    marks = Marks(
        decided.decisions, decided_up_to, waits_for_link="waiting_for_link" in decided.open_exceptions
    )
    entries = [entry(one, marks.of(one), personal=wanted.personal) for one in told]
    return Trace(
        store_id=wanted.store_id,
        order_id=wanted.order_id,
        sale_id=own_id,
        pos_sale_ids=sorted(subject.pos_sale_ids),
        since=since,
        notes=_notes(decided, rows),
        entries=in_order(entries + decided.entries + _row_entries(rows)),
    )


async def _read_told(
    reading: Reading, subject: Subject, since: datetime | None, progress: Progress
) -> list[Told]:
    first, ends = await reading.since(SOURCES, since), await reading.ends(SOURCES)
    progress.expect(sum(max(0, ends[topic] - first[topic]) for topic in SOURCES))
    found: list[Told] = []
    async for record in reading.records("ecom.orders", first["ecom.orders"], ends["ecom.orders"], progress):
        found += subject.orders(record)
    in_pos: list[Told] = []
    async for record in reading.records("pos.sales", first["pos.sales"], ends["pos.sales"], progress):
        told = subject.sale_in_pos(record)
        if told is not None:
            in_pos.append(told)
    found += _ours(in_pos, subject)
    start, end = first["pos.fulfillments"], ends["pos.fulfillments"]
    async for record in reading.records("pos.fulfillments", start, end, progress):
        told = subject.progress(record)
        if told is not None:
            found.append(told)
    return found


def _ours(told: Sequence[Told], subject: Subject) -> list[Told]:
    """Keep what concerns the order: a return may stand before the sale that it is of, and before another."""
    while True:
        known = len(subject.pos_sale_ids)
        kept = [one for one in told if not isinstance(one.message, PosSale) or subject.concerns(one.message)]
        if len(subject.pos_sale_ids) == known:
            return kept


async def _read_decided(
    reading: Reading,
    decided: Decided,
    told: Sequence[Told],
    since: datetime,
    progress: Progress,
) -> None:
    places = frozenset((one.topic, one.record.offset) for one in told)
    first, ends = await reading.since(OUTCOMES, since), await reading.ends(OUTCOMES)
    progress.expect(sum(max(0, ends[topic] - first[topic]) for topic in OUTCOMES))
    for topic in OUTCOMES:
        async for batch in reading.batches(topic, first[topic], ends[topic], progress):
            for record in batch:
                # Letters of records whose store is not known lie on the same partition.
                if record.key == reading.key or topic == "dead.letters":
                    decided.take(topic, record, places)


def _row_entries(rows: OrderRows | None) -> list[Entry]:
    if rows is None:
        return []
    return [
        Entry(
            at=row.recorded_at or row.processed_at,
            source="postgres",
            what=row.what,
            table=row.table,
            id=row.id,
            revision=row.revision,
            detail=[] if row.detail is None else [row.detail],
            event_time=row.event_time,
            received_at=row.received_at,
            processed_at=row.processed_at,
        )
        for row in rows.rows
    ]


def _notes(decided: Decided, rows: OrderRows | None) -> list[str]:
    """Say where Postgres is not as far as the topics."""
    if rows is None:
        return ["Postgres does not answer: its rows are not here"]
    if not decided.sales:
        return []
    last, there = decided.sales[-1].revision, rows.sale_revision
    if there is None:
        return [f"Postgres has no row of the sale yet; the topic is at revision {last}"]
    if there < last:
        return [f"Postgres has the sale at revision {there}; the topic is at {last}"]
    return []
