"""Exceptions: what needs a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer
from storage.queries import query


class ExceptionListed(Answer, frozen=True, kw_only=True):
    """One cause for attention."""

    exception_id: str
    store_id: str
    kind: str
    subject: str
    detail: str
    open: bool
    revision: int
    opened_at: datetime
    closed_at: datetime | None
    order_id: str | None
    sale_id: str | None


async def list_exceptions(
    connection: Any,
    *,
    store_id: str | None = None,
    kind: str | None = None,
    order_id: str | None = None,
    closed_too: bool = False,
    limit: int = 50,
) -> Sequence[ExceptionListed]:
    """Return exceptions, the last opened first."""
    rows = await connection.fetch(
        query("lookups.list_exceptions"), store_id, kind, closed_too, order_id, limit
    )
    names = ExceptionListed.__struct_fields__
    return [ExceptionListed(**dict(zip(names, row, strict=True))) for row in rows]
