"""Whole lives that a newcomer should see, from the order to its end in the shop, with their right outcome."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from deploy.demo.cases import PRICE, Lines, payload
from deploy.demo.orders import Published
from deploy.demo.store import LIVES_STORE, TAKING_STORE
from deploy.demo.till.life import SHIPPED, Life
from deploy.verify.seen import NONE, SeenSale

Money = tuple[tuple[str, str], ...]


class Ending(NamedTuple):
    """What must have come of it. `payments` are (name, amount), `refunds` (tender, amount, reversal)."""

    state: str
    payments: Money
    fulfilled: int = 0
    returned: int = 0
    cancelled: int = 0
    outlets: tuple[str, ...] = ("auckland",)
    refunds: tuple[tuple[str, str, str], ...] = ()
    flags: tuple[str, ...] = ()


class NamedLife(NamedTuple):
    """An order, its life, and the right outcome."""

    order_id: str
    title: str
    lines: Lines
    life: Life
    ending: Ending
    store_id: str = LIVES_STORE
    price: float = PRICE
    extra: Mapping[str, Any] = {}

    @property
    def order(self) -> Published:
        place = next(place for place, life in enumerate(LIVES, start=101) if life.order_id == self.order_id)
        document = payload(self.order_id, place, self.lines, self.extra, self.price)
        return Published(self.store_id, self.order_id, orjson.dumps(document))


COUNTER: Mapping[str, Any] = {
    "paymentStatus": "AWAITING_PAYMENT",
    "paymentMethod": "Pay at the counter",
    "paymentModule": None,
    "shippingOption": {
        "shippingMethodName": "Pick up in store",
        "shippingRate": 0,
        "fulfillmentType": "PICKUP",
        "isPickup": True,
    },
}
STRIPE: Mapping[str, Any] = {"paymentModule": "Stripe"}
CARD = "Lightspeed Payments"

LIVES: tuple[NamedLife, ...] = (
    NamedLife(
        "LIFE-1",
        "paid, picked, packed, shipped",
        (("SOAP", 2),),
        Life(SHIPPED),
        Ending("closed", ((CARD, "40.00"),), fulfilled=2),
    ),
    NamedLife(
        "LIFE-2",
        "unpaid, paid in cash in the shop, picked up",
        (("SOAP", 2),),
        Life(("acknowledge", "pick", "pay", "hand_over"), cash=True, known=True),
        Ending("closed", (("Cash", "10.00"), ("Cash rounding", "-0.02")), fulfilled=2),
        price=4.99,
        extra=COUNTER,
    ),
    NamedLife(
        "LIFE-3",
        "split: each outlet ships its part",
        (("MUG", 1), ("BOWL", 1)),
        Life(SHIPPED),
        Ending("closed", ((CARD, "40.00"),), fulfilled=2, outlets=("auckland", "wellington")),
    ),
    NamedLife(
        "LIFE-4",
        "cancelled online before it was shipped",
        (("SOAP", 2),),
        Life(("acknowledge", "pick", "cancel")),
        Ending("voided", ((CARD, "40.00"),), cancelled=2, outlets=()),
    ),
    NamedLife(
        "LIFE-5",
        "shipped, one returned: Stripe must be told by hand",
        (("SOAP", 2),),
        Life((*SHIPPED, "give_back")),
        Ending(
            "closed",
            (("Stripe", "40.00"),),
            fulfilled=2,
            returned=1,
            refunds=(("Stripe", "20.00", "manual"),),
            flags=("manual_refund",),
        ),
        extra=STRIPE,
    ),
    NamedLife(
        "LIFE-6",
        "shipped, all returned elsewhere: the money is on its way",
        (("SOAP", 2),),
        Life((*SHIPPED, "give_back"), back="all", elsewhere=True),
        Ending(
            "closed", ((CARD, "40.00"),), fulfilled=2, returned=2, refunds=((CARD, "40.00", "processed"),)
        ),
    ),
    NamedLife(
        "LIFE-7",
        "voided in the shop",
        (("SOAP", 1),),
        Life(("acknowledge", "void")),
        Ending("voided", ((CARD, "20.00"),), cancelled=1, outlets=()),
    ),
    NamedLife(
        "LIFE-8",
        "the shop takes its stock when it gets the sale",
        (("SOAP", 3),),
        Life(SHIPPED),
        Ending("closed", ((CARD, "60.00"),), fulfilled=3),
        store_id=TAKING_STORE,
    ),
)


def is_right(life: NamedLife, sale: SeenSale | None) -> bool:
    """Compare a sale, as it was last, with what must have come of it."""
    return sale is not None and _ending(sale) == life.ending


def _ending(sale: SeenSale) -> Ending:
    parts = sale.parts
    return Ending(
        state=sale.state,
        payments=tuple((payment.name, f"{payment.amount:.2f}") for payment in sale.payments),
        fulfilled=int(sum((part.fulfilled for part in parts), NONE)),
        returned=int(sum((part.returned for part in parts), NONE)),
        cancelled=int(sum((part.cancelled for part in parts), NONE)),
        outlets=tuple(sorted(one.outlet_id for one in sale.fulfillments if one.state == "fulfilled")),
        refunds=tuple((one.method, f"{one.amount:.2f}", one.reversal) for one in sale.refunds),
        flags=tuple(flag.kind for flag in sale.flags),
    )


def timeline(story: Sequence[SeenSale]) -> Iterator[str]:
    """Yield each revision of a sale in a few words."""
    before: SeenSale | None = None
    for sale in story:
        yield f"{sale.revision} {_words(sale, before)}"
        before = sale


def _words(sale: SeenSale, before: SeenSale | None) -> str:
    cause = sale.cause.replace("_", " ")
    if before is None:
        return f"{cause}, {f'paid {sale.amount_paid}' if sale.paid else 'unpaid'}"
    words = []
    stood = {one.fulfillment_id: one.state for one in before.fulfillments}
    words += [
        f"{one.state.replace('_', ' ')} at {one.outlet_id}"
        for one in sale.fulfillments
        if one.state != stood.get(one.fulfillment_id)
    ]
    if sale.amount_paid != before.amount_paid:
        words.append(f"paid {sale.amount_paid}")
    if back := _came_back(sale) - _came_back(before):
        words.append(f"{back.normalize():f} came back")
    given: Decimal = sale.refunded - before.refunded
    if given:
        how = ", ".join(f"{one.reversal} by {one.method}" for one in sale.refunds)
        words.append(f"{given} refunded, {how}")
    if sale.state != before.state:
        words.append(sale.state)
    if sale.cause == "fulfillment_changed" and words:
        return ", ".join(words)
    return f"{cause}: {', '.join(words)}" if words else cause


def _came_back(sale: SeenSale) -> Decimal:
    return sum((one.pieces for one in sale.returns if one.state == "returned"), NONE)
