"""One sale in full: what was ordered, paid, handed over, brought back and given back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from storage.lookups.answer import Answer, money, quantity
from storage.lookups.returns import RefundShown, ReturnShown, shown_refund, shown_return
from storage.queries import query
from topics.codec import decode_sale
from topics.sales import Allocation, LineComponent, Payment, Sale, SaleFulfillment, SaleLine


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
    """Pieces that an outlet is still to hand over; `taken` of them are off the point of sale's own level."""

    outlet_id: str
    quantity: Decimal
    taken: Decimal


class ComponentShown(Answer, frozen=True, kw_only=True):
    sku: str
    product_id: str | None
    quantity: Decimal
    allocations: list[AllocationShown]
    unallocated: Decimal
    fulfilled: Decimal
    cancelled: Decimal
    withdrawn: Decimal
    returned: Decimal


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
    withdrawn: Decimal
    returned: Decimal
    recalled: Decimal
    components: list[ComponentShown]


class PieceShown(Answer, frozen=True, kw_only=True):
    line_id: str
    sku: str
    quantity: Decimal
    picked: Decimal
    packed: Decimal
    fulfilled: Decimal


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
    """A sale in full. `refunded` is the more of `refunded_in_ecom` and the sum of `refunds`."""

    sale_id: str
    order_id: str
    store_id: str
    pos_sale_id: str | None
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
    refunded_in_ecom: str
    customer: CustomerShown
    payments: list[PaymentShown]
    lines: list[LineShown]
    fulfillments: list[FulfillmentShown]
    returns: list[ReturnShown]
    refunds: list[RefundShown]
    flags: list[FlagShown]
    placed_at: datetime
    received_at: datetime
    processed_at: datetime
    recorded_at: datetime


async def find_sale(connection: Any, store_id: str, order_id: str) -> SaleShown | None:
    """Return the sale of an order, None when there is none."""
    row = await connection.fetchrow(query("lookups.find_sale"), store_id, order_id)
    return None if row is None else _shown(decode_sale(row[0].encode()), row[1])


def _shown(sale: Sale, recorded_at: datetime) -> SaleShown:
    customer = sale.customer
    return SaleShown(
        sale_id=sale.sale_id,
        order_id=sale.order_id,
        store_id=sale.store_id,
        pos_sale_id=sale.pos_sale_id,
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
        refunded_in_ecom=money(sale.refunded_in_ecom),
        customer=CustomerShown(customer_id=customer.customer_id, email=customer.email, name=customer.name),
        payments=[_payment(payment) for payment in sale.payments],
        lines=[_line(line) for line in sale.lines],
        fulfillments=[_fulfillment(fulfillment) for fulfillment in sale.fulfillments],
        returns=[shown_return(back) for back in sale.returns],
        refunds=[shown_refund(refund) for refund in sale.refunds],
        flags=[FlagShown(kind=flag.kind, detail=flag.detail, line_id=flag.line_id) for flag in sale.flags],
        placed_at=sale.placed_at,
        received_at=sale.received_at,
        processed_at=sale.processed_at,
        recorded_at=recorded_at,
    )


def _payment(payment: Payment) -> PaymentShown:
    return PaymentShown(
        payment_id=payment.payment_id,
        kind=payment.kind,
        name=payment.name,
        amount=money(payment.amount),
        processor=payment.processor,
        transaction_id=payment.transaction_id,
        paid_at=payment.paid_at,
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
        withdrawn=quantity(line.withdrawn),
        returned=quantity(line.returned),
        recalled=quantity(line.recalled),
        components=[_component(component) for component in line.components],
    )


def _component(component: LineComponent) -> ComponentShown:
    return ComponentShown(
        sku=component.sku,
        product_id=component.product_id,
        quantity=quantity(component.quantity),
        allocations=_allocations(component.allocations),
        unallocated=quantity(component.unallocated),
        fulfilled=quantity(component.fulfilled),
        cancelled=quantity(component.cancelled),
        withdrawn=quantity(component.withdrawn),
        returned=quantity(component.returned),
    )


def _allocations(allocations: Sequence[Allocation]) -> list[AllocationShown]:
    return [
        AllocationShown(
            outlet_id=allocation.outlet_id,
            quantity=quantity(allocation.quantity),
            taken=quantity(allocation.taken),
        )
        for allocation in allocations
    ]


def _fulfillment(fulfillment: SaleFulfillment) -> FulfillmentShown:
    return FulfillmentShown(
        fulfillment_id=fulfillment.fulfillment_id,
        outlet_id=fulfillment.outlet_id,
        type=fulfillment.type,
        state=fulfillment.state,
        lines=[
            PieceShown(
                line_id=line.line_id,
                sku=line.sku,
                quantity=quantity(line.quantity),
                picked=quantity(line.picked),
                packed=quantity(line.packed),
                fulfilled=quantity(line.fulfilled),
            )
            for line in fulfillment.lines
        ],
    )
