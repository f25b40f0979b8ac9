"""Whatever is damaged, what `reconcile compensate` plans puts it right: levels are the sums of movements."""

from decimal import Decimal

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from storage.lookups.reconcile import StoreRows
from streams.domain import corrections, tables
from streams.domain.books import Books
from streams.domain.outcomes import Outcome
from streams.domain.state import Awaited, Level, Stock
from streams.reconcile.compare import differences
from streams.reconcile.compensation import plan
from streams.reconcile.counts import Counts
from streams.reconcile.ledger import Ledgers
from streams.reconcile.look import Seen
from streams.reconcile.sold import Sold
from streams.reconcile.standing import LevelKey
from streams.reconcile.table import StockTable, standing
from tests.pure_store import PureStore, at, count, item, order, shop
from topics import codec
from topics.corrections import Correction
from topics.ids import OutletId, ProductId
from topics.inventory import InventoryLevel
from topics.movements import StockMoved
from topics.sales import Sale

O1 = OutletId("o1")
NUMBERS = st.integers(-4, 6).map(Decimal)
STEPS = st.lists(
    st.tuples(st.sampled_from(["count", "order"]), st.sampled_from(["cup", "mug"]), st.integers(1, 5)),
    min_size=2,
    max_size=8,
)
DAMAGE = st.dictionaries(
    st.sampled_from(["cup", "mug"]),
    st.tuples(NUMBERS, st.integers(0, 4).map(Decimal), st.integers(0, 3).map(Decimal), st.integers(-2, 2)),
)
ROWS = StoreRows(
    positions={}, levels={}, movements={}, sales={}, refused=frozenset(), refusals=frozenset(), due_since=None
)


class Site:
    """A store, and what is read of it; `dropped` movements never reached the topic."""

    def __init__(self, dropped: set[int]) -> None:
        self.store = shop(count("cup", "o1", 9), count("mug", "o1", 9))
        self._dropped = dropped
        self._told = 0
        self._read = 0
        self.ledgers = Ledgers(0, None)
        self.sold = Sold(0)
        self.counts = Counts()
        for product in ("cup", "mug"):
            self._counted(count(product, "o1", 9))

    def tell(self, message: object) -> Outcome:
        if isinstance(message, InventoryLevel):
            self._counted(message)
        return self.store.tell(message)

    def _counted(self, message: InventoryLevel) -> None:
        value = {
            "product_id": message.product_id,
            "outlet_id": message.outlet_id,
            "count": int(message.level),
        }
        self.counts.take(self._told, at(self._told), msgspec.json.encode(value))
        self._told += 1

    def read_on(self) -> None:
        """Read the events that were not read before."""
        for number, told in enumerate(self.store.events[self._read :], self._read):
            if isinstance(told, Sale):
                self.sold.take(number, codec.encode(told))
            elif isinstance(told, StockMoved) and number not in self._dropped:
                self.ledgers.take(number, codec.encode(told))
        self._read = len(self.store.events)
        self.sold.settle(None)

    def see(self) -> Seen:
        """Look as the command does, when nothing is under way."""
        self.read_on()
        self.counts.settle(self._told)
        table = StockTable(self.store.store_id)
        for key, row in self.store.tables.rows[tables.STOCK].items():
            table.take(key, row)
        ledgers, promised = self.ledgers.levels, self.sold.promised
        apart: set[LevelKey] = set()
        for key in table.keys() | set(ledgers):
            level = table.level(key)
            ledger = ledgers.get(key)
            if (level.revision if level else 0) != (ledger.revision if ledger else 0):
                apart.add(key)
        return Seen(
            store_id=self.store.store_id,
            link=self.store.books().link(),
            rows=ROWS,
            sales_topic="sales",
            table=table,
            ledgers=ledgers,
            sold=self.sold,
            counts=self.counts,
            whole=True,
            behind={},
            apart=apart,
            unlike_promises={
                key
                for key in ledgers.keys() | promised.keys()
                if (ledgers[key].after.allocated if key in ledgers else 0) != promised.get(key, 0)
            },
        )


def damage(
    store: PureStore, product: str, on_hand: Decimal, allocated: Decimal, awaits: Decimal, by: int
) -> None:
    """Change a row of the table as no rule does."""
    stock: Stock = store.books().stock(ProductId(product))
    level = stock.outlets.get(O1, Level())
    broken = Level(
        level.on_hand + on_hand,
        level.allocated + allocated,
        awaits,
        level.backordered,
        max(0, level.revision + by),
        level.version,
        level.counted_at,
        (Awaited(at(days=1), awaits),) if awaits else (),
    )
    books = store.books()
    books.put(tables.STOCK, product, msgspec.structs.replace(stock, outlets={**stock.outlets, O1: broken}))
    store.tables.apply(books)


@settings(max_examples=120)
@given(steps=STEPS, damaged=DAMAGE, dropped=st.sets(st.integers(0, 12), max_size=2))
def test_after_the_corrections_nothing_differs_and_levels_are_the_sums_of_their_movements(
    steps: list[tuple[str, str, int]],
    damaged: dict[str, tuple[Decimal, Decimal, Decimal, int]],
    dropped: set[int],
) -> None:
    site = Site(dropped)
    for number, (what, product, amount) in enumerate(steps):
        told = order(f"A{number}", item(product.upper(), amount))
        site.tell(count(product, "o1", amount + 5) if what == "count" else told)
    for product, change in damaged.items():
        damage(site.store, product, *change)
    seen = site.see()
    planned = plan(seen, differences(seen), {}, reason="a test", operator="hypothesis")
    event(f"{len(planned)} corrections")
    events = len(site.store.events)
    for each in planned:
        assert decide(site.store, each.correction) is Outcome.DECIDED, each
    site._dropped = {number for number in dropped if number < events}
    after = site.see()
    assert [each for each in differences(after) if not each.passes] == []
    for key, ledger in after.ledgers.items():
        level = after.table.level(key)
        assert level is not None
        assert (standing(level), level.revision) == (ledger.sums, ledger.revision), key
    assert plan(after, differences(after), {}, reason="a test", operator="hypothesis") == []


def decide(store: PureStore, message: Correction) -> Outcome:
    """Decide without the store's own reader, which would not have let the damage pass."""
    books = Books(store.store_id, store.tables, store.moment("stock.corrections", message))
    outcome = corrections.correct(books, message)
    store.tables.apply(books)
    store.events += books.changes.events
    return outcome
