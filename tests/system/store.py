"""One store of an installation, as its events and its rows show it."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import msgspec

from tests.system.installation import Installation
from topics.customers import Customer
from topics.dead_letters import DeadLetter
from topics.exceptions import ExceptionChanged
from topics.fulfillments import Fulfillment
from topics.ids import OrderId, StoreId, sale_id
from topics.movements import StockMoved
from topics.online_stock import OnlineStock
from topics.refunds import Refund
from topics.sales import Sale

QUANTITIES = ("quantity", "unallocated", "fulfilled", "cancelled", "withdrawn", "returned")
Place = tuple[str, str]
"""A product and an outlet."""


class Store:
    """Answers from the topics as last read (`Installation.settled`), and from Postgres."""

    def __init__(self, shop: Installation, store_id: str) -> None:
        self.store_id = store_id
        self._shop = shop

    @property
    def all_sales(self) -> list[Sale]:
        """Every revision of every sale, in the order of the log."""
        return self._shop.journal.of(Sale, self.store_id)

    def revisions(self, order_id: str) -> list[Sale]:
        wanted = sale_id(StoreId(self.store_id), OrderId(order_id))
        return [sale for sale in self.all_sales if sale.sale_id == wanted]

    def sale(self, order_id: str) -> Sale:
        """Return the sale as it is now."""
        revisions = self.revisions(order_id)
        assert revisions, f"order {order_id} has no sale"
        return revisions[-1]

    def where(self, order_id: str) -> dict[str, dict[str, int]]:
        """Return which outlet has how many of which line of the order."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for line in self.sale(order_id).lines:
            for allocation in line.allocations:
                found[allocation.outlet_id][line.line_id] = int(allocation.quantity)
        return dict(found)

    @property
    def letters(self) -> list[DeadLetter]:
        return self._shop.journal.of(DeadLetter, self.store_id)

    @property
    def customers(self) -> list[Customer]:
        return self._shop.journal.of(Customer, self.store_id)

    @property
    def open_exceptions(self) -> set[tuple[str, str]]:
        """What needs a person now: (kind, subject)."""
        last = {(e.kind, e.subject): e.open for e in self._shop.journal.of(ExceptionChanged, self.store_id)}
        return {key for key, is_open in last.items() if is_open}

    def online(self, sku: str) -> list[int]:
        """Return the levels that the online store was told, one after the other."""
        events = self._shop.journal.of(OnlineStock, self.store_id)
        return [int(event.level) for event in events if event.sku == sku]

    def level(self, product_id: str, outlet_id: str) -> tuple[int, int]:
        """Return (on hand, allocated)."""
        on_hand, allocated, _ = self._summed()[product_id, outlet_id]
        return int(on_hand), int(allocated)

    def awaiting(self, product_id: str, outlet_id: str) -> int:
        """Return how many pieces that went out await the count that shows it."""
        return int(self._summed()[product_id, outlet_id][2])

    def movements(self, order_id: str) -> list[tuple[str, str, str, int]]:
        """Return (kind, SKU, outlet, quantity) of each movement of the order, in order."""
        return [
            (move.kind, move.sku, move.outlet_id, int(move.quantity))
            for event in self._shop.journal.of(StockMoved, self.store_id)
            if event.order_id == order_id
            for move in event.movements
        ]

    def refunds(self, order_id: str) -> list[Refund]:
        """Return every revision of the order's refunds."""
        refunds = self._shop.journal.of(Refund, self.store_id)
        return [refund for refund in refunds if refund.order_id == order_id]

    def _summed(self) -> dict[Place, tuple[Decimal, Decimal, Decimal]]:
        """Sum the movements of each level; each must continue the one before."""
        sums: dict[Place, tuple[Decimal, Decimal, Decimal]] = {}
        revisions: defaultdict[Place, int] = defaultdict(int)
        for event in self._shop.journal.of(StockMoved, self.store_id):
            for move in event.movements:
                place = (move.product_id, move.outlet_id)
                on_hand, allocated, waits = sums.get(place, (Decimal(0), Decimal(0), Decimal(0)))
                sums[place] = (on_hand + move.on_hand, allocated + move.allocated, waits + move.awaiting)
                assert sums[place] == (move.on_hand_after, move.allocated_after, move.awaiting_after)
                revisions[place] += 1
                assert move.revision == revisions[place], f"a movement of {place} is missing or twice"
        return sums

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the store's rows of a table."""
        return await self._shop.rows(f"SELECT * FROM {table} WHERE store_id = $1", self.store_id)

    async def assert_history_agrees(self) -> None:
        """The topics hold each change once, and Postgres each thing once, as the topics have it last."""
        journal, store_id = self._shop.journal, self.store_id
        sales: dict[str, Sale] = {}
        for sale in self.all_sales:
            before = sales.get(sale.sale_id)
            assert sale.revision == (before.revision + 1 if before else 1), "a revision is missing or twice"
            sales[sale.sale_id] = sale
        rows = await self.rows("sales")
        documents = {str(row["sale_id"]): msgspec.json.decode(row["document"], type=Sale) for row in rows}
        assert documents == sales
        assert {row["order_id"] for row in rows} == {sale.order_id for sale in sales.values()}

        lines = {
            (str(row["sale_id"]), row["line_id"]): tuple(row[quantity] for quantity in QUANTITIES)
            for row in await self.rows("sale_lines")
        }
        assert lines == {
            (s.sale_id, line.line_id): tuple(getattr(line, quantity) for quantity in QUANTITIES)
            for s in sales.values()
            for line in s.lines
        }

        due = {(s.sale_id, p.payment_id): p.amount for s in sales.values() for p in s.payments}
        paid = {
            (str(row["sale_id"]), row["payment_id"]): row["amount"]
            for row in await self.rows("sale_payments")
        }
        assert paid == due

        fulfillments = {f.fulfillment_id: (f.revision, f.state) for f in journal.of(Fulfillment, store_id)}
        found = {
            str(row["fulfillment_id"]): (row["revision"], row["state"])
            for row in await self.rows("fulfillments")
        }
        assert found == fulfillments

        refunds = {r.refund_id: (r.revision, r.state, r.amount) for r in journal.of(Refund, store_id)}
        given = {
            str(row["refund_id"]): (row["revision"], row["state"], row["amount"])
            for row in await self.rows("refunds")
        }
        assert given == refunds

        returns = {
            (s.sale_id, back.return_id, back.state): sum((line.quantity for line in back.lines), Decimal(0))
            for s in sales.values()
            for back in s.returns
        }
        came_back: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for row in await self.rows("sale_returns"):
            came_back[str(row["sale_id"]), row["return_id"], row["state"]] += row["quantity"]
        assert came_back == returns

        levels = {
            (row["product_id"], row["outlet_id"]): (row["on_hand"], row["allocated"], row["awaiting"])
            for row in await self.rows("stock_levels")
        }
        assert levels == self._summed()
        moves = sum(len(event.movements) for event in journal.of(StockMoved, store_id))
        assert len(await self.rows("stock_movements")) == moves

        customers = {customer.customer_id: customer.name for customer in self.customers}
        assert {row["customer_id"]: row["name"] for row in await self.rows("customers")} == customers

        is_open = {(row["kind"], row["subject"]) for row in await self.rows("exceptions") if row["open"]}
        assert is_open == self.open_exceptions

        letters = {letter.dead_letter_id for letter in self.letters}
        assert {row["dead_letter_id"] for row in await self.rows("dead_letters")} == letters
