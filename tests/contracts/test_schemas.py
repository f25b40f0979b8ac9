"""The published JSON Schemas are those of the types."""

import json
from typing import Any

import pytest

from tests.contracts.payloads import fixture, order
from topics.registry import BY_NAME, TOPICS, Topic
from topics.schemas import FOLDER, files, schema_of

ORDERS = ["orders/shipped-by-post.json", "orders/old-spellings.json", "orders/digital.json"]


def test_the_files_are_up_to_date() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert committed == files(), "run `python -m topics.schemas` and commit what it wrote"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_reference_leads_somewhere(topic: Topic) -> None:
    schema = schema_of(topic)

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                assert reference.removeprefix("#/$defs/") in schema["$defs"]
            for inner in node.values():
                check(inner)
        elif isinstance(node, list):
            for inner in node:
                check(inner)

    check(schema)


def accepts(schema: Any, value: Any, root: Any) -> bool:
    """Tell whether the value is of the schema, as far as our own schemas go: types, choices, references."""
    if "$ref" in schema:
        return accepts(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, root)
    if "anyOf" in schema and not any(accepts(choice, value, root) for choice in schema["anyOf"]):
        return False
    if not all(accepts(part, value, root) for part in schema.get("allOf", ())):
        return False
    kinds = schema.get("type", [])
    if kinds and not any(is_of(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return False
    if isinstance(value, dict):
        if not all(field in value for field in schema.get("required", ())):
            return False
        return all(
            accepts(inner, value[field], root)
            for field, inner in schema.get("properties", {}).items()
            if field in value
        )
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            return False
        return all(accepts(schema.get("items", {}), inner, root) for inner in value)
    return True


def is_of(kind: str, value: Any) -> bool:
    python = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    if kind in python:
        return isinstance(value, python[kind])
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (kind == "number" or float(value).is_integer())


@pytest.mark.parametrize("name", [*ORDERS, "orders/search-answer.json"])
def test_the_order_schema_takes_every_spelling(name: str) -> None:
    schema = schema_of(next(topic for topic in TOPICS if topic.name == "ecom.orders"))
    assert accepts(schema, fixture(name), schema)


@pytest.mark.parametrize("changes", [{"total": True}, {"items": {"id": 1}}, {"shippingPerson": ["x"]}])
def test_the_order_schema_refuses_what_the_decoder_refuses(changes: Any) -> None:
    schema = schema_of(next(topic for topic in TOPICS if topic.name == "ecom.orders"))
    assert not accepts(schema, order(**changes), schema)


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        *(("pos.sales", f"sale-{shape}") for shape in ("webhook", "api-2.0", "2026-07")),
        *(("pos.sales", f"sale-return-{shape}") for shape in ("api-2.0", "2026-07")),
        ("pos.fulfillments", "fulfillment"),
    ],
)
def test_the_schemas_of_the_point_of_sale_take_every_generation(topic: str, name: str) -> None:
    schema = schema_of(BY_NAME[topic])
    payload = fixture(f"pos/{name}.json")
    assert accepts(schema, payload.get("data", payload), schema)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("pos.sales", {"id": "s"}),
        ("pos.sales", {"id": "s", "state": "closed", "line_items": [{"tax": True}]}),
        ("pos.sales", {"id": "s", "state": "closed", "source": ["x"]}),
        ("pos.fulfillments", {"id": "f", "version": 3}),
    ],
)
def test_the_schemas_of_the_point_of_sale_refuse_what_the_decoders_refuse(topic: str, payload: Any) -> None:
    schema = schema_of(BY_NAME[topic])
    assert not accepts(schema, payload, schema)


def test_the_order_schema_takes_a_thin_deletion() -> None:
    schema = schema_of(BY_NAME["ecom.orders"])
    assert accepts(schema, {"id": "TS-1001", "deleted": True}, schema)
    assert not accepts(schema, {"id": "TS-1001"}, schema)


def test_a_schema_names_its_event_type() -> None:
    assert json.loads((FOLDER / "sales.json").read_text())["x-ce-type"] == "tillstream.sale.changed.v1"
