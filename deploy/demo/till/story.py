"""One sale's life as far as it has come."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from deploy.demo.till.documents import Row, Tender
from deploy.demo.till.life import Act, Life
from deploy.verify.told import ToldSale
from topics.ids import OutletId, ProductId, SaleId
from topics.sales import Sale, SaleFulfillment

_PICKED = frozenset({"in_progress", "packed", "fulfilled"})
_PACKED = frozenset({"packed", "fulfilled"})


class Goods(NamedTuple):
    """Pieces of a product at an outlet."""

    product_id: ProductId | None
    outlet_id: OutletId
    quantity: Decimal


class Story(msgspec.Struct, gc=False):
    """`acts` are known once the sale was seen; `done` of them have been done. `order` is the order's JSON.

    `includes`: the store's point of sale takes goods off its level when it receives the sale (DOMAIN 4); they
    are `taken` then.
    """

    sale_id: SaleId
    life: Life
    order: bytes
    includes: bool
    told: ToldSale
    ticket_id: str
    acts: tuple[Act, ...] = ()
    done: int = 0
    sale: Sale | None = None
    versions: int = 0
    rows: tuple[Row, ...] = ()
    tenders: tuple[Tender, ...] = ()
    taken: tuple[Goods, ...] = ()

    def see(self, sale: Sale) -> None:
        """Take in the sale's newest revision."""
        self.sale = sale
        if not self.acts:
            self.acts = tuple(act for act in self.life.acts if act != "pay" or not sale.paid)

    @property
    def next(self) -> Act | None:
        """The act to be done now; None when there is none, or the sale does not show the one before yet."""
        if self.sale is None or self.done == len(self.acts):
            return None
        return (
            self.acts[self.done]
            if not self.done or self._shows(self.acts[self.done - 1], self.sale)
            else None
        )

    @property
    def ended(self) -> bool:
        return self.sale is not None and self.done == len(self.acts) and self._shows(self.acts[-1], self.sale)

    @property
    def lacks_goods(self) -> bool:
        """Whether the next act must wait for stock, or for a product to be known, which may never come."""
        if self.sale is None:
            return False
        match self.next:
            case "acknowledge":
                return _is_short(self.sale) if self.includes else _is_placeless(self.sale)
            case "pick" | "hand_over":
                return _is_short(self.sale)
            case _:
                return False

    @property
    def return_id(self) -> str:
        return f"{self.ticket_id}-r"

    def version(self) -> int:
        """Return the next version of whatever the point of sale sends about this sale."""
        self.versions += 1
        return self.versions

    def _shows(self, act: Act, sale: Sale) -> bool:
        """Tell whether the sale shows that the act was done."""
        match act:
            case "acknowledge":
                return sale.pos_sale_id is not None
            case "pay":
                return sale.paid
            case "pick":
                return all(one.state in _PICKED for one in active(sale))
            case "pack":
                return all(one.state in _PACKED for one in active(sale))
            case "hand_over":
                return all(one.state == "fulfilled" for one in active(sale))
            case "give_back":
                return any(one.return_id == self.return_id for one in sale.returns)
            case "take_back":
                return any(one.return_id == self.return_id and one.state == "voided" for one in sale.returns)
            case "void" | "cancel":
                return sale.state == "voided"
            case "close":
                return True

    def __str__(self) -> str:
        last = self.acts[self.done - 1] if self.done else "being placed"
        revision = 0 if self.sale is None else self.sale.revision
        return f"{self.told.store_id}/{self.told.order_id} does not show {last} (revision {revision})"


def active(sale: Sale) -> list[SaleFulfillment]:
    """Return the sale's fulfilments that were not cancelled."""
    return [one for one in sale.fulfillments if one.state != "cancelled"]


def _is_placeless(sale: Sale) -> bool:
    """Whether pieces of it are at no outlet."""
    return any(part.unallocated for line in sale.lines for part in line.components or (line,))


def _is_short(sale: Sale) -> bool:
    """Whether pieces of it are at no outlet, or at one that does not have them."""
    return _is_placeless(sale) or any(
        allocation.backordered
        for line in sale.lines
        for part in line.components or (line,)
        for allocation in part.allocations
    )
