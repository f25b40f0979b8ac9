"""The played point of sale's own stock, and the counts that it sends of it."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from deploy.verify.ledger import LevelKey
from topics.ids import OutletId, ProductId, StoreId

Payload = dict[str, Any]


class Shelves:
    """Levels by store, product and outlet: those that were told last, or will be with the next `counts`."""

    def __init__(self) -> None:
        self.levels: dict[LevelKey, Decimal] = {}
        self._told: dict[LevelKey, Payload] = {}
        self._moved: dict[LevelKey, None] = {}

    def stock(self, store_id: str, counts: Iterable[Payload]) -> None:
        """Begin with the counts that a store was opened with."""
        for count in counts:
            key = (StoreId(store_id), ProductId(count["product_id"]), OutletId(count["outlet_id"]))
            self.levels[key] = Decimal(count["count"])
            self._told[key] = count

    def move(
        self, store_id: StoreId, product_id: ProductId | None, outlet_id: OutletId, quantity: Decimal
    ) -> None:
        """Put so many pieces there, or take them away; there may be fewer than none."""
        if product_id is not None:
            key = (store_id, product_id, outlet_id)
            self.levels[key] += quantity
            self._moved[key] = None

    def counts(self) -> Iterator[tuple[StoreId, Payload]]:
        """Yield a count of each level that has moved since the last call: one, however often it has.

        So no count is sent that lacks what was handed over before it.
        """
        for key in self._moved:
            before, level = self._told[key], self.levels[key]
            count = int(level) if level == int(level) else float(level)
            self._told[key] = before | {"count": count, "version": before["version"] + 1}
            yield key[0], self._told[key]
        self._moved.clear()
