"""An empty history in Postgres, for the tests of its storage."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from storage import schema
from storage.history import History
from tests.integration.storage_log import TABLES


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Any]:
    """An analyst's session on an empty history."""
    connection = await asyncpg.connect(database, server_settings={"search_path": schema.SCHEMA})
    await schema.migrate(connection)
    await connection.execute(f"TRUNCATE progress, {', '.join(TABLES)}")
    yield connection
    await connection.close()


@pytest.fixture
async def history(connection: Any, database: str) -> AsyncIterator[History]:
    history = History({"dsn": database}, consumer="history")
    yield history
    await history.close()
