"""Checks of Postgres: versions of the schemas, its clock, whether it takes changes, its size."""

from __future__ import annotations

import time
from typing import Any

from storage import schema
from storage.errors import StorageError
from storage.lookups.watch import show_server
from storage.schema import HISTORY, OPERATIONS
from streams.settings import Settings
from streams.watch.finding import Finding, fine, problem, warning
from streams.watch.history import connected

SKEW_S = 2.0


async def check(settings: Settings) -> list[Finding]:
    """Check all of it; SilentError when Postgres does not answer."""
    async with connected(settings) as connection:
        return [await _versions(connection), *await _server(connection)]


async def _versions(connection: Any) -> Finding:
    told: list[str] = []
    wrong: list[str] = []
    for one in (HISTORY, OPERATIONS):
        try:
            await schema.check(connection, one)
        except StorageError as error:
            wrong.append(str(error))
        else:
            told.append(f"{one.name} {len(schema.migrations(one))}")
    if wrong:
        return problem(
            "schema", f"{len(wrong)} schema(s) are not of this program's version",
            "`tillstream db migrate`, or run the program that made them", wrong,
        )  # fmt: skip
    return fine("schema", f"versions of this program: {', '.join(told)}")


async def _server(connection: Any) -> list[Finding]:
    asked = time.time()
    server = await show_server(connection)
    answered = time.time()
    size = f"the database has {server.database_bytes / (1 << 30):.2f} GiB"
    # It looked at its clock at some time in between.
    now = server.now.timestamp()
    skew = max(asked - now, now - answered, 0.0)
    return [
        warning(
            "clock of Postgres",
            f"it is {skew:.1f} s apart from this machine's",
            "have both follow a time server: freshness and the ages that are shown are wrong by as much",
        )
        if skew > SKEW_S
        else fine("clock of Postgres", f"within {max(skew, answered - asked):.2f} s of this machine's"),
        problem(
            "writes to Postgres",
            f"it takes no changes (a standby, or read-only); {size}",
            "point TILLSTREAM_POSTGRES_DSN at the primary, or end what made it read-only (runbook disk-full)",
        )
        if server.read_only
        else fine("writes to Postgres", f"it takes changes; {size}"),
    ]
