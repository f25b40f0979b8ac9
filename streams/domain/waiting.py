"""Messages that wait: their store has no link yet, or what came before them is not decided yet (DOMAIN 2)."""

from streams.domain import exceptions, queues
from streams.domain.books import Books
from streams.domain.holding import held_from
from streams.domain.inbox import Inbound
from streams.domain.outcomes import Outcome
from streams.domain.statuses import INCOMPLETE
from topics.orders import Order

POS_SUBJECT = "pos"
"""The subject of the one exception that stands for all waiting records of a store's point of sale."""


def must_wait(books: Books) -> bool:
    """Say whether new messages of the store have to wait: no link, or a backlog."""
    return books.shop() is None or queues.first(books, queues.BACKLOG) is not None


def hold(books: Books, message: Inbound) -> Outcome:
    """Put the message at the end of the store's backlog; visibly, when it is for want of a link."""
    if isinstance(message, Order) and message.payment_status == INCOMPLETE:
        return Outcome.INCOMPLETE
    queues.join(books, queues.BACKLOG, held=held_from(books.moment, message))
    if books.shop() is not None:
        return Outcome.WAITING
    if isinstance(message, Order):
        exceptions.set_open(
            books,
            "waiting_for_link",
            message.order_id,
            f"the order came before store {books.store_id} was linked: set its link",
            message.order_id,
        )
    else:
        exceptions.set_open(
            books,
            "waiting_for_link",
            POS_SUBJECT,
            f"records of the point of sale came before store {books.store_id} was linked: set its link",
        )
    return Outcome.WAITING
