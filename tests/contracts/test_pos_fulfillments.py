"""`pos.fulfillments`: what the shop has picked, packed and handed over (DOMAIN 2)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.payloads import changed, fixture, raw
from topics.decoders import decode_pos_fulfillment
from topics.errors import ContractError
from topics.pos_fulfillments import PosFulfillment, PosFulfillmentLine


def decoded(payload: Any) -> PosFulfillment:
    return decode_pos_fulfillment(raw(payload))


def fulfillment(**changes: Any) -> Any:
    plain = {
        "id": "f",
        "sale_id": "s",
        "outlet_id": "o",
        "type": "PICKUP",
        "state": "OPEN",
        "line_items": [line()],
    }
    return changed(plain, changes)


def line(**changes: Any) -> Any:
    return changed({"sale_line_item_id": "l", "product_id": "p", "quantity": "3.00000"}, changes)


def test_a_fulfilment_is_read_whole() -> None:
    assert decoded(fixture("pos/fulfillment.json")) == PosFulfillment(
        pos_fulfillment_id="7428951063847291856",
        pos_sale_id="66666666-0000-11f0-a001-000000000001",
        outlet_id="33333333-cccc-11e9-e989-000000000001",
        type="DISPATCH",
        state="in_progress",
        version=3,
        updated_at=datetime(2026, 3, 2, 9, 15, tzinfo=UTC),
        lines=(
            PosFulfillmentLine(
                line_id="l-1",
                product_id="11111111-aaaa-11e6-e986-000000000001",
                quantity=Decimal(2),
                picked=Decimal(2),
                packed=Decimal(1),
            ),
            PosFulfillmentLine(
                line_id="l-2",
                product_id="11111111-aaaa-11e6-e986-000000000002",
                quantity=Decimal(1),
                picked=Decimal(1),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("OPEN", "new"),
        ("STARTED", "in_progress"),
        ("PICKED", "in_progress"),
        ("PACKED", "packed"),
        ("FULFILLED", "fulfilled"),
        (" fulfilled", "fulfilled"),
    ],
)
def test_a_state_in_the_words_of_the_screen(word: str, state: str) -> None:
    assert decoded(fulfillment(state=word)).state == state


@pytest.mark.parametrize(
    ("word", "kind"),
    [("PICKUP", "PICKUP"), ("DISPATCH", "DISPATCH"), ("dispatch", "DISPATCH"), ("SERVICE", "PICKUP")],
)
def test_a_type_in_any_case(word: str, kind: str) -> None:
    assert decoded(fulfillment(type=word)).type == kind


@pytest.mark.parametrize("absent", [..., None, ""])
def test_of_a_fulfilment_that_is_done_all_is_done_that_a_line_does_not_tell(absent: Any) -> None:
    (found,) = decoded(fulfillment(state="FULFILLED", line_items=[line(fulfilled_quantity=absent)])).lines
    assert (found.picked, found.packed, found.fulfilled) == (3, 3, 3)
    (found,) = decoded(fulfillment(state="PACKED", line_items=[line(fulfilled_quantity=absent)])).lines
    assert (found.picked, found.packed, found.fulfilled) == (0, 0, 0)


@pytest.mark.parametrize("fulfilled", [1, "1.00000", "0", 0])
def test_what_a_line_tells_counts(fulfilled: Any) -> None:
    (found,) = decoded(fulfillment(state="FULFILLED", line_items=[line(fulfilled_quantity=fulfilled)])).lines
    assert found.fulfilled == Decimal(fulfilled)


def test_a_line_may_be_known_by_its_product_or_by_its_row_alone() -> None:
    found = decoded(fulfillment(line_items=[line(sale_line_item_id=None), line(product_id=None), None]))
    assert [(row.line_id, row.product_id) for row in found.lines] == [(None, "p"), ("l", None)]


def test_a_fulfilment_needs_no_version_and_no_time() -> None:
    found = decoded(fulfillment())
    assert (found.version, found.updated_at) == (None, None)


def test_a_fulfilment_may_have_no_lines_left() -> None:
    assert decoded(fulfillment(line_items=[])).lines == ()
    assert decoded(fulfillment(line_items={})).lines == ()


@pytest.mark.parametrize(
    ("payload", "reason", "field"),
    [
        *(
            (fulfillment(**{name: ...}), "missing_field", name)
            for name in ("id", "sale_id", "outlet_id", "type", "state", "line_items")
        ),
        (fulfillment(state=" "), "missing_field", "state"),
        (fulfillment(state="LOST"), "bad_value", "state"),
        (fulfillment(type="DRONE"), "bad_value", "type"),
        (fulfillment(line_items=[line(quantity=None)]), "missing_field", "line_items[0].quantity"),
        (fulfillment(line_items=[line(quantity=-1)]), "bad_number", "line_items[0].quantity"),
        (
            fulfillment(line_items=[line(picked_quantity="-0.5")]),
            "bad_number",
            "line_items[0].picked_quantity",
        ),
        (
            fulfillment(line_items=[line(sale_line_item_id=None, product_id="")]),
            "missing_field",
            "line_items[0].sale_line_item_id",
        ),
        (fulfillment(line_items="l"), "wrong_type", "line_items"),
        (
            fulfillment(line_items=[{"quantity": "many", "product_id": "p"}]),
            "bad_number",
            "line_items[0].quantity",
        ),
        (fulfillment(updated_at="soon"), "bad_date", "updated_at"),
        (fulfillment(version="1.5"), "bad_number", "version"),
        (fulfillment(sale_id="s" * 256), "too_long", "sale_id"),
        ({"data": fulfillment(id=...)}, "missing_field", "data.id"),
        ({"id": "7428951063847291856", "version": 3}, "missing_field", "state"),
    ],
)
def test_a_fulfilment_that_cannot_be_used_is_refused_by_its_field(
    payload: Any, reason: str, field: str
) -> None:
    with pytest.raises(ContractError) as caught:
        decoded(payload)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_word_that_is_not_known_is_answered_with_those_that_are() -> None:
    with pytest.raises(ContractError) as caught:
        decoded(fulfillment(state="LOST"))
    assert caught.value.detail == 'state: not one of OPEN, STARTED, PICKED, PACKED, FULFILLED: "LOST"'
