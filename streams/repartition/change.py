"""The change itself: checked, copied, compared, and only then made the one that workers go on from."""

from __future__ import annotations

from collections import Counter

import msgspec
from aiokafka.structs import TopicPartition

from storage.connection import connect
from storage.queries import query
from storage.rows import TARGETS
from storage.schema import check
from streams.committed import CommittedLog, ends_of
from streams.domain.tables import TABLES, store_of
from streams.progress import SILENT, Progress
from streams.provision import create, wanted
from streams.rebuild.changelogs import Changelog, Site, differences, read_tables
from streams.rebuild.errors import RebuildError, RefusedError
from streams.rebuild.standstill import admin, fenced, require_stopped
from streams.repartition.copying import begin_beyond, copy_topic, producing
from streams.repartition.generations import Move, leftovers, place_of
from streams.repartition.standing import undecided, unwritten
from streams.runtime.unit import Sealed
from streams.settings import Settings
from topics.partitions import partition_of
from topics.registry import INBOUND, TOPICS, changelog_name

_begin = query("progress.begin")
_ALREADY = "Nothing of the old topics was changed"


class Counted(msgspec.Struct, frozen=True):
    """A topic of a change: what it has, and once it is done, what was copied."""

    topic: str
    offsets: int
    """How many offsets the old one has; records are fewer by control and compacted ones."""
    copied: int | None = None


class Outlook(msgspec.Struct, frozen=True):
    """What a change would do, and what is in its way now."""

    old_prefix: str
    new_prefix: str
    before: int
    after: int
    undecided: int
    unwritten: int
    leftovers: tuple[str, ...]
    topics: tuple[Counted, ...]


async def outlook(move: Move) -> Outlook:
    """Say what a change would copy, and whether all is decided and written."""
    places = [TopicPartition(name, number) for name in wanted(move.old) for number in range(move.before)]
    offsets: Counter[str] = Counter()
    for tp, end in (await ends_of(places, move.old.kafka)).items():
        offsets[tp.topic] += end
    return Outlook(
        move.old.worker.prefix,
        move.new.worker.prefix,
        move.before,
        move.after,
        await undecided(move.old, move.before),
        await unwritten(move.old, move.before),
        tuple(await leftovers(move)),
        tuple(Counted(name, count) for name, count in offsets.items()),
    )


async def change(move: Move, replicas: int | None, told: Progress = SILENT) -> list[Counted]:
    """Copy everything to the new generation and make it the one to go on from; return what was copied.

    The new topics have as many copies as the old ones, or `replicas`.

    All that came in must be decided and written, and all workers stopped: RefusedError otherwise. Until its
    very end nothing counts of it; broken off before, it is begun anew (`drop` the new prefix first).
    """
    await require_stopped(move.old, "stock", "history")
    left = await undecided(move.old, move.before), await unwritten(move.old, move.before)
    if left != (0, 0):
        raise RefusedError(
            f"{left[0]} offsets are not decided and {left[1]} not written: something was published after the"
            f" workers had stopped. Start them, let them finish, and stop them again. {_ALREADY}"
        )
    if found := await leftovers(move):
        raise RefusedError(
            f"{', '.join(found)} hold records of a change that was broken off: `tillstream partitions drop"
            f" --prefix {move.new.worker.prefix!r}` first. {_ALREADY}"
        )
    # From here on no worker of the old generation can commit, should one still be alive somewhere.
    async with fenced(move.old, move.before):
        await create(move.new, partitions=move.after, replicas=replicas or move.replicas)
        copied = await _copy_topics(move, told)
        await _copy_tables(move, told)
    await _hand_over(move)
    return copied


