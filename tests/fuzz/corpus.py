"""Payloads to begin with: the fixtures, by inbound topic, and the words that make up such payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.contracts.payloads import FIXTURES, order
from tests.system import payloads

LINK = {
    "currency": "NZD",
    "currency_precision": 2,
    "time_zone": "Pacific/Auckland",
    "register": "online",
    "outlets": [
        {"id": "o1", "name": "Harbour", "connected": True, "priority": 1, "safety_stock": 0},
        {"id": "o2", "name": "Hill", "connected": True, "priority": 2, "safety_stock": "1.5"},
    ],
    "shipping_methods": {"post-7": "o1"},
    "locations": {"l1": "o2"},
    "processors": [{"name": "Stripe", "reversal": False}],
    "offline_payment": "unpaid",
    "oversell": "restrict",
    "payment_statuses": {"CUSTOM_PAYMENT_STATUS_1": "PAID"},
    "levels_include_open_orders": False,
}
CORRECTION = {
    "correction_id": "c",
    "product_id": "p-cup",
    "outlet_id": "o1",
    "revision": 3,
    "on_hand": "1.5",
    "allocated": -1,
    "ledger": {"revision": 4, "on_hand": 2},
    "reason": "R",
    "operator": "O",
}
SALE = payloads.pos_sale(
    "s-1", ("CUP", 2, 10.0), ("MUG", 1, 10.0), source_id="A-1", tenders=(("Cash", 30.0),), status="CLOSED"
)
BACK = payloads.pos_sale(
    "s-1-back", ("CUP", -1, 10.0), return_for="s-1", tenders=(("Stripe", -10.0),), status="CLOSED", version=3
)
PAYLOADS: dict[str, tuple[Any, ...]] = {
    "store.links": (LINK,),
    "ecom.orders": (
        order(),
        payloads.order("A-1", ("CUP", 2), ("MUG", 1)),
        payloads.order("A-1", ("CUP", 1), minute=3, paymentStatus="CANCELLED"),
        payloads.order("A-2", ("PEN", 3), minute=5, paymentStatus="AWAITING_PAYMENT", email=None),
    ),
    "pos.inventory": (payloads.count("CUP", "o1", 7, 2), payloads.count("MUG", "o2", -3, 5)),
    "pos.sales": (SALE, BACK, payloads.pos_sale("s-2", ("PEN", 3, 10.0), source_id="A-2", version=2)),
    "pos.fulfillments": (payloads.pos_fulfillment("s-1", "o1", "FULFILLED", 4, (1, "CUP", 2)),),
    "pos.products": ({"id": "p-cup", "sku": "CUP", "name": "Cup", "active": True, "version": 3},),
    "pos.customers": (payloads.profile("c1", "ada@example.com", "Ada"),),
    "stock.corrections": (CORRECTION,),
}
"""Of one store, so that what they tell is about the same orders, and decisions go deep."""

TOPICS = tuple(sorted(PAYLOADS))
FOLDERS = {"orders": ("ecom.orders",), "pos": tuple(name for name in TOPICS if name.startswith("pos."))}
HOSTILE_TEXT = (
    "NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "-1e999999999", "0E-999999999", "١٢", "1_000",
    "0x10", "", " ", "\0", "a\0b", "\ud800", "x" * 300, "é" * 200, "2026-02-25", "0000-00-00T00:00:00Z",
    "[]", "null", "PAID", "CANCELLED", "SHIPPED", "FULFILLED", "CLOSED", "VOIDED",
    "o1", "CUP", "A-1", "s-1", "p-cup",
)  # fmt: skip
HOSTILE_NUMBERS = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**12, 10**12 - 1, 10**30, 10**400,
    0.1, 1e-12, 1e-13, 1e308, -0.0, 1_772_010_000, 99_999_999_999, 100_000_000_000, 10**15,
)  # fmt: skip


def opening() -> Iterator[tuple[str, bytes]]:
    """Yield (topic, value) of what a store begins with."""
    for topic, values in PAYLOADS.items():
        for value in values:
            yield topic, json.dumps(value).encode()


def seeds() -> Iterator[tuple[str, bytes]]:
    """Yield (topic, value) of everything that there is to mutate."""
    yield from opening()
    for folder, topics in FOLDERS.items():
        for file in sorted((FIXTURES / folder).glob("*.json")):
            for topic in topics:
                yield topic, file.read_bytes()


def words() -> list[str]:
    """Return the field names of all payloads, sorted."""
    found: set[str] = set()

    def look(tree: Any) -> None:
        if isinstance(tree, dict):
            for name, inner in tree.items():
                found.add(name)
                look(inner)
        elif isinstance(tree, list):
            for inner in tree:
                look(inner)

    for _, value in seeds():
        look(json.loads(value))
    return sorted(found)
