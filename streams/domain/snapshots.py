"""A snapshot of an order, beside the sale as it was before (DOMAIN 5)."""

from typing import Final

import msgspec

from streams.domain import (
    arrivals,
    edits,
    flags,
    fulfillments,
    matters,
    queues,
    tables,
)
from streams.domain.allocation import allocate, name_products
from streams.domain.books import Books
from streams.domain.customers import match_customer, normal_email
from streams.domain.holding import held_from
from streams.domain.lines import Line, known_lines, parts_of
from streams.domain.moves import Moves
from streams.domain.outcomes import Outcome
from streams.domain.payments import Amounts, amount_paid, amounts, refunded_in_ecom, settle
from streams.domain.plain import place
from streams.domain.sales import record, says_the_same, state_of, type_of
from streams.domain.shop import Shop
from streams.domain.statuses import GONE_OUT, PAYMENT_STATUSES, unknown_status
from topics.ids import OutletId, SaleId
from topics.orders import Order
from topics.sales import Payment, Sale, SaleAttribute, SaleCause, SaleCustomer, SaleLine


class Snapshot:
    """One snapshot of an order, beside the sale as it was before (None: there was none)."""

    __slots__ = ("_backfilled", "_books", "_checksum", "_fresh", "_moves", "_old", "_order", "_own_id",
                 "_parked", "_pinned", "_shop", "_unknown", "_void")  # fmt: skip

    def __init__(
        self, books: Books, shop: Shop, order: Order, own_id: SaleId, old: Sale | None, checksum: int
    ) -> None:
        self._books = books
        self._shop = shop
        self._order = order
        self._own_id = own_id
        self._old = old
        self._checksum = checksum
        self._moves = Moves(books, shop)
        self._pinned = shop.pinned_outlet(order.location_id, order.shipping_method_id)
        self._unknown = unknown_status(order)
        self._void = (
            order.deleted
            or order.payment_status == "CANCELLED"
            or (old is not None and "voided_in_pos" in old.attributes)
        )
        # A parked sale was never decided: this snapshot is as good as the first.
        self._fresh = old is None or old.state == "parked"
        self._parked = self._fresh and not self._void and self._unknown is not None
        self._backfilled = self._was_backfilled()

    def _was_backfilled(self) -> bool:
        old = self._old
        if old is not None and "backfilled" in old.attributes:
            return True
        undecided = old is None or old.state in {"parked", "voided"}
        return undecided and not (self._void or self._parked) and self._order.fulfillment_status in GONE_OUT

    def decide(self) -> Outcome:
        books, shop, order, old, own_id = self._books, self._shop, self._order, self._old, self._own_id
        # Most orders are new and plain: one outlet has all of it. Their lines need no further look.
        plain = None
        if old is None and not (self._void or self._parked or self._backfilled):
            plain = place(order.items, books, self._moves, shop, self._pinned)
        lines = self._lines() if plain is None else []
        sale_lines = tuple([line.finish() for line in lines]) if plain is None else plain.lines
        money = amounts(order, shop)
        payments = self._payments(money)
        received = amount_paid(payments, shop)
        paid = received >= money.total
        in_ecom = refunded_in_ecom(order, received, shop)
        if old is not None and self._unknown_payment():
            in_ecom = old.refunded_in_ecom
        # Nothing of a voided sale is open, but what went out keeps it alive until it has come back.
        voided = self._void and not any(line.owed for line in lines)
        attributes = self._attributes()
        kind = type_of(attributes)
        if plain is not None:
            fulfilling = fulfillments.begin(books, own_id, order.order_id, kind, plain.outlet, plain.pieces)
        else:
            fulfilling = fulfillments.revise(
                books,
                own_id,
                order.order_id,
                kind,
                sale_lines,
                old.fulfillments if old is not None else (),
                old.lines if old is not None else (),
            )
        raised = flags.order_flags(
            order,
            money,
            shop,
            unknown_status=self._unknown,
            pinned=None if voided else self._pinned,
        )
        raised += matters.flags(
            lines,
            shop,
            received=received,
            total=money.total,
            parked_or_void=self._parked or self._void,
            refunded_in_ecom=in_ecom,
            payment_status=order.payment_status,
            returns=() if old is None else old.returns,
            refunds=() if old is None else old.refunds,
        )
        if old is not None:
            raised += [flag for flag in old.flags if flag.kind in flags.SHOP_FLAGS]
        if plain is None and not (self._parked or self._void or self._backfilled):
            raised += flags.stock_flags(lines, books, shop, self._pinned)
        sale = Sale(
            event_id=f"{own_id}:1",
            store_id=books.store_id,
            event_time=books.event_time,
            received_at=books.moment.received_at,
            processed_at=books.moment.processed_at,
            sale_id=own_id,
            order_id=order.order_id,
            revision=1,
            cause="parked" if self._parked else "placed",
            state="pending"
            if plain is not None
            else state_of(lines, paid=paid, voided=voided, parked=self._parked),
            attributes=attributes,
            payment_status=order.payment_status,
            fulfillment_status=order.fulfillment_status,
            paid=paid,
            currency=shop.link.currency,
            subtotal=money.subtotal,
            discount=money.discount,
            shipping=money.shipping,
            tax=money.tax,
            rounding=money.rounding,
            total=money.total,
            amount_paid=received,
            refunded=in_ecom,
            refunded_in_ecom=in_ecom,
            customer=self._customer(),
            payments=payments,
            lines=sale_lines,
            fulfillments=fulfilling.shown,
            flags=tuple(raised),
            placed_at=order.placed_at,
            order_version=order.version,
            register_id=shop.link.register,
            payment_method=order.payment_method,
            external_order_id=order.external_order_id,
            pinned_outlet_id=self._pinned,
            order_checksum=self._checksum,
        )
        if old is not None:
            sale = msgspec.structs.replace(
                sale,
                pos_sale_id=old.pos_sale_id,
                returns=old.returns,
                refunds=old.refunds,
                refunded=matters.refunded(in_ecom, old.refunds, received, shop),
            )
            if says_the_same(old, sale):
                seen = msgspec.structs.replace(
                    old, order_version=order.version, order_checksum=self._checksum
                )
                books.put(tables.SALES, own_id, seen)
                return Outcome.ECHO if order.external_order_id == own_id else Outcome.UNCHANGED
            revision = old.revision + 1
            sale = msgspec.structs.replace(
                sale, event_id=f"{own_id}:{revision}", revision=revision, cause=self._cause(sale, sale_lines)
            )
        record(books, old, sale, fulfilling, self._moves)
        self._keep_parked()
        if self._moves.freed:
            arrivals.freed(books, shop, self._moves.freed)
        return Outcome.PARKED if self._parked else Outcome.DECIDED

    def _lines(self) -> list[Line]:
        """Return the sale's lines, released and allocated as the snapshot says."""
        order, shop, moves, old = self._order, self._shop, self._moves, self._old
        if self._backfilled:
            lines = edits.shipped_lines(order.items, shop)
            name_products(parts_of(lines), self._books)
            self._keep_returns(lines)
            edits.recall(lines, order.items, void=self._void)
            return lines
        if old is None or self._fresh:
            lines = edits.new_lines(order.items, shop)
        else:
            lines = edits.edited_lines(old.lines, order.items, moves, shop)
        if self._void:
            edits.cancel(lines, moves)
        elif not self._parked:
            self._allocate(lines)
        if old is not None and not self._fresh:
            edits.recall(lines, order.items, void=self._void)
        return lines

    def _keep_returns(self, lines: list[Line]) -> None:
        """Keep what has come back of a sale that is recorded as it is, snapshot by snapshot."""
        if self._old is None:
            return
        before = {line.line_id: line for line in known_lines(self._old.lines)}
        for line in lines:
            known = before.get(line.line_id)
            if known is None or len(known.parts) != len(line.parts):
                continue
            line.returned = min(known.returned, line.fulfilled)
            for part, was in zip(line.parts, known.parts, strict=True):
                part.returned = min(was.returned, part.fulfilled)

    def _allocate(self, lines: list[Line]) -> None:
        parts = [part for line in lines for part in line.parts]
        name_products(parts, self._books)
        used: set[OutletId] = set()
        if not self._fresh:
            if (
                self._pinned is not None
                and self._old is not None
                and self._pinned != self._old.pinned_outlet_id
            ):
                # The customer was promised another outlet now: all that is still open moves there.
                for part in parts:
                    wanted = part.open
                    part.release(self._moves)
                    part.wanted = wanted
            used = {allocation.outlet_id for part in parts for allocation in part.allocations}
        allocate(parts, self._moves, self._shop, self._pinned, used)

    def _unknown_payment(self) -> bool:
        return self._order.payment_status not in PAYMENT_STATUSES

    def _payments(self, money: Amounts) -> tuple[Payment, ...]:
        before = () if self._old is None else self._old.payments
        # What was paid stays so when the order is cancelled: it is to be given back, and that is a refund.
        if self._parked or self._void or (self._unknown_payment() and not self._fresh):
            return before
        return settle(self._order, self._own_id, money, self._shop, before)

    def _customer(self) -> SaleCustomer:
        order, old = self._order, self._old
        email = normal_email(order.email)
        if old is not None and (email is None or email == old.customer.email):
            return old.customer
        return match_customer(self._books, email, order.billing_name, order.shipping_name)

    def _attributes(self) -> tuple[SaleAttribute, ...]:
        kind = self._order.fulfillment_type
        voided_in_pos = self._old is not None and "voided_in_pos" in self._old.attributes
        if not (self._backfilled or self._order.deleted or voided_in_pos):
            return _PLAIN_ATTRIBUTES[kind]
        attributes = list(_PLAIN_ATTRIBUTES[kind])
        if voided_in_pos:
            attributes.append("voided_in_pos")
        if self._backfilled:
            attributes.append("backfilled")
        if self._order.deleted:
            attributes.append("deleted")
        return tuple(attributes)

    def _cause(self, sale: Sale, lines: tuple[SaleLine, ...]) -> SaleCause:
        """Name what the snapshot is about; of several things the most important."""
        old = self._old
        if old is None or self._fresh:
            return "cancelled" if self._void else "parked" if self._parked else "placed"
        if self._void:
            if self._order.deleted and "deleted" not in old.attributes:
                return "deleted"
            if old.payment_status != "CANCELLED" and old.state != "voided":
                return "cancelled"
        elif old.state == "voided" or old.payment_status == "CANCELLED":
            return "reinstated"
        elif sale.refunded_in_ecom != old.refunded_in_ecom:
            return "refunded_in_ecom"
        elif (sale.paid and not old.paid) or (sale.amount_paid > old.amount_paid and lines == old.lines):
            return "paid"
        if lines == old.lines and sale.customer != old.customer:
            return "customer_changed"
        return "edited"

    def _keep_parked(self) -> None:
        """Keep the snapshot of an order that is not understood, until its status has a meaning."""
        books, order, old = self._books, self._order, self._old
        if old is not None and any(flag.kind == "unknown_status" for flag in old.flags):
            queues.leave(books, queues.PARKED, order.order_id)
        if self._unknown is not None:
            queues.join(books, queues.PARKED, order.order_id, held_from(books.moment, order))


_PLAIN_ATTRIBUTES: Final[dict[str | None, tuple[SaleAttribute, ...]]] = {
    None: (),
    "PICKUP": ("pickup",),
    "DISPATCH": ("delivery",),
}
