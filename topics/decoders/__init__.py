"""From a record's bytes to its message, whatever spelling it came in (DOMAIN 2).

Each takes the value of a record and returns the normalised struct, or raises ContractError.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from topics.decoders.corrections import decode_correction
from topics.decoders.inventory import decode_inventory
from topics.decoders.links import decode_link
from topics.decoders.orders import decode_orders
from topics.decoders.pos_fulfillments import decode_pos_fulfillment
from topics.decoders.pos_sales import decode_pos_sale
from topics.decoders.products import decode_product
from topics.decoders.profiles import decode_profile

__all__ = [
    "MESSAGES",
    "Decode",
    "alone",
    "decode_correction",
    "decode_inventory",
    "decode_link",
    "decode_orders",
    "decode_pos_fulfillment",
    "decode_pos_sale",
    "decode_product",
    "decode_profile",
]

Decode = Callable[[bytes | None, datetime], Sequence[Any]]
"""From a record's value and time to its messages; a part that was refused is its ContractError."""


def alone(decode: Callable[[bytes | None], Any]) -> Decode:
    """Make a Decode of a decoder whose records hold one message each."""
    return lambda value, _: (decode(value),)


MESSAGES: Mapping[str, Decode] = {
    "store.links": alone(lambda value: None if value is None else decode_link(value)),
    "pos.products": alone(decode_product),
    "pos.customers": alone(decode_profile),
    "pos.inventory": alone(decode_inventory),
    "ecom.orders": decode_orders,
    "pos.sales": alone(decode_pos_sale),
    "pos.fulfillments": alone(decode_pos_fulfillment),
    "stock.corrections": alone(decode_correction),
}
"""What each inbound topic's records hold; a link without a value is None, which removes it. Of records of the
same time those of the first topic come first."""
