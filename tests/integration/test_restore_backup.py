"""A dump of Postgres, restored into a new database, catches up by itself and keeps what only it knew."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from deploy.local.programs import programs_for
from storage.history import History
from storage.operations.audit import Order, audited, list_audited
from storage.schema import OPERATIONS, SCHEMA, check, migrate_all
from tests.integration.storage_log import contents, customer, everything, line, moved, sale, write_all

DUMP_S = 60.0


async def _run(words: Sequence[str | Path]) -> None:
    await asyncio.to_thread(
        subprocess.run, words, check=True, capture_output=True, timeout=DUMP_S, env=os.environ | {"TZ": "UTC"}
    )


async def test_a_restored_dump_goes_on_from_its_own_positions(
    history: History, connection: Any, database: str, tmp_path: Path
) -> None:
    await migrate_all(connection)
    log = everything()
    await write_all(history, log)
    async with audited(connection, Order("dlq redrive", "ada@till-1", "the price was mended", {})) as result:
        result["sent"] = 1
    programs, dump = programs_for(None), tmp_path / "tillstream.dump"
    await _run([programs / "pg_dump", "--format=custom", f"--file={dump}", f"--dbname={database}"])
    for revision in (2, 3):
        log.add("sales", sale(revision=revision, lines=[line(revision)]))
        log.add("stock.movements", moved(revision + 1))
    log.add("customers", customer(2))
    await write_all(history, log)

    place = urlsplit(database)
    name = f"{place.path.removeprefix('/')}_restored"
    restored = place._replace(path=f"/{name}").geturl()
    server = await asyncpg.connect(database)
    await server.execute(f'CREATE DATABASE "{name}"')
    try:
        await _run([programs / "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={restored}", dump])
        healed = History({"dsn": restored}, consumer="history")
        assert await healed.positions([("sales", 0)]) == {("sales", 0): 1}
        await write_all(healed, log)
        await healed.close()
        reader = await asyncpg.connect(restored, server_settings={"search_path": SCHEMA})
        try:
            await check(reader, OPERATIONS)
            assert await contents(reader) == await contents(connection)
            (entry,) = await list_audited(reader)
            assert (entry.action, entry.state, entry.result) == ("dlq redrive", "done", {"sent": 1})
        finally:
            await reader.close()
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()
