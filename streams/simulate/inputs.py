"""The records of several topics in the order of their times."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Self

from aiokafka.structs import ConsumerRecord

from storage.progress import Span
from streams.committed import CommittedLog
from streams.progress import Progress
from streams.settings import KafkaSettings

AT_ONCE = 1_000


class Inputs:
    """Reads topics beside each other, each by a log of its own; to be entered with `async with`."""

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._topics = topics
        self._logs: dict[str, CommittedLog] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for topic in self._topics:
            log = CommittedLog.open(self._kafka, client_id="tillstream-simulate")
            self._logs[topic] = await self._stack.enter_async_context(log)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def in_time(self, spans: Sequence[Span], progress: Progress) -> AsyncIterator[ConsumerRecord]:
        """Yield the records of these spans, each of another topic, by time.

        A partition's records stay in its order, whatever their times; of records of the same time those of
        the first span come first.
        """
        sources = [_Source(self._logs[span.topic], span, progress) for span in spans]
        for source in sources:
            await source.fill()
        while sources := [source for source in sources if source.records]:
            first = min(sources, key=lambda source: source.time)
            yield first.records.popleft()
            await first.fill()


class _Source:
    """One partition, with the records that were read of it and not given out."""

    def __init__(self, log: CommittedLog, span: Span, progress: Progress) -> None:
        self.records: deque[ConsumerRecord] = deque()
        self._time = 0
        self._reading = log.read([span], max_records=AT_ONCE)
        self._progress = progress

    @property
    def time(self) -> int:
        """The next record's time; not before those of the records before it."""
        self._time = max(self._time, self.records[0].timestamp)
        return self._time

    async def fill(self) -> None:
        """See to it that the next record is there; there is none once all have been given out."""
        while not self.records and (pieces := await anext(self._reading, None)):
            for piece in pieces:
                self.records.extend(piece.records)
                self._progress.advance(piece.offsets)
