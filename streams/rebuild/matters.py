"""Exceptions as `exceptions` has them last: their revisions go on when they open again."""

from __future__ import annotations

from typing import Any

from streams.domain import tables
from streams.domain.state import ExceptionEntry
from streams.rebuild.draft import Draft, key_of
from topics.codec import decode_exception


class Matters:
    """The rows of `exceptions`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def take(self, record: Any) -> None:
        """Take the next revision of an exception."""
        told = decode_exception(record.value)
        self._draft.put(
            tables.EXCEPTIONS,
            key_of(told.store_id, f"{told.kind}\0{told.subject}"),
            ExceptionEntry(told.revision, told.open, told.opened_at, told.detail),
        )

    def is_open(self, store_id: str, kind: str, subject: str) -> bool:
        entry: ExceptionEntry | None = self._draft.get(
            tables.EXCEPTIONS, key_of(store_id, f"{kind}\0{subject}")
        )
        return entry is not None and entry.open
