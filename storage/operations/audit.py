"""The audit of what operators change: an entry when it begins, its result or error when it ends."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from storage import schema
from storage.queries import query
from storage.schema import OPERATIONS

_begin = query("operations.begin_audit")
_end = query("operations.end_audit")
_list = query("operations.list_audit")


class Order(msgspec.Struct, frozen=True):
    """Who wants what done, and why."""

    action: str
    """The command, as `dlq redrive`."""
    operator: str
    reason: str
    scope: Mapping[str, Any]
    """Range and filters, as values that JSON can carry; no personal data."""


class Audited(msgspec.Struct, frozen=True):
    """An entry of the audit; times in UTC."""

    audit_id: int
    action: str
    operator: str
    reason: str
    scope: dict[str, Any]
    state: str
    """running (or its process was killed), done, failed, cancelled."""
    result: dict[str, Any]
    error: str | None
    begun_at: datetime
    ended_at: datetime | None


@asynccontextmanager
async def audited(connection: Any, order: Order) -> AsyncIterator[dict[str, Any]]:
    """Record what the block does: put its numbers into the dict that it is given.

    The entry begins outside the block's transactions, on a session that has none open. An error is recorded
    and raised again; KeyboardInterrupt and cancellation count as cancelled.
    """
    await schema.check(connection, OPERATIONS)
    number = await connection.fetchval(_begin, order.action, order.operator, order.reason, _json(order.scope))
    result: dict[str, Any] = {}
    try:
        yield result
    except Exception as error:
        await connection.execute(_end, number, "failed", _json(result), f"{type(error).__name__}: {error}")
        raise
    except BaseException:
        await connection.execute(_end, number, "cancelled", _json(result), None)
        raise
    await connection.execute(_end, number, "done", _json(result), None)


async def list_audited(
    connection: Any, *, action: str | None = None, since: datetime | None = None, limit: int = 50
) -> list[Audited]:
    """Return entries, the newest first; `action` is a command or a group of them (`dlq`)."""
    await schema.check(connection, OPERATIONS)
    return [
        Audited(
            row[0], row[1], row[2], row[3], msgspec.json.decode(row[4]), row[5], msgspec.json.decode(row[6]),
            row[7], row[8], row[9],
        )
        for row in await connection.fetch(_list, action, since, limit)
    ]  # fmt: skip


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
