"""Tables whose changelogs are lost, made again from the other topics, compared, and written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiokafka import TopicPartition

from storage.progress import Span
from streams.committed import CommittedLog, ends_of
from streams.domain.tables import TABLES
from streams.progress import SILENT, Progress
from streams.provision import create
from streams.rebuild.changelogs import Change, Site, differences, look_at, read_tables, read_with, write
from streams.rebuild.errors import RebuildError, RefusedError
from streams.rebuild.rebuilding import OUTBOUND, Doubts, Rebuilding
from streams.rebuild.standstill import committed, fenced, require_stopped
from streams.settings import Settings
from topics.registry import INBOUND, changelog_name


class Planned(msgspec.Struct, frozen=True):
    """What a rebuild of a table changes: rows that are due, to be written, to be removed, that stay."""

    table: str
    missing: bool
    rows: int
    written: int
    removed: int
    same: int


class Plan(msgspec.Struct):
    """A rebuild before it is carried out: the changes by partition and table."""

    site: Site
    tables: tuple[str, ...]
    planned: list[Planned]
    doubts: Doubts
    held: int
    """Messages that stores still have to decide: the worker does at its start, or when the link comes."""
    changes: dict[int, dict[str, list[Change]]]
    decided: dict[TopicPartition, int]
    """What the group had committed."""

    @property
    def changed(self) -> int:
        return sum(one.written + one.removed for one in self.planned)


async def lost_tables(settings: Settings, site: Site) -> tuple[str, ...]:
    """Return the tables whose changelogs are missing, or have never had a record."""
    app_id = settings.worker.app_id("stock")
    there = {
        TopicPartition(changelog_name(app_id, table), number): table
        for table in TABLES
        if table not in site.missing
        for number in range(site.partitions)
    }
    ends = await ends_of(there, settings.kafka)
    filled = {there[tp] for tp, end in ends.items() if end}
    return tuple(table for table in TABLES if table not in filled)


async def plan(settings: Settings, tables: Sequence[str], told: Progress = SILENT) -> Plan:
    """Make the tables from the topics, and compare them with what their changelogs have.

    Without `tables` it is those that are lost. The stock workers must be stopped: RefusedError otherwise.
    """
    await require_stopped(settings, "stock")
    site = await look_at(settings)
    chosen = tuple(tables) or await lost_tables(settings, site)
    decided = await committed(settings)
    changes: dict[int, dict[str, list[Change]]] = {}
    doubts, held = Doubts(), 0
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    async with CommittedLog.open(settings.kafka) as log:
        spans = await _spans(log, settings, site, decided)
        told.expect(sum(span.offsets for span in spans) if chosen else 0)
        for partition in range(site.partitions) if chosen else ():
            own = [span for span in spans if span.partition == partition]
            making = Rebuilding(log, own, site.partitions, settings, told)
            doubts += await making.run()
            held += making.held
            found = await read_with(log, settings, site, chosen, [partition])
            changes[partition] = {}
            for table in chosen:
                due = making.draft.encoded(table)
                change = changes[partition][table] = differences(table, found[table, partition].rows, due)
                removed = sum(value is None for _, value in change)
                counts[table] += Counter(
                    rows=len(due),
                    removed=removed,
                    written=len(change) - removed,
                    same=len(due) - (len(change) - removed),
                )
    planned = [
        Planned(
            table,
            table in site.missing,
            counts[table]["rows"],
            counts[table]["written"],
            counts[table]["removed"],
            counts[table]["same"],
        )
        for table in chosen
    ]
    return Plan(site, chosen, planned, doubts, held, changes, decided)


async def carry_out(settings: Settings, made: Plan, replicas: int | None = None) -> None:
    """Make the missing changelogs, write the plan under the workers' own transactional ids, and compare.

    What is made has as many copies as other topics have, or `replicas`.
    Raises RefusedError when a worker has come meanwhile, RebuildError when the result is not as planned.
    """
    await require_stopped(settings, "stock")
    await create(settings, partitions=made.site.partitions, replicas=replicas or made.site.replicas)
    app_id = settings.worker.app_id("stock")
    async with fenced(settings, made.site.partitions) as transactors:
        if await committed(settings) != made.decided:
            raise RefusedError(
                "A stock worker has decided something since the tables were made: stop it, and run this"
                " again. Nothing was changed"
            )
        for partition, by_table in made.changes.items():
            for table, changes in by_table.items():
                await write(transactors[partition], changelog_name(app_id, table), changes)
    await _compare(settings, made)


async def _compare(settings: Settings, made: Plan) -> None:
    site = Site(made.site.partitions, ())
    found = await read_tables(settings, site, made.tables)
    wrong = [
        (table, partition)
        for partition, by_table in made.changes.items()
        for table, changes in by_table.items()
        if not _holds(found[table, partition].rows, changes)
    ]
    if wrong:
        listed = ", ".join(f"{table}/{partition}" for table, partition in wrong)
        raise RebuildError(
            f"After writing, {listed} are not as planned: something else writes to these changelogs. Stop it,"
            " and run this again before any worker starts"
        )


def _holds(rows: Mapping[bytes, bytes], changes: Iterable[Change]) -> bool:
    return all(rows.get(key) == value for key, value in changes)


async def _spans(
    log: CommittedLog, settings: Settings, site: Site, decided: Mapping[TopicPartition, int]
) -> list[Span]:
    """Return what counts of each topic: of inbound ones what was decided."""
    topic, numbers = settings.worker.topic, range(site.partitions)
    outbound = [TopicPartition(topic(name), number) for name in OUTBOUND for number in numbers]
    inbound = [TopicPartition(topic(one.name), number) for one in INBOUND for number in numbers]
    there = await log.ranges([*outbound, *inbound])
    if any(there[tp].end for tp in outbound) and not any(tp in decided for tp in inbound):
        raise RefusedError(
            f"Group {settings.worker.app_id('stock')} has no committed offsets, but there are outgoing"
            " events: what was decided cannot be told from what was not. Set the group's offsets first."
            " Nothing was changed"
        )
    for tp in inbound:
        span = there[tp]
        there[tp] = Span(tp.topic, tp.partition, span.begin, min(span.end, decided.get(tp, 0)))
    return [span for span in there.values() if span.begin < span.end]
