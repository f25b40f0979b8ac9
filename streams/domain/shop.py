"""A store's link, made ready for deciding."""

from decimal import ROUND_HALF_UP, Decimal

from streams.domain.policies import DEFAULT_POLICY, POLICIES, Policy, whole_orders
from topics.ids import OutletId, StoreId
from topics.links import StoreLink

LIGHTSPEED_PAYMENTS = "lightspeedpayments"


class Shop:
    """What follows from a link and is needed for each order; made once per link, not once per order.

    `outlets` are the connected ones, lowest `priority` first, then by id; `ranks` are their priorities.
    `first_outlets` are those of which the policy gives an order, whole, to the first that can do it all.
    """

    __slots__ = (
        "_integrated", "_names", "_processors", "_quantum", "_reversing", "connected", "custom_statuses",
        "first_outlets", "link", "outlets",
        "oversell", "policy", "ranks", "safety", "safety_total", "zero",
    )  # fmt: skip

    def __init__(self, link: StoreLink) -> None:
        chosen = sorted(
            (outlet for outlet in link.outlets if outlet.connected), key=lambda o: (o.priority, o.id)
        )
        self.link = link
        self.outlets: tuple[OutletId, ...] = tuple(outlet.id for outlet in chosen)
        self.ranks = tuple(outlet.priority for outlet in chosen)
        self.connected = frozenset(self.outlets)
        self.safety = {outlet.id: outlet.safety_stock for outlet in link.outlets}
        self.safety_total = sum((outlet.safety_stock for outlet in chosen), Decimal(0))
        self.oversell = link.oversell == "allow"
        self.policy: Policy = POLICIES.get(link.policy, POLICIES[DEFAULT_POLICY])
        self.first_outlets = self.outlets[: whole_orders(self.policy, self.ranks)]
        self.custom_statuses = bool(link.payment_statuses or link.fulfillment_statuses)
        self._quantum = Decimal(1).scaleb(-link.currency_precision)
        self.zero = Decimal(0).quantize(self._quantum)
        self._names = {outlet.id for outlet in link.outlets}
        self._processors = frozenset(processor.name for processor in link.processors or ())
        self._integrated = (
            None if link.processors is None else {plain_name(p.name): p.name for p in link.processors}
        )
        self._reversing = frozenset(
            {LIGHTSPEED_PAYMENTS}
            if link.processors is None
            else {plain_name(processor.name) for processor in link.processors if processor.reversal}
        )

    def money(self, amount: Decimal) -> Decimal:
        """Round an amount to the currency's precision, halves away from zero."""
        return amount.quantize(self._quantum, ROUND_HALF_UP) if amount else self.zero

    def cents(self, count: int) -> Decimal:
        """Return so many of the currency's smallest units."""
        return self._quantum * count

    def knows(self, outlet_id: OutletId) -> bool:
        return outlet_id in self._names

    def pinned_outlet(self, location_id: str | None, shipping_method_id: str | None) -> OutletId | None:
        """Return the outlet that the pickup location, else the shipping method, is linked to (DOMAIN 3)."""
        if location_id is not None and location_id in self.link.locations:
            return self.link.locations[location_id]
        if shipping_method_id is not None:
            return self.link.shipping_methods.get(shipping_method_id)
        return None

    def integrated_processor(self, name: str | None) -> str | None:
        """Return the processor's name if payments through it are integrated ones (DOMAIN S5), else None."""
        if not name:
            return None
        if self._integrated is None or name in self._processors:
            return name
        return self._integrated.get(plain_name(name))

    def processor_of(self, tender: str) -> str | None:
        """Return the processor that the link names and a tender of the point of sale is called by."""
        return None if self._integrated is None else self._integrated.get(plain_name(tender))

    def reverses(self, processor: str) -> bool:
        """Say whether a refund in the point of sale also gives the money back through it (DOMAIN S11)."""
        return plain_name(processor) in self._reversing


def plain_name(name: str) -> str:
    """Processors are spelled `Lightspeed Payments`, `LightspeedPayments`, `LIGHTSPEED_PAYMENTS` …"""
    return "".join(c for c in name.casefold() if c.isalnum())


_SHOPS: dict[StoreId, Shop] = {}
_MOST_SHOPS = 50_000


def shop_of(store_id: StoreId, link: StoreLink) -> Shop:
    """Return the shop of a link, the same one as long as the link says the same."""
    shop = _SHOPS.get(store_id)
    if shop is not None:
        if shop.link is link:
            return shop
        if shop.link == link:
            shop.link = link
            return shop
    shop = Shop(link)
    if len(_SHOPS) >= _MOST_SHOPS:
        _SHOPS.clear()
    _SHOPS[store_id] = shop
    return shop
