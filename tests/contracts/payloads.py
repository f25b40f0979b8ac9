"""Payloads in the real shapes, with names and ids of our own; the fixtures as Python values."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECEIVED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""The Kafka timestamp of the records in these tests."""

Payload = dict[str, Any]


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def order(**changes: Any) -> Payload:
    """Return the fixture's order with top-level fields changed; a change to `...` takes the field out."""
    return changed(fixture("orders/shipped-by-post.json"), changes)


def item(**changes: Any) -> Payload:
    first: Payload = fixture("orders/shipped-by-post.json")["items"][0]
    return changed(first, changes)


def changed(payload: Payload, changes: Payload) -> Payload:
    payload = deepcopy(payload)
    for field, value in changes.items():
        if value is ...:
            payload.pop(field, None)
        else:
            payload[field] = value
    return payload


def raw(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()
