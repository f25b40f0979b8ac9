"""Sales: one in full, or a list of the latest."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storage.lookups.answer import Answer, money, quantity
from storage.queries import query
from topics.codec import decode_sale
from topics.sales import Allocation, LineComponent, Sale, SaleFulfillment, SaleLine


class CustomerShown(Answer, frozen=True, kw_only=True):
    customer_id: str
    email: str | None
    name: str


class PaymentShown(Answer, frozen=True, kw_only=True):
    payment_id: str
    kind: str
    name: str
    amount: str
    processor: str | None
    transaction_id: str | None
    paid_at: datetime | None


class AllocationShown(Answer, frozen=True, kw_only=True):
    outlet_id: str
    quantity: Decimal


class ComponentShown(Answer, frozen=True, kw_only=True):
    sku: str
    product_id: str | None
    quantity: Decimal
    allocations: list[AllocationShown]
    unallocated: Decimal


class LineShown(Answer, frozen=True, kw_only=True):
    line_id: str
    sku: str
    name: str
    product_id: str | None
    quantity: Decimal
    price: str
    allocations: list[AllocationShown]
    backordered: Decimal
    unallocated: Decimal
    fulfilled: Decimal
    cancelled: Decimal
    returned: Decimal
    components: list[ComponentShown]


class PieceShown(Answer, frozen=True, kw_only=True):
    line_id: str
    sku: str
    quantity: Decimal


class FulfillmentShown(Answer, frozen=True, kw_only=True):
    fulfillment_id: str
    outlet_id: str
    type: str
    state: str
    lines: list[PieceShown]


class FlagShown(Answer, frozen=True, kw_only=True):
    kind: str
    detail: str
    line_id: str | None


class SaleShown(Answer, frozen=True, kw_only=True):
    """A sale in full."""

    sale_id: str
    order_id: str
    store_id: str
    revision: int
    cause: str
    state: str
    attributes: list[str]
    paid: bool
    payment_status: str
    fulfillment_status: str
    currency: str
    subtotal: str
    discount: str
    shipping: str
    tax: str
    rounding: str
    total: str
    amount_paid: str
    refunded: str
    customer: CustomerShown
    payments: list[PaymentShown]
    lines: list[LineShown]
    fulfillments: list[FulfillmentShown]
    flags: list[FlagShown]
    placed_at: datetime
    received_at: datetime
    processed_at: datetime
    recorded_at: datetime


class SaleListed(Answer, frozen=True, kw_only=True):
    """A sale in a list; `outlets` are those of its fulfilments."""

    sale_id: str
    store_id: str
    order_id: str
    revision: int
    cause: str
    state: str
    attributes: list[str]
    paid: bool
    currency: str
    total: str
    amount_paid: str
    customer_email: str | None
    customer_name: str
    placed_at: datetime
    outlets: list[str]


async def find_sale(connection: Any, store_id: str, order_id: str) -> SaleShown | None:
    """Return the sale of an order, None when there is none."""
    row = await connection.fetchrow(query("lookups.find_sale"), store_id, order_id)
    return None if row is None else _shown(decode_sale(row[0].encode()), row[1])


async def list_sales(
    connection: Any,
    *,
    store_id: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    customer_id: str | None = None,
    limit: int = 50,
) -> Sequence[SaleListed]:
    """Return sales, the last placed first."""
    rows = await connection.fetch(query("lookups.list_sales"), store_id, state, since, customer_id, limit)
    names = SaleListed.__struct_fields__
    return [
        SaleListed(
            **dict(zip(names, row, strict=True)) | {"total": money(row[9]), "amount_paid": money(row[10])}
        )
        for row in rows
    ]


def _shown(sale: Sale, recorded_at: datetime) -> SaleShown:
    customer = sale.customer
    return SaleShown(
        sale_id=sale.sale_id,
        order_id=sale.order_id,
        store_id=sale.store_id,
        revision=sale.revision,
        cause=sale.cause,
        state=sale.state,
        attributes=list(sale.attributes),
        paid=sale.paid,
        payment_status=sale.payment_status,
        fulfillment_status=sale.fulfillment_status,
        currency=sale.currency,
        subtotal=money(sale.subtotal),
        discount=money(sale.discount),
        shipping=money(sale.shipping),
        tax=money(sale.tax),
        rounding=money(sale.rounding),
        total=money(sale.total),
        amount_paid=money(sale.amount_paid),
        refunded=money(sale.refunded),
        customer=CustomerShown(customer_id=customer.customer_id, email=customer.email, name=customer.name),
        payments=[
            PaymentShown(
                payment_id=payment.payment_id,
                kind=payment.kind,
                name=payment.name,
                amount=money(payment.amount),
                processor=payment.processor,
                transaction_id=payment.transaction_id,
                paid_at=payment.paid_at,
            )
            for payment in sale.payments
        ],
        lines=[_line(line) for line in sale.lines],
        fulfillments=[_fulfillment(fulfillment) for fulfillment in sale.fulfillments],
        flags=[FlagShown(kind=flag.kind, detail=flag.detail, line_id=flag.line_id) for flag in sale.flags],
        placed_at=sale.placed_at,
        received_at=sale.received_at,
        processed_at=sale.processed_at,
        recorded_at=recorded_at,
    )


def _line(line: SaleLine) -> LineShown:
    return LineShown(
        line_id=line.line_id,
        sku=line.sku,
        name=line.name,
        product_id=line.product_id,
        quantity=quantity(line.quantity),
        price=money(line.price),
        allocations=_allocations(line.allocations),
        backordered=quantity(line.backordered),
        unallocated=quantity(line.unallocated),
        fulfilled=quantity(line.fulfilled),
        cancelled=quantity(line.cancelled),
        returned=quantity(line.returned),
        components=[_component(component) for component in line.components],
    )


def _component(component: LineComponent) -> ComponentShown:
    return ComponentShown(
        sku=component.sku,
        product_id=component.product_id,
        quantity=quantity(component.quantity),
        allocations=_allocations(component.allocations),
        unallocated=quantity(component.unallocated),
    )


def _allocations(allocations: Sequence[Allocation]) -> list[AllocationShown]:
    return [
        AllocationShown(outlet_id=allocation.outlet_id, quantity=quantity(allocation.quantity))
        for allocation in allocations
    ]


def _fulfillment(fulfillment: SaleFulfillment) -> FulfillmentShown:
    return FulfillmentShown(
        fulfillment_id=fulfillment.fulfillment_id,
        outlet_id=fulfillment.outlet_id,
        type=fulfillment.type,
        state=fulfillment.state,
        lines=[
            PieceShown(line_id=line.line_id, sku=line.sku, quantity=quantity(line.quantity))
            for line in fulfillment.lines
        ],
    )
