"""`tillstream history prune` on a real Postgres: what goes, what stays, and who may."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from storage import schema
from storage.history import History
from storage.operations.audit import list_audited
from storage.operations.turn import turn
from streams.cli import prune
from streams.cli.exits import Exit
from tests.integration.storage_log import Log, contents, write_all
from tests.integration.test_growth_months import decided, letter, where

app = typer.Typer()
prune.register(app)

AGE = (datetime.now(UTC).year - 2022) * 12
BEFORE = f"{AGE}mo"
"""As old as 2022, of this month."""
APPLY = ("--apply", "--why", "kept long enough", "--who", "ana@till")


@pytest.fixture(autouse=True)
def environment(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", database)


@pytest.fixture
async def old(connection: Any, history: History) -> Log:
    """Two products: one moved until this year, the other only in 2020; and letters of both times."""
    await schema.migrate(connection, schema.OPERATIONS)
    await connection.execute("TRUNCATE tillstream_operations.audit")
    log = Log()
    for revision, day in enumerate(("1970-01-01", "2020-03-01", "2020-03-02", "2020-05-01", "2026-01-01"), 1):
        log.add("stock.movements", decided(day, revision))
    for revision, day in enumerate(("2020-03-01", "2020-03-03"), 1):
        log.add("stock.movements", decided(day, revision, product="p-2"))
    for number, day in enumerate(("1970-01-01", "2020-03-01", "2026-01-01")):
        log.add("dead.letters", letter(number, day))
    await write_all(history, log)
    return log


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["history", "prune", *arguments])


async def test_it_is_shown_what_would_go_and_nothing_is_changed(connection: Any, old: Log) -> None:
    before = await contents(connection)

    shown = await run("--older-than", BEFORE)
    told = json.loads((await run("--older-than", BEFORE, "--json")).stdout)

    assert "nothing was changed" in shown.stdout
    assert (told["applied"], told["rows"]) == (False, 7)
    assert told["bytes"] > 0
    months = {
        (one["what"], one["month"]): (one["rows"], one["kept"], one["pruned"]) for one in told["months"]
    }
    assert months["movements", "2020-03"] == (4, 1, 3)
    assert months["movements", "2020-05"] == (1, 0, 1)
    assert months["movements", None] == (1, 0, 1)
    assert months["movements", "2026-01"] == (1, 0, 0)
    assert months["dead_letters", "2020-03"] == (1, 0, 1)
    assert await contents(connection) == before
    assert await list_audited(connection) == []


async def test_old_months_go_and_the_last_movement_of_each_level_stays(
    connection: Any, old: Log, history: History
) -> None:
    levels = (await contents(connection))["stock_levels"]

    done = await run("--older-than", BEFORE, *APPLY, "--json")

    assert done.exit_code == Exit.OK, done.output
    assert json.loads(done.stdout)["rows"] == 7
    assert await where(connection, "stock_movements") == {"rest": 1, "2026_01": 1}
    assert await where(connection, "dead_letters") == {"2026_01": 1}
    stayed = await connection.fetch("SELECT product_id, revision FROM stock_movements ORDER BY product_id")
    assert [tuple(row) for row in stayed] == [("p-1", 5), ("p-2", 2)]
    assert (await contents(connection))["stock_levels"] == levels
    (entry,) = await list_audited(connection)
    assert (entry.action, entry.operator, entry.reason) == ("history prune", "ana@till", "kept long enough")
    assert (entry.state, entry.result["rows"], entry.result["months"]) == ("done", 7, 3)

    assert json.loads((await run("--older-than", BEFORE, *APPLY, "--json")).stdout)["rows"] == 0
    # The worker goes on, and a level that had only old movements moves again.
    old.add("stock.movements", decided("2026-02-01", 3, product="p-2"))
    await write_all(history, old)
    assert (
        await connection.fetchval("SELECT max(revision) FROM stock_movements WHERE product_id = 'p-2'") == 3
    )


async def test_only_dead_letters_go_when_only_they_are_meant(connection: Any, old: Log) -> None:
    before = (await contents(connection))["stock_movements"]

    assert (await run("--older-than", BEFORE, "--what", "dead_letters", *APPLY)).exit_code == Exit.OK

    after = await contents(connection)
    assert (after["stock_movements"], len(after["dead_letters"])) == (before, 1)


async def test_it_waits_for_its_turn_for_no_one(connection: Any, old: Log) -> None:
    async with turn(connection, "replay"):
        busy = await run("--older-than", BEFORE, *APPLY)

    assert busy.exit_code == Exit.BUSY
    assert "Another operator is at work" in busy.stderr


async def test_a_month_that_is_in_use_stays_and_its_user_is_named(
    connection: Any, old: Log, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.growth.prune.PATIENCE_S", 0)
    reader = await asyncpg.connect(
        database, server_settings={"search_path": "tillstream", "application_name": "month's end report"}
    )
    try:
        async with reader.transaction():
            await reader.fetch("SELECT * FROM stock_movements")
            refused = await run("--older-than", BEFORE, *APPLY)
    finally:
        await reader.close()

    assert refused.exit_code == Exit.FAILED
    assert "month's end report" in refused.stderr
    assert len((await contents(connection))["stock_movements"]) == 7
    assert [entry.state for entry in await list_audited(connection)] == ["failed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--older-than", "0mo"), "at least 1mo"),
        (("--older-than", "90d"), "no age in months or years"),
        (("--older-than", BEFORE, "--apply"), "--why"),
    ],
)
async def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    refused = await run(*arguments)
    assert refused.exit_code == Exit.USAGE
    assert said in " ".join(refused.stderr.replace("│", " ").split())


async def test_who_does_not_own_the_tables_is_told_who_must(
    connection: Any, old: Log, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connection.execute("CREATE ROLE somebody; GRANT USAGE ON SCHEMA tillstream TO somebody")
    try:
        await connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA tillstream TO somebody")
        monkeypatch.setenv("TILLSTREAM_POSTGRES_DSN", f"{database}&role=somebody")
        refused = await run("--older-than", BEFORE, *APPLY)
    finally:
        await connection.execute("DROP OWNED BY somebody; DROP ROLE somebody")

    assert refused.exit_code == Exit.FAILED
    assert "as the owner of the schema" in refused.stderr
