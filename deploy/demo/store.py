"""The demo's stores: their links, products and stock levels, in the shapes the two systems send."""

from collections.abc import Iterator
from typing import Any

CASES_STORE = "demo-shirts"
"""The store of the named allocation cases: two connected outlets, one that does not sell online."""
LIVES_STORE = "demo-lives"
"""The store of the named lives, of the same outlets."""
TAKING_STORE = "demo-taking"
"""Like it, but its point of sale takes stock off when it receives a sale, not when it hands it over."""

OUTLETS = (("auckland", "Auckland", True), ("wellington", "Wellington", True), ("nelson", "Nelson", False))
CASE_LEVELS = {"SHIRT": (10, 0, 15), "HAT": (3, 10, 10), "SHOES": (5, 10, 10)}
"""SKU to the level at each of OUTLETS (DOMAIN 3)."""
LIFE_LEVELS = {"SOAP": (20, 5, 5), "MUG": (5, 0, 0), "BOWL": (0, 5, 0)}
_LEVELS = {CASES_STORE: CASE_LEVELS, LIVES_STORE: LIFE_LEVELS, TAKING_STORE: LIFE_LEVELS}
_TAKING = frozenset({TAKING_STORE, "demo-002"})

WARES = (
    "Merino scarf", "Linen shirt", "Canvas bag", "Rain jacket", "Wool hat", "Leather belt", "Denim jacket",
    "Cotton socks", "Silk tie", "Running shoes", "Hiking boots", "Swim shorts", "Sun hat", "Ski gloves",
    "Fleece vest", "Polo shirt", "Chino trousers", "Tote bag", "Beanie", "Sandals",
)  # fmt: skip

Payload = dict[str, Any]


def store_ids(count: int) -> list[str]:
    """Return the ids of the stores that take the generated stream."""
    return [f"demo-{number:03d}" for number in range(1, count + 1)]


def sku(ware: int) -> str:
    return f"SKU-{ware + 1:03d}"


def ware_name(ware: int) -> str:
    """Return the name of a ware; a store with more of them than WARES has further makes of the same."""
    make, kind = divmod(ware, len(WARES))
    return f"{WARES[kind]} no. {make + 1}" if make else WARES[kind]


def takes_at_once(store_id: str) -> bool:
    """Whether the store's point of sale takes goods off its level when it receives a sale (DOMAIN 4)."""
    return store_id in _TAKING


def link(store_id: str) -> Payload:
    """Return the store's link: currency, outlets, processors."""
    connected = {name for name, _, selling in OUTLETS if selling or store_id not in _LEVELS}
    return {
        "currency": "NZD",
        "currency_precision": 2,
        "time_zone": "Pacific/Auckland",
        "register": f"{store_id}-online",
        "outlets": [
            {
                "id": outlet,
                "name": name,
                "connected": outlet in connected,
                "priority": place,
                "safety_stock": 0,
            }
            for place, (outlet, name, _) in enumerate(OUTLETS, start=1)
        ],
        "shipping_methods": {},
        "locations": {"pickup-wellington": "wellington"},
        "processors": [
            {"name": "Lightspeed Payments", "reversal": True},
            {"name": "Stripe", "reversal": False},
            {"name": "PayPal", "reversal": False},
        ],
        "offline_payment": "unpaid",
        "oversell": "allow",
        "levels_include_open_orders": takes_at_once(store_id),
    }


def _count(product_id: str, product_sku: str, name: str, outlet: str, level: int) -> Payload:
    return {
        "id": f"inventory-{product_id}-{outlet}",
        "product_id": product_id,
        "product": {"id": product_id, "sku": product_sku, "name": name, "active": True},
        "outlet_id": outlet,
        "count": level,
        "version": 1,
    }


def levels(store_id: str, per_outlet: int, wares: int = len(WARES)) -> Iterator[Payload]:
    """Yield the store's inventory records: every ware at every outlet, or the named orders' own table."""
    if store_id in _LEVELS:
        for name, counts in _LEVELS[store_id].items():
            for (outlet, _, _), level in zip(OUTLETS, counts, strict=True):
                yield _count(f"product-{name.lower()}", name, name.capitalize(), outlet, level)
        return
    for ware in range(wares):
        for place, (outlet, _, _) in enumerate(OUTLETS):
            # Uneven on purpose: some orders need two outlets.
            yield _count(
                f"product-{ware + 1:03d}",
                sku(ware),
                ware_name(ware),
                outlet,
                per_outlet * (ware + place) % 7 + per_outlet,
            )
