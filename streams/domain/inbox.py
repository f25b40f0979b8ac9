"""The inbound messages that need a link to be decided, and the topics they come on."""

from typing import Final

import msgspec

from topics.corrections import Correction
from topics.inventory import InventoryLevel
from topics.orders import Order
from topics.pos_fulfillments import PosFulfillment
from topics.pos_sales import PosSale
from topics.products import Product
from topics.profiles import Profile

Inbound = Order | InventoryLevel | PosSale | PosFulfillment | Product | Profile | Correction

TOPIC_OF: Final[dict[type, str]] = {
    Order: "ecom.orders",
    InventoryLevel: "pos.inventory",
    PosSale: "pos.sales",
    PosFulfillment: "pos.fulfillments",
    Product: "pos.products",
    Profile: "pos.customers",
    Correction: "stock.corrections",
}

DECODERS: Final[dict[str, msgspec.json.Decoder[Inbound]]] = {
    topic: msgspec.json.Decoder(kind) for kind, topic in TOPIC_OF.items()
}
"""For messages held in our own spelling, not for the topics' records."""
