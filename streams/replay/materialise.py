"""From the log into a shadow: the same sink as the history worker's, nothing decided, nothing emitted."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from typing import NamedTuple

from storage.errors import FencedError
from storage.history import History
from storage.progress import Span
from streams.committed import MAX_RECORDS, CommittedLog, Piece
from streams.replay.sieve import Sieve

# A slow replay still takes a step, and can be asked to stop, several times a second.
STEPS_PER_S = 4
FENCED_TIMES = 5


class Step(NamedTuple):
    """What one step went through."""

    offsets: int
    records: int


class Throttle:
    """Keeps to so many records a second, from the beginning on; None: as many as go."""

    def __init__(self, records_per_s: float | None) -> None:
        self._rate = records_per_s
        self._began = time.monotonic()
        self._records = 0

    @property
    def most_at_once(self) -> int:
        """How many records a step may have."""
        return MAX_RECORDS if self._rate is None else max(1, min(MAX_RECORDS, int(self._rate / STEPS_PER_S)))

    async def after(self, records: int) -> None:
        """Wait until so many more are due."""
        if self._rate is None:
            return
        self._records += records
        early = self._records / self._rate - (time.monotonic() - self._began)
        if early > 0:
            await asyncio.sleep(early)


async def materialise(
    log: CommittedLog,
    history: History,
    spans: Collection[Span],
    sieve: Sieve,
    *,
    records_per_s: float | None = None,
) -> AsyncIterator[Step]:
    """Write what the log has up to the ends of the spans, from where the history stands; yields each step.

    Every place of `spans` must have a position in the history (`shadow.seed`). Each step is whole in
    Postgres when it is yielded: stopped or killed anywhere, the next call goes on. Raises FencedError when
    another process writes there all the time.
    """
    throttle = Throttle(records_per_s)
    fenced = 0
    while True:
        try:
            async for step in _once(log, history, spans, sieve, throttle):
                yield step
        except FencedError:
            # A commit that was under way when its process ended, or when it was given up, came through since.
            fenced += 1
            if fenced > FENCED_TIMES:
                raise
        else:
            return


async def _once(
    log: CommittedLog, history: History, spans: Collection[Span], sieve: Sieve, throttle: Throttle
) -> AsyncIterator[Step]:
    stands = await history.positions((span.topic, span.partition) for span in spans)
    due = []
    for span in spans:
        begin = stands[span.topic, span.partition]
        due.append(Span(span.topic, span.partition, span.begin if begin is None else begin, span.end))
    async for pieces in log.read(due, max_records=throttle.most_at_once):
        of_partition: defaultdict[int, list[Piece]] = defaultdict(list)
        read = 0
        for piece in pieces:
            read += len(piece.records)
            of_partition[piece.partition].append(piece._replace(records=sieve(piece.records)))
        before = history.records
        await _all(history, of_partition)
        yield Step(sum(piece.offsets for piece in pieces), history.records - before)
        await throttle.after(read)


async def _all(history: History, of_partition: dict[int, list[Piece]]) -> None:
    writes = [
        asyncio.ensure_future(history.write(partition, pieces)) for partition, pieces in of_partition.items()
    ]
    try:
        await asyncio.gather(*writes)
    except BaseException:
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
        raise
