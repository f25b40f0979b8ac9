"""The published allocation cases, and other orders that a newcomer should see, with their right outcome."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from deploy.demo.orders import Published
from deploy.demo.store import CASES_STORE
from deploy.verify.seen import SeenSale
from topics.ids import OrderId

Lines = tuple[tuple[str, int], ...]
Outcome = tuple[tuple[str, str, int], ...]


class Case(NamedTuple):
    """An order of CASES_STORE and what must come of it: (SKU, outlet, quantity) of each allocation."""

    order_id: str
    title: str
    lines: Lines
    outcome: Outcome
    extra: dict[str, Any] = {}  # noqa: RUF012 - read only


CASES = (
    Case(
        "CASE-1",
        "one outlet has it all",
        (("SHIRT", 2), ("HAT", 1), ("SHOES", 1)),
        (("SHIRT", "auckland", 2), ("HAT", "auckland", 1), ("SHOES", "auckland", 1)),
    ),
    Case(
        "CASE-2",
        "split between lines",
        (("SHIRT", 1), ("HAT", 5)),
        (("SHIRT", "auckland", 1), ("HAT", "wellington", 5)),
    ),
    Case(
        "CASE-3",
        "one outlet before a better stocked first one",
        (("HAT", 5), ("SHOES", 2)),
        (("HAT", "wellington", 5), ("SHOES", "wellington", 2)),
    ),
    Case(
        "CASE-4",
        "pickup pinned to its shop, short there: still that shop, flagged",
        (("SHIRT", 1),),
        (("SHIRT", "wellington", 1),),
        {
            "shippingOption": {
                "shippingMethodName": "Pick up in Wellington",
                "shippingRate": 0,
                "fulfillmentType": "PICKUP",
                "isPickup": True,
                "locationId": "pickup-wellington",
            }
        },
    ),
    Case(
        "CASE-5",
        "paid in part by gift card",
        (("HAT", 1),),
        (("HAT", "auckland", 1),),
        {"giftCardRedemption": 5, "total": 15, "paymentStatus": "PAID", "paymentModule": "Stripe"},
    ),
    Case(
        "CASE-6",
        "bank deposit: arrives unpaid",
        (("SHOES", 1),),
        (("SHOES", "auckland", 1),),
        {"paymentStatus": "AWAITING_PAYMENT", "paymentMethod": "Bank deposit", "paymentModule": None},
    ),
)

WEBHOOK_BODY = orjson.dumps(
    {
        "eventId": "5d3c54a0-6c1c-4b22-9ea7-000000000001",
        "eventCreated": 1772442000,
        "storeId": 1003,
        "entityId": 103878161,
        "eventType": "order.created",
        "data": {"orderId": "CASE-1", "newPaymentStatus": "PAID"},
    }
)
"""A thin webhook body instead of an order: a dead letter, and the orders around it go on."""

PRICE = 20


def payload(
    order_id: str, place: int, lines: Lines, extra: Mapping[str, Any], price: float = PRICE
) -> dict[str, Any]:
    """Return an order of so many of each SKU, paid by card, to be sent by post, but for what is `extra`."""
    epoch = 1_772_442_000 + place * 60
    subtotal = round(sum(quantity for _, quantity in lines) * price, 2)
    return {
        "id": order_id,
        "vendorOrderNumber": order_id,
        "email": "casey@example.com",
        "paymentStatus": "PAID",
        "fulfillmentStatus": "AWAITING_PROCESSING",
        "paymentMethod": "Credit or debit card",
        "paymentModule": "Lightspeed Payments",
        "subtotal": subtotal,
        "total": subtotal,
        "tax": 0,
        "discount": 0,
        "couponDiscount": 0,
        "giftCardRedemption": 0,
        "pricesIncludeTax": True,
        "createTimestamp": epoch,
        "updateTimestamp": epoch,
        "billingPerson": {"name": "Casey Example"},
        "items": [
            {
                "id": place * 10 + line,
                "productId": 690_100_000 + line,
                "sku": sku,
                "name": sku.capitalize(),
                "price": price,
                "quantity": quantity,
                "digital": False,
                "isShippingRequired": True,
            }
            for line, (sku, quantity) in enumerate(lines, start=1)
        ],
        "shippingOption": {"shippingMethodName": "Post", "shippingRate": 0, "fulfillmentType": "SHIPPING"},
    } | dict(extra)


def orders(store_id: str, chosen: Sequence[Case]) -> Iterator[Published]:
    """Yield the cases' orders for a store, in the order in which they must be decided."""
    for place, case in enumerate(chosen, start=1):
        document = payload(case.order_id, place, case.lines, case.extra)
        yield Published(store_id, case.order_id, orjson.dumps(document))


def check(sales: Iterable[SeenSale]) -> set[str]:
    """Compare the sales of CASES_STORE with the cases; return the order ids of those that are right."""
    allocated = {
        sale.order_id: {
            (line.sku, allocation.outlet_id, int(allocation.quantity))
            for line in sale.lines
            for allocation in line.allocations
        }
        for sale in sales
        if sale.store_id == CASES_STORE
    }
    return {case.order_id for case in CASES if allocated.get(OrderId(case.order_id)) == set(case.outcome)}
