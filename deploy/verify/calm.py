"""Whether all that was published has been decided, and all that was decided is in Postgres."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.verify.history import AWAY, HistoryView
from storage.rows import TARGETS
from streams.offsets import committed_offsets
from streams.settings import Settings
from topics.registry import INBOUND, OUTBOUND


class Calm:
    """Compares the ends of the topics with how far the workers are."""

    def __init__(self, settings: Settings, history: HistoryView) -> None:
        self._settings = settings
        self._history = history
        options: dict[str, Any] = settings.kafka.client_options()
        self._admin = AIOKafkaAdminClient(**options)
        self._written = AIOKafkaConsumer(**options, isolation_level="read_uncommitted")
        self._visible = AIOKafkaConsumer(**options, isolation_level="read_committed")
        self._inbound = self._partitions(topic.name for topic in INBOUND)
        self._outbound = self._partitions(topic.name for topic in OUTBOUND)
        self._materialised = self._partitions(TARGETS)

    def _partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        worker = self._settings.worker
        return [
            TopicPartition(worker.topic(topic), number)
            for topic in topics
            for number in range(worker.partitions)
        ]

    async def start(self) -> None:
        for client in (self._admin, self._written, self._visible):
            await client.start()

    async def stop(self) -> None:
        await self._admin.close()
        for client in (self._written, self._visible):
            await client.stop()

    async def come(self, every_s: float) -> None:
        """Wait for it, looking so often."""
        while True:
            if await self.reached():
                return
            await asyncio.sleep(every_s)

    async def reached(self) -> bool:
        """Tell; False also while a server is away."""
        try:
            if not await self.decided():
                return False
            written, due = await self.written()
        except (KafkaError, *AWAY):
            return False
        return written == due

    async def decided(self) -> bool:
        """Tell whether all that was published is decided and can be read; raises when a server is away."""
        if await self.undecided():
            return False
        ends = await self._written.end_offsets(self._outbound)
        # The offsets of a transaction may be visible a moment before its records are.
        visible = await self._visible.end_offsets(self._outbound)
        return all(visible[tp] == ends[tp] for tp in self._outbound)

    async def undecided(self) -> int:
        """Return how many inbound records wait for their decision; raises as `decided` does."""
        ends = await self._written.end_offsets(self._inbound)
        done = await committed_offsets(self._admin, self._settings.worker.app_id("stock"))
        return sum(max(0, end - done.get(tp, 0)) for tp, end in ends.items())

    async def written(self) -> tuple[int, int]:
        """Return how many offsets are in Postgres, and how many are committed; raises as `decided` does."""
        ends = await self._visible.end_offsets(self._materialised)
        progress = await self._history.progress()
        written = (min(end, progress.get((tp.topic, tp.partition), 0)) for tp, end in ends.items())
        return sum(written), sum(ends.values())
