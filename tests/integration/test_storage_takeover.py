"""Who may write: the worker that goes on exactly where Postgres stands, and no other."""

import asyncio
from typing import Any

import pytest

from storage.errors import FencedError, OutOfPlaceError
from storage.history import History
from tests.integration.storage_log import (
    Log,
    everything,
    sale,
    write_all,
)


async def test_a_worker_whose_partition_was_taken_over_writes_nothing(
    history: History, connection: Any, database: str
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    zombie = History({"dsn": database}, consumer="history")
    stale = log.after(await zombie.positions(log.places()))
    await write_all(history, log)
    log.add("sales", sale("1002"))
    late = log.after({("sales", 0): 1})

    with pytest.raises(FencedError, match="sales/0"):
        await zombie.write(0, stale)
    await history.write(0, late)
    with pytest.raises(OutOfPlaceError):
        await zombie.write(0, late)
    await zombie.close()

    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_a_worker_that_was_overtaken_in_mid_log_writes_nothing(
    history: History, connection: Any, database: str
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    await write_all(history, log)
    log.add("sales", sale("1002"))
    zombie = History({"dsn": database}, consumer="history")
    stale = log.after(await zombie.positions(log.places()))
    await history.write(0, stale)

    with pytest.raises(FencedError):
        await zombie.write(0, stale)
    await zombie.close()

    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_of_two_workers_that_write_the_same_at_once_one_succeeds(
    history: History, connection: Any, database: str
) -> None:
    log = everything()
    other = History({"dsn": database}, consumer="history")
    batches = log.after(await history.positions(log.places()))
    await other.positions(log.places())

    results = await asyncio.gather(history.write(0, batches), other.write(0, batches), return_exceptions=True)
    await other.close()

    assert sorted(type(result).__name__ for result in results) == ["FencedError", "NoneType"]
    assert await connection.fetchval("SELECT count(*) FROM sales") == 1


async def test_batches_that_do_not_begin_where_the_history_ends_are_refused(
    history: History, connection: Any
) -> None:
    log = Log()
    for order in ("1001", "1002"):
        log.add("sales", sale(order))
    await history.positions(log.places())
    await history.write(0, log.after({("sales", 0): 0}))

    for wrong in (0, 1):
        with pytest.raises(OutOfPlaceError, match="goes on at offset 2"):
            await history.write(0, log.after({("sales", 0): wrong}))
    assert await connection.fetchval("SELECT count(*) FROM sales") == 2


async def test_offsets_without_records_are_passed(history: History, connection: Any) -> None:
    log = Log()
    await history.positions([("sales", 0)])
    log.add("sales", sale())
    (batch,) = log.after({("sales", 0): None})
    marker = type(batch)("sales", [], 1, 2)

    await history.write(0, [batch, marker])

    assert await history.positions([("sales", 0)]) == {("sales", 0): 2}


async def test_partitions_and_prefixes_are_kept_apart(
    history: History, connection: Any, database: str
) -> None:
    other = History({"dsn": database}, consumer="test.history", prefix="test.")
    log, prefixed = Log(partition=3), Log(partition=3, prefix="test.")
    log.add("sales", sale("1001"))
    prefixed.add("sales", sale("1002"))

    await write_all(history, log)
    await write_all(other, prefixed)
    await other.close()

    places = await connection.fetch("SELECT consumer, topic, partition, next_offset FROM progress ORDER BY 1")
    assert [tuple(row) for row in places] == [
        ("history", "sales", 3, 1),
        ("test.history", "test.sales", 3, 1),
    ]
