"""Sales from the order to their end in the shop: what is published, in steps."""

from streams.runtime.errors import ExitCode
from tests.system.cases import LINK
from tests.system.installation import Installation
from tests.system.payloads import Payload, count, order, pos_fulfillment, pos_sale
from topics.ids import OrderId, StoreId

STORE = "whole-life"
CARDS = [{"name": "Stripe", "reversal": False}, {"name": "Lightspeed Payments", "reversal": True}]
PICKUP = {"shippingMethodName": "Pick up", "shippingRate": 0, "isPickup": True, "fulfillmentType": "PICKUP"}
COUNTER: Payload = order(
    "COUNTER",
    ("SHIRT", 2),
    paymentStatus="AWAITING_PAYMENT",
    paymentMethod="Pay at the counter",
    paymentModule=None,
    shippingOption=PICKUP,
)
for item in COUNTER["items"]:
    item["price"] = 4.99
COUNTER |= {"subtotal": 9.98, "total": 9.98}

CASH = (("Cash", 10), ("Cash rounding", -0.02))
STEPS: tuple[tuple[str, list[Payload]], ...] = (
    ("store.links", [LINK | {"processors": CARDS}]),
    ("pos.inventory", [count("SHIRT", "o1", 10), count("HAT", "o2", 10)]),
    (
        "ecom.orders",
        [
            COUNTER,
            order("POSTED", ("SHIRT", 1), ("HAT", 2)),
            order("BACK", ("SHIRT", 1), paymentModule="Lightspeed Payments"),
            order("VOID", ("HAT", 1)),
        ],
    ),
    (
        "pos.sales",
        [
            pos_sale("pos-1", ("SHIRT", 2, 4.99), source_id="COUNTER", status="AWAITING_PICKUP"),
            pos_sale("pos-2", ("SHIRT", 1, 10), ("HAT", 2, 10), source_id="POSTED", tenders=[("Stripe", 30)]),
            pos_sale("pos-3", ("SHIRT", 1, 10), source_id="BACK", tenders=[("Lightspeed Payments", 10)]),
            pos_sale("pos-4", ("HAT", 1, 10), source_id="VOID", tenders=[("Stripe", 10)]),
            pos_sale(
                "pos-1",
                ("SHIRT", 2, 4.99),
                source_id="COUNTER",
                status="AWAITING_PICKUP",
                tenders=CASH,
                version=2,
            ),
        ],
    ),
    (
        "pos.fulfillments",
        [
            pos_fulfillment("pos-1", "o1", "PICKED", 1, (1, "SHIRT", 2)) | {"type": "PICKUP"},
            pos_fulfillment("pos-2", "o1", "PICKED", 1, (1, "SHIRT", 1)),
            pos_fulfillment("pos-2", "o2", "PICKED", 1, (2, "HAT", 2)),
        ],
    ),
    (
        "pos.fulfillments",
        [
            pos_fulfillment("pos-2", "o1", "PACKED", 2, (1, "SHIRT", 1)),
            pos_fulfillment("pos-2", "o2", "PACKED", 2, (2, "HAT", 2)),
        ],
    ),
    (
        "pos.fulfillments",
        [
            pos_fulfillment("pos-2", "o1", "FULFILLED", 3, (1, "SHIRT", 1)),
            pos_fulfillment("pos-2", "o2", "FULFILLED", 3, (2, "HAT", 2)),
            pos_fulfillment("pos-3", "o1", "FULFILLED", 1, (1, "SHIRT", 1)),
        ],
    ),
    (
        "pos.sales",
        [
            pos_sale(
                "pos-1",
                ("SHIRT", 2, 4.99),
                source_id="COUNTER",
                status="PICKED_UP_CLOSED",
                tenders=CASH,
                version=3,
            )
        ],
    ),
    ("pos.inventory", [count("SHIRT", "o1", 6, version=2), count("HAT", "o2", 8, version=2)]),
    (
        "pos.sales",
        [
            pos_sale(
                "ret-1",
                ("SHIRT", -1, 4.99),
                return_for="pos-1",
                status="CLOSED",
                tenders=[("Cash", -5), ("Cash rounding", 0.01)],
            ),
            pos_sale("ret-2", ("HAT", -1, 10), return_for="pos-2", status="CLOSED", tenders=[("Stripe", -10)])
            | {"outlet_id": "o2"},
            pos_sale(
                "ret-3",
                ("SHIRT", -1, 10),
                return_for="pos-3",
                status="CLOSED",
                tenders=[("Lightspeed Payments", -10)],
            ),
        ],
    ),
    ("pos.inventory", [count("SHIRT", "o1", 8, version=3), count("HAT", "o2", 9, version=3)]),
    (
        "pos.sales",
        [
            pos_sale("pos-4", ("HAT", 1, 10), source_id="VOID", status="VOIDED", version=2),
            pos_sale(
                "ret-4", ("HAT", -2, 10), return_for="pos-2", status="CLOSED", tenders=[("Stripe", -20)]
            ),
        ],
    ),
)
"""What is published, each step once the one before is decided."""
KILLED_AT = (3, 6, 9)
"""Steps that the stock worker is killed in the middle of: acknowledged and paid, handed over, returned."""
ORDERS = [(StoreId(STORE), OrderId(name)) for name in ("COUNTER", "POSTED", "BACK", "VOID")]


async def tell(shop: Installation) -> None:
    """Tell it all to workers of its own, and wait until it is settled; they are stopped then."""
    history = shop.start("history")
    worker = shop.start("stock")
    for place, (topic, payloads) in enumerate(STEPS):
        await shop.publish(topic, STORE, *payloads)
        if place in KILLED_AT:
            worker.kill()
            worker.start()
        await shop.decided()
    await shop.settled()
    shop.assert_workers_unharmed()
    assert [await worker.stop(), await history.stop()] == [ExitCode.OK, ExitCode.OK]
