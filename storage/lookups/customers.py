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
    if email is not None:
        email = indexed(unicodedata.normalize("NFC", email.strip()).lower())
    rows = await connection.fetch(query("lookups.list_customers"), store_id, email, limit)
    names = CustomerListed.__struct_fields__
    return [CustomerListed(**dict(zip(names, row, strict=True))) for row in rows]
