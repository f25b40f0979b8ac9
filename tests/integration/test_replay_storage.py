"""What a swap does to rights and to what others tied to the tables; what a comparison leaves out."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from storage import schema
from storage.history import History
from storage.operations import replays
from storage.operations.audit import Order
from storage.replay import shadow
from storage.replay.bonds import extras, outside
from storage.replay.compare import Comparison
from storage.replay.compared import Side, pruned, tables
from storage.replay.exchange import exchange, live_held
from storage.replay.grants import copy_grants
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY
from streams.replay.removal import drop, removable
from tests.integration.storage_log import Log, everything, moved, sale, write_all

KEPT = shadow.kept(1)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    """A history and a shadow of the same log."""
    connection = await asyncpg.connect(database, server_settings={"search_path": "tillstream, public"})
    await connection.execute(
        "DROP SCHEMA IF EXISTS tillstream, tillstream_replay, tillstream_before_1 CASCADE"
    )
    await schema.migrate(connection, schema.OPERATIONS)
    for one in (HISTORY, SHADOW):
        await schema.migrate(connection, one)
        await written(database, one, everything())
    yield connection
    await connection.close()


async def written(database: str, one: schema.Schema, log: Log) -> None:
    history = History({"dsn": database}, consumer="history", schema=one)
    try:
        await write_all(history, log)
    finally:
        await history.close()


async def swapped(connection: Any) -> None:
    await copy_grants(connection, HISTORY, SHADOW)
    async with live_held(connection):
        now = await connection.fetchval("SELECT clock_timestamp()")
        await exchange(connection, SHADOW, KEPT, consumer="history", caught_up_at=now)


async def test_rights_on_the_history_are_the_same_after_a_swap_down_to_columns_and_later_tables(
    connection: Any,
) -> None:
    await connection.execute(
        """
        CREATE ROLE replay_reader; CREATE ROLE replay_writer;
        GRANT USAGE ON SCHEMA tillstream TO replay_reader;
        GRANT SELECT ON tillstream.sales, tillstream.sales_by_day TO replay_reader;
        GRANT SELECT (reason, record_time) ON tillstream.dead_letters TO replay_reader;
        GRANT UPDATE ON tillstream.progress TO replay_writer WITH GRANT OPTION;
        GRANT EXECUTE ON FUNCTION tillstream.make_month TO replay_writer;
        ALTER DEFAULT PRIVILEGES IN SCHEMA tillstream GRANT SELECT ON TABLES TO replay_reader
        """
    )
    try:
        before = await _rights(connection)
        await swapped(connection)
        assert await _rights(connection) == before
        assert before["sales"] and before["dead_letters.reason"] and before["make_month"]
        await connection.execute("CREATE TABLE tillstream.later (id int)")
        assert await connection.fetchval(
            "SELECT has_table_privilege('replay_reader', 'tillstream.later', 'SELECT')"
        )
        await connection.execute("SET ROLE replay_reader")
        assert await connection.fetchval("SELECT count(*) FROM sales") == 1
        assert await connection.fetchval("SELECT count(reason) FROM dead_letters") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT count(head) FROM dead_letters")
    finally:
        await connection.execute("RESET ROLE; DROP OWNED BY replay_reader, replay_writer CASCADE")
        await connection.execute("DROP ROLE replay_reader, replay_writer")


async def _rights(connection: Any) -> dict[str, set[tuple[Any, ...]]]:
    rows = await connection.fetch(
        """
        WITH given (what, acl) AS (
            SELECT 'schema', nspacl FROM pg_namespace WHERE nspname = 'tillstream'
            UNION ALL
            SELECT relname, relacl FROM pg_class WHERE relnamespace = 'tillstream'::regnamespace
            UNION ALL
            SELECT relname || '.' || attname, attacl
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'tillstream'::regnamespace
            UNION ALL
            SELECT proname, proacl FROM pg_proc WHERE pronamespace = 'tillstream'::regnamespace
        )
        SELECT what, grantee::regrole::text, privilege_type, is_grantable
        FROM given CROSS JOIN LATERAL aclexplode(acl)
        WHERE grantee::regrole::text LIKE 'replay_%'
        """
    )
    rights: dict[str, set[tuple[Any, ...]]] = {}
    for what, *right in rows:
        rights.setdefault(what, set()).add(tuple(right))
    return rights


async def test_what_others_tied_to_the_tables_or_added_to_the_schema_is_named(connection: Any) -> None:
    assert await outside(connection, HISTORY) == []
    assert await extras(connection, HISTORY, SHADOW) == []

    await connection.execute(
        """
        CREATE VIEW public.my_report AS SELECT total FROM tillstream.sales;
        CREATE MATERIALIZED VIEW public.my_copy AS SELECT 1 FROM tillstream.sales_by_day;
        CREATE TABLE public.notes (sale_id uuid REFERENCES tillstream.sales);
        CREATE PUBLICATION warehouse FOR TABLE tillstream.refunds;
        CREATE PUBLICATION lake FOR TABLES IN SCHEMA tillstream;
        CREATE VIEW tillstream.big_sales AS SELECT total FROM tillstream.sales WHERE total > 100;
        CREATE INDEX my_index ON tillstream.sales (total);
        """
    )
    try:
        assert await outside(connection, HISTORY) == [
            "foreign key notes_sale_id_fkey of notes",
            "materialised view my_copy",
            "publication lake of the schema",
            "publication warehouse of refunds",
            "view my_report",
        ]
        assert await extras(connection, HISTORY, SHADOW) == ["index my_index", "view big_sales"]
    finally:
        await connection.execute(
            "DROP VIEW public.my_report; DROP MATERIALIZED VIEW public.my_copy; DROP TABLE public.notes;"
            " DROP PUBLICATION warehouse, lake"
        )


async def test_a_months_movements_that_were_pruned_are_no_difference(connection: Any, database: str) -> None:
    log = everything()
    log.add("stock.movements", moved(3))
    await written(database, HISTORY, log)
    await written(database, SHADOW, log)
    await connection.execute("DELETE FROM tillstream.stock_movements WHERE revision < 3")

    assert not (await _compared(connection, "stock_movements")).same
    await connection.execute(
        """
        INSERT INTO tillstream_operations.audit
            (action, operator, reason, scope, state, result, ended_at)
        VALUES
            ('history prune', 'ana', 'full', '{"before": "2026-05-01", "what": "movements"}', 'done', '{}',
             now())
        """
    )
    try:
        found = await _compared(connection, "stock_movements")
        assert (found.live, found.shadow, found.same) == (0, 0, True)
    finally:
        await connection.execute("TRUNCATE tillstream_operations.audit")


async def test_a_replay_that_could_not_make_its_schema_can_be_removed(connection: Any) -> None:
    await connection.execute(f"DROP SCHEMA {SHADOW.name} CASCADE")
    number = await replays.begin(connection, Scope(), (), (), 0)
    await replays.end(connection, number, "failed", "permission denied")

    (left,) = await removable(connection)
    await drop(connection, left, Order("replay drop", "ana", "it may not make schemas", {}))

    assert (left.replay_id, left.kept) == (number, False)
    assert await removable(connection) == []
    (entry,) = await replays.list_replays(connection, replay_id=number)
    assert entry.state == "dropped"


async def test_every_row_that_differs_is_counted_whatever_its_key(connection: Any, database: str) -> None:
    log = Log()
    for number in range(300):
        log.add("sales", sale(f"N-{number:03}"))
    await connection.execute("TRUNCATE tillstream.progress, tillstream_replay.progress")
    await written(database, HISTORY, log)
    await written(database, SHADOW, log)
    await connection.execute(
        """
        UPDATE tillstream.sales SET total = total + 0.00 WHERE order_id < 'N-050' AND order_id >= 'N';
        UPDATE tillstream.sales SET total = total + 0.000 WHERE order_id >= 'N-290';
        DELETE FROM tillstream.sales WHERE order_id BETWEEN 'N-100' AND 'N-119';
        DELETE FROM tillstream_replay.sales WHERE order_id BETWEEN 'N-200' AND 'N-206';
        """
    )

    found = await _compared(connection, "sales")

    # 24.90 and 24.900 are the same amount, and not the same bytes.
    assert (found.changed, found.only_shadow, found.only_live) == (10, 20, 7)
    assert (found.live, found.shadow) == (281, 294)


async def _compared(connection: Any, name: str) -> Any:
    known = await tables(connection, SHADOW)
    gone = await pruned(connection)
    live = Side(HISTORY, SHADOW, Scope(), live=True, pruned=gone)
    other = Side(SHADOW, HISTORY, Scope(), live=False, pruned=gone)
    async with connection.transaction(readonly=True):
        return await Comparison((connection, live), (connection, other), known).rows(known[name], 0)
