"""`sales`: a sale, its lines and its payments."""

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
    returned: str = "0"


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


SALES = Table(
    "sales",
    (
        "sale_id", "store_id", "order_id", "revision", "cause", "state", "attributes",
        "payment_status", "fulfillment_status", "paid", "currency",
        "subtotal", "discount", "shipping", "tax", "rounding", "total", "amount_paid", "refunded",
        "customer_id", "customer_email", "customer_name",
        "register_id", "payment_method", "external_order_id", "order_version", "placed_at",
        *HEAD_COLUMNS,
        "document",
    ),
)  # fmt: skip
LINES = Table(
    "sale_lines",
    (
        "sale_id", "position", "store_id", "line_id", "sku", "name", "product_id", "tracked",
        "quantity", "price", "backordered", "unallocated", "fulfilled", "cancelled", "returned",
    ),
)  # fmt: skip
PAYMENTS = Table(
    "sale_payments",
    (
        "sale_id", "position", "store_id", "payment_id", "kind", "name", "processor",
        "amount", "currency", "transaction_id", "taken_at",
    ),
)  # fmt: skip


def _fill(sale: Sale, value: bytes, sales: Rows, lines: Rows, payments: Rows) -> None:
    sale_id, store_id, customer = sale.sale_id, sale.store_id, sale.customer
    sales.append(
        (
            sale_id, store_id, sale.order_id, sale.revision, sale.cause, sale.state, sale.attributes,
            sale.payment_status, sale.fulfillment_status, sale.paid, sale.currency,
            sale.subtotal, sale.discount, sale.shipping, sale.tax, sale.rounding, sale.total,
            sale.amount_paid, sale.refunded,
            customer.customer_id, customer.email and indexed(customer.email), customer.name,
            sale.register_id, sale.payment_method, sale.external_order_id, sale.order_version,
            sale.placed_at, sale.event_time, sale.received_at, sale.processed_at,
            value,
        )
    )  # fmt: skip
    for position, line in enumerate(sale.lines):
        lines.append(
            (
                sale_id, position, store_id, line.line_id, indexed(line.sku), line.name, line.product_id,
                line.tracked, line.quantity, line.price, line.backordered, line.unallocated,
                line.fulfilled, line.cancelled, line.returned,
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


SALE = Document(
    "sales",
    decode=msgspec.json.Decoder(Sale).decode,
    key=lambda sale: (sale.sale_id,),
    revision=lambda sale: sale.revision,
    tables=(SALES, LINES, PAYMENTS),
    fill=_fill,
)
