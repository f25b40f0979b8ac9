"""The shape of an order as E-Series sends it: the fields that are used, in its spelling."""

from decimal import Decimal
from typing import Any

import msgspec

from topics.decoders.lenient import Flag, Id, Mark, Number, Stamp, Text


class WireComponent(msgspec.Struct, rename="camel", gc=False):
    """A part of a bundle."""

    sku: Id = None
    quantity: Number = None


class WireItem(msgspec.Struct, rename="camel", gc=False):
    """A line."""

    id: Id = None
    sku: Id = None
    name: Text = None
    quantity: Number = None
    price: Number = None
    digital: Flag = None
    gift_card: Flag = None
    is_gift_card: Flag = None
    composite_components: list[WireComponent | None] | None = None


class WirePerson(msgspec.Struct, rename="camel", gc=False):
    """Who pays, or who receives."""

    name: Text = None
    first_name: Text = None
    last_name: Text = None


class WireShipping(msgspec.Struct, rename="camel", gc=False):
    """How it is handed over; absent when there is nothing to ship."""

    shipping_method_id: Id = None
    shipping_method_name: Text = None
    shipping_rate: Number = None
    is_pickup: Flag = None
    fulfillment_type: Text = None
    fulfilment_type: Text = None
    location_id: Id = None


class WireFee(msgspec.Struct, rename="camel", gc=False):
    value: Number = None


class WireSurcharge(msgspec.Struct, rename="camel", gc=False):
    """`total` is the amount; `value` is too, unless `type` says that it is a percentage."""

    total: Number = None
    value: Number = None
    type: Text = None


class WireRedemption(msgspec.Struct, rename="camel", gc=False):
    amount: Number = None
    cancelled: Flag = None


class WireTender(msgspec.Struct, rename="camel", gc=False):
    """What loyalty points or store credit paid: `redemption.amount`, or an amount of its own."""

    redemption: WireRedemption | int | Decimal | None = None
    redeemed: Number = None
    amount: Number = None


class WireRefund(msgspec.Struct, rename="camel", gc=False):
    amount: Number = None


class WireExternal(msgspec.Struct, rename="camel", gc=False):
    external_order_id: Id = None


class WireOrder(msgspec.Struct, rename="camel", gc=False):
    """An order snapshot as E-Series sends it: the fields that are used. Others are ignored."""

    id: Id = None
    vendor_order_number: Id = None
    order_number: Id = None
    event_type: Text = None
    count: Any = None
    offset: Any = None
    limit: Any = None
    payment_status: Text = None
    fulfillment_status: Text = None
    payment_method: Text = None
    payment_module: Text = None
    external_transaction_id: Id = None
    ext_transaction_id: Id = None
    external_order_id: Id = None
    external_order_data: WireExternal | None = None
    email: Text = None
    total: Number = None
    subtotal: Number = None
    discount: Number = None
    coupon_discount: Number = None
    tax: Number = None
    gift_card_redemption: Number = None
    store_credit: WireTender | int | Decimal | None = None
    loyalty: WireTender | int | Decimal | None = None
    refunded_amount: Number = None
    refunds: list[WireRefund | None] | None = None
    handling_fee: WireFee | None = None
    custom_surcharges: list[WireSurcharge | None] | None = None
    prices_include_tax: Flag = None
    create_date: Text = None
    create_timestamp: Stamp = None
    update_date: Text = None
    update_timestamp: Stamp = None
    billing_person: WirePerson | None = None
    shipping_person: WirePerson | None = None
    shipping_option: WireShipping | None = None
    items: list[WireItem | None] | None = None
    deleted: Mark = None
    deleted_at: Mark = None
    deleted_at_snake: Mark = msgspec.field(default=None, name="deleted_at")


class WireTax(msgspec.Struct, rename="camel", gc=False):
    include_in_price: Flag = None


class WireTaxedItem(msgspec.Struct, rename="camel", gc=False):
    taxes: list[WireTax | None] | None = None


class WireTaxed(msgspec.Struct, rename="camel", gc=False):
    """The same order, for those that do not say whether prices include tax."""

    items: list[WireTaxedItem | None] | None = None


class WireEnvelope(msgspec.Struct, rename="camel", gc=False):
    """The answer of a search: several orders in one record."""

    items: list[msgspec.Raw]
