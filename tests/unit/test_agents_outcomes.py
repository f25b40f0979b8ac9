"""How decisions ended is counted, also of those that change nothing and emit nothing."""

from typing import Any

import pytest

from streams.domain import inventory, orders, pos_sales
from tests.pure_pos import acknowledged, pos_line
from tests.pure_store import SHOP, count, item, order
from tests.unit.test_agents_decision import Unit


class Shop(Unit):
    """A linked store with one order decided, of version 5; `emitted` counts what was sent since."""

    def __init__(self) -> None:
        super().__init__()
        self.link()
        self.tell(order("A", item("SHIRT"), version=5))
        self.backlogs.outcomes.clear()
        self._before = self._sent()

    def tell(self, message: Any, decide: Any = orders.take) -> None:
        self.desk.decide(SHOP, self.moment(), decide, message, b"{}")

    @property
    def emitted(self) -> int:
        return self._sent() - self._before

    @property
    def outcomes(self) -> dict[str, int]:
        return {str(outcome): count for outcome, count in self.backlogs.outcomes.items()}

    def _sent(self) -> int:
        return sum(batch.record_count() for batches in self.unit.batches.values() for batch in batches)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_storm_of_the_same_snapshot_is_counted_and_emits_nothing(shop: Shop) -> None:
    for _ in range(15):
        shop.tell(order("A", item("SHIRT"), version=5))
    assert (shop.outcomes, shop.emitted) == ({"unchanged": 15}, 0)


def test_late_snapshots_are_counted_and_emit_nothing(shop: Shop) -> None:
    for version in (4, 1, 3):
        shop.tell(order("A", item("SHIRT", 9), version=version, payment_status="CANCELLED"))
    assert (shop.outcomes, shop.emitted) == ({"late": 3}, 0)


def test_abandoned_carts_are_counted_and_are_no_sales(shop: Shop) -> None:
    shop.tell(order("B", item("SHIRT"), payment_status="INCOMPLETE"))
    assert (shop.outcomes, shop.emitted) == ({"incomplete": 1}, 0)


def test_our_own_sales_that_come_back_as_orders_are_counted_and_ignored(shop: Shop) -> None:
    sale_id = shop.events("sales")[0].sale_id
    shop.tell(order("B", item("SHIRT"), external_order_id=sale_id))
    assert (shop.outcomes, shop.emitted) == ({"echo": 1}, 0)


def test_sales_of_the_shop_itself_are_counted_and_emit_nothing(shop: Shop) -> None:
    shop.tell(acknowledged("B", pos_line("shirt", 1), source_id=None), pos_sales.take)
    assert (shop.outcomes, shop.emitted) == ({"own": 1}, 0)


def test_counts_of_an_older_version_are_counted_and_emit_nothing(shop: Shop) -> None:
    shop.tell(count("shirt", "o1", 5, 2), inventory.count)
    sent = shop.emitted
    shop.tell(count("shirt", "o1", 5, 2), inventory.count)
    shop.tell(count("shirt", "o1", 9, 1), inventory.count)
    assert shop.outcomes == {"decided": 1, "unchanged": 1, "late": 1}
    assert shop.emitted == sent
