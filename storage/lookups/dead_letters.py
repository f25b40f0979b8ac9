"""Dead letters: records that were refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer
from storage.queries import query


class DeadLetterListed(Answer, frozen=True, kw_only=True):
    """A dead letter without the record's bytes, which may hold names and addresses."""

    dead_letter_id: str
    found_by: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    part: int | None
    store_id: str | None
    order_id: str | None
    record_time: datetime
    processed_at: datetime
    length: int
    complete: bool


async def list_dead_letters(
    connection: Any,
    *,
    store_id: str | None = None,
    reason: str | None = None,
    topic: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> Sequence[DeadLetterListed]:
    """Return dead letters, the last refused first."""
    rows = await connection.fetch(query("lookups.list_dead_letters"), store_id, reason, topic, since, limit)
    names = DeadLetterListed.__struct_fields__
    return [DeadLetterListed(**dict(zip(names, row, strict=True))) for row in rows]
