"""Sends corrections, and waits for what the stock worker makes of each."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from streams.explain.reading import Reading
from streams.payloads import Payload
from streams.publisher import publish
from streams.reconcile.compensation import Planned
from streams.settings import Settings
from topics import codec
from topics.event import Source
from topics.ids import StoreId
from topics.registry import topic

CORRECTIONS, MOVEMENTS, EXCEPTIONS = "stock.corrections", "stock.movements", "exceptions"
LOOK_EVERY_S = 0.2

Outcome = Literal["applied", "refused", "unchanged", "not decided yet"]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A correction that was sent, where its record stands, and what became of it.

    `unchanged`: it was decided before. `revision` is the level's after it.
    """

    correction_id: str
    product_id: str
    outlet_id: str
    partition: int
    offset: int
    outcome: Outcome
    revision: int | None = None
    detail: str | None = None


async def send(
    settings: Settings, store_id: StoreId, planned: Sequence[Planned], patience_s: float
) -> list[Sent]:
    """Publish the corrections of a store and wait until they are decided, or the patience ends."""
    async with Reading.of(settings, store_id, (CORRECTIONS, MOVEMENTS, EXCEPTIONS)) as reading:
        at = await reading.ends((MOVEMENTS, EXCEPTIONS))
        payloads = [
            Payload(codec.encode(each.correction), f"correction {each.correction.correction_id}")
            for each in planned
        ]
        published = await publish(settings, topic(CORRECTIONS), store_id, payloads, lambda _: None)
        assert published.first_offset is not None
        assert published.last_offset is not None
        waiting = _Waiting(planned, published.partition, await _offsets(reading, published))
        deadline = asyncio.get_running_loop().time() + patience_s
        while True:
            decided = (await reading.decided((CORRECTIONS,)))[CORRECTIONS]
            ends = await reading.ends((MOVEMENTS, EXCEPTIONS))
            for name, take in ((MOVEMENTS, waiting.moved), (EXCEPTIONS, waiting.excepted)):
                async for record in reading.records(name, at[name], ends[name]):
                    take(record.value or b"")
                at[name] = ends[name]
            if decided > published.last_offset or asyncio.get_running_loop().time() > deadline:
                if waiting.complete or decided <= published.last_offset or waiting.asked:
                    return waiting.result(decided)
                waiting.asked = True  # offsets may be seen a moment before the records of their unit
            await asyncio.sleep(LOOK_EVERY_S)


async def _offsets(reading: Reading, published: Any) -> dict[str, int]:
    """Return where each correction stands: other operators' may stand between them."""
    found: dict[str, int] = {}
    first, end = published.first_offset, published.last_offset + 1
    async for record in reading.records(CORRECTIONS, first, end):
        document = msgspec.json.decode(record.value or b"{}")
        found[document["correction_id"]] = record.offset
    return found


class _Waiting:
    def __init__(self, planned: Sequence[Planned], partition: int, offsets: dict[str, int]) -> None:
        self.asked = False
        self._planned = planned
        self._partition = partition
        self._offsets = offsets
        self._moved: dict[int, int] = {}
        self._refused: dict[str, str] = {}

    @property
    def complete(self) -> bool:
        return len(self._moved) + len(self._refused) >= len(self._planned)

    def moved(self, value: bytes) -> None:
        event = codec.decode_stock_moved(value)
        source: Source = event.source
        if source.topic == CORRECTIONS and source.offset in self._offsets.values():
            self._moved[source.offset] = event.movements[0].revision

    def excepted(self, value: bytes) -> None:
        event = codec.decode_exception(value)
        if event.kind == "correction_refused" and event.open:
            name, _, detail = event.detail.removeprefix("correction ").partition(": ")
            if name in self._offsets:
                self._refused[name] = detail

    def result(self, decided: int) -> list[Sent]:
        return [self._sent(each, decided) for each in self._planned]

    def _sent(self, each: Planned, decided: int) -> Sent:
        told = each.correction
        offset = self._offsets[told.correction_id]
        outcome: Outcome = "not decided yet"
        if offset in self._moved:
            outcome = "applied"
        elif told.correction_id in self._refused:
            outcome = "refused"
        elif offset < decided:
            outcome = "unchanged"
        return Sent(
            correction_id=told.correction_id,
            product_id=told.product_id,
            outlet_id=told.outlet_id,
            partition=self._partition,
            offset=offset,
            outcome=outcome,
            revision=self._moved.get(offset),
            detail=self._refused.get(told.correction_id),
        )
