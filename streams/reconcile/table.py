"""The stock worker's levels, as their changelog has them last."""

from decimal import Decimal

import msgspec

from streams.domain import tables
from streams.domain.state import Level, Stock
from streams.reconcile.standing import LevelKey, Standing
from streams.settings import WorkerSettings
from topics.ids import ProductId, StoreId
from topics.registry import changelog_name

_decode = msgspec.json.Decoder(Stock).decode


def changelog_of_stock(worker: WorkerSettings) -> str:
    """Return the changelog's name, without the installation's prefix."""
    return changelog_name(worker.app_id("stock"), tables.STOCK).removeprefix(worker.prefix)


class StockTable:
    """Takes the changelog's records in order: each replaces a product's levels at all outlets."""

    def __init__(self, store_id: StoreId) -> None:
        self.products: dict[ProductId, Stock] = {}
        self._prefix = store_id.encode() + tables.SEPARATOR.encode()

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of any store; those of others are passed over."""
        if key is None or not key.startswith(self._prefix):
            return
        product_id = ProductId(key[len(self._prefix) :].decode())
        if value is None:
            self.products.pop(product_id, None)
        else:
            self.products[product_id] = _decode(value)

    def level(self, key: LevelKey) -> Level | None:
        stock = self.products.get(key[0])
        return None if stock is None else stock.outlets.get(key[1])

    def keys(self) -> set[LevelKey]:
        return {(product, outlet) for product, stock in self.products.items() for outlet in stock.outlets}

    def sku(self, product_id: ProductId) -> str:
        stock = self.products.get(product_id)
        return "" if stock is None else stock.sku


def standing(level: Level) -> Standing:
    return Standing(level.on_hand, level.allocated, level.awaiting or Decimal(0))
