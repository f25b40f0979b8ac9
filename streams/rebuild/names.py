"""Products: what each is called, what the online store was told of it, and its levels."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec

from streams.domain import levels, tables
from streams.domain.shop import shop_of
from streams.domain.state import Level, SkuIndex, Stock, Stray
from streams.domain.versions import stale
from streams.rebuild.draft import Draft, key_of
from streams.rebuild.inbound import Told
from streams.rebuild.matters import Matters
from topics.codec import decode_online_stock
from topics.ids import OutletId, ProductId, StoreId
from topics.inventory import InventoryLevel
from topics.links import StoreLink
from topics.numbers import ZERO
from topics.online_stock import OnlineStock
from topics.products import Product

Name = tuple[StoreId, ProductId]


class _Called(msgspec.Struct, gc=False):
    sku: str = ""
    active: bool = True
    named: bool = False
    version: int | None = None


class Names:
    """The rows of `stock`, `skus` and `strays`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._called: dict[Name, _Called] = {}
        self._counted: dict[Name, dict[OutletId, int | None]] = defaultdict(dict)
        self._embedded: dict[Name, str] = {}
        self._online: dict[tuple[StoreId, str], OnlineStock] = {}
        self._published: dict[Name, int] = {}

    def take(self, record: Any) -> None:
        """Take an online level."""
        told = decode_online_stock(record.value)
        self._online[told.store_id, told.sku] = told
        # `store/product/online:7`: the seventh that this product gave rise to.
        subject, _, number = told.event_id.rpartition("/online:")
        product = ProductId(subject.removeprefix(f"{told.store_id}/"))
        at = (told.store_id, product)
        self._published[at] = max(self._published.get(at, 0), int(number))

    def see_product(self, told: Told) -> None:
        """Take a product record that was decided."""
        product: Product = told.message
        called = self._called.setdefault((told.store_id, product.product_id), _Called())
        if stale(product.version, called.version) is not None:
            return
        called.sku, called.active, called.named = product.sku, product.active, True
        if product.version is not None:
            called.version = product.version

    def see_count(self, told: Told) -> None:
        """Take a count that was decided: until a product record comes, it says what the product is called."""
        count: InventoryLevel = told.message
        at = (told.store_id, count.product_id)
        if stale(count.version, self._counted[at].get(count.outlet_id)) is not None:
            return
        if count.version is not None:
            self._counted[at][count.outlet_id] = count.version
        if count.sku:
            self._embedded[at] = count.sku

    def finish(
        self, found: dict[Name, dict[OutletId, Level]], moved_as: dict[Name, str], matters: Matters
    ) -> None:
        """Make the rows; `moved_as` is what products were called when they last moved."""
        called = self._names(found, moved_as)
        by_sku: defaultdict[tuple[StoreId, str], list[ProductId]] = defaultdict(list)
        for (store_id, product_id), name in called.items():
            if name.active and name.sku:
                by_sku[store_id, name.sku].append(product_id)
        for (store_id, sku), products in by_sku.items():
            self._draft.put(tables.SKUS, key_of(store_id, sku), SkuIndex(tuple(sorted(products))))
        for at, name in called.items():
            listed = name.active and len(by_sku.get((at[0], name.sku), ())) == 1
            row = self._stock(at, name, found.get(at, {}), matters, listed=listed)
            self._draft.put(tables.STOCK, key_of(*at), row)
        self._strays(found, matters)

    def _names(
        self, found: dict[Name, dict[OutletId, Level]], moved_as: dict[Name, str]
    ) -> dict[Name, _Called]:
        """Return what each product is called, also where the inbound topics no longer say it."""
        called = dict(self._called)
        for (store_id, sku), told in self._online.items():
            if told.product_id is not None:
                called.setdefault((store_id, told.product_id), _Called(sku=sku))
        for at in {*found, *self._published, *self._embedded} - called.keys():
            name = _Called(sku=moved_as.get(at, ""))
            withdrawn = self._online.get((at[0], name.sku))
            if withdrawn is not None and at in self._published:
                name.active = withdrawn.product_id == at[1]
            called[at] = name
        for at, sku in self._embedded.items():
            if not called[at].named:
                called[at] = _Called(sku=sku)
        return called

    def _stock(
        self, at: Name, called: _Called, outlets: dict[OutletId, Level], matters: Matters, *, listed: bool
    ) -> Stock:
        store_id, product_id = at
        told = self._online.get((store_id, called.sku)) if listed else None
        if told is not None and told.product_id != product_id:
            told = None
        stock = Stock(
            outlets,
            called.sku,
            called.active,
            called.named,
            listed,
            ZERO if told is None else told.raw,
            called.version,
            None if told is None else told.level,
            self._published.get(at, 0),
            matters.is_open(store_id, "text_repaired", f"product/{product_id}"),
        )
        link: StoreLink | None = self._draft.get(tables.LINKS, tables.link_key(store_id))
        if listed and link is not None:
            raw = levels.online_level(stock, shop_of(store_id, link))
            stock = msgspec.structs.replace(stock, raw=raw)
        return stock

    def _strays(self, found: dict[Name, dict[OutletId, Level]], matters: Matters) -> None:
        allocated: defaultdict[tuple[StoreId, OutletId], Decimal] = defaultdict(Decimal)
        for (store_id, _), outlets in found.items():
            for outlet_id, level in outlets.items():
                allocated[store_id, outlet_id] += level.allocated
        for (store_id, outlet_id), quantity in allocated.items():
            link: StoreLink | None = self._draft.get(tables.LINKS, tables.link_key(store_id))
            if link is not None:
                strays = outlet_id not in shop_of(store_id, link).connected
            else:
                strays = matters.is_open(store_id, "outlet_disconnected", f"outlet/{outlet_id}")
            if strays and quantity:
                self._draft.put(tables.STRAYS, key_of(store_id, outlet_id), Stray(quantity))
