"""Does the acts of a sale's life: what the shop sends for each, and what it does to the shop's own stock."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_DOWN, Decimal
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson

from deploy.demo.till import documents
from deploy.demo.till.documents import CARD, CASH, ROUNDING, Part, Payload, Row, Tender, Ticket
from deploy.demo.till.life import CASH_ROUNDS_TO, Act
from deploy.demo.till.shelves import Shelves
from deploy.demo.till.story import Goods, Story, active
from deploy.verify.told import ToldReturn
from topics.ids import OutletId
from topics.sales import Sale

ELSEWHERE = OutletId("nelson")
_STATES: Mapping[Act, str] = {"pick": "PICKED", "pack": "PACKED", "hand_over": "FULFILLED"}


class Record(NamedTuple):
    """A document for a topic, under the key of its store."""

    topic: str
    payload: Payload


class Clerk:
    """Does one act at a time; the counts of what it moved stand on the shelves."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._ways: dict[Act, Callable[[Story, Sale, datetime], Iterator[Record]]] = {
            "acknowledge": self._acknowledge,
            "pay": self._pay,
            "pick": self._fulfil,
            "pack": self._fulfil,
            "hand_over": self._hand_over,
            "close": self._close,
            "give_back": self._give_back,
            "take_back": self._take_back,
            "void": self._void,
            "cancel": self._cancel,
        }

    def do(self, act: Act, story: Story, at: datetime) -> list[Record]:
        """Do the story's next act at a time; return what is to be published, in order."""
        assert story.sale is not None, "a sale that was not seen has no next act"
        records = list(self._ways[act](story, story.sale, at))
        story.done += 1
        return records

    # The sale

    def _acknowledge(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        if story.life.known and sale.customer.email is not None:
            yield Record("pos.customers", _profile(sale.customer.email, at))
        # A line of ours may be rung up under a row id of the shop's own.
        story.rows = tuple(
            Row(f"{story.ticket_id}-{place}", line.product_id, line.quantity, line.price)
            for place, line in enumerate(sale.lines, start=1)
        )
        story.tenders = tuple(
            Tender(f"{story.ticket_id}-paid-{place}", payment.name, CARD, payment.amount, at)
            for place, payment in enumerate(sale.payments, start=1)
        )
        if story.includes:
            story.taken = tuple(
                Goods(line.product_id, allocation.outlet_id, allocation.quantity)
                for line in sale.lines
                for allocation in line.allocations
            )
            self._move(story, story.taken, -1)
        yield self._ticket(story, sale, _status(sale), at)

    def _pay(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        due = sale.total - sale.amount_paid
        story.tenders += _tenders(f"{story.ticket_id}-shop", due, story.life.cash, at)
        story.told.taken = sale.total
        yield self._ticket(story, sale, _status(sale), at)

    def _close(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        yield self._ticket(story, sale, _status(sale, closed=True), at)

    def _void(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        self._undo(story)
        yield self._ticket(story, sale, "VOIDED", at)

    def _cancel(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        """The customer cancels in the online store; what the shop had put aside goes back on the shelf."""
        self._undo(story)
        order: dict[str, Any] = orjson.loads(story.order)
        order |= {"paymentStatus": "CANCELLED", "updateTimestamp": order["updateTimestamp"] + 60}
        yield Record("ecom.orders", order)

    def _undo(self, story: Story) -> None:
        story.told.voided = True
        self._move(story, story.taken, 1)
        story.taken = ()

    def _ticket(self, story: Story, sale: Sale, status: str, at: datetime) -> Record:
        ticket = Ticket(
            ticket_id=story.ticket_id,
            version=story.version(),
            status=status,
            outlet_id=sale.fulfillments[0].outlet_id,
            register_id=sale.register_id or "",
            total=sale.total,
            at=at,
            rows=story.rows,
            tenders=story.tenders,
            source_id=sale.order_id,
        )
        # Both ways are used by gateways: what is fetched, and what a webhook brings.
        shape = documents.sale if ticket.version % 2 else documents.sale_webhook
        return Record("pos.sales", shape(ticket))

    # Its goods

    def _fulfil(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        rows = {line.line_id: row for line, row in zip(sale.lines, story.rows, strict=True)}
        state = _STATES[story.acts[story.done]]
        for one in active(sale):
            yield Record(
                "pos.fulfillments",
                documents.fulfillment(
                    f"{story.ticket_id}-{one.outlet_id}",
                    story.ticket_id,
                    one.outlet_id,
                    one.type,
                    state,
                    story.version(),
                    at,
                    [Part(rows[line.line_id].row_id, line.product_id, line.quantity) for line in one.lines],
                ),
            )

    def _hand_over(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        gone = [
            Goods(line.product_id, one.outlet_id, line.quantity) for one in active(sale) for line in one.lines
        ]
        story.told.fulfilled = sum((goods.quantity for goods in gone), Decimal(0))
        if not story.includes:
            self._move(story, gone, -1)
        if "pickup" in sale.attributes:
            # Handed over at the counter: the sale says it, no fulfilment does.
            yield self._ticket(story, sale, _status(sale, closed=True), at)
        else:
            yield from self._fulfil(story, sale, at)

    # Its return

    def _give_back(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        back = list(_back(story, sale))
        amount = sum((row.price * row.quantity for row, _ in back), Decimal(0))
        story.told.returns = (
            ToldReturn(story.return_id, -sum((row.quantity for row, _ in back), Decimal(0)), -amount),
        )
        # One that is taken back was rung up by mistake: nothing came back, and no count was made meanwhile.
        if (story.told.fulfilled or story.includes) and "take_back" not in story.acts:
            self._move(story, [Goods(row.product_id, outlet, row.quantity) for row, outlet in back], -1)
        yield self._return(story, sale, back, _given(story, sale, amount, at), "CLOSED", 1, at)

    def _take_back(self, story: Story, sale: Sale, at: datetime) -> Iterator[Record]:
        back = list(_back(story, sale))
        amount = sum((row.price * row.quantity for row, _ in back), Decimal(0))
        story.told.returns = ()
        yield self._return(story, sale, back, _given(story, sale, amount, at), "VOIDED", 2, at)

    def _return(
        self,
        story: Story,
        sale: Sale,
        back: list[tuple[Row, OutletId]],
        tenders: tuple[Tender, ...],
        status: str,
        version: int,
        at: datetime,
    ) -> Record:
        return Record(
            "pos.sales",
            documents.sale(
                Ticket(
                    ticket_id=story.return_id,
                    version=version,
                    status=status,
                    outlet_id=back[0][1],
                    register_id=sale.register_id or "",
                    total=sum((tender.amount for tender in tenders), Decimal(0)),
                    at=at,
                    rows=[row for row, _ in back],
                    tenders=tenders,
                    return_for=story.ticket_id,
                )
            ),
        )

    def _move(self, story: Story, goods: list[Goods] | tuple[Goods, ...], sign: int) -> None:
        for one in goods:
            self._shelves.move(story.told.store_id, one.product_id, one.outlet_id, one.quantity * sign)


def _status(sale: Sale, *, closed: bool = False) -> str:
    if "pickup" in sale.attributes:
        return "PICKED_UP_CLOSED" if closed else "AWAITING_PICKUP"
    return "DISPATCHED_CLOSED" if closed else "AWAITING_DISPATCH"


def _back(story: Story, sale: Sale) -> Iterator[tuple[Row, OutletId]]:
    """Yield what comes back, and to which outlet: the one it went out from, or another one.

    One piece, or everything; a line of several pieces in two rows then, one per reason.
    """
    outlet = ELSEWHERE if story.life.elsewhere else sale.fulfillments[0].outlet_id
    rows = story.rows[:1] if story.life.back == "one" else story.rows
    for row in rows:
        first = Decimal(1)
        yield Row(f"{row.row_id}-r1", row.product_id, -first, row.price), outlet
        if story.life.back == "all" and row.quantity > first:
            yield Row(f"{row.row_id}-r2", row.product_id, first - row.quantity, row.price), outlet


def _given(story: Story, sale: Sale, amount: Decimal, at: datetime) -> tuple[Tender, ...]:
    """Return the tenders of a return: the money goes back the way it came."""
    name = f"{story.return_id}-paid"
    paid = sale.payments[0]
    if paid.kind == "pos":
        return _tenders(name, amount, story.life.cash, at)
    return (Tender(name, paid.name, CARD, amount, at),)


def _tenders(name: str, amount: Decimal, cash: bool, at: datetime) -> tuple[Tender, ...]:
    """Return a payment in the shop: by card, or in cash with its rounding as a tender of its own."""
    if not cash:
        return (Tender(name, "EFTPOS", CARD, amount, at),)
    coin = Decimal(CASH_ROUNDS_TO)
    rounded = (amount / coin).quantize(Decimal(1), ROUND_HALF_DOWN) * coin
    paid = Tender(name, "Cash", CASH, rounded, at)
    if rounded == amount:
        return (paid,)
    return (paid, Tender(f"{name}-rounding", "Cash rounding", ROUNDING, amount - rounded, at))


def _profile(email: str, at: datetime) -> Payload:
    return documents.profile(str(uuid5(NAMESPACE_URL, email)), email, "Regular", "Customer", at)
