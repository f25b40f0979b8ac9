"""The real inbound records, gone through twice at once: as the links have it, and with another policy."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import msgspec
from aiokafka.structs import ConsumerRecord

from storage.progress import Span
from streams.committed import CommittedLog
from streams.progress import SILENT, Progress
from streams.runtime.startup import check_topics, partition_counts
from streams.settings import Settings
from streams.simulate.course import Course
from streams.simulate.inputs import Inputs
from streams.simulate.tally import Figures, Tally, Work
from streams.simulate.world import LINKS
from topics import moments
from topics.codec import DECODERS
from topics.decoders import MESSAGES
from topics.ids import OrderId, StoreId
from topics.keys import store_key
from topics.partitions import partition_of

SAMPLE = 10
"""So many of the orders that go elsewhere are named."""
CLOCKS = timedelta(days=1)
"""So much earlier a sale may be on its topic than its order says that it came: their clocks are two."""


class Range(msgspec.Struct, frozen=True):
    """Which orders count: of a store (None: all), that came from `begin` on and before `end` (None: all)."""

    policy: str
    store_id: StoreId | None = None
    begin: datetime | None = None
    end: datetime | None = None


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """An order that other outlets would have: pieces by outlet, by the link's own policy and by the other."""

    store_id: StoreId
    order_id: OrderId
    own: Work
    simulated: Work


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, what the links' own policies make of the same records, and what the other one does.

    `records` were gone through, of which `refused` were no messages, or the rules failed on them.
    `elsewhere` orders would be at other outlets. `reproduced`: of the orders that the topic `sales` has,
    those that the links' own policies give to the same outlets here; fewer than all when records have gone
    that decided them then.
    """

    policy: str
    records: int
    refused: int
    happened: Figures
    own: Figures
    simulated: Figures
    reproduced: int
    elsewhere: int
    sample: tuple[Elsewhere, ...]


async def simulate(settings: Settings, due: Range, progress: Progress = SILENT) -> Simulation:
    """Go through the records; nothing is written. Raises WorkerError when the topics cannot be read."""
    prefix = settings.worker.prefix
    topics = [prefix + name for name in MESSAGES]
    sales = f"{prefix}sales"
    partitions = check_topics(await partition_counts([*topics, sales], settings.kafka))
    numbers: Sequence[int] = (
        range(partitions) if due.store_id is None else (partition_of(store_key(due.store_id), partitions),)
    )
    happened, own, simulated = (Tally(due.begin, due.end) for _ in range(3))
    end_ms = None if due.end is None else moments.milliseconds(due.end)
    records = refused = 0
    async with Inputs(settings.kafka, [*topics, sales]) as inputs:
        inbound, told = await _spans(settings, topics, sales, numbers, due)
        progress.expect(sum(span.offsets for spans in inbound.values() for span in spans))
        progress.expect(sum(span.offsets for span in told.values()))
        for number in numbers:
            course = Course(due.policy, due.store_id, (own, simulated), partitions)
            async for record in _links_first(inputs, prefix + LINKS, inbound[number], progress):
                records += 1
                if end_ms is None or record.timestamp < end_ms:
                    course.take(record.topic.removeprefix(prefix), record)
            course.finish()
            refused += course.refused
            async for record in inputs.in_time([told[number]], progress):
                if due.store_id is None or record.key == store_key(due.store_id):
                    happened.take(DECODERS["sales"](record.value))
    moved = own.elsewhere(simulated)
    return Simulation(
        policy=due.policy,
        records=records,
        refused=refused,
        happened=happened.figures(),
        own=own.figures(),
        simulated=simulated.figures(),
        reproduced=happened.shared(own) - len(happened.elsewhere(own)),
        elsewhere=len(moved),
        sample=tuple(
            Elsewhere(store_id=store, order_id=order, own=work, simulated=other)
            for store, order, work, other in moved[:SAMPLE]
        ),
    )


async def _spans(
    settings: Settings, topics: Sequence[str], sales: str, numbers: Sequence[int], due: Range
) -> tuple[dict[int, list[Span]], dict[int, Span]]:
    """Return what there is to read by partition number: what came in, and sales since the range begins."""
    async with CommittedLog.open(settings.kafka) as log:
        there = await log.ranges((topic, number) for topic in (*topics, sales) for number in numbers)
        if due.begin is not None:
            since = await log.at([(sales, number) for number in numbers], due.begin - CLOCKS)
            for place, offset in since.items():
                span = there[place]
                there[place] = Span(*place, span.end if offset is None else offset, span.end)
    inbound = {number: [there[topic, number] for topic in topics] for number in numbers}
    return inbound, {number: there[sales, number] for number in numbers}


async def _links_first(
    inputs: Inputs, links: str, spans: Sequence[Span], progress: Progress
) -> AsyncIterator[ConsumerRecord]:
    """Yield the records by time, but each store's oldest link before all else.

    Compaction removes links that were replaced: the oldest that is left counts for what came before it.
    """
    first: dict[bytes | None, int] = {}
    async for record in inputs.in_time([span for span in spans if span.topic == links], SILENT):
        if first.setdefault(record.key, record.offset) == record.offset:
            yield record
    async for record in inputs.in_time(spans, progress):
        if record.topic != links or first.get(record.key) != record.offset:
            yield record
