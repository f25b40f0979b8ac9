"""What must hold of a store's books at all times (DOMAIN 4, 5), by its tables and by its events."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import ROUND_FLOOR, Decimal

import msgspec

from streams.domain import queues
from streams.domain.books import Books
from streams.domain.state import Level
from tests.pure_reader import NOTHING, Reader, Shelf
from topics.customers import Customer
from topics.ids import LineId, OutletId, ProductId
from topics.sales import Allocation, LineComponent, Sale, SaleLine

Part = SaleLine | LineComponent
Piece = tuple[LineId, ProductId | None]


def check_books(books: Books, reader: Reader) -> None:
    """Assert the invariants, and that who reads the events alone knows what the tables know."""
    sales: list[Sale] = [row for _, row in books.scan("sales")]
    assert len({sale.order_id for sale in sales}) == len(sales), "two sales of one order"
    assert {sale.sale_id for sale in sales} == set(reader.sales)
    held: dict[Shelf, Decimal] = defaultdict(Decimal)
    short: dict[Shelf, Decimal] = defaultdict(Decimal)
    for sale in sales:
        _check_told(sale, reader.sales[sale.sale_id])
        _check_lines(sale)
        _check_state(sale)
        _check_fulfillments(sale, reader)
        _check_money(sale, reader)
        _check_movements(sale, reader)
        for product_id, allocation in allocations(sale):
            held[product_id, allocation.outlet_id] += allocation.quantity - allocation.taken
            short[product_id, allocation.outlet_id] += allocation.backordered
    _check_levels(books, reader, held, short)
    _check_online(books, reader)
    _check_queues(books, sales)
    _check_flags(sales, reader)
    _check_customers(books, reader)


def parts(line: SaleLine) -> tuple[Part, ...]:
    """Return what of the line is allocated: its parts if it is a bundle, else the line."""
    return line.components or (line,)


def is_open(part: Part) -> Decimal:
    return sum((allocation.quantity for allocation in part.allocations), part.unallocated)


def allocations(sale: Sale) -> Iterator[tuple[ProductId, Allocation]]:
    for line in sale.lines:
        for part in parts(line):
            for allocation in part.allocations:
                assert part.product_id is not None, line
                yield part.product_id, allocation


def _check_told(sale: Sale, told: Sale) -> None:
    """Assert that the last event says what the table says; of an unchanged snapshot that it came."""
    seen = msgspec.structs.replace(
        told,
        order_version=sale.order_version,
        order_checksum=sale.order_checksum,
        external_order_id=sale.external_order_id,
    )
    assert seen == sale
    assert sale.order_version >= told.order_version


def _check_lines(sale: Sale) -> None:
    for line in sale.lines:
        assert 0 <= line.returned <= line.fulfilled, line
        assert 0 <= line.withdrawn <= line.cancelled, line
        assert line.recalled >= 0, line
        assert line.fulfilled + line.cancelled <= line.quantity, line
        if not line.tracked:
            assert not is_open(line), line
            continue
        for part in parts(line):
            assert 0 <= part.returned <= part.fulfilled, part
            assert 0 <= part.withdrawn <= part.cancelled, part
            assert part.unallocated >= 0, part
            assert part.quantity == part.fulfilled + is_open(part) + part.cancelled, part
            assert len({allocation.outlet_id for allocation in part.allocations}) == len(part.allocations)
            for allocation in part.allocations:
                assert allocation.quantity > 0, allocation
                assert 0 <= allocation.backordered <= allocation.quantity, allocation
                assert 0 <= allocation.taken <= allocation.quantity, allocation
        if line.components:
            assert not line.allocations
            assert line.fulfilled == _whole_bundles(line, [part.fulfilled for part in line.components]), line
            assert line.returned == _whole_bundles(line, [part.returned for part in line.components]), line


def _whole_bundles(line: SaleLine, pieces: list[Decimal]) -> Decimal:
    return min(
        (
            (some * line.quantity / part.quantity).to_integral_value(ROUND_FLOOR)
            for part, some in zip(line.components, pieces, strict=True)
            if part.quantity
        ),
        default=NOTHING,
    )


def _check_state(sale: Sale) -> None:
    open_pieces = sum((is_open(part) for line in sale.lines for part in parts(line)), NOTHING)
    if sale.state == "parked":
        assert not any(True for _ in allocations(sale))
    elif sale.state == "voided":
        assert not open_pieces
    else:
        assert (sale.state == "closed") == (sale.paid and not open_pieces), sale


def _check_fulfillments(sale: Sale, reader: Reader) -> None:
    """Assert that fulfilments hold what is promised and what went out, in the sale and in events."""
    told = {f.fulfillment_id: f for f in reader.fulfillments.values() if f.sale_id == sale.sale_id}
    assert {shown.fulfillment_id for shown in sale.fulfillments} == set(told)
    assert len({(shown.outlet_id, shown.type) for shown in sale.fulfillments}) == len(sale.fulfillments)
    open_there: dict[tuple[OutletId, Piece], Decimal] = defaultdict(Decimal)
    gone: dict[Piece, Decimal] = defaultdict(Decimal)
    for shown in sale.fulfillments:
        event = told[shown.fulfillment_id]
        assert (shown.outlet_id, shown.type, shown.state, shown.revision) == (
            event.outlet_id,
            event.type,
            event.state,
            event.revision,
        )
        assert [(x.line_id, x.sku, x.quantity, x.picked, x.packed, x.fulfilled) for x in shown.lines] == [
            (x.line_id, x.sku, x.quantity, x.picked, x.packed, x.fulfilled) for x in event.lines
        ]
        for row in shown.lines:
            assert 0 <= row.fulfilled <= row.quantity, row
            assert row.picked >= 0, row
            assert row.packed >= 0, row
            piece = (row.line_id, row.product_id)
            open_there[shown.outlet_id, piece] += row.quantity - row.fulfilled
            gone[piece] += row.fulfilled
            if shown.state in {"cancelled", "fulfilled"}:
                assert row.quantity == row.fulfilled, f"{shown.state} with something open: {shown}"
        if shown.state == "fulfilled":
            assert any(row.fulfilled for row in shown.lines), shown
    promised: dict[tuple[OutletId, Piece], Decimal] = defaultdict(Decimal)
    out: dict[Piece, Decimal] = defaultdict(Decimal)
    for line in sale.lines:
        for part in parts(line):
            if line.tracked:
                out[line.line_id, part.product_id] += part.fulfilled
            for allocation in part.allocations:
                promised[allocation.outlet_id, (line.line_id, part.product_id)] += allocation.quantity
    assert _some(open_there) == _some(promised)
    if "backfilled" not in sale.attributes:
        assert _some(gone) == _some(out)


def _some(
    counts: dict[Shelf, Decimal] | dict[Piece, Decimal] | dict[tuple[OutletId, Piece], Decimal],
) -> object:
    return {key: count for key, count in counts.items() if count}


def _check_money(sale: Sale, reader: Reader) -> None:
    assert sale.amount_paid == sum((payment.amount for payment in sale.payments), NOTHING)
    assert len({payment.payment_id for payment in sale.payments}) == len(sale.payments)
    if sale.state != "parked":
        assert sale.paid == (sale.amount_paid >= sale.total)
    told = [refund for refund in reader.refunds.values() if refund.sale_id == sale.sale_id]
    shown = {refund.refund_id: refund for refund in sale.refunds}
    assert len(shown) == len(sale.refunds)
    assert set(shown) == {refund.refund_id for refund in told}
    for event in told:
        refund = shown[event.refund_id]
        assert (event.state == "voided") == refund.voided
        assert (event.method, event.kind, event.amount, event.reversal, event.processor, event.revision) == (
            refund.method,
            refund.kind,
            refund.amount,
            refund.reversal,
            refund.processor,
            refund.revision,
        )
    given = sum((refund.amount for refund in sale.refunds if not refund.voided), NOTHING)
    assert sale.refunded <= sale.amount_paid, sale
    assert sale.refunded == min(max(sale.refunded_in_ecom, given), sale.amount_paid)
    by_hand = sum((r.amount for r in sale.refunds if not r.voided and r.reversal == "manual"), NOTHING)
    flagged = any(flag.kind == "manual_refund" for flag in sale.flags)
    assert flagged == (by_hand > sale.refunded_in_ecom), sale.flags
    live = {taken.return_id for taken in sale.returns if taken.state == "returned"}
    assert {refund.return_id for refund in sale.refunds if not refund.voided} <= live


def _check_movements(sale: Sale, reader: Reader) -> None:
    """Assert that what went out and what came back is what the movements and the returns say."""
    if "backfilled" in sale.attributes:
        return
    came_back: dict[Piece, Decimal] = defaultdict(Decimal)
    for taken in sale.returns:
        if taken.state == "returned":
            for row in taken.lines:
                assert 0 <= row.unfulfilled <= row.quantity, row
                came_back[row.line_id, row.product_id] += row.quantity
    out: dict[Piece, list[Decimal]] = defaultdict(lambda: [NOTHING, NOTHING, NOTHING])
    for line in sale.lines:
        for part in parts(line):
            if line.tracked:
                sums = out[line.line_id, part.product_id]
                sums[0] += part.fulfilled
                sums[1] += part.returned
                sums[2] += part.withdrawn
    for piece, (fulfilled, returned, withdrawn) in out.items():
        line_id, product_id = piece
        if product_id is not None:
            moved = reader.pieces[sale.sale_id, line_id, product_id]
            assert (fulfilled, returned) == (moved["fulfilled"], moved["returned"]), piece
        assert returned + withdrawn <= came_back[piece], piece


def _check_levels(
    books: Books, reader: Reader, held: dict[Shelf, Decimal], short: dict[Shelf, Decimal]
) -> None:
    levels: dict[Shelf, Level] = {
        (ProductId(name), outlet): level
        for name, stock in books.scan("stock")
        for outlet, level in stock.outlets.items()
    }
    assert {shelf for shelf, count in held.items() if count} <= set(levels)
    for shelf, level in levels.items():
        sums = reader.shelves[shelf]
        assert (sums.on_hand, sums.allocated, sums.awaiting, sums.revision) == (
            level.on_hand,
            level.allocated,
            level.awaiting,
            level.revision,
        ), shelf
        assert level.allocated == held[shelf], shelf
        assert level.backordered == short[shelf], shelf
        assert level.awaiting == sum((one.quantity for one in level.awaited), NOTHING), shelf
        # A count that is not older than what ended the allocation has the pieces in it.
        assert all(level.counted_at is None or one.since > level.counted_at for one in level.awaited), shelf
    _check_strays(books, reader, levels)


def _check_strays(books: Books, reader: Reader, levels: dict[Shelf, Level]) -> None:
    """Assert that somebody is told of each outlet that has promises to keep and is not connected."""
    shop = books.shop()
    if shop is None:
        return
    promised: dict[str, Decimal] = defaultdict(Decimal)
    for (_, outlet), level in levels.items():
        if outlet not in shop.connected:
            promised[outlet] += level.allocated
    told = {
        subject.removeprefix("outlet/")
        for kind, subject in reader.open_exceptions()
        if kind == "outlet_disconnected" and subject.startswith("outlet/")
    }
    assert told == {outlet for outlet, count in promised.items() if count}


def _check_online(books: Books, reader: Reader) -> None:
    shop = books.shop()
    if shop is None:
        return
    for name, stock in books.scan("stock"):
        if stock.listed:
            raw = -shop.safety_total + sum(
                (
                    level.on_hand - level.allocated - level.awaiting
                    for outlet, level in stock.outlets.items()
                    if outlet in shop.connected
                ),
                NOTHING,
            )
            assert stock.raw == raw, name
            assert stock.online == max(raw, NOTHING), name
            assert reader.online[stock.sku].level == stock.online
            assert reader.online[stock.sku].product_id == name


def _check_queues(books: Books, sales: Iterable[Sale]) -> None:
    """Assert that who lacks a product or pieces stands in the line for them, once, and nobody else does."""
    expected: dict[str, set[str]] = defaultdict(set)
    for sale in sales:
        for line in sale.lines:
            for part in parts(line):
                for allocation in part.allocations:
                    if allocation.backordered and part.product_id is not None:
                        expected[queues.short_of(part.product_id, allocation.outlet_id)].add(sale.sale_id)
                if part.unallocated and sale.state != "parked" and part.sku:
                    name = (
                        queues.unnamed(part.sku)
                        if part.product_id is None
                        else queues.short_of(part.product_id, sale.pinned_outlet_id)
                    )
                    expected[name].add(sale.sale_id)
    found: dict[str, set[str]] = {}
    for name, ends in books.scan("queues"):
        members: list[str] = []
        member: str | None = ends.first
        before: str | None = None
        while member is not None:
            place = queues.place(books, name, member)
            assert place is not None
            assert place.before == before
            members.append(member)
            before, member = member, place.after
        assert before == ends.last
        assert len(members) == ends.length
        if name.startswith(("short\0", "sku\0")):
            found[name] = set(members)
    assert found == dict(expected)
    assert len(books.scan("waiting")) == sum(ends.length for _, ends in books.scan("queues"))


def _check_flags(sales: Iterable[Sale], reader: Reader) -> None:
    """Assert that a sale's flags are the open exceptions about its order."""
    flagged = [
        (flag.kind, sale.order_id if flag.line_id is None else f"{sale.order_id}/{flag.line_id}")
        for sale in sales
        for flag in sale.flags
    ]
    assert len(set(flagged)) == len(flagged), "flagged twice"
    about_sales = {
        (event.kind, event.subject)
        for event in reader.exceptions.values()
        if event.sale_id is not None and f"{event.subject}/".startswith(f"{event.order_id}/")
    }
    assert {key for key in reader.open_exceptions() if key in about_sales} == set(flagged)


def _check_customers(books: Books, reader: Reader) -> None:
    live: dict[str, list[Customer]] = defaultdict(list)
    kept: list[Customer] = [customer for _, customer in books.scan("customers")]
    assert {customer.customer_id: customer for customer in kept} == reader.customers
    for customer in kept:
        if customer.email and not customer.deleted and not customer.duplicate_of and not customer.replaced_by:
            live[customer.email].append(customer)
    for email, customers in live.items():
        assert len(customers) == 1, f"two customers have {email}"
        entry = books.email(email)
        if customers[0].origin == "pos" or entry is not None:
            assert entry is not None
            assert (entry.used, entry.name) == (customers[0].customer_id, customers[0].name)
