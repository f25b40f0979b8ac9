"""Postgres away for a while: the history waits, says so, loses nothing and doubles nothing."""

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.local.stack import Stack
from storage import schema
from storage.connection import WRITING
from storage.history import History
from tests.integration.storage_log import Log, fulfillment, moved, sale, write_all

DEADLINE_S = 30.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
async def database(stack: Stack) -> AsyncIterator[str]:
    """A database of this module's own; no session is kept through it, for the server goes and comes."""
    server, name = stack.endpoints.postgres_dsn, f"test_{uuid.uuid4().hex[:12]}"
    await _run(server, f"CREATE DATABASE {name}")
    yield urlsplit(server)._replace(path=f"/{name}").geturl()
    await _run(server, f"DROP DATABASE {name} WITH (FORCE)")


async def _run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def history(database: str) -> AsyncIterator[History]:
    connection = await asyncpg.connect(database)
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema.SCHEMA} CASCADE")
    await schema.migrate(connection)
    await connection.close()
    history = History({"dsn": database}, consumer="history")
    yield history
    await history.close()


async def counted(database: str) -> tuple[int, int, int]:
    """Orders, movements, and the offset that `sales` goes on at."""
    connection = await asyncpg.connect(database, server_settings={"search_path": schema.SCHEMA})
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM stock_movements),"
            " (SELECT next_offset FROM progress WHERE topic = 'sales')"
        )
        return tuple(row)
    finally:
        await connection.close()


def orders(log: Log, first: int, count: int) -> None:
    for number in range(first, first + count):
        log.add("sales", sale(str(number)))
        log.add("fulfillments", fulfillment(str(number)))
        log.add("stock.movements", moved(number))


async def test_while_postgres_is_down_the_history_waits_and_then_goes_on(
    history: History, database: str, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    orders(log, 1, 10)
    await write_all(history, log)
    orders(log, 11, 10)
    batches = log.after(dict.fromkeys(log.places(), 10))
    stack.postgres.stop("immediate")
    try:
        writing = asyncio.create_task(history.write(0, batches))
        await until(lambda: history.trouble is not None)
        assert not writing.done()
    finally:
        await asyncio.to_thread(stack.postgres.start)
    await asyncio.wait_for(writing, DEADLINE_S)

    assert history.trouble is None
    assert any("Postgres does not take the history" in record.message for record in caplog.records)
    assert await counted(database) == (20, 20, 20)


async def test_positions_wait_for_postgres_too(history: History, stack: Stack) -> None:
    stack.postgres.stop("immediate")
    try:
        asking = asyncio.create_task(history.positions([("sales", 0)]))
        await until(lambda: history.trouble is not None)
    finally:
        await asyncio.to_thread(stack.postgres.start)

    assert await asyncio.wait_for(asking, DEADLINE_S) == {("sales", 0): None}


async def test_postgres_killed_again_and_again_in_mid_write_loses_and_doubles_nothing(
    history: History, database: str, stack: Stack
) -> None:
    units, size = 120, 25
    log = Log()
    await history.positions([("sales", 0), ("fulfillments", 0), ("stock.movements", 0)])

    async def write() -> None:
        for unit in range(units):
            orders(log, unit * size + 1, size)
            await history.write(0, log.after(dict.fromkeys(log.places(), unit * size)))

    writing = asyncio.create_task(write())
    for kill in (10, 40, 70):
        await until(lambda at=kill: writing.done() or history.units >= at)
        stack.postgres.kill()
        await asyncio.to_thread(stack.postgres.start)
    await asyncio.wait_for(writing, DEADLINE_S)

    assert await counted(database) == (units * size, units * size, units * size)


async def test_a_session_that_an_operator_ends_is_made_anew(history: History, database: str) -> None:
    log = Log()
    orders(log, 1, 5)
    await write_all(history, log)
    operator = await asyncpg.connect(database)
    ended = await operator.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name = 'tillstream 0 history'"
    )
    orders(log, 6, 5)
    await history.write(0, log.after(dict.fromkeys(log.places(), 5)))
    await operator.close()

    assert ended == 1
    assert await counted(database) == (10, 10, 10)


