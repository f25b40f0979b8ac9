"""Postgres as an onlooker sees it: how far it is, what needs a person, how large it is. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from storage import schema
from storage.connection import connect
from storage.errors import StorageError
from storage.lookups.progress import ProgressListed, list_progress
from storage.lookups.watch import (
    LettersCounted,
    ReplaySeen,
    ServerSeen,
    TableMeasured,
    count_exceptions,
    count_letters,
    measure_tables,
    show_replay,
    show_server,
)
from streams.settings import Settings, SettingsError, require_postgres
from streams.watch.errors import SilentError

ANSWER_S = 20.0


class HistorySeen(msgspec.Struct, frozen=True, kw_only=True):
    """What the history in Postgres says."""

    server: ServerSeen
    progress: Sequence[ProgressListed]
    exceptions: Mapping[str, int]
    letters: Sequence[LettersCounted]
    tables: Sequence[TableMeasured]
    replay: ReplaySeen | None


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Any]:
    """Connect to the history; SilentError, also within the block, when Postgres does not answer."""
    try:
        require_postgres(settings)
    except SettingsError as error:
        raise SilentError("Postgres", "no address", str(error)) from error
    try:
        async with asyncio.timeout(ANSWER_S):
            connection = await connect(settings.postgres.connect_options(), name="tillstream watch")
            try:
                yield connection
            finally:
                connection.terminate()
    except (OSError, asyncpg.InterfaceError) as error:
        # A TimeoutError is an OSError.
        raise SilentError(
            "Postgres",
            str(error) or type(error).__name__,
            "Check that it is up and that TILLSTREAM_POSTGRES_DSN (or …_HOST) is right; orders go on being"
            " decided, and the history catches up",
        ) from error
    except asyncpg.PostgresError as error:
        raise SilentError(
            "Postgres",
            f"it refuses: {type(error).__name__} {error.sqlstate}",
            "Look at its log, and at the user's rights (`tillstream db roles`)",
        ) from error


async def look(settings: Settings) -> HistorySeen:
    """Ask the history; SilentError when it does not answer or is of another version."""
    async with connected(settings) as connection:
        try:
            await schema.check(connection)
        except StorageError as error:
            raise SilentError(
                "Postgres", "it has no history of this version", str(error), answers=True
            ) from error
        return HistorySeen(
            server=await show_server(connection),
            progress=await list_progress(connection),
            exceptions=await count_exceptions(connection),
            letters=await count_letters(connection),
            tables=await measure_tables(connection),
            replay=await show_replay(connection),
        )
