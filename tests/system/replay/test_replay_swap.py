"""A shadow in the live history's place, and out of it again, while orders come in and readers read."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest

from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW, exists, kept
from streams.committed import CommittedLog
from streams.replay.desk import Desk
from streams.replay.diff import diff
from streams.replay.errors import RefusedError, ReplayError
from streams.replay.run import start
from streams.replay.swap import rollback, swap
from tests.system.installation import PARTITIONS, Installation
from tests.system.replay.replaying import (
    NO_SALE,
    ORDER,
    STORES,
    WHY,
    Command,
    Reader,
    TransactionReader,
    settled,
    traffic,
)

OLD, NEW = (1, 1), (0, 0)


@asynccontextmanager
async def readers_of(shop: Installation, mark: str) -> AsyncIterator[list[Reader]]:
    """Read two tables, and a view and its table, by one statement and by several in a transaction."""
    refund = f"(SELECT count(*) FROM refunds WHERE refund_id = '{mark}')"
    attention = f"(SELECT count(*) FROM exceptions WHERE exception_id = '{mark}')"
    entry = f"(SELECT count(*) FROM payment_entries WHERE sale_id = '{mark}')"
    readers = [
        Reader(shop, f"SELECT {refund}, {attention}"),
        Reader(shop, f"SELECT {attention}, {entry}"),
        TransactionReader(shop, f"SELECT {entry}", f"SELECT {attention}", isolation="read_committed"),
        TransactionReader(shop, f"SELECT {attention}", f"SELECT {refund}", isolation="repeatable_read"),
    ]
    async with AsyncExitStack() as stack:
        for reader in readers:
            await stack.enter_async_context(reader)
        yield readers


async def marked(shop: Installation) -> str:
    """Give the live history an exception and a refund that the log does not have; return their id."""
    mark = str(uuid.uuid4())
    attention = f'{{"exception_id": "{mark}"}}'
    refund = f'{{"refund_id": "{mark}", "sale_id": "{mark}", "state": "made"}}'
    async with shop.connected() as connection:
        await connection.execute(
            f"""
            INSERT INTO exceptions
            SELECT (jsonb_populate_record(e, '{attention}')).* FROM exceptions AS e LIMIT 1;
            INSERT INTO refunds
            SELECT (jsonb_populate_record(r, '{refund}')).* FROM refunds AS r LIMIT 1
            """
        )
    return mark


async def unmarked(shop: Installation, mark: str) -> None:
    async with shop.connected() as connection:
        await connection.execute(f"DELETE FROM exceptions WHERE exception_id = '{mark}'")
        await connection.execute(f"DELETE FROM refunds WHERE refund_id = '{mark}'")


async def test_readers_see_all_of_the_old_or_all_of_the_new_and_no_order_is_lost(
    shop: Installation, desk: Desk, command: Command
) -> None:
    mark = await marked(shop)
    made = await start(desk, Scope(), ORDER)

    async with readers_of(shop, mark) as readers:
        async with traffic(shop, "SWAPPED"):
            swapped = await command(shop, "swap", *WHY)
            for reader in readers:
                await reader.has_read_again()
        assert (swapped.code, swapped.answer["kept_schema"]) == (0, kept(made.replay_id).name), swapped.error
        assert [reader.seen for reader in readers] == [[OLD, NEW]] * len(readers)
        await settled(shop)
        assert await _missing(shop) == []

        async with traffic(shop, "BACK"):
            await rollback(desk, ORDER)
            for reader in readers:
                await reader.has_read_again()
        assert [reader.seen for reader in readers] == [[OLD, NEW, OLD]] * len(readers)
    await settled(shop)
    assert await _missing(shop) == []
    shop.assert_workers_unharmed()

    found = await diff(desk)
    await unmarked(shop, mark)
    differing = [one for one in found.tables if not one.same]
    assert [(one.table, one.only_live, one.only_shadow, one.changed) for one in differing] == [
        ("exceptions", 1, 0, 0),
        ("refunds", 1, 0, 0),
    ]
    assert await exists(desk.connection, SHADOW)
    assert not await exists(desk.connection, kept(made.replay_id))


async def _missing(shop: Installation) -> list[str]:
    """Name the sales that the log has and the history has not."""
    told: set[str] = set()
    async with CommittedLog.open(shop.settings.kafka) as log:
        places = [(shop.settings.worker.topic("sales"), number) for number in range(PARTITIONS)]
        async for pieces in log.read((await log.ranges(places)).values()):
            for piece in pieces:
                values = [record.value for record in piece.records if record.value != NO_SALE]
                told.update(msgspec.json.decode(value)["sale_id"] for value in values)
    held = {str(row["sale_id"]) for row in await shop.rows("SELECT sale_id FROM sales")}
    return sorted(told - held)


async def test_a_swap_gives_way_to_who_reads_for_long_and_says_who_that_is(
    shop: Installation, desk: Desk
) -> None:
    await start(desk, Scope(), ORDER)
    async with shop.connected() as reader, reader.transaction():
        await reader.execute("SET LOCAL application_name = 'monthly report'")
        before = await reader.fetchval("SELECT count(*) FROM sales")

        with pytest.raises(ReplayError, match=r"nothing was changed.*monthly report, idle in transaction"):
            await swap(desk, ORDER, wait_s=0.5)

        assert await reader.fetchval("SELECT count(*) FROM sales") == before
    assert not await shop.rows("SELECT FROM pg_namespace WHERE nspname LIKE 'tillstream_before_%'")
    audit = await shop.rows("SELECT state FROM tillstream_operations.audit ORDER BY audit_id DESC LIMIT 1")
    assert audit == [{"state": "failed"}]


async def test_a_swap_waits_for_who_would_see_the_new_history_as_it_was_before_it_was_whole(
    shop: Installation, desk: Desk
) -> None:
    async with shop.connected() as reader:
        async with reader.transaction(isolation="repeatable_read"):
            # It sees the data as of now from here on, and holds no lock on any table.
            await reader.fetchval("SELECT 1")
            await start(desk, Scope(), ORDER)

            with pytest.raises(ReplayError, match="a transaction is open that began before"):
                await swap(desk, ORDER, wait_s=0.5)

            before = await reader.fetchval("SELECT count(*) FROM sales")
            assert before > 0
        await swap(desk, ORDER)
        assert await reader.fetchval("SELECT count(*) FROM sales") == before


async def test_what_is_not_whole_or_not_there_is_not_swapped(shop: Installation, desk: Desk) -> None:
    with pytest.raises(RefusedError, match="no shadow to put in place"):
        await swap(desk, ORDER)
    with pytest.raises(RefusedError, match="nothing to go back to"):
        await rollback(desk, ORDER)
    await start(desk, Scope(store_id=STORES[0]), ORDER)
    with pytest.raises(RefusedError, match=f"is of store {STORES[0]}: only a replay of all history"):
        await swap(desk, ORDER)
