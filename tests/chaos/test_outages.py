"""Kafka or Postgres away for a while, and a Postgres that is set back to an older copy."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.stack import Stack
from streams.runtime.errors import ExitCode
from tests.chaos.load import Load
from tests.system.cases import LINK
from tests.system.installation import Installation
from tests.system.payloads import order


@pytest.fixture
async def own_shop(own_stack: Stack, tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation.on(own_stack.endpoints, tmp_path) as shop:
        shop.start("stock")
        shop.start("history")
        yield shop


@pytest.mark.long
async def test_orders_are_decided_while_postgres_is_away_and_written_when_it_is_back(
    own_shop: Installation, own_stack: Stack
) -> None:
    async with Load.on(own_shop) as load:
        async with load.running():
            await load.written_more()
            await asyncio.to_thread(own_stack.postgres.stop)
            await load.decided_more(500)
            await asyncio.to_thread(own_stack.postgres.start)
        await load.assert_kept()
    own_shop.assert_workers_unharmed()


async def test_a_history_worker_that_waits_for_postgres_ends_when_it_is_asked_to(
    own_stack: Stack, tmp_path: Path
) -> None:
    """It waits for ever, to begin as well as to write; but not longer than it is wanted."""
    async with Installation.on(own_stack.endpoints, tmp_path) as shop:
        history = shop.start("history")
        await shop.until("it has begun", lambda: bool(history.assignments))
        await shop.publish("store.links", "waiting", LINK)
        await asyncio.to_thread(own_stack.postgres.stop)
        try:
            shop.start("stock")
            await shop.publish("ecom.orders", "waiting", order("WAITS", ("SHIRT", 1)))
            await shop.until("it waits to write", lambda: "does not take the history" in history.text)
            assert await history.stop() == ExitCode.OK
            history.start()
            await shop.until("it waits to begin", lambda: "positions: Postgres" in history.text)
            assert await history.stop() == ExitCode.OK
        finally:
            await asyncio.to_thread(own_stack.postgres.start)
        history.start()
        await shop.settled()
        assert [row["order_id"] for row in await shop.rows("SELECT order_id FROM sales")] == ["WAITS"]
        shop.assert_workers_unharmed()


async def test_a_broker_killed_in_the_middle_of_a_load_costs_nothing(
    own_shop: Installation, own_stack: Stack
) -> None:
    async with Load.on(own_shop) as load:
        async with load.running():
            await load.written_more()
            own_shop.kept_alive = True
            await asyncio.to_thread(own_stack.kafka.kill)
            await asyncio.to_thread(own_stack.kafka.start)
            await load.decided_more()
        await load.assert_kept()


async def test_a_history_set_back_to_an_older_copy_catches_up_to_the_same(shop: Installation) -> None:
    shop.start("stock")
    history = shop.start("history")
    copy, kept = f"{shop.database}_older", f"{shop.database}_kept"
    async with Load.on(shop) as load:
        try:
            await load.publish(500)
            await load.settled()
            assert await history.stop() == ExitCode.OK
            await shop.administer(f'CREATE DATABASE "{copy}" TEMPLATE "{shop.database}"')
            history.start()
            await load.publish(500)
            await load.settled()
            assert await history.stop() == ExitCode.OK
            uninterrupted = await contents(shop)
            await shop.administer(
                f'ALTER DATABASE "{shop.database}" RENAME TO "{kept}"',
                f'ALTER DATABASE "{copy}" RENAME TO "{shop.database}"',
            )
            history.start()
            await load.assert_kept()
            assert await contents(shop) == uninterrupted
        finally:
            await shop.administer(*(f'DROP DATABASE IF EXISTS "{name}"' for name in (copy, kept)))


TABLES = """
SELECT table_name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'tillstream' AND table_type = 'BASE TABLE'
  AND column_name NOT IN ('recorded_at', 'updated_at', 'applied_at')
GROUP BY table_name
"""
"""Every table, and its columns but those that say when a row was written."""


async def contents(shop: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the history holds, whenever it was written."""
    async with shop.connected() as connection:
        return {
            table: await _rows(connection, table, columns)
            for table, columns in await connection.fetch(TABLES)
        }


async def _rows(connection: asyncpg.Connection, table: str, columns: str) -> list[tuple[Any, ...]]:
    rows = await connection.fetch(f"SELECT {columns} FROM {table} ORDER BY to_jsonb({table}) #- '{{x}}'")
    return sorted((tuple(row) for row in rows), key=repr)
