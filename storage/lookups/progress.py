"""How far each topic has been written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.lookups.answer import Answer
from storage.queries import query


class ProgressListed(Answer, frozen=True, kw_only=True):
    """A topic's progress: `next_offset` is the first that is not here yet."""

    consumer: str
    topic: str
    partition: int
    next_offset: int
    updated_at: datetime


async def list_progress(connection: Any) -> Sequence[ProgressListed]:
    """Return the progress of every consumer, topic and partition."""
    names = ProgressListed.__struct_fields__
    return [
        ProgressListed(**dict(zip(names, row, strict=True)))
        for row in await connection.fetch(query("lookups.list_progress"))
    ]
