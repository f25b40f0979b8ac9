"""`customers`: a customer of a store, whole, at each revision."""

from datetime import datetime
from typing import Literal

from topics.event import Event
from topics.ids import CustomerId

CustomerOrigin = Literal["pos", "ecom"]


class Customer(Event, frozen=True, kw_only=True, gc=False):
    """A profile from the POS, or one made from an order (DOMAIN 6, S7, S8).

    `email` is normalised; two live profiles may share one (`duplicate_of` names the one that is used).
    `replaced_by` names the POS profile that took over a made one.
    """

    customer_id: CustomerId
    revision: int
    origin: CustomerOrigin
    email: str | None
    name: str
    first_name: str | None = None
    last_name: str | None = None
    created_at: datetime | None = None
    deleted: bool = False
    version: int = 0
    replaced_by: CustomerId | None = None
    duplicate_of: CustomerId | None = None
