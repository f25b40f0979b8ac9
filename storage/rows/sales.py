"""`sales`: a sale, its lines, its payments and what came back of it."""

import msgspec

from storage.encoding import indexed
from storage.rows.document import Document, Rows
from storage.rows.entry import Table
from storage.rows.head import HEAD_COLUMNS, Head


class Customer(msgspec.Struct, kw_only=True, gc=False):
    customer_id: str
    email: str | None
    name: str


class Payment(msgspec.Struct, kw_only=True, gc=False):
    payment_id: str
    kind: str
    name: str
    amount: str
    processor: str | None = None
    transaction_id: str | None = None
    paid_at: str | None = None


class Line(msgspec.Struct, kw_only=True, gc=False):
    line_id: str
    sku: str
    name: str
    quantity: str
    price: str
    tracked: bool = True
    product_id: str | None = None
    backordered: str = "0"
    unallocated: str = "0"
    fulfilled: str = "0"
    cancelled: str = "0"
    withdrawn: str = "0"
    returned: str = "0"
    recalled: str = "0"


class ReturnLine(msgspec.Struct, kw_only=True, gc=False):
    line_id: str
    sku: str
    product_id: str | None
    quantity: str
    unfulfilled: str = "0"


class Return(msgspec.Struct, kw_only=True, gc=False):
    return_id: str
    state: str
    outlet_id: str | None
    returned_at: str
    lines: tuple[ReturnLine, ...] = ()
    detail: str | None = None


class Sale(Head, kw_only=True, gc=False):
    """The part of topics.sales.Sale that has columns; the rest is in the document."""

    sale_id: str
    order_id: str
    revision: int
    cause: str
    state: str
    attributes: tuple[str, ...]
    payment_status: str
    fulfillment_status: str
    paid: bool
    currency: str
    subtotal: str
    discount: str
    shipping: str
    tax: str
    rounding: str
    total: str
    amount_paid: str
    refunded: str
    customer: Customer
    payments: tuple[Payment, ...]
    lines: tuple[Line, ...]
    placed_at: str
    order_version: int
    register_id: str | None = None
    payment_method: str | None = None
    external_order_id: str | None = None
    pos_sale_id: str | None = None
    returns: tuple[Return, ...] = ()
    refunded_in_ecom: str = "0"


SALES = Table(
    "sales",
    (
        "sale_id", "store_id", "order_id", "revision", "cause", "state", "attributes",
        "payment_status", "fulfillment_status", "paid", "currency",
        "subtotal", "discount", "shipping", "tax", "rounding", "total", "amount_paid", "refunded",
        "refunded_in_ecom", "customer_id", "customer_email", "customer_name",
        "register_id", "payment_method", "external_order_id", "pos_sale_id", "order_version", "placed_at",
        *HEAD_COLUMNS,
        "document",
    ),
)  # fmt: skip
LINES = Table(
    "sale_lines",
    (
        "sale_id", "position", "store_id", "line_id", "sku", "name", "product_id", "tracked",
        "quantity", "price", "backordered", "unallocated", "fulfilled", "cancelled",
        "withdrawn", "returned", "recalled",
    ),
)  # fmt: skip
PAYMENTS = Table(
    "sale_payments",
    (
        "sale_id", "position", "store_id", "payment_id", "kind", "name", "processor",
        "amount", "currency", "transaction_id", "taken_at",
    ),
)  # fmt: skip
RETURNS = Table(
    "sale_returns",
    (
        "sale_id", "position", "store_id", "return_id", "state", "outlet_id", "returned_at",
        "line_id", "sku", "product_id", "quantity", "unfulfilled", "detail",
    ),
)  # fmt: skip


def _fill(sale: Sale, value: bytes, sales: Rows, lines: Rows, payments: Rows, returns: Rows) -> None:
    sale_id, store_id, customer = sale.sale_id, sale.store_id, sale.customer
    sales.append(
        (
            sale_id, store_id, sale.order_id, sale.revision, sale.cause, sale.state, sale.attributes,
            sale.payment_status, sale.fulfillment_status, sale.paid, sale.currency,
            sale.subtotal, sale.discount, sale.shipping, sale.tax, sale.rounding, sale.total,
            sale.amount_paid, sale.refunded, sale.refunded_in_ecom,
            customer.customer_id, customer.email and indexed(customer.email), customer.name,
            sale.register_id, sale.payment_method, sale.external_order_id,
            sale.pos_sale_id and indexed(sale.pos_sale_id), sale.order_version,
            sale.placed_at, sale.event_time, sale.received_at, sale.processed_at,
            value,
        )
    )  # fmt: skip
    for position, line in enumerate(sale.lines):
        lines.append(
            (
                sale_id, position, store_id, line.line_id, indexed(line.sku), line.name, line.product_id,
                line.tracked, line.quantity, line.price, line.backordered, line.unallocated,
                line.fulfilled, line.cancelled, line.withdrawn, line.returned, line.recalled,
            )
        )  # fmt: skip
    for position, payment in enumerate(sale.payments):
        payments.append(
            (
                sale_id, position, store_id, payment.payment_id, payment.kind, payment.name,
                payment.processor, payment.amount, sale.currency, payment.transaction_id,
                payment.paid_at or sale.placed_at,
            )
        )  # fmt: skip
    if sale.returns:
        _fill_returns(sale, returns)


def _fill_returns(sale: Sale, returns: Rows) -> None:
    position = 0
    for back in sale.returns:
        head = (indexed(back.return_id), back.state, back.outlet_id, back.returned_at)
        # A return of money only is a row too.
        pieces: list[tuple[str | None, ...]] = [
            (line.line_id, indexed(line.sku), line.product_id, line.quantity, line.unfulfilled)
            for line in back.lines
        ] or [(None, None, None, "0", "0")]
        for piece in pieces:
            returns.append((sale.sale_id, position, sale.store_id, *head, *piece, back.detail))
            position += 1


SALE = Document(
    "sales",
    decode=msgspec.json.Decoder(Sale).decode,
    key=lambda sale: (sale.sale_id,),
    revision=lambda sale: sale.revision,
    tables=(SALES, LINES, PAYMENTS, RETURNS),
    fill=_fill,
)
