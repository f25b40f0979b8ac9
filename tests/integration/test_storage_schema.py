"""The schema in a real Postgres: made once, however many try; refused when it is not ours; explained."""

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from storage import schema
from storage.errors import UnknownSchemaError
from storage.history import History
from tests.integration.storage_log import (
    Log,
    came_back,
    contents,
    fulfillment,
    line,
    moved,
    refund,
    sale,
    write_all,
)
from topics.ids import PosSaleId

WRITTEN_THEN = "jsonb_build_object('recorded_at', now())"


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database)
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema.SCHEMA} CASCADE")
    yield connection
    await connection.close()


async def test_the_schema_is_made_once_and_a_second_run_changes_nothing(connection: Any) -> None:
    first = await schema.migrate(connection)
    second = await schema.migrate(connection)

    assert first == schema.migrations()
    assert not second
    await schema.check(connection)


async def test_of_several_that_make_the_schema_at_once_one_does_it_and_none_fails(
    connection: Any, database: str
) -> None:
    async def migrate() -> int:
        own = await asyncpg.connect(database)
        try:
            return len(await schema.migrate(own))
        finally:
            await own.close()

    done = await asyncio.gather(*(migrate() for _ in range(5)))

    assert sorted(done) == [0, 0, 0, 0, len(schema.migrations())]


async def test_every_table_view_and_column_is_explained(connection: Any) -> None:
    await schema.migrate(connection)

    bare = await connection.fetch(
        """
        SELECT c.relname, a.attname
        FROM pg_class AS c
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = $1::regnamespace
          AND (
              (c.relkind IN ('r', 'v', 'p') AND obj_description(c.oid, 'pg_class') IS NULL)
              OR (c.relkind IN ('r', 'p') AND col_description(c.oid, a.attnum) IS NULL)
          )
        """,
        schema.SCHEMA,
    )

    assert [tuple(row) for row in bare] == []


async def test_the_queries_that_consumers_are_shown_run(connection: Any) -> None:
    page = Path(__file__).parents[2].joinpath("docs", "consuming.md").read_text(encoding="utf-8")
    queries = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert queries
    await schema.migrate(connection)

    for query in queries:
        assert await connection.fetch(query) == []


async def test_a_worker_refuses_a_database_without_the_schema_and_says_what_to_run(
    connection: Any, database: str
) -> None:
    with pytest.raises(UnknownSchemaError, match="tillstream db migrate"):
        await History({"dsn": database}, consumer="history").positions([("sales", 0)])


async def test_a_worker_refuses_a_newer_schema(connection: Any, database: str) -> None:
    await schema.migrate(connection)
    await connection.execute(
        f"INSERT INTO {schema.SCHEMA}.migrations (version, name, checksum) VALUES (9999, 'later', 'x')"
    )

    with pytest.raises(UnknownSchemaError, match="9999"):
        await History({"dsn": database}, consumer="history").positions([("sales", 0)])
    with pytest.raises(UnknownSchemaError, match="9999"):
        await schema.migrate(connection)


async def test_a_worker_refuses_a_schema_of_another_build(connection: Any, database: str) -> None:
    await schema.migrate(connection)
    await connection.execute(f"UPDATE {schema.SCHEMA}.migrations SET checksum = 'other' WHERE version = 1")

    with pytest.raises(UnknownSchemaError, match="another build"):
        await History({"dsn": database}, consumer="history").positions([("sales", 0)])


async def test_a_version_that_fails_half_way_leaves_nothing_behind(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = schema.Migration(1, "broken", "x", "CREATE TABLE half (id int); SELECT 1 / 0;")
    monkeypatch.setattr(schema, "migrations", lambda _=None: (broken,))

    with pytest.raises(asyncpg.DivisionByZeroError):
        await schema.migrate(connection)

    assert await schema.applied(connection) == ()
    assert await connection.fetchval("SELECT to_regclass('tillstream.half')") is None


async def test_a_history_of_version_1_becomes_what_a_replay_by_this_version_would_make_of_it(
    connection: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    log.add("sales", sale("1001"))
    log.add(
        "sales",
        sale(
            "1002",
            pos_sale_id=PosSaleId("s-1"),
            refunded_in_ecom=Decimal("1.50"),
            lines=[line(recalled=Decimal(1)), line(2), line(3, withdrawn=Decimal(2))],
            returns=(came_back(1, 2), came_back(2, None), came_back(3, state="refused", detail="too many")),
        ),
    )
    log.add("fulfillments", fulfillment())
    # As events of that time: the field was not there.
    log.add("stock.movements", moved(1, quantity=Decimal(0)))
    await schema.migrate(connection)
    await connection.execute(f"SET search_path = {schema.SCHEMA}")
    await _write(database, log)
    replayed = await contents(connection)
    await connection.execute(f"DROP SCHEMA {schema.SCHEMA} CASCADE")

    with monkeypatch.context() as at_that_time:
        first = schema.migrations()[:1]
        at_that_time.setattr(schema, "migrations", lambda _=None: first)
        await schema.migrate(connection)
    for table, rows in replayed.items():
        if await connection.fetchval("SELECT to_regclass($1)", table) is None:
            continue
        for row in rows:
            # Fields that have no column then are left out.
            await connection.execute(
                f"INSERT INTO {table}"
                f" SELECT * FROM jsonb_populate_record(NULL::{table}, $1 || {WRITTEN_THEN})",
                row,
            )
    await connection.execute(
        "INSERT INTO progress VALUES ('history', 'sales', 0, 2), ('history', 'fulfillments', 0, 1),"
        " ('history', 'stock.movements', 0, 1)"
    )
    with pytest.raises(UnknownSchemaError, match="tillstream db migrate"):
        await _write(database, log)

    done = await schema.migrate(connection)

    assert tuple(done) == schema.migrations()[1:]
    assert await contents(connection) == replayed
    assert len(replayed["sale_returns"]) == 3
    log.add("refunds", refund("1002"))
    log.add("sales", sale("1002", revision=2))
    await _write(database, log)
    assert await connection.fetchval("SELECT count(*) FROM refunds") == 1
    assert await connection.fetchval("SELECT count(*) FROM sale_returns") == 0


async def test_what_a_later_version_adds_may_be_written_and_read_by_the_roles_that_were_there(
    connection: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as at_that_time:
        first = schema.migrations()[:1]
        at_that_time.setattr(schema, "migrations", lambda _=None: first)
        await schema.migrate(connection)
    await schema.migrate(connection, schema.OPERATIONS)
    await connection.execute(files("storage").joinpath("roles.sql").read_text())
    try:
        await schema.migrate(connection)
        log = Log()
        log.add("sales", sale(returns=(came_back(),)))
        log.add("refunds", refund())

        await _write(f"{database}&role=tillstream_writer", log)

        await connection.execute("SET ROLE tillstream_reader")
        for readable in ("refunds", "sale_returns", "payment_entries", "payment_report"):
            assert await connection.fetchval(f"SELECT count(*) FROM {schema.SCHEMA}.{readable}") > 0
        for written in ("refunds", "sale_returns"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {schema.SCHEMA}.{written}")
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("DROP OWNED BY tillstream_writer, tillstream_reader")
        await connection.execute("DROP ROLE tillstream_writer, tillstream_reader")


async def _write(database: str, log: Log) -> None:
    history = History({"dsn": database}, consumer="history")
    try:
        await write_all(history, log)
    finally:
        await history.close()
