"""What the point of sale counts: the records of `pos.inventory`, or a file of them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from streams.domain.versions import stale
from streams.payloads import Payload, PayloadError
from streams.reconcile.standing import LevelKey
from topics.decoders import decode_inventory
from topics.errors import ContractError
from topics.inventory import InventoryLevel


class Counted(msgspec.Struct, frozen=True, gc=False):
    """A count, and where it stands."""

    level: Decimal
    version: int | None
    offset: int
    at: datetime
    sku: str | None


class CountsOf(msgspec.Struct, gc=False):
    """The counts of one level: the last that applies, the last that is late, and those not decided yet."""

    applied: Counted | None = None
    late: Counted | None = None
    waiting: list[Counted] = []


class Counts:
    """Takes the counts of a store in order; `settle` says up to which the stock worker has decided them."""

    def __init__(self) -> None:
        self.levels: dict[LevelKey, CountsOf] = {}

    def take(self, offset: int, at: datetime, value: bytes | None) -> None:
        """Take a record; one that breaks its contract is a dead letter, and no count."""
        try:
            told = decode_inventory(value)
        except ContractError:
            return
        seen = self.levels.setdefault((told.product_id, told.outlet_id), CountsOf())
        seen.waiting.append(Counted(told.level, told.version, offset, at, told.sku))

    def settle(self, decided: int) -> None:
        """Apply the counts before this offset, as the worker has (DOMAIN 2)."""
        for seen in self.levels.values():
            while seen.waiting and seen.waiting[0].offset < decided:
                _apply(seen, seen.waiting.pop(0))

    def undecided_at(self, decided: int) -> set[LevelKey]:
        """Return levels with a count before this offset that is not settled."""
        return {key for key, seen in self.levels.items() if seen.waiting and seen.waiting[0].offset < decided}


def _apply(seen: CountsOf, count: Counted) -> None:
    applied = seen.applied
    if stale(count.version, applied.version if applied else None) is None:
        seen.applied, seen.late = count, None
    elif applied is not None and count.version != applied.version:
        seen.late = count


def in_file(payloads: Iterable[Payload]) -> dict[LevelKey, InventoryLevel]:
    """Return the last count of each level in a file; PayloadError names what is no count in it."""
    found: dict[LevelKey, InventoryLevel] = {}
    for payload in payloads:
        try:
            told = decode_inventory(payload.value)
        except ContractError as error:
            raise PayloadError(
                f"{payload.place}: {error.detail}. Levels are records as `tillstream publish pos.inventory`"
                " takes them."
            ) from error
        found[told.product_id, told.outlet_id] = told
    return found
