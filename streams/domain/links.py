"""A store's link is set, changed or removed (DOMAIN 2)."""

from streams.domain import arrivals, exceptions, levels, queues, tables
from streams.domain.books import Books
from streams.domain.outcomes import Outcome
from streams.domain.policies import DEFAULT_POLICY, POLICIES
from topics.ids import ProductId
from topics.links import StoreLink

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
        for name, stock in books.scan(tables.STOCK):
            if stock.listed:
                raw = levels.online_level(stock, shop)
                if raw != stock.raw:
                    levels.publish(books, ProductId(name), stock, stock.outlets, raw)
    short = sorted({"\0".join(name.split("\0")[:2]) for name in queues.names(books, "short\0")})
    if short:
        arrivals.serve(books, shop, short, "link_changed")
    return Outcome.DECIDED


def _sells(link: StoreLink) -> set[tuple[object, ...]]:
    return {(outlet.id, outlet.safety_stock) for outlet in link.outlets if outlet.connected}
