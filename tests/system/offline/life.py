"""A life of many kinds of order, to be stopped in its middle: much is open, waits, or came too early."""

from typing import Any

from tests.system.cases import LINK, Case
from tests.system.installation import Installation
from tests.system.payloads import count, order, pos_fulfillment, pos_sale, profile
from tests.system.whole_life import STEPS, STORE
from topics.movements import StockMoved

STRICT = "offline-strict"
WAITS = "offline-waits"
STROKE = "offline/stroke"
"""Its name has what separates store and name in some keys."""
CASES = ("06", "07", "09", "13")
STORES = (STORE, STRICT, WAITS, STROKE, *(f"offline-{number}" for number in CASES))
TORN = b'{"id": "TORN", "items": ['


async def live(shop: Installation) -> None:
    """Tell it all; each step is decided before the next."""
    for topic, payloads in STEPS:
        await shop.publish(topic, STORE, *payloads)
        await shop.decided()
    for number in CASES:
        await Case(number, f"offline-{number}").tell(shop)
    await _strict(shop)
    await shop.publish("store.links", STROKE, LINK)
    await shop.publish("pos.customers", STROKE, profile("c-1", "o1@example.com", "Olu"))
    await shop.publish("pos.inventory", STROKE, count("CAP", "o1", 5))
    await shop.publish("ecom.orders", WAITS, order("W1", ("CAP", 1)), order("W2", ("CAP", 2)))
    await shop.decided()
    await shop.publish("pos.inventory", WAITS, count("CAP", "o1", 5))
    await shop.publish("ecom.orders", STROKE, TORN, *(order(f"O{n}", ("CAP", 1), minute=n) for n in range(9)))
    await shop.decided()
    found = [order(name, ("CAP", 1)) for name in ("W3", "W4")]
    await shop.publish(
        "ecom.orders", WAITS, {"total": 2, "count": 2, "offset": 0, "limit": 10, "items": found}
    )
    await shop.settled()


async def _strict(shop: Installation) -> None:
    """A store that oversells nothing and takes the point of sale's word early, with much left open."""
    link = LINK | {"oversell": "restrict", "levels_include_open_orders": True}
    steps: tuple[tuple[str, list[Any]], ...] = (
        ("store.links", [link]),
        ("pos.products", [{"id": "p-tea", "sku": "TEA", "name": "Tea", "active": True, "version": 3}]),
        ("pos.inventory", [count("TEA", "o1", 3), count("TEA", "o2", 1), count("POT", "o1", 2)]),
        ("pos.customers", [profile("c-1", "ada@example.com", "Ada"), profile("c-2", "ada@example.com", "A")]),
        (
            "ecom.orders",
            [
                order("S1", ("TEA", 2), ("POT", 1)),
                order("S2", ("TEA", 5)),
                order("S3", ("TEA", 1)),
                order("S4", ("UNKNOWN", 1)),
                order("S5", ("POT", 4), paymentStatus="CUSTOM_PAYMENT_STATUS_2"),
                order("S6", ("POT", 1), paymentStatus="AWAITING_PAYMENT"),
            ],
        ),
        (
            "pos.fulfillments",
            [pos_fulfillment("pos-s6", "o1", "FULFILLED", 1, (1, "POT", 1))],
        ),
        (
            "pos.sales",
            [
                pos_sale("pos-s1", ("TEA", 2, 10), ("POT", 1, 10), source_id="S1"),
                pos_sale("pos-s6", ("POT", 1, 10), source_id="S6"),
                pos_sale("pos-late", ("TEA", 1, 10), source_id="LATE"),
            ],
        ),
        ("pos.fulfillments", [pos_fulfillment("pos-s1", "o1", "PICKED", 1, (1, "TEA", 2), (2, "POT", 1))]),
        ("pos.fulfillments", [pos_fulfillment("pos-s1", "o1", "FULFILLED", 2, (1, "TEA", 1))]),
        ("ecom.orders", [order("S6", ("POT", 1), minute=5), order("S3", ("TEA", 1), minute=6)]),
        ("pos.inventory", [count("TEA", "o2", 1, version=2), count("TEA", "o1", 3, version=2)]),
        ("pos.fulfillments", [pos_fulfillment("pos-other", "o2", "PICKED", 1, (1, "TEA", 1))]),
    )
    for topic, payloads in steps:
        await shop.publish(topic, STRICT, *payloads)
        await shop.decided()
    await shop.journal.read()
    moved = [
        move.revision
        for event in shop.journal.of(StockMoved, STRICT)
        for move in event.movements
        if (move.product_id, move.outlet_id) == ("p-pot", "o1")
    ]
    correction = {"product_id": "p-pot", "outlet_id": "o1", "revision": moved[-1], "on_hand": "2"}
    # The second one comes too late: the first has moved the level.
    corrections = [correction | {"correction_id": name} for name in ("right", "late")]
    await shop.publish("stock.corrections", STRICT, *corrections)
    far = [outlet | {"connected": outlet["id"] == "o1"} for outlet in link["outlets"]]
    await shop.publish("store.links", STRICT, link | {"outlets": far})
    await shop.decided()
