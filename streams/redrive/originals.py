"""The records that were refused, read from the log by their coordinates."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self

import msgspec
from aiokafka.errors import KafkaError

from storage.progress import Place, Span
from streams.committed import CommittedLog, Piece
from streams.redrive.errors import RedriveError
from streams.redrive.marks import Header
from streams.runtime.startup import partition_counts
from streams.settings import Settings, require_kafka
from topics.registry import TOPICS

NEAR = 200
"""A record so little further on is read up to; a farther one is sought, which empties what was fetched."""
_AT_ONCE = 500


class Original(msgspec.Struct, frozen=True):
    """A record as it stands in the log; the time in milliseconds since 1970."""

    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp: int


class Gone(msgspec.Struct, frozen=True):
    """The log does not have the record any more: a sentence that says why."""

    why: str


class Last(msgspec.Struct, frozen=True):
    """The last record of a key on a partition; the time in milliseconds since 1970."""

    offset: int
    timestamp: int


class Originals:
    """Reads records of our topics; quickest in the order of topic, partition and offset.

    To be entered with `async with`. Every call raises WorkerError when Kafka does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        require_kafka(settings)
        self._settings = settings
        self._stack = AsyncExitStack()
        self._partitions: dict[str, int] = {}
        self._last: dict[Place, dict[bytes, Last]] = {}
        self._there = Span("", 0, 0, 0)
        self._pieces: AsyncIterator[list[Piece]] | None = None
        self._piece: Piece | None = None

    async def __aenter__(self) -> Self:
        worker = self._settings.worker
        names = {worker.topic(topic.name): topic.name for topic in TOPICS}
        counts = await partition_counts(names, self._settings.kafka)
        self._partitions = {name: counts[full] for full, name in names.items()}
        log = CommittedLog.open(self._settings.kafka, client_id="tillstream-redrive")
        self._log = await self._stack.enter_async_context(log)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def partitions(self) -> dict[str, int]:
        """How many partitions each topic has, by its name in the registry; 0: it is not there."""
        return self._partitions

    async def read(self, topic: str, partition: int, offset: int) -> Original | Gone:
        """Return the record at these coordinates.

        The topic's name is that of the registry, or has the prefix before it.
        """
        name = topic if topic in self._partitions else topic.removeprefix(self._settings.worker.prefix)
        if partition >= self._partitions.get(name, 0):
            return Gone(f"topic {topic} has no partition {partition} (any more)")
        where = await self._go_to((self._settings.worker.topic(name), partition))
        at = f"{where.topic}/{where.partition}"
        if offset < where.begin:
            return Gone(f"retention has removed it: {at} begins at offset {where.begin} now")
        if offset >= where.end:
            return Gone(f"{at} ends at offset {where.end}: the topic was made anew, or cut")
        for record in (await self._piece_with(offset)).records:
            if record.offset == offset:
                return Original(record.key, record.value, tuple(record.headers), record.timestamp)
        return Gone(f"{at} has no record at offset {offset} any more: compaction took it")

    async def last(self, topic: str, partition: int, key: bytes) -> Last | None:
        """Return the last record of a key; for compacted topics: all of the partition is read, once."""
        place = (self._settings.worker.topic(topic), partition)
        if place not in self._last:
            found = self._last[place] = {}
            async for record in self._log.records([await self._go_to(place)]):
                if record.key is not None:
                    found[record.key] = Last(record.offset, record.timestamp)
            self._pieces = self._piece = None
        return self._last[place].get(key)

    async def _go_to(self, place: Place) -> Span:
        """Return what a partition's log has; asked anew when it is another than before."""
        if place != (self._there.topic, self._there.partition):
            self._there = (await self._log.ranges([place]))[place]
            self._pieces = self._piece = None
        return self._there

    async def _piece_with(self, offset: int) -> Piece:
        """Read up to the offset, or seek it when it is far or was passed."""
        stands = -1 if self._piece is None else self._piece.next_offset
        passed = self._piece is not None and offset < self._piece.begin
        if self._pieces is None or passed or offset > stands + NEAR:
            span = msgspec.structs.replace(self._there, begin=offset)
            self._pieces = self._log.read([span], max_records=_AT_ONCE)
            self._piece = None
        while self._piece is None or offset >= self._piece.next_offset:
            (self._piece,) = await anext(self._pieces)
        return self._piece


def unreachable(settings: Settings, error: KafkaError) -> RedriveError:
    """Return the error of a broker that does not answer or refuses."""
    return RedriveError(
        f"Kafka at {settings.kafka.bootstrap} failed: {error!r}. Check that the brokers are up and that this"
        " user may read and write the inbound topics"
    )
