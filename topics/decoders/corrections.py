"""`stock.corrections`: from an operator's document to a `Correction`, which is our own spelling."""

import msgspec

from topics.corrections import Correction, LedgerLevel
from topics.decoders import record
from topics.decoders.lenient import Id, Number, Text, Whole
from topics.errors import ContractError, shown
from topics.ids import OutletId, ProductId
from topics.numbers import ZERO, exact

LARGEST_REVISION = 2**31 - 2
"""Revisions are 32-bit numbers in the history, and the next one must still be."""


class WireLedger(msgspec.Struct, gc=False):
    """The level as its movements add up to it, where that is not the level."""

    revision: Whole = None
    on_hand: Number = None
    allocated: Number = None
    awaiting: Number = None


class WireCorrection(msgspec.Struct, gc=False):
    """What a level is to be raised by (signed), and the level's revision that this was computed against."""

    correction_id: Id = None
    product_id: Id = None
    outlet_id: Id = None
    revision: Whole = None
    on_hand: Number = None
    allocated: Number = None
    awaiting: Number = None
    ledger: WireLedger | None = None
    reason: Text = None
    operator: Text = None


CORRECTION = record.Shape(WireCorrection)


def decode_correction(value: bytes | None) -> Correction:
    """Return the record's correction; ContractError when it does not say which level, at which revision."""
    return record.read(value, CORRECTION, _build)


def _build(raw: WireCorrection, _: tuple[str, ...]) -> Correction:
    ledger = raw.ledger
    return Correction(
        correction_id=record.required(raw.correction_id, "correction_id"),
        product_id=ProductId(record.required(raw.product_id, "product_id")),
        outlet_id=OutletId(record.required(raw.outlet_id, "outlet_id")),
        revision=_revision(raw.revision, "revision"),
        on_hand=ZERO if raw.on_hand is None else exact(raw.on_hand),
        allocated=ZERO if raw.allocated is None else exact(raw.allocated),
        awaiting=ZERO if raw.awaiting is None else exact(raw.awaiting),
        ledger=None
        if ledger is None
        else LedgerLevel(
            revision=_revision(ledger.revision, "ledger.revision"),
            on_hand=ZERO if ledger.on_hand is None else exact(ledger.on_hand),
            allocated=ZERO if ledger.allocated is None else exact(ledger.allocated),
            awaiting=ZERO if ledger.awaiting is None else exact(ledger.awaiting),
        ),
        reason=record.plain(raw.reason) or "",
        operator=record.plain(raw.operator) or "",
    )


def _revision(number: int | None, field: str) -> int:
    if number is None:
        raise record.missing(field)
    if not 0 <= number <= LARGEST_REVISION:
        raise ContractError(
            "bad_number", f"not between 0 and {LARGEST_REVISION}", field=field, value=shown(number)
        )
    return number
