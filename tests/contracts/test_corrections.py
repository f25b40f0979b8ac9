"""`stock.corrections`: an operator's order to put a level right."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.contracts.payloads import raw
from topics import codec
from topics.corrections import Correction, LedgerLevel
from topics.decoders import decode_correction
from topics.errors import ContractError

CORRECTION: dict[str, Any] = {
    "correction_id": "c-1",
    "product_id": "p-shirt",
    "outlet_id": "o1",
    "revision": 12,
    "on_hand": "-3",
    "allocated": "1.5",
    "ledger": {"revision": 14, "on_hand": "7", "awaiting": "2"},
    "reason": "a delivery was counted twice",
    "operator": "ada@till-1",
}


def test_a_correction_says_what_to_raise_which_level_by_and_what_it_was_computed_against() -> None:
    assert decode_correction(raw(CORRECTION)) == Correction(
        correction_id="c-1",
        product_id="p-shirt",  # type: ignore[arg-type]
        outlet_id="o1",  # type: ignore[arg-type]
        revision=12,
        on_hand=Decimal(-3),
        allocated=Decimal("1.5"),
        ledger=LedgerLevel(revision=14, on_hand=Decimal(7), awaiting=Decimal(2)),
        reason="a delivery was counted twice",
        operator="ada@till-1",
    )


def test_what_is_written_is_read_as_it_was() -> None:
    written = decode_correction(raw(CORRECTION))
    assert decode_correction(codec.encode(written)) == written
    assert msgspec.json.decode(codec.encode(written), type=Correction) == written


@pytest.mark.parametrize("field", ["correction_id", "product_id", "outlet_id", "revision"])
def test_a_correction_without_its_level_or_revision_is_refused(field: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_correction(raw({name: value for name, value in CORRECTION.items() if name != field}))
    assert (caught.value.reason, caught.value.field) == ("missing_field", field)


@pytest.mark.parametrize("revision", [-1, 2**31 - 1])
def test_a_revision_that_no_level_can_have_is_refused(revision: int) -> None:
    for field, payload in (
        ("revision", CORRECTION | {"revision": revision}),
        ("ledger.revision", CORRECTION | {"ledger": {"revision": revision}}),
    ):
        with pytest.raises(ContractError) as caught:
            decode_correction(raw(payload))
        assert (caught.value.reason, caught.value.field) == ("bad_number", field)
