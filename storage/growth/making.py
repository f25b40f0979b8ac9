"""Making a table for each month of movements and dead letters, before its first row comes."""

import logging
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg

from storage.intake import Unit
from storage.queries import query

log = logging.getLogger(__name__)

AT_MOST = 10_000
"""So many rows of a month that lie in the rest are moved on the way; more are left to `history prune`."""
AHEAD = timedelta(days=10)
"""A month is made so long before it begins: it may take many tries while somebody reads the whole table."""
AHEAD_EVERY_S = 3_600.0
AGAIN_S = 60.0
"""How long rows go into the rest before a month that could not be made is tried again."""

_make_month = query("growth.make_month")

Asked = tuple[str, str]
"""A table, and a month as `2026-03`."""


class _Made:
    """What a session knows of the months: those that are dealt with, and when to ask again (monotonic)."""

    __slots__ = ("again", "ahead", "done")

    def __init__(self) -> None:
        self.done: set[Asked] = set()
        self.ahead = 0.0
        self.again = 0.0


_SESSIONS: WeakKeyDictionary[Any, _Made] = WeakKeyDictionary()


async def make_ready(connection: Any, unit: Unit) -> None:
    """Give the unit's months, and in time the next one, a table each; outside of any transaction.

    Rows of a month that has none go into the rest, so that a month that cannot be made (its owner's rights,
    a lock that is held for long, a time far off) delays and fails nothing. An error of the session itself is
    raised.
    """
    made = _SESSIONS.get(connection)
    if made is None:
        made = _SESSIONS[connection] = _Made()
    asked = _months(unit) - made.done
    now = time.monotonic()
    if now >= made.ahead:
        asked |= _ahead(datetime.now(UTC)) - made.done
        made.ahead = now + AHEAD_EVERY_S
    if not asked or now < made.again:
        return
    for table, month in sorted(asked):
        try:
            await _make(connection, table, month)
        except asyncpg.PostgresError as error:
            if connection.is_closed():
                raise
            made.again = time.monotonic() + AGAIN_S
            log.warning(
                "the month %s of %s has no table of its own yet (%s %s); its rows are kept with the rest, and"
                " it is tried again in %.0f s. %s",
                month,
                table,
                type(error).__name__,
                error.sqlstate,
                AGAIN_S,
                _advice(error),
            )
            return
        made.done.add((table, month))


async def _make(connection: Any, table: str, month: str) -> None:
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return  # not a time: the row will be refused, with its reason
    if not await connection.fetchval(_make_month, table, first, AT_MOST):
        log.info(
            "the month %s of %s stays with the rest: it is far off, or has many rows there", month, table
        )


def _months(unit: Unit) -> set[Asked]:
    """Return the months of the unit's rows; of times that are not UTC perhaps the one beside it."""
    asked: set[Asked] = set()
    if moved := unit.entries.get("stock.movements"):
        asked.update(
            [("stock_movements", month) for month in {entry.event.processed_at[:7] for entry in moved}]
        )
    letters = [*unit.letters, *unit.entries.get("dead.letters", ())]
    asked.update([("dead_letters", letter.event.record_time[:7]) for letter in letters])
    return asked


def _ahead(now: datetime) -> set[Asked]:
    months = {f"{time:%Y-%m}" for time in (now, now + AHEAD)}
    return {(table, month) for table in ("stock_movements", "dead_letters") for month in months}


def _advice(error: asyncpg.PostgresError) -> str:
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return "Run `tillstream db roles | psql` as the schema's owner: the writer may not make months"
    return "Nothing needs to be done unless it stays so"
