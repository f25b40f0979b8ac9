"""The lane of a partition: order, bounds, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest
from faust.types import TP

from streams.runtime.batch import Batch
from streams.runtime.errors import BatchOrderError, RebalanceError
from streams.runtime.health import LaneHealth
from streams.runtime.lanes import Lane, Queued
from streams.runtime.pace import Budget, Pace

TOPIC = "ecom.orders"
COUNTS = "pos.inventory"


class Works:
    """Remembers the units that it was given; may be held up."""

    def __init__(self, *, cancellable: bool = False, again: int = 0) -> None:
        self.units: list[list[Batch]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.started = asyncio.Event()
        self.began = False
        self._cancellable = cancellable
        self._again = again

    @property
    def cancellable(self) -> bool:
        return self._cancellable

    async def begin(self, lane: Lane) -> None:
        self.began = True

    async def run(self, lane: Lane, queued: list[Queued]) -> None:
        assert self.began
        self.started.set()
        await self.free.wait()
        self.units.append([batch for batch, _ in queued])
        self._again -= 1
        lane.pending = self._again > 0


class Fetching:
    """Remembers what is held back."""

    def __init__(self) -> None:
        self.held: set[TP] = set()

    def hold(self, tps: Iterable[TP]) -> None:
        self.held.update(tps)

    def release(self, tps: Iterable[TP]) -> None:
        self.held.difference_update(tps)


class Record:
    def __init__(self, offset: int, timestamp: int) -> None:
        self.offset = offset
        self.timestamp = timestamp


def batch(
    begin: int,
    end: int,
    *,
    epoch: int = 1,
    offsets: Sequence[int] | None = None,
    topic: str = TOPIC,
    timestamp: int = 0,
) -> Batch:
    records = [Record(offset, timestamp) for offset in (range(begin, end) if offsets is None else offsets)]
    return Batch(topic, 0, records, end, begin, epoch)


def lane(
    work: Works,
    *,
    at: int = 0,
    max_records: int = 10,
    valve: Fetching | None = None,
    behind: Sequence[str] = (),
) -> Lane:
    return Lane(
        0,
        {TOPIC: at, COUNTS: 0},
        epoch=1,
        work=work,
        pace=Pace(0, Budget(1e9)),
        valve=valve or Fetching(),
        max_records=max_records,
        health=LaneHealth(0),
        behind=behind,
    )


def no_failure(error: BaseException) -> None:
    raise error


async def met(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # what a lane did shows in several places: no one event for it
            await asyncio.sleep(0)


async def test_what_queued_up_while_a_unit_was_committed_becomes_the_next_unit() -> None:
    work = Works()
    work.free.clear()
    orders = lane(work)
    orders.open(no_failure)
    orders.put(batch(0, 2))
    await work.started.wait()
    orders.put(batch(2, 3))
    orders.put(batch(3, 5))
    work.free.set()
    await met(lambda: len(work.units) == 2)
    assert [[b.begin for b in unit] for unit in work.units] == [[0], [2, 3]]
    await orders.finish(1)


async def test_of_two_topics_the_one_with_the_older_batch_goes_first() -> None:
    work = Works()
    both = lane(work, max_records=100)
    both.put(batch(0, 2, timestamp=50))
    both.put(batch(2, 4, timestamp=70))
    both.put(batch(0, 2, topic=COUNTS, timestamp=60))
    both.open(no_failure)
    await met(lambda: len(work.units) == 1)
    assert [(b.topic, b.begin) for b in work.units[0]] == [(TOPIC, 0), (COUNTS, 0), (TOPIC, 2)]
    await both.finish(1)


async def test_a_lane_that_is_behind_waits_for_the_first_batch_of_each_topic() -> None:
    work = Works()
    both = lane(work, behind=[TOPIC, COUNTS])
    both.put(batch(0, 2, timestamp=50))
    both.open(no_failure)
    for _ in range(20):
        await asyncio.sleep(0)
    assert work.units == []
    both.put(batch(0, 2, topic=COUNTS, timestamp=40))
    await met(lambda: len(work.units) == 1)
    assert [b.topic for b in work.units[0]] == [COUNTS, TOPIC]
    await both.finish(1)


async def test_a_unit_is_bounded_by_records() -> None:
    work = Works()
    orders = lane(work, max_records=10)
    for begin in range(0, 40, 8):
        orders.put(batch(begin, begin + 8))
    orders.open(no_failure)
    await met(lambda: sum(map(len, work.units)) == 5)
    assert [len(unit) for unit in work.units] == [2, 2, 1]
    await orders.finish(1)


async def test_a_full_lane_holds_back_its_partitions_until_it_has_room() -> None:
    work, valve = Works(), Fetching()
    orders = lane(work, max_records=10, valve=valve)
    orders.put(batch(0, 15))
    assert valve.held == set()
    orders.put(batch(15, 25))
    assert valve.held == {TP(TOPIC, 0), TP(COUNTS, 0)}
    orders.open(no_failure)
    await met(lambda: len(work.units) == 2)
    assert valve.held == set()
    await orders.finish(1)


@pytest.mark.parametrize(
    "wrong",
    [
        batch(11, 12),  # records 10 are missing
        batch(8, 12),  # records 8 and 9 come again
        batch(10, 12, offsets=[9, 11]),  # the consumer says 10 but hands out 9
    ],
)
async def test_a_batch_that_does_not_begin_where_the_partition_stands_is_refused(wrong: Batch) -> None:
    orders = lane(Works(), at=10)
    with pytest.raises(BatchOrderError, match=r"ecom\.orders partition 0 stands at 10"):
        orders.put(wrong)


async def test_control_records_between_batches_are_no_gap() -> None:
    work = Works()
    orders = lane(work, at=10)
    orders.put(batch(10, 15, offsets=[12, 13]))  # 10, 11 and 14 are control records
    orders.put(batch(15, 16, offsets=[]))
    orders.put(batch(16, 17))
    orders.open(no_failure)
    await met(lambda: sum(map(len, work.units)) == 3)
    await orders.finish(1)


async def test_a_batch_of_an_earlier_assignment_is_dropped() -> None:
    work = Works()
    orders = lane(work, at=10)
    orders.open(no_failure)
    orders.put(batch(7, 9, epoch=0))
    orders.put(batch(10, 11))
    await met(lambda: bool(work.units))
    assert [[b.begin for b in unit] for unit in work.units] == [[10]]
    await orders.finish(1)


async def test_the_end_waits_for_the_unit_in_flight_and_drops_the_rest() -> None:
    work = Works()
    work.free.clear()
    acked: list[int] = []
    orders = lane(work)
    orders.open(no_failure)
    orders.put(Batch(TOPIC, 0, [Record(0, 0)], 1, 0, 1, lambda: acked.append(0)))
    await work.started.wait()
    orders.put(Batch(TOPIC, 0, [Record(1, 0)], 2, 1, 1, lambda: acked.append(1)))
    ending = asyncio.create_task(orders.finish(5))
    await asyncio.sleep(0)
    work.free.set()
    await ending
    assert [[b.begin for b in unit] for unit in work.units] == [[0]]
    assert acked == [0]


async def test_a_unit_that_does_not_end_in_time_fails_the_rebalance() -> None:
    work = Works()
    work.free.clear()
    orders = lane(work)
    orders.open(no_failure)
    orders.put(batch(0, 1))
    await work.started.wait()
    with pytest.raises(RebalanceError, match="partition 0 did not end"):
        await orders.finish(0.01)
    work.free.set()
    await orders.finish(1)


async def test_a_write_that_may_be_broken_off_is_broken_off() -> None:
    work = Works(cancellable=True)
    work.free.clear()
    orders = lane(work)
    orders.open(no_failure)
    orders.put(batch(0, 1))
    await work.started.wait()
    await orders.finish(0.01)
    assert work.units == []


async def test_a_long_job_goes_on_before_new_batches() -> None:
    work = Works(again=3)
    orders = lane(work)
    orders.put(batch(0, 1))
    orders.open(no_failure)
    await work.started.wait()
    orders.put(batch(1, 2))
    await met(lambda: sum(map(len, work.units)) == 2)
    assert [len(unit) for unit in work.units] == [1, 0, 0, 1]
    await orders.finish(1)


async def test_what_ends_a_lane_is_told() -> None:
    work = Works()

    async def fails(lane: Lane, queued: list[Queued]) -> None:
        raise ValueError("a bug")

    work.run = fails  # type: ignore[method-assign]
    told: list[BaseException] = []
    orders = lane(work)
    orders.open(told.append)
    orders.put(batch(0, 1))
    await met(lambda: bool(told))
    assert str(told[0]) == "a bug"
