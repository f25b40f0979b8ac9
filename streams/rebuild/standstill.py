"""Makes sure that no stock worker is at work, and keeps it so while tables are written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.offsets import committed_offsets, described
from streams.rebuild.errors import RebuildError, RefusedError
from streams.runtime.transactions import Transactor
from streams.settings import Settings

GROUP_PATIENCE_S = 5.0
LOOK_EVERY_S = 0.25


async def members(settings: Settings, kind: str) -> int:
    """Return how many workers of a kind are in their group, or were until a moment ago."""
    async with admin(settings) as client:
        return len((await described(client, settings.worker.app_id(kind)))["members"])


async def require_stopped(settings: Settings, *kinds: str) -> None:
    """Wait until no worker of these kinds is in its group; RefusedError when they are not stopped.

    Workers are static members: also one that has ended stays in its group until its session runs out.
    """
    patience_s = settings.worker.session_timeout_s * 1.5 + GROUP_PATIENCE_S
    deadline = time.monotonic() + patience_s
    for kind in kinds:
        while there := await members(settings, kind):
            if time.monotonic() > deadline:
                raise RefusedError(
                    f"{there} {kind} worker{'s are' if there > 1 else ' is'} in the group"
                    f" {settings.worker.app_id(kind)}, also after {patience_s:.0f} s: stop the {kind} workers"
                    " and their supervisor, then run this again. Nothing was changed"
                )
            await asyncio.sleep(LOOK_EVERY_S)


async def committed(settings: Settings, kind: str = "stock") -> dict[TopicPartition, int]:
    """Return the offsets that a kind's group has committed, by topic and partition."""
    async with admin(settings) as client:
        return await committed_offsets(client, settings.worker.app_id(kind))


@asynccontextmanager
async def fenced(settings: Settings, partitions: int) -> AsyncIterator[Mapping[int, Transactor]]:
    """Hold the transactional ids of all partitions: whoever had them before can commit nothing any more.

    A worker that starts meanwhile takes them away again, and what is written here fails; nothing is mixed.
    """
    group = settings.worker.app_id("stock")
    held = {number: Transactor(number, group, settings) for number in range(partitions)}
    try:
        try:
            await asyncio.gather(*(transactor.start() for transactor in held.values()))
        except KafkaError as error:
            raise RebuildError(
                f"The transactional ids {group}-0 to {group}-{partitions - 1} could not be taken over:"
                f" {error!r}. Check that the brokers are up and that this user may write under these ids."
                " Nothing was changed"
            ) from error
        yield held
    finally:
        await asyncio.gather(*(transactor.stop() for transactor in held.values()), return_exceptions=True)


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open Kafka's admin client."""
    client = AIOKafkaAdminClient(**settings.kafka.client_options(), client_id="tillstream-tables")
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise RebuildError(
            f"Kafka at {settings.kafka.bootstrap} does not answer as it should: {error!r}. Check the address"
            " (TILLSTREAM_KAFKA_BOOTSTRAP), that the brokers are up, and this user's rights."
        ) from error
    finally:
        await client.close()
