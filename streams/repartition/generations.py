"""The generation of topics that is there, and the one that takes its place."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec
from aiokafka.structs import TopicPartition

from streams.committed import ends_of
from streams.rebuild.changelogs import look_at
from streams.rebuild.errors import RefusedError
from streams.rebuild.standstill import admin, committed
from streams.settings import Settings, SettingsError
from topics.partitions import partition_of
from topics.registry import TOPICS, Topic, topic


class Move(msgspec.Struct, frozen=True):
    """From the settings' topics to those under another prefix, with another number of partitions."""

    old: Settings
    new: Settings
    before: int
    after: int
    replicas: int
    """Copies that the old topics have."""


async def move_to(settings: Settings, prefix: str, partitions: int) -> Move:
    """Return the move to topics under `prefix`, that are not there yet or were not finished.

    Raises SettingsError when the prefix is the old one, RefusedError when a generation lives there already.
    """
    old = settings.worker.prefix
    if prefix == old:
        raise SettingsError(
            f"The new topics need another prefix than the old ones, which is {old!r}: the old ones stay as"
            " they are until all is well"
        )
    site = await look_at(settings)
    if site.missing:
        raise RefusedError(
            f"The changelogs of {', '.join(site.missing)} are missing: `tillstream tables rebuild` first."
            " Nothing was changed"
        )
    worker = settings.worker.model_copy(update={"prefix": prefix, "partitions": partitions})
    new = Settings(settings.kafka, settings.postgres, worker)
    if await committed(new):
        raise RefusedError(
            f"Under the prefix {prefix!r} a generation is at work already: its group"
            f" {new.worker.app_id('stock')} has offsets. Take another prefix. Nothing was changed"
        )
    return Move(settings, new, site.partitions, partitions, site.replicas)


async def leftovers(move: Move) -> list[str]:
    """Return topics under the new prefix that hold something: of a change that was broken off."""
    async with admin(move.new) as client:
        there = set(await client.list_topics())
    due = [move.new.worker.topic(one.name) for one in TOPICS]
    names = [name for name in due if name in there]
    if not names:
        return []
    async with admin(move.new) as client:
        counts = {one["topic"]: len(one["partitions"]) for one in await client.describe_topics(names)}
    ends = await ends_of(
        [TopicPartition(name, number) for name in names for number in range(counts[name])],
        move.new.kafka,
    )
    return sorted({tp.topic for tp, end in ends.items() if end})


def store_in(name: Topic, key: bytes | None) -> bytes | None:
    """Return the store's id within a record's key, in the bytes that choose its partition."""
    if not key:
        return None
    if name.key == "store id":
        return key
    # `store/…`, with what would be mistaken for the stroke escaped.
    return unquote(key.partition(b"/")[0].decode(errors="surrogateescape")).encode(errors="surrogateescape")


def place_of(name: str, key: bytes | None, partition: int, partitions: int) -> int:
    """Return the partition of a record of a topic of the registry, of as many as there will be.

    What has no key stays together with what was beside it.
    """
    store = store_in(topic(name), key)
    return partition % partitions if store is None else partition_of(store, partitions)
