"""Sessions with Postgres: how they are set up, and which errors mean that it is only away for a while."""

from collections.abc import Mapping
from typing import Any

import asyncpg

SCHEMA = "tillstream"
CONNECT_S = 10.0
COMMAND_S = 120.0
"""A statement that has no answer after so long is given up and tried again on a new session."""

_SESSION = {
    "timezone": "UTC",
    # A host that vanished without a word is noticed within about a minute.
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "4",
}
WRITING = {
    # Commits wait for the disk, as the server has it. Not to wait would be safe too (rows and progress are
    # lost together), but a worker that has gone on is then ahead of a server that crashed, and has to stop.
    # It would gain little: a unit is one commit, however many rows it has.
    # COPY and short lookups by key: compiling a plan would cost more than running it.
    "jit": "off",
    # A process that was stopped in the middle of a transaction keeps its locks; whoever takes over waits so
    # long for them and then ends that session.
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "60s",
}
"""Settings of the sessions that write the history."""

# SQLSTATE classes and codes that say nothing about our statements: connections, resources, an operator at
# work, a crash or failover, another transaction in the way.
_PASSING_CLASSES = ("08", "53", "57", "58", "40")
_PASSING_CODES = (
    "25006",  # read-only: a replica, or a primary being demoted
    "25P03",  # idle in transaction too long
    "25P04",  # transaction too long
    "55P03",  # lock not available in time
    "55006",  # object in use
)
# A TimeoutError is an OSError.
_AWAY = (OSError, EOFError)
CLIENT_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises on a session whose server said good-bye between two statements, or under a COPY: a
complaint about its own state instead of the loss that led to it. A new session cures it, unless the fault is
ours."""


def passes(error: BaseException) -> bool:
    """Whether an error is one that goes away when Postgres, or the way to it, is well again."""
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        return code[:2] in _PASSING_CLASSES or code in _PASSING_CODES
    return isinstance(error, _AWAY)


async def connect(
    options: Mapping[str, Any],
    *,
    name: str,
    settings: Mapping[str, str] | None = None,
    schema: str = SCHEMA,
) -> Any:
    """Open a session; `options` are those of `asyncpg.connect`, `name` is what pg_stat_activity shows.

    Names in statements mean those of `schema`.
    """
    return await asyncpg.connect(
        **options,
        timeout=CONNECT_S,
        command_timeout=COMMAND_S,
        server_settings={
            "application_name": name[:63],
            **_SESSION,
            "search_path": schema,
            **(settings or {}),
        },
    )
