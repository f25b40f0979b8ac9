"""From a record's bytes to its message, whatever spelling it came in (DOMAIN 2).

Each takes the value of a record and returns the normalised struct, or raises ContractError.
"""

from topics.decoders.corrections import decode_correction
from topics.decoders.inventory import decode_inventory
from topics.decoders.links import decode_link
from topics.decoders.orders import decode_orders
from topics.decoders.pos_fulfillments import decode_pos_fulfillment
from topics.decoders.pos_sales import decode_pos_sale
from topics.decoders.products import decode_product
from topics.decoders.profiles import decode_profile

__all__ = [
    "decode_correction",
    "decode_inventory",
    "decode_link",
    "decode_orders",
    "decode_pos_fulfillment",
    "decode_pos_sale",
    "decode_product",
    "decode_profile",
]
