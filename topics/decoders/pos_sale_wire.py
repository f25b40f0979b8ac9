"""The shape of a sale as the point of sale sends it: the fields that are used, in every spelling."""

from decimal import Decimal

import msgspec

from topics.decoders.lenient import Id, Mark, Number, Text, Whole


class WireTaxOf(msgspec.Struct, gc=False):
    """The tax of a line from 2026-07 on: `amount` for one piece, `total` for all."""

    amount: Number = None
    total: Number = None


class WirePricing(msgspec.Struct, gc=False):
    """The price of a line from 2026-07 on, without tax: `price` of one piece, `total` of all."""

    price: Number = None
    total: Number = None


class WireLineProduct(msgspec.Struct, gc=False):
    id: Id = None


class WireLine(msgspec.Struct, gc=False):
    """A line. `tax` is an object from 2026-07 on, the tax of one piece before."""

    id: Id = None
    product_id: Id = None
    product: WireLineProduct | None = None
    quantity: Number = None
    price: Number = None
    unit_price: Number = None
    price_total: Number = None
    total_price: Number = None
    pricing: WirePricing | None = None
    tax: WireTaxOf | int | Decimal | None = None
    unit_tax: Number = None
    tax_total: Number = None
    total_tax: Number = None


class WirePaymentType(msgspec.Struct, gc=False):
    """What kind of tender it is; a shop's own kind names the general one as `payment_type_id`."""

    id: Id = None
    name: Text = None
    payment_type_id: Id = None


class WirePayment(msgspec.Struct, gc=False):
    """A tender. `type`, `date` and `deleted_at` are of 2026-07, the rest of the generations before."""

    id: Id = None
    name: Text = None
    amount: Number = None
    payment_type_id: Id = None
    payment_type: WirePaymentType | None = None
    retailer_payment_type: WirePaymentType | None = None
    type: WirePaymentType | None = None
    payment_date: Text = None
    date: Text = None
    deleted_at: Mark = None


class WireSource(msgspec.Struct, gc=False):
    """Where a sale was made from 2026-07 on; before, `source` is but a word."""

    id: Id = None
    outlet_id: Id = None


class WireReturn(msgspec.Struct, gc=False):
    original_sale_id: Id = None


class WireMetadata(msgspec.Struct, gc=False):
    version: Whole = None


class WireSale(msgspec.Struct, gc=False):
    """A sale as webhooks, API 2.0 and the dated API send it: the fields that are used. Others are ignored."""

    id: Id = None
    status: Text = None
    state: Text = None
    attributes: list[Text] | None = None
    register_sale_attributes: list[Text] | None = None
    outlet_id: Id = None
    source: WireSource | str | None = None
    source_id: Id = None
    return_for: Id = None
    returns: WireReturn | None = msgspec.field(default=None, name="return")
    version: Whole = None
    metadata: WireMetadata | None = msgspec.field(default=None, name="_metadata")
    updated_at: Text = None
    deleted_at: Mark = None
    line_items: list[WireLine | None] | None = None
    register_sale_products: list[WireLine | None] | None = None
    payments: list[WirePayment | None] | None = None
    register_sale_payments: list[WirePayment | None] | None = None
