"""JSON Schemas of every topic's messages, made from the types; the files beside this module are published."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from topics.codec import CE_TYPES, EVENTS
from topics.decoders import lenient
from topics.decoders.corrections import WireCorrection
from topics.decoders.inventory import WireLevel
from topics.decoders.links import MAX_PRECISION
from topics.decoders.order_wire import WireEnvelope, WireOrder, WireTax, WireTaxed, WireTaxedItem
from topics.decoders.pos_fulfillments import WireFulfillment
from topics.decoders.pos_sale_wire import WireSale
from topics.decoders.products import WireProduct
from topics.decoders.profiles import WireProfile
from topics.registry import TOPICS, Topic
from topics.statuses import FULFILLMENT_STATUSES, PAYMENT_STATUSES

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_DELETED = ("deleted", "deletedAt", "deleted_at")
_EMPTY_LIST: Schema = {"type": "array", "maxItems": 0}
_NUMBER: Schema = {
    "type": ["number", "string", "null"],
    "description": "finite, below 10^12 in size, at most 12 decimals; also as text",
}
_LEAVES: dict[frozenset[type], Schema] = {
    frozenset({str}): {"type": ["string", "number", "null"]},
    frozenset({str, int}): {"type": ["string", "integer", "null"]},
    frozenset({int, Decimal}): _NUMBER,
    frozenset({bool}): {"type": ["boolean", "string", "integer", "null"]},
    frozenset({int}): {"type": ["integer", "string", "null"]},
    frozenset({int, float}): {
        "type": ["number", "string", "null"],
        "description": "seconds since 1970, or milliseconds from 10^11 up",
    },
    frozenset({str, bool, int}): {"type": ["string", "boolean", "integer", "null"]},
}


def _tolerant(annotation: Any, found: dict[str, Schema]) -> Schema:
    """Return what a field of a wire shape accepts; the shapes it refers to are added to `found`."""
    if annotation is Any:
        return {}
    kinds = lenient.members(annotation)
    shapes = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    if not shapes and (leaf := _LEAVES.get(frozenset(kind for kind in kinds if isinstance(kind, type)))):
        return leaf
    if get_origin(kinds[0]) is list:
        return {"type": ["array", "null"], "items": _tolerant(get_args(kinds[0])[0], found)}
    _shape(shapes[0], found)
    choices = [{"$ref": f"#/$defs/{shapes[0].__name__}"}, {"type": "null"}, _EMPTY_LIST]
    others = [kind for kind in kinds if kind is not shapes[0]]
    return {"anyOf": [*choices, _LEAVES[frozenset(others)]] if others else choices}


def _shape(shape: type[msgspec.Struct], found: dict[str, Schema]) -> None:
    if shape.__name__ in found:
        return
    schema = found[shape.__name__] = {"type": "object", "additionalProperties": True}
    if own := shape.__dict__.get("__doc__"):
        schema["description"] = _sentence(own)
    schema["properties"] = {
        field.encode_name: _tolerant(field.type, found) for field in msgspec.structs.fields(shape)
    }


def _sentence(doc: str) -> str:
    return " ".join(doc.split())


def _inbound(shape: type[msgspec.Struct], title: str, about: str, required: list[list[str]]) -> Schema:
    """Return the schema of a tolerant inbound shape; of each list in `required` one field must be there."""
    found: dict[str, Schema] = {}
    _shape(shape, found)
    own = found.pop(shape.__name__)
    own["title"] = title
    own["description"] = about
    own["allOf"] = [{"anyOf": [{"required": [name]} for name in names]} for names in required]
    return {"$schema": DIALECT, **own, "$defs": found}


def _orders() -> Schema:
    order = _inbound(
        WireOrder,
        "Order",
        "An order snapshot as E-Series sends it: the fields that are used, others are ignored. Without"
        " pricesIncludeTax it is read from items[].taxes[].includeInPrice. One that is deleted may be thin.",
        [["id", "vendorOrderNumber", "orderNumber"], ["items", *_DELETED], ["total", *_DELETED]],
    )
    taxes: dict[str, Schema] = {}
    _shape(WireTaxed, taxes)
    definitions = order.pop("$defs")
    definitions["WireItem"]["properties"] |= taxes[WireTaxedItem.__name__]["properties"]
    definitions[WireTax.__name__] = taxes[WireTax.__name__]
    definitions["WireItem"]["required"] = ["id", "quantity"]
    order.pop("$schema")
    for envelope_field in ("count", "offset", "limit", "eventType"):
        order["properties"].pop(envelope_field)
    envelope: Schema = {
        "title": "Search answer",
        "description": _sentence(WireEnvelope.__doc__ or ""),
        "type": "object",
        "required": ["items", "count"],
        "properties": {
            **dict.fromkeys(("total", "count", "offset", "limit"), _NUMBER),
            "items": {"type": "array", "items": {"$ref": "#/$defs/Order"}},
        },
    }
    return {
        "$schema": DIALECT,
        "title": "ecom.orders",
        "anyOf": [{"$ref": "#/$defs/Order"}, {"$ref": "#/$defs/Envelope"}],
        "$defs": {"Order": order, "Envelope": envelope, **definitions},
    }


def _stands_for(known: tuple[str, ...]) -> Schema:
    means: Schema = {"type": ["string", "null"], "description": f"in any case: {', '.join(known)}"}
    return {
        "description": "which known status a custom one of the online store stands for",
        "anyOf": [{"type": "object", "additionalProperties": means}, {"type": "null"}, _EMPTY_LIST],
    }


def _links() -> Schema:
    text: Schema = {"type": ["string", "null"]}
    flag = _LEAVES[frozenset({bool})]
    outlet_id = _LEAVES[frozenset({str, int})]
    outlet_of: Schema = {
        "anyOf": [{"type": "object", "additionalProperties": outlet_id}, {"type": "null"}, _EMPTY_LIST]
    }
    outlet: Schema = {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": outlet_id,
            "name": text,
            "connected": flag | {"description": "sells online; true when absent"},
            "priority": {"type": ["integer", "string", "null"], "description": "lower goes first"},
            "safety_stock": _NUMBER,
        },
    }
    processor: Schema = {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["name"], "properties": {"name": text, "reversal": flag}},
        ]
    }
    by_name: Schema = {
        "type": "object",
        "additionalProperties": {
            "anyOf": [flag, {"type": "object", "properties": {"reversal": flag}}, _EMPTY_LIST]
        },
    }
    return {
        "$schema": DIALECT,
        "title": "StoreLink",
        "description": "How a store is joined to its point of sale; a record without a value removes it.",
        "type": "object",
        "required": ["currency"],
        "properties": {
            "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
            "currency_precision": {
                "type": ["integer", "string", "null"],
                "minimum": 0,
                "maximum": MAX_PRECISION,
                "description": "decimals of an amount; the currency's own when absent",
            },
            "time_zone": text,
            "register": outlet_id,
            "outlets": {"type": ["array", "null"], "items": outlet},
            "shipping_methods": outlet_of,
            "locations": outlet_of,
            "processors": {
                "description": "payment processors that count as integrated; absent: all that orders name",
                "anyOf": [{"type": "null"}, {"type": "array", "items": processor}, by_name],
            },
            "offline_payment": {"enum": ["unpaid", "as_recorded", None]},
            "oversell": {"enum": ["allow", "restrict", None]},
            "payment_statuses": _stands_for(PAYMENT_STATUSES),
            "fulfillment_statuses": _stands_for(FULFILLMENT_STATUSES),
            "levels_include_open_orders": flag,
            "policy": text,
        },
    }


def schema_of(topic: Topic) -> Schema:
    """Return the JSON Schema of the topic's messages."""
    if topic.direction == "out":
        kind = EVENTS[topic.name]
        schema: Schema = {"$schema": DIALECT, **msgspec.json.schema(kind)}
        schema["x-ce-type"] = CE_TYPES[kind]
        return schema
    shape: type[msgspec.Struct]
    match topic.name:
        case "ecom.orders":
            return _orders()
        case "store.links":
            return _links()
        case "pos.inventory":
            shape, required = (
                WireLevel,
                [
                    ["product_id", "product"],
                    ["outlet_id", "outlet"],
                    ["count", "inventory_level", "current_inventory_level"],
                ],
            )
            about = (
                "An absolute stock count, in any of three generations: count, inventory_level,"
                ' current_inventory_level. Bare, or in {"data": …}.'
            )
        case "pos.sales":
            shape, required = WireSale, [["id"], ["state", "status", "deleted_at"]]
            about = (
                "A sale of the point of sale, whole, as webhooks, API 2.0 or the dated API (2026-07) have it."
                " A negative quantity came back, a negative payment went back to the customer."
                ' Bare, or in {"data": …}.'
            )
        case "pos.fulfillments":
            shape, required = (
                WireFulfillment,
                [[name] for name in ("id", "sale_id", "outlet_id", "type", "state", "line_items")],
            )
            about = (
                "A fulfilment of the point of sale, whole, with quantities that may be text."
                ' Bare, or in {"data": …}.'
            )
        case "pos.products":
            shape, required = WireProduct, [["id"]]
            about = 'A product of the point of sale, bare or in {"data": …}.'
        case "pos.customers":
            shape, required = WireProfile, [["id"]]
            about = 'A customer profile of the point of sale, bare or in {"data": …}.'
        case "stock.corrections":
            shape, required = (
                WireCorrection,
                [[name] for name in ("correction_id", "product_id", "outlet_id", "revision")],
            )
            about = (
                "An operator's order to put a stock level right. It applies once, and only while the level is"
                " at that revision. `ledger` is the level as its movements add up to it, where that differs."
            )
        case _:
            raise LookupError(f"no schema is known for topic {topic.name!r}")
    return _inbound(shape, topic.message, about, required)


def files() -> dict[str, str]:
    """Return every schema file's name and its text."""
    return {
        topic.schema: json.dumps(schema_of(topic), indent=2, ensure_ascii=False) + "\n"
        for topic in TOPICS
        if topic.schema is not None
    }
