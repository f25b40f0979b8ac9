"""Customers."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.encoding import indexed
from storage.lookups.answer import Answer
from storage.queries import query


class CustomerListed(Answer, frozen=True, kw_only=True):
    """A customer of a store."""

    store_id: str
    customer_id: str
    revision: int
    origin: str
    email: str | None
    name: str
    first_name: str | None
    last_name: str | None
    deleted: bool
    replaced_by: str | None
    duplicate_of: str | None
    created_at: datetime | None


async def list_customers(
    connection: Any, *, store_id: str | None = None, email: str | None = None, limit: int = 50
) -> Sequence[CustomerListed]:
    """Return customers by e-mail; `email` may be in any spelling (DOMAIN 6)."""
    rows = await connection.fetch(query("lookups.list_customers"), store_id, email and normal(email), limit)
    names = CustomerListed.__struct_fields__
    return [CustomerListed(**dict(zip(names, row, strict=True))) for row in rows]


def normal(email: str) -> str:
    """Return an e-mail as its column has it: trimmed, NFC, lower case, cut."""
    return indexed(unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).lower()))
