"""A sale while something other than its order changes it: stock, the shop, a return (DOMAIN 5)."""

from decimal import Decimal

import msgspec

from streams.domain import edits, flags, fulfillments, matters
from streams.domain.books import Books
from streams.domain.lines import known_lines
from streams.domain.moves import Moves
from streams.domain.payments import amount_paid
from streams.domain.sales import record, says_the_same, state_of, type_of
from streams.domain.shop import Shop
from topics.sales import Payment, Sale, SaleAttribute, SaleCause, SaleFlag

_WORKED_OUT_ANEW = flags.STOCK_FLAGS | flags.MATTER_FLAGS | flags.SHOP_FLAGS
"""Flags that follow from the sale's parts; the others stay until the next snapshot of the order."""


class Life:
    """The parts of a sale that may change, and what becomes of them: `record` makes the next revision."""

    __slots__ = (
        "attributes", "before", "books", "lines", "moves", "payments", "pos_sale_id", "progress", "refunds",
        "returns", "shop", "shop_flags",
    )  # fmt: skip

    def __init__(self, books: Books, shop: Shop, before: Sale) -> None:
        self.books = books
        self.shop = shop
        self.before = before
        self.lines = known_lines(before.lines)
        self.moves = Moves(books, shop)
        self.progress = fulfillments.Progress()
        self.payments: tuple[Payment, ...] = before.payments
        self.returns = list(before.returns)
        self.refunds = list(before.refunds)
        self.attributes: tuple[SaleAttribute, ...] = before.attributes
        self.pos_sale_id = before.pos_sale_id
        self.shop_flags: list[SaleFlag] = [flag for flag in before.flags if flag.kind in flags.SHOP_FLAGS]

    @property
    def void(self) -> bool:
        """Whether the sale is called off; what went out of it must come back."""
        return (
            self.before.payment_status == "CANCELLED"
            or "deleted" in self.attributes
            or "voided_in_pos" in self.attributes
        )

    def call_off(self, attribute: SaleAttribute) -> None:
        """Cancel all that is open, for good; what went out must come back."""
        if attribute not in self.attributes:
            self.attributes = (*self.attributes, attribute)
        edits.cancel(self.lines, self.moves)
        for line in self.lines:
            line.recalled = line.gone

    @property
    def received(self) -> Decimal:
        return amount_paid(self.payments, self.shop)

    @property
    def paid(self) -> bool:
        return self.received >= self.before.total

    def record(self, cause: SaleCause) -> bool:
        """Write and emit the sale's next revision; False, and nothing happens, when it would say the same."""
        books, shop, before = self.books, self.shop, self.before
        sale_lines = tuple([line.finish() for line in self.lines])
        fulfilling = fulfillments.revise(
            books,
            before.sale_id,
            before.order_id,
            type_of(self.attributes),
            sale_lines,
            before.fulfillments,
            before.lines,
            self.progress,
        )
        received = self.received
        parked = before.state == "parked"
        revision = before.revision + 1
        sale = msgspec.structs.replace(
            before,
            event_id=f"{before.sale_id}:{revision}",
            event_time=books.event_time,
            received_at=books.moment.received_at,
            processed_at=books.moment.processed_at,
            revision=revision,
            cause=cause,
            state=state_of(
                self.lines,
                paid=self.paid,
                voided=self.void and not any(line.owed for line in self.lines),
                parked=parked,
            ),
            attributes=self.attributes,
            paid=self.paid,
            amount_paid=received,
            refunded=matters.refunded(before.refunded_in_ecom, self.refunds, received, shop),
            payments=self.payments,
            lines=sale_lines,
            fulfillments=fulfilling.shown,
            returns=tuple(self.returns),
            refunds=tuple(self.refunds),
            pos_sale_id=self.pos_sale_id,
            flags=tuple(self._flags(received, parked=parked)),
        )
        if says_the_same(before, sale):
            return False
        record(books, before, sale, fulfilling, self.moves)
        return True

    def _flags(self, received: Decimal, *, parked: bool) -> list[SaleFlag]:
        before, shop = self.before, self.shop
        raised = [flag for flag in before.flags if flag.kind not in _WORKED_OUT_ANEW]
        raised += self.shop_flags
        raised += matters.flags(
            self.lines,
            shop,
            received=received,
            total=before.total,
            parked_or_void=parked or self.void,
            refunded_in_ecom=before.refunded_in_ecom,
            payment_status=before.payment_status,
            returns=self.returns,
            refunds=self.refunds,
        )
        if not (parked or self.void or "backfilled" in self.attributes):
            raised += flags.stock_flags(self.lines, self.books, shop, before.pinned_outlet_id)
        return raised
