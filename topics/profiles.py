"""`pos.customers`: customer profiles of the point of sale."""

from datetime import datetime

import msgspec

from topics.ids import CustomerId


class Profile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A customer profile; e-mail and names may be absent. `version` absent: the record always applies."""

    customer_id: CustomerId
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    created_at: datetime | None = None
    deleted: bool = False
    version: int | None = None
    repaired: tuple[str, ...] = ()
