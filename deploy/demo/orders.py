"""A generated stream of eCom orders in the shape that E-Series sends (about 2.5 kB each), from a seed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import orjson

from deploy.demo.store import WARES, sku, ware_name

FIRST_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAMES = (
    "Aroha Ngata", "Zoë Brontë", "José Muñoz", "Łukasz Żak", "Søren Østergård", "Ανδρέας Παππάς",
    "Юлия Орлова", "李小龙", "山田太郎", "김민수", "นภา ใจดี", "محمد علي", "שרה כהן", "Nguyễn Thị Hoa",
    "O'Neil Smith", "Ada Quill",
)  # fmt: skip
METHODS: Sequence[tuple[str, str | None, str]] = (
    ("Credit or debit card", "Lightspeed Payments", "PAID"),
    ("Credit or debit card", "Stripe", "PAID"),
    ("PayPal", "PayPal", "PAID"),
    ("Bank deposit", None, "AWAITING_PAYMENT"),
    ("Pay at the counter", None, "AWAITING_PAYMENT"),
)
WEIGHTS = (45, 20, 15, 10, 10)
BUYERS = 1_000
"""Of each store, unless told; so there are first orders and later ones of the same customer."""


class Published(NamedTuple):
    """An order as it goes to the topic."""

    store_id: str
    order_id: str
    value: bytes


def _item(line_id: int, ware: int, quantity: int, price: float) -> dict[str, Any]:
    return {
        "id": line_id,
        "productId": 690_000_000 + ware,
        "categoryId": 0,
        "price": price,
        "priceWithoutTax": round(price / 1.15, 2),
        "productPrice": price,
        "sku": sku(ware),
        "quantity": quantity,
        "shortDescription": "",
        "tax": round(price - price / 1.15, 2),
        "shipping": 0,
        "quantityInStock": 0,
        "name": ware_name(ware),
        "nameTranslated": {"en": ware_name(ware)},
        "isShippingRequired": True,
        "weight": 0.4,
        "trackQuantity": True,
        "fixedShippingRateOnly": False,
        "fixedShippingRate": 0,
        "digital": False,
        "productAvailable": True,
        "couponApplied": False,
        "files": [],
        "taxes": [
            {
                "name": "GST",
                "value": 15,
                "total": round(price - price / 1.15, 2),
                "taxOnDiscountedSubtotal": round(price - price / 1.15, 2),
                "taxOnShipping": 0,
                "includeInPrice": True,
            }
        ],
        "dimensions": {"length": 0, "width": 0, "height": 0},
        "discounts": [],
        "discountsAllowed": True,
        "taxable": True,
        "giftCard": False,
        "isCustomerSetPrice": False,
        "attributes": [],
    }


def _price(ware: int) -> float:
    """Return a price; some end in cents that cash is rounded by."""
    return 10 + ware * 2.5 - (0.02 if ware % 2 else 0)


def _shipping(pickup: bool, chance: Random) -> dict[str, Any]:
    if not pickup:
        return {
            "shippingMethodId": "post-1",
            "shippingMethodName": "Post",
            "shippingRate": 5,
            "isPickup": False,
            "fulfillmentType": "SHIPPING",
        }
    option: dict[str, Any] = {
        "shippingMethodId": "pickup-1",
        "shippingMethodName": "Pick up in store",
        "shippingRate": 0,
        "isPickup": True,
        "fulfillmentType": "PICKUP",
        "pickupInstruction": "<p>Bring the confirmation with you.</p>",
    }
    if chance.random() < 0.5:
        option["locationId"] = "pickup-wellington"
    return option


def order(number: int, chance: Random, wares: int = len(WARES), buyers: int = BUYERS) -> tuple[str, bytes]:
    """Return the id and the JSON of order `number`, drawn from `chance`, of a store with so many of both."""
    order_id = f"D{number:07d}"
    placed = FIRST_DAY + timedelta(seconds=number)
    stamp, epoch = placed.strftime("%Y-%m-%d %H:%M:%S +0000"), int(placed.timestamp())
    person = chance.randrange(buyers)
    name = NAMES[person % len(NAMES)]
    bought = chance.sample(range(wares), chance.choices((1, 2, 3), (55, 30, 15))[0])
    items = [
        _item(number * 10 + place, ware, chance.choices((1, 2, 4), (80, 15, 5))[0], _price(ware))
        for place, ware in enumerate(bought, start=1)
    ]
    method, module, status = chance.choices(METHODS, WEIGHTS)[0]
    shipping = _shipping(chance.random() < 0.2, chance)
    subtotal = round(sum(item["price"] * item["quantity"] for item in items), 2)
    address = {
        "name": name,
        "companyName": "",
        "street": f"{person} Harbour Street",
        "city": "Auckland",
        "countryCode": "NZ",
        "countryName": "New Zealand",
        "postalCode": "1010",
        "stateOrProvinceCode": "AUK",
        "phone": "+64 9 000 0000",
    }
    payload: dict[str, Any] = {
        "id": order_id,
        "internalId": 480_000_000 + number,
        "refundedAmount": 0,
        "subtotal": subtotal,
        "total": round(subtotal + shipping["shippingRate"], 2),
        "giftCardRedemption": 0,
        "totalBeforeGiftCardRedemption": round(subtotal + shipping["shippingRate"], 2),
        "email": f"buyer{person}@example.com",
        "paymentMethod": method,
        "tax": round(subtotal - subtotal / 1.15, 2),
        "customerTaxExempt": False,
        "b2b_b2c": "b2c",
        "ipAddress": "203.0.113.10",
        "couponDiscount": 0,
        "paymentStatus": status,
        "fulfillmentStatus": "AWAITING_PROCESSING",
        "orderNumber": 480_000_000 + number,
        "vendorOrderNumber": order_id,
        "publicUid": order_id,
        "refererUrl": "https://shop.example.com/products/",
        "orderComments": "",
        "volumeDiscount": 0,
        "customerId": 70_000_000 + person,
        "membershipBasedDiscount": 0,
        "discount": 0,
        "usdTotal": subtotal * 0.5912345,
        "createDate": stamp,
        "updateDate": stamp,
        "createTimestamp": epoch,
        "updateTimestamp": epoch,
        "items": items,
        "refunds": [],
        "billingPerson": address,
        "shippingPerson": address,
        "shippingOption": shipping,
        "handlingFee": {"value": 0},
        "additionalInfo": {},
        "paymentParams": {},
        "extraFields": {},
        "hidden": False,
        "taxesOnShipping": [],
        "pricesIncludeTax": True,
    }
    if module is not None:
        payload["paymentModule"] = module
    return order_id, orjson.dumps(payload)


def stream(
    count: int,
    stores: Sequence[str],
    seed: int = 1,
    *,
    first: int = 1,
    wares: int = len(WARES),
    buyers: int = BUYERS,
) -> Iterator[Published]:
    """Yield `count` orders over `stores`, numbered from `first`; the same seed gives the same orders."""
    chance = Random(seed)  # noqa: S311 - a reproducible stream, not a secret
    for number in range(first, first + count):
        order_id, value = order(number, chance, wares, buyers)
        yield Published(chance.choice(stores), order_id, value)