async def _copy_topics(move: Move, told: Progress) -> list[Counted]:
    copied = []
    topics = [(one, move.old.worker.topic(one.name)) for one in TOPICS]
    async with (
        CommittedLog.open(move.old.kafka) as log,
        producing(move.new) as copier,
    ):
        there = await log.ranges((name, number) for _, name in topics for number in range(move.before))
        told.expect(sum(span.offsets for span in there.values()))
        for one, source in topics:
            spans = [there[source, number] for number in range(move.before)]
            target = move.new.worker.topic(one.name)
            if one.direction == "in":
                last = max(span.end for span in spans)
                await begin_beyond(one, target, move.after, last, move.new, copier)
            count = await copy_topic(
                spans,
                target,
                lambda key, number, name=one.name: place_of(name, key, number, move.after),  # type: ignore[misc]
                log,
                copier,
                told,
            )
            copied.append(Counted(target, sum(span.end for span in spans), count))
    return copied


async def _copy_tables(move: Move, told: Progress) -> None:
    """Write each row where its store lives now, and see that all rows are there."""
    app_id = move.new.worker.app_id("stock")
    old = await read_tables(move.old, Site(move.before, ()))
    due: dict[tuple[str, int], dict[bytes, bytes]] = {
        (table, number): {} for table in TABLES for number in range(move.after)
    }
    for (table, _), changelog in old.items():
        for key, row in changelog.rows.items():
            due[table, partition_of(store_of(key).encode(), move.after)][key] = row
    told.expect(sum(map(len, due.values())))
    async with producing(move.new) as copier:
        for (table, number), rows in due.items():
            for key, row in rows.items():
                await copier.put(changelog_name(app_id, table), number, key, row, None)
            await copier.flush()
            told.advance(len(rows), table)
    new: dict[tuple[str, int], Changelog] = await read_tables(move.new, Site(move.after, ()))
    wrong = [f"{at[0]}/{at[1]}" for at, rows in due.items() if differences(at[0], new[at].rows, rows)]
    if wrong:
        raise RebuildError(
            f"After copying, the tables {', '.join(wrong)} are not what they were: something else writes"
            f" under the prefix {move.new.worker.prefix!r}. {_ALREADY}; drop the new ones and begin anew"
        )


async def _hand_over(move: Move) -> None:
    """Have both kinds of worker go on behind what was copied: the history first, for it can be done twice."""
    outbound = [
        TopicPartition(move.new.worker.topic(name), number)
        for name in TARGETS
        for number in range(move.after)
    ]
    ends = await ends_of(outbound, move.new.kafka)
    connection = await connect(move.new.postgres.connect_options(), name="tillstream cli")
    try:
        await check(connection)
        async with connection.transaction():
            consumer = move.new.worker.app_id("history")
            await connection.execute("DELETE FROM progress WHERE consumer = $1", consumer)
            for number in range(move.after):
                topics = [tp.topic for tp in outbound if tp.partition == number]
                offsets = [ends[TopicPartition(topic, number)] for topic in topics]
                await connection.fetch(_begin, consumer, number, topics, offsets)
    finally:
        connection.terminate()
    inbound = [
        TopicPartition(move.new.worker.topic(one.name), number)
        for one in INBOUND
        for number in range(move.after)
    ]
    decided = await ends_of(inbound, move.new.kafka)
    async with fenced(move.new, move.after) as transactors:
        for number in range(move.after):
            own = {tp: end for tp, end in decided.items() if tp.partition == number}
            await transactors[number].commit(Sealed({}, []), own)


async def drop(settings: Settings) -> list[str]:
    """Delete all topics under a prefix, and the history's positions in them; return the topics.

    Raises RefusedError while workers of that prefix are in their groups.
    """
    await require_stopped(settings, "stock", "history")
    async with admin(settings) as client:
        there = set(await client.list_topics())
        names = [name for name in wanted(settings) if name in there]
        if names:
            await client.delete_topics(names)
    connection = await connect(settings.postgres.connect_options(), name="tillstream cli")
    try:
        await check(connection)
        await connection.execute(
            "DELETE FROM progress WHERE consumer = $1", settings.worker.app_id("history")
        )
    finally:
        connection.terminate()
    return names
