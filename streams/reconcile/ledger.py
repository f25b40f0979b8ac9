"""The movements of a store, added up level by level as they are read."""

from datetime import datetime
from decimal import Decimal

import msgspec

from streams.reconcile.standing import LevelKey, Standing
from topics import codec
from topics.movements import Movement
from topics.numbers import ZERO

SHOWN_FAULTS = 5


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Where movements of a level do not go on from one another: some are missing, or one says otherwise."""

    missing: bool
    text: str


class LedgerOf(msgspec.Struct, kw_only=True):
    """What the movements of one level come to. Revisions count them, from 1 without gaps.

    `after` is what the last one says, `sums` what all come to, from before the `first` on; `written` is
    the last one that Postgres must have, and `due` how many it must. `corrected` is what corrections have
    put on hand since the last count that moved the level.
    """

    sku: str
    first: int
    revision: int
    after: Standing
    sums: Standing
    offset: int
    written: tuple[int, Standing] | None = None
    due: int = 0
    counted_by: int | None = None
    """Offset on `pos.inventory` of the last count that moved the level."""
    corrected: Decimal = ZERO
    faults: list[Fault] = []


class Ledgers:
    """Takes the records of `stock.movements` in order.

    `written` is the offset up to which Postgres has them; movements decided before `since` or that were
    pruned there are not due.
    """

    def __init__(self, written: int, due_since: datetime | None) -> None:
        self.levels: dict[LevelKey, LedgerOf] = {}
        self._written = written
        self._due_since = due_since

    def take(self, offset: int, value: bytes) -> None:
        """Take a record; msgspec.DecodeError when it is no event of ours."""
        event = codec.decode_stock_moved(value)
        written = offset < self._written
        due = written and (self._due_since is None or event.processed_at >= self._due_since)
        counts = event.source.topic == "pos.inventory"
        for movement in event.movements:
            ledger = self._add(movement, offset)
            if movement.kind == "counted" and counts:
                ledger.counted_by, ledger.corrected = event.source.offset, ZERO
            elif movement.kind == "corrected":
                ledger.corrected += movement.on_hand
            if written:
                ledger.written = (ledger.revision, ledger.after)
            ledger.due += due

    def _add(self, movement: Movement, offset: int) -> LedgerOf:
        key = (movement.product_id, movement.outlet_id)
        change = Standing(movement.on_hand, movement.allocated, movement.awaiting)
        after = Standing(movement.on_hand_after, movement.allocated_after, movement.awaiting_after)
        ledger = self.levels.get(key)
        if ledger is None:
            ledger = self.levels[key] = _opened(movement, change, after, offset)
            return ledger
        _check(ledger, movement, change, after)
        ledger.sums = ledger.sums.plus(change)
        if movement.kind == "corrected" and ledger.sums == after:
            ledger.faults = []  # made good
        ledger.sku, ledger.revision, ledger.after, ledger.offset = (
            movement.sku,
            movement.revision,
            after,
            offset,
        )
        return ledger


def _opened(movement: Movement, change: Standing, after: Standing, offset: int) -> LedgerOf:
    sums = after
    faults = []
    if movement.revision == 1:
        sums = change
        if change != after:
            faults.append(
                Fault(missing=False, text=f"its first movement comes to {change}, and says {after}")
            )
    return LedgerOf(
        sku=movement.sku,
        first=movement.revision,
        revision=movement.revision,
        after=after,
        sums=sums,
        offset=offset,
        faults=faults,
    )


def _check(ledger: LedgerOf, movement: Movement, change: Standing, after: Standing) -> None:
    fault = None
    due = ledger.revision + 1
    if movement.revision > due:
        until = f" to {movement.revision - 1}" if movement.revision > due + 1 else ""
        fault = Fault(missing=True, text=f"movements are missing on the topic: {due}{until}")
    elif movement.revision < due:
        fault = Fault(missing=False, text=f"movement {movement.revision} comes after {ledger.revision}")
    elif ledger.after.plus(change) != after:
        due_after = ledger.after.plus(change)
        fault = Fault(
            missing=False, text=f"movement {movement.revision} leads to {due_after}, and says {after}"
        )
    if fault is not None and len(ledger.faults) < SHOWN_FAULTS:
        ledger.faults = [*ledger.faults, fault]