async def test_a_database_made_read_only_is_waited_for(history: History, database: str) -> None:
    log = Log()
    orders(log, 1, 5)
    name = urlsplit(database).path.removeprefix("/")
    operator = await asyncpg.connect(database)
    await history.positions(log.places())
    await operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    writing = asyncio.create_task(history.write(0, log.after(dict.fromkeys(log.places(), 0))))
    await until(lambda: history.trouble is not None and "25006" in history.trouble.reason)
    await operator.execute("SET default_transaction_read_only = off")
    await operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await asyncio.wait_for(writing, DEADLINE_S)
    await operator.close()

    assert await counted(database) == (5, 5, 5)


async def test_a_write_that_a_rebalance_cancels_leaves_nothing_and_can_be_done_again(
    history: History, database: str
) -> None:
    log = Log()
    orders(log, 1, 5)
    await write_all(history, log)
    orders(log, 6, 5)
    blocker = await asyncpg.connect(database)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("LOCK TABLE tillstream.sales IN EXCLUSIVE MODE")
    writing = asyncio.create_task(history.write(0, log.after(dict.fromkeys(log.places(), 5))))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
    operator = await asyncpg.connect(database)
    deadline = time.monotonic() + DEADLINE_S
    while not await operator.fetchval(waiting, "tillstream 0 history"):
        assert time.monotonic() < deadline
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(writing, 2.0)
    await transaction.rollback()
    await blocker.close()
    await operator.close()

    assert await history.positions([("sales", 0)]) == {("sales", 0): 5}
    await write_all(history, log)
    assert await counted(database) == (10, 10, 10)


async def test_a_write_can_be_cancelled_while_postgres_does_not_answer_at_all(
    history: History, database: str
) -> None:
    log = Log()
    orders(log, 1, 5)
    await write_all(history, log)
    operator = await asyncpg.connect(database)
    server_process = await operator.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'tillstream 0 history'"
    )
    orders(log, 6, 5)
    os.kill(server_process, signal.SIGSTOP)
    try:
        writing = asyncio.create_task(history.write(0, log.after(dict.fromkeys(log.places(), 5))))
        done, _ = await asyncio.wait({writing}, timeout=0.5)
        assert not done
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(writing, 2.0)
    finally:
        os.kill(server_process, signal.SIGCONT)
        await operator.close()

    await write_all(history, log)
    assert await counted(database) == (10, 10, 10)


async def test_the_session_of_a_worker_stopped_in_mid_write_is_ended_by_its_successor(
    history: History, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    orders(log, 1, 5)
    await write_all(history, log)
    # What a stopped process leaves: its session, in a transaction that holds the partition's progress.
    stopped = await asyncpg.connect(
        database, server_settings={"application_name": "tillstream 0 history", **WRITING}
    )
    await stopped.transaction().start()
    await stopped.execute("UPDATE tillstream.progress SET next_offset = 999")
    orders(log, 6, 5)
    await history.positions(log.places())
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(history.write(0, log.after(dict.fromkeys(log.places(), 5))), DEADLINE_S)

    assert await counted(database) == (10, 10, 10)
    assert "stopped in mid-write" in caplog.text
    stopped.terminate()


async def test_a_wrong_password_stops_the_worker_instead_of_being_tried_for_ever(database: str) -> None:
    history = History({"dsn": database, "password": "wrong", "user": "nobody"}, consumer="history")

    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await history.positions([("sales", 0)])


async def test_a_table_that_is_gone_stops_the_worker_and_nothing_is_skipped(
    history: History, database: str
) -> None:
    log = Log()
    orders(log, 1, 5)
    await history.positions(log.places())
    operator = await asyncpg.connect(database)
    await operator.execute("ALTER TABLE tillstream.sale_lines RENAME TO elsewhere")

    with pytest.raises(asyncpg.UndefinedTableError):
        await history.write(0, log.after(dict.fromkeys(log.places(), 0)))
    await operator.execute("ALTER TABLE tillstream.elsewhere RENAME TO sale_lines")
    await operator.close()

    assert await counted(database) == (0, 0, None)
    await write_all(history, log)
    assert await counted(database) == (5, 5, 5)
