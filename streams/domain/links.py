"""A store's link is set, changed or removed (DOMAIN 2)."""

from collections.abc import Iterable
from decimal import Decimal

from streams.domain import arrivals, exceptions, levels, queues, strays, tables
from streams.domain.books import Books
from streams.domain.inbox import DECODERS
from streams.domain.outcomes import Outcome
from streams.domain.policies import DEFAULT_POLICY, POLICIES
from streams.domain.shop import Shop
from streams.domain.state import Stock
from streams.domain.statuses import understood, unknown_status
from topics.ids import OutletId, ProductId
from topics.links import StoreLink
from topics.numbers import ZERO
from topics.orders import Order

LINK_SUBJECT = "link"


def set_link(books: Books, link: StoreLink | None) -> Outcome:
    """Set the store's link; None removes it: open sales stay, new messages wait until it is set again.

    When other outlets sell online than before, or more or less of their stock, the online levels follow and
    sales that found nothing are served. What has waited for the link stands in the backlog.
    """
    before = books.link()
    if before == link:
        return Outcome.UNCHANGED
    books.put_link(link)
    shop = books.shop()
    if link is None or shop is None:
        return Outcome.DECIDED
    unknown = None
    if link.policy not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        unknown = f"the link names the policy {link.policy!r}; {DEFAULT_POLICY!r} is used; known are: {known}"
    exceptions.set_open(books, "unknown_policy", LINK_SUBJECT, unknown)
    if before is None or _sells(before) != _sells(link):
        rows = books.scan(tables.STOCK)
        for name, stock in rows:
            if stock.listed:
                raw = levels.online_level(stock, shop)
                if raw != stock.raw:
                    levels.publish(books, ProductId(name), stock, stock.outlets, raw)
        _note_strays(books, shop, [stock for _, stock in rows])
    if before is None or _meanings(before) != _meanings(link):
        _release_parked(books, link)
    short = sorted({"\0".join(name.split("\0")[:2]) for name in queues.names(books, "short\0")})
    if short:
        arrivals.serve(books, shop, short, "link_changed")
    return Outcome.DECIDED


def _meanings(link: StoreLink) -> tuple[dict[str, str], dict[str, str]]:
    return (link.payment_statuses, link.fulfillment_statuses)


def _release_parked(books: Books, link: StoreLink) -> None:
    """Put the orders whose status has a meaning now into the backlog, in the order in which they came."""
    member = queues.first(books, queues.PARKED)
    while member is not None:
        place = queues.place(books, queues.PARKED, member)
        if place is None or place.held is None:
            raise LookupError(f"order {member} of store {books.store_id} is parked and not held")
        order = DECODERS[place.held.topic].decode(place.held.body)
        if isinstance(order, Order) and unknown_status(understood(order, link)) is None:
            queues.join(books, queues.BACKLOG, held=place.held)
        member = place.after


def _note_strays(books: Books, shop: Shop, stocks: Iterable[Stock]) -> None:
    """Tell what is allocated at outlets that are not connected, and no longer of those that are."""
    allocated: dict[OutletId, Decimal] = {OutletId(name): ZERO for name, _ in books.scan(tables.STRAYS)}
    for stock in stocks:
        for outlet, level in stock.outlets.items():
            if level.allocated and outlet not in shop.connected:
                allocated[outlet] = allocated.get(outlet, ZERO) + level.allocated
    for outlet, quantity in sorted(allocated.items()):
        strays.tell(books, outlet, quantity)


def _sells(link: StoreLink) -> set[tuple[object, ...]]:
    return {(outlet.id, outlet.safety_stock) for outlet in link.outlets if outlet.connected}
