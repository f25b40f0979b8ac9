"""From a record's bytes to its message, whatever spelling it came in (DOMAIN 2).

Each takes the value of a record and returns the normalised struct, or raises ContractError.
"""

from topics.decoders.inventory import decode_inventory
from topics.decoders.links import decode_link
from topics.decoders.orders import decode_orders
from topics.decoders.products import decode_product
from topics.decoders.profiles import decode_profile

__all__ = ["decode_inventory", "decode_link", "decode_orders", "decode_product", "decode_profile"]
