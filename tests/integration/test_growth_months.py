"""A table for each month of movements and dead letters: made in time, and nothing depends on it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import asyncpg
import msgspec
import pytest

from storage import schema
from storage.connection import SCHEMA
from storage.history import History
from storage.schema import HISTORY, OPERATIONS, Schema
from tests.integration.storage_log import Log, contents, everything, moved, write_all
from topics.movements import StockMoved

NOW = datetime.now(UTC)
THIS_MONTH = f"{NOW:%Y_%m}"
OTHER_NAME = Schema("tillstream_replay", HISTORY.folder, HISTORY.about)


def decided(at: str, revision: int, **changes: Any) -> StockMoved:
    """A movement that was decided on a day."""
    return msgspec.structs.replace(
        moved(revision, **changes), processed_at=datetime.fromisoformat(f"{at}T12:00:00+00:00")
    )


def letter(number: int, at: str) -> bytes:
    """A letter of a record of a day."""
    return msgspec.json.encode(
        {
            "dead_letter_id": f"letter-{number}",
            "reason": "bad_number",
            "detail": "total: not finite: NaN",
            "source": {"topic": "ecom.orders", "partition": 0, "offset": number},
            "record_time": f"{at}T12:00:00Z",
            "processed_at": NOW,
            "head": b"{}",
        }
    )


async def where(connection: Any, table: str) -> dict[str, int]:
    """How many rows of a table lie in which month."""
    rows = await connection.fetch(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
    return {name.rpartition(f"{table}_")[2]: number for name, number in rows}


@pytest.fixture
async def roles(connection: Any) -> AsyncIterator[None]:
    await schema.migrate(connection, OPERATIONS)
    await connection.execute(files("storage").joinpath("roles.sql").read_text())
    yield
    await connection.execute("RESET ROLE")
    names = "tillstream_writer, tillstream_reader, tillstream_operator"
    await connection.execute(f"DROP OWNED BY {names}")
    await connection.execute(f"DROP ROLE {names}")


async def test_a_worker_that_owns_no_table_gives_each_month_its_own_and_keeps_far_off_times_together(
    connection: Any, database: str, roles: None
) -> None:
    log = Log()
    for revision, day in enumerate(("1970-01-01", "2024-12-31", "2025-01-01", "2100-06-01"), 1):
        log.add("stock.movements", decided(day, revision))
        log.add("dead.letters", letter(revision, day))
    worker = History({"dsn": f"{database}&role=tillstream_writer"}, consumer="history")

    await write_all(worker, log)
    await worker.close()

    for table in ("stock_movements", "dead_letters"):
        assert await where(connection, table) == {"rest": 2, "2024_12": 1, "2025_01": 1}
        # Ahead of its first row, so that the turn of the month costs nothing.
        assert await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{table}_{THIS_MONTH}")
    await connection.execute("SET ROLE tillstream_reader")
    for closed in ("head FROM dead_letters", "head FROM dead_letters_2025_01", "* FROM dead_letters_rest"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SELECT {closed}")
    for changing in ("make_month('dead_letters', '2024-01-01', 0)", "make_month('sales', '2024-01-01', 0)"):
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(f"SELECT {changing}")


async def test_a_worker_without_the_right_to_make_months_writes_all_and_says_who_gives_it(
    connection: Any, database: str, roles: None, caplog: pytest.LogCaptureFixture
) -> None:
    grant = "EXECUTE ON FUNCTION make_month(regclass, date, integer)"
    await connection.execute(f"REVOKE {grant} FROM tillstream_writer")
    log = Log()
    log.add("stock.movements", decided("2025-08-01", 1))
    worker = History({"dsn": f"{database}&role=tillstream_writer"}, consumer="history")
    await write_all(worker, log)
    assert await where(connection, "stock_movements") == {"rest": 1}
    assert "Run `tillstream db roles | psql`" in caplog.text

    await connection.execute(f"GRANT {grant} TO tillstream_writer")
    await worker.release()
    log.add("stock.movements", decided("2025-08-02", 2))
    await write_all(worker, log)
    await worker.close()

    assert await where(connection, "stock_movements") == {"2025_08": 2}


async def test_what_was_written_before_is_known_in_whichever_month_it_is(
    connection: Any, history: History
) -> None:
    log = Log()
    log.add("stock.movements", decided("2025-01-31", 1))
    log.add("stock.movements", decided("2025-02-01", 2))
    log.add("dead.letters", letter(1, "2025-01-31"))
    await write_all(history, log)
    before = await contents(connection)
    await connection.execute("DELETE FROM progress")
    await write_all(history, log)
    assert await contents(connection) == before

    # A topic made anew has other records at the same coordinates, and another event claims a revision.
    log.add("dead.letters", letter(1, "2025-03-01"))
    log.add("stock.movements", decided("2025-03-01", 2, event_id="another"))
    log.add("stock.movements", decided("2025-03-01", 3))
    await write_all(history, log)

    assert await where(connection, "stock_movements") == {"2025_01": 1, "2025_02": 1, "2025_03": 1}
    assert await connection.fetchval("SELECT revision FROM stock_levels") == 3
    letters = await connection.fetch("SELECT dead_letter_id, reason FROM dead_letters ORDER BY reason")
    assert [row["reason"] for row in letters] == ["bad_number", "not_a_row"]


async def test_who_reads_the_whole_table_delays_a_new_month_and_not_its_rows(
    connection: Any, history: History, database: str
) -> None:
    log = Log()
    log.add("stock.movements", decided("2025-04-01", 1))
    reader = await asyncpg.connect(database, server_settings={"search_path": SCHEMA})
    try:
        async with reader.transaction():
            await reader.fetch("SELECT * FROM stock_movements")
            await write_all(history, log)
            assert await where(connection, "stock_movements") == {"rest": 1}
    finally:
        await reader.close()
    await history.release()
    log.add("stock.movements", decided("2025-04-02", 2))
    await write_all(history, log)

    assert await where(connection, "stock_movements") == {"2025_04": 2}


async def test_a_history_without_months_gets_them_with_its_rows_and_rights(
    connection: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = everything()
    log.add("stock.movements", decided("2025-04-30", 3))
    log.add("dead.letters", letter(2, "1970-01-01"))
    await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    try:
        with monkeypatch.context() as before:
            versions = schema.migrations()[:2]
            before.setattr(schema, "migrations", lambda _=None: versions)
            before.setattr("storage.sink.make_ready", _nothing)
            before.setattr("storage.history.check", _nothing)
            await schema.migrate(connection)
            before.setattr("storage.rows.movements._raise_levels", _RAISE_LEVELS_THEN)
            await connection.execute("CREATE ROLE analyst")
            await connection.execute(
                "ALTER DEFAULT PRIVILEGES IN SCHEMA tillstream GRANT SELECT ON TABLES TO analyst;"
                " GRANT USAGE ON SCHEMA tillstream TO analyst;"
                " GRANT SELECT (reason) ON dead_letters TO analyst"
            )
            await _write(database, log)
        then = await contents(connection)

        await schema.migrate(connection)

        assert await contents(connection) == then
        assert await where(connection, "stock_movements") == {"2025_04": 1, "2026_03": 2}
        assert await where(connection, "dead_letters") == {"rest": 1, "2026_03": 1}
        await connection.execute("DELETE FROM progress")
        await _write(database, log)
        assert await contents(connection) == then
        await connection.execute("SET ROLE analyst")
        assert await connection.fetchval("SELECT count(reason) FROM dead_letters") == 2
        for closed in ("dead_letters", "dead_letters_rest", "dead_letters_2026_03"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT head FROM {closed}")
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("DROP OWNED BY analyst")
        await connection.execute("DROP ROLE analyst")


async def test_a_history_built_under_another_name_goes_on_under_this_one(
    connection: Any, database: str
) -> None:
    await schema.migrate(connection, OTHER_NAME)
    log = Log()
    log.add("stock.movements", decided("2025-06-01", 1))
    await _write(database, log, OTHER_NAME)

    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        await connection.execute(f"ALTER SCHEMA {OTHER_NAME.name} RENAME TO {SCHEMA}")
    log.add("stock.movements", decided("2025-07-01", 2))
    await _write(database, log)

    assert await where(connection, "stock_movements") == {"2025_06": 1, "2025_07": 1}


_RAISE_LEVELS_THEN = """
INSERT INTO stock_levels
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::int[],
    $6::numeric[], $7::numeric[], $8::numeric[], $9::timestamptz[]
)
WHERE cardinality($10::int[]) > 0
"""


async def _nothing(*_: Any) -> None:
    """What that version did not do."""


async def _write(database: str, log: Log, place: Schema = HISTORY) -> None:
    history = History({"dsn": database}, consumer="history", schema=place)
    try:
        await write_all(history, log)
    finally:
        await history.close()
