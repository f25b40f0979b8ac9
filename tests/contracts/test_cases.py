"""The inputs of the reported faults (tests/fixtures/cases) are read or refused as they should be."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import FIXTURES, RECEIVED
from topics.decoders import (
    decode_inventory,
    decode_link,
    decode_orders,
    decode_pos_fulfillment,
    decode_pos_sale,
    decode_product,
    decode_profile,
)
from topics.errors import ContractError

CASES = {path.stem: path for path in sorted((FIXTURES / "cases").glob("*.json"))}
DECODERS: dict[str, Callable[[bytes | None], Any]] = {
    "ecom.orders": lambda value: decode_orders(value, RECEIVED)[0],
    "pos.inventory": decode_inventory,
    "pos.sales": decode_pos_sale,
    "pos.fulfillments": decode_pos_fulfillment,
    "pos.products": decode_product,
    "pos.customers": decode_profile,
    "store.links": decode_link,
}
REFUSED = {
    ("02-nan-level", 1): ("bad_number", "count"),
    ("03-dead-letter-too-big", 1): ("not_json", None),
    ("13-empty-values", 3): ("empty_record", None),
    ("13-empty-values", 4): ("empty_record", None),
    ("13-empty-values", 5): ("empty_record", None),  # the link's: the worker takes it for a removal
}
"""Every other record of every case is read."""


def value_of(record: Any) -> bytes | None:
    if "raw" in record:
        appended = "".join(part["append"] * part["times"] for part in record.get("repeat", ()))
        return (record["raw"] + appended).encode()
    return None if record["value"] is None else json.dumps(record["value"]).encode()


@pytest.mark.parametrize("case", CASES)
def test_each_record_is_read_or_refused_as_it_should_be(case: str) -> None:
    records = json.loads(CASES[case].read_text(encoding="utf-8"))["records"]
    for place, record in enumerate(records):
        try:
            DECODERS[record["topic"]](value_of(record))
            outcome = None
        except ContractError as refusal:
            outcome = (refusal.reason, refusal.field)
        assert outcome == REFUSED.get((case, place)), f"record {place}"


def test_there_are_all_cases() -> None:
    assert [name[:2] for name in CASES] == [f"{number:02}" for number in range(1, 15)]


def of(case: str, topic: str) -> list[Any]:
    records = json.loads(CASES[case].read_text(encoding="utf-8"))["records"]
    return [DECODERS[topic](value_of(record)) for record in records if record["topic"] == topic]


def test_one_line_returned_in_two_rows_stays_two_rows() -> None:
    acknowledged, returned = of("05-return-line-twice", "pos.sales")
    assert (acknowledged.source_id, returned.return_for) == ("RET05", "s-05")
    assert [(line.line_id, line.quantity, line.amount) for line in returned.lines] == [
        ("rl-05-a", -1, -10),
        ("rl-05-b", -1, -10),
    ]


def test_what_is_fulfilled_is_tied_to_the_row_of_the_acknowledgement() -> None:
    (fulfilled,) = of("06-returned-then-cancelled", "pos.fulfillments")
    acknowledged, returned = of("06-returned-then-cancelled", "pos.sales")
    assert (fulfilled.pos_sale_id, fulfilled.state) == (acknowledged.pos_sale_id, "fulfilled")
    assert [line.line_id for line in fulfilled.lines] == [line.line_id for line in acknowledged.lines]
    assert returned.return_for == acknowledged.pos_sale_id


def test_the_rounding_of_cash_is_told_from_the_cash() -> None:
    waiting, paid, returned = of("11-cash-rounding", "pos.sales")
    assert (waiting.state, waiting.handed_over, waiting.payments) == ("pending", False, ())
    assert (paid.state, paid.handed_over) == ("closed", True)
    for sale, total in ((paid, "9.98"), (returned, "-9.98")):
        assert [payment.rounding for payment in sale.payments] == [False, True]
        assert sum(payment.amount for payment in sale.payments) == Decimal(total)


def test_milliseconds_and_seconds_are_one_time() -> None:
    records = json.loads(CASES["10-milliseconds"].read_text(encoding="utf-8"))["records"]
    first, second = (DECODERS["ecom.orders"](value_of(record)) for record in records[1:])
    assert first.updated_at.isoformat() == "2026-02-25T09:00:00+00:00"
    assert first.version < second.version
