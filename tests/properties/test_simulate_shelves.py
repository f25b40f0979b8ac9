"""Whatever a shop does: another policy moves pieces between outlets, and neither makes nor loses any."""

from collections import defaultdict
from random import Random

import pytest

from streams.domain.books import Moment
from streams.simulate.world import World
from tests.system.payloads import count, order, pos_fulfillment, pos_sale
from tests.unit.test_simulate import STORE, Story
from topics import moments
from topics.event import Source
from topics.ids import OrderId, OutletId, ProductId, sale_id
from topics.sales import Sale

SKUS = ("HAT", "SHOE", "SCARF")
OUTLETS = ("o1", "o2", "o3")
NOW = Moment(Source(topic="", partition=0, offset=0), moments.EPOCH, moments.EPOCH)


class Shop:
    """A shop with real shelves, whose people hand over what the own policy gave them, when they like."""

    def __init__(self, seed: int, *, on_receipt: bool, oversell: str) -> None:
        self.chance = Random(seed)
        outlets = [
            {"id": outlet, "connected": True, "priority": 1 + place} for place, outlet in enumerate(OUTLETS)
        ]
        self.story = Story(
            "priority", outlets=outlets, levels_include_open_orders=on_receipt, oversell=oversell
        )
        self.shelves = {(sku, outlet): self.chance.randrange(8) for sku in SKUS for outlet in OUTLETS}
        self.orders: dict[str, list[tuple[str, int]]] = {}
        self._on_receipt = on_receipt
        self._versions: defaultdict[str, int] = defaultdict(int)
        self._acknowledged: set[str] = set()
        self._handed: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self.count_all()

    def live(self, days: int) -> None:
        """Let so many things happen, of any kind, in any order."""
        for _ in range(days):
            self.chance.choice((self.sell, self.sell, self.acknowledge, self.hand_over, self.deliver))()

    def sell(self) -> None:
        skus = self.chance.sample(SKUS, self.chance.randint(1, len(SKUS)))
        name = f"A{len(self.orders)}"
        self.orders[name] = [(sku, self.chance.randint(1, 4)) for sku in skus]
        self.story.tell("ecom.orders", order(name, *self.orders[name]))

    def acknowledge(self) -> None:
        waiting = sorted(self.orders.keys() - self._acknowledged)
        if waiting:
            name = self.chance.choice(waiting)
            self._acknowledged.add(name)
            rows = [(sku, quantity, 10.0) for sku, quantity in self.orders[name]]
            if self._on_receipt:
                for outlet, lines in self._open(name).items():
                    for place, pieces in lines.items():
                        self.shelves[self.orders[name][place - 1][0], outlet] -= pieces
            self.story.tell("pos.sales", pos_sale(f"P-{name}", *rows, source_id=name))
            if self._on_receipt:
                self.count_all()

    def hand_over(self, *, whole: bool = False) -> None:
        names = sorted(name for name in self._acknowledged if self._open(name))
        if not names:
            return
        name = self.chance.choice(names)
        outlet, lines = self.chance.choice(sorted(self._open(name).items()))
        handed = self._handed[name, outlet]
        moved = []
        for place, pieces in lines.items():
            more = pieces if whole else self.chance.randint(0, pieces)
            handed[place] = handed.get(place, 0) + more
            moved.append((place, more))
        rows = [(place, self.orders[name][place - 1][0], pieces) for place, pieces in handed.items()]
        key = f"{name}@{outlet}"
        self._versions[key] += 1
        document = pos_fulfillment(f"P-{name}", outlet, "FULFILLED", self._versions[key], *rows)
        count_first = self.chance.random() < 0.3
        if not self._on_receipt:
            for place, more in moved:
                self.shelves[self.orders[name][place - 1][0], outlet] -= more
        if count_first:
            self.count_all()
        self.story.tell("pos.fulfillments", document)
        if self.chance.random() < 0.7:
            self.count_all()

    def deliver(self) -> None:
        shelf = self.chance.choice(sorted(self.shelves))
        self.shelves[shelf] += self.chance.randint(1, 6)
        self.count_all()

    def close(self) -> None:
        """Deliver what is short, hand over all that was sold, and count."""
        for shelf in self.shelves:
            self.shelves[shelf] += 50
        self.count_all()
        while self._acknowledged != self.orders.keys():
            self.acknowledge()
        while any(self._open(name) for name in self.orders):
            self.hand_over(whole=True)
        self.count_all()

    def count_all(self) -> None:
        for (sku, outlet), level in self.shelves.items():
            self._versions[sku + outlet] += 1
            self.story.tell("pos.inventory", count(sku, outlet, level, self._versions[sku + outlet]))

    def _open(self, name: str) -> dict[str, dict[int, int]]:
        """What each outlet really still has to hand over of the order, by the place of the line."""
        found: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for line in self.sale(self.story.course.own, name).lines:
            for one in line.allocations:
                found[one.outlet_id][int(line.line_id)] = int(one.quantity)
        return dict(found)

    def sale(self, world: World, name: str) -> Sale:
        sale = world.books(STORE, NOW).sale(sale_id(STORE, OrderId(name)))
        assert sale is not None
        return sale

    def handed_over(self, world: World, sku: str) -> dict[str, int]:
        """How many pieces went out at each outlet, as the fulfilments of all orders say."""
        gone = dict.fromkeys(OUTLETS, 0)
        for name in self.orders:
            for fulfillment in self.sale(world, name).fulfillments:
                for line in fulfillment.lines:
                    gone[fulfillment.outlet_id] += int(line.fulfilled) if line.sku == sku else 0
        return gone

    def levels(self, world: World, sku: str) -> list[tuple[int, int, int]]:
        levels = world.books(STORE, NOW).stock(ProductId(f"p-{sku.lower()}")).outlets
        return [
            (int(level.on_hand), int(level.allocated), int(level.awaiting))
            for level in (levels[OutletId(outlet)] for outlet in OUTLETS)
        ]


@pytest.mark.parametrize("oversell", ["allow", "restrict"])
@pytest.mark.parametrize("on_receipt", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_another_policy_neither_makes_nor_loses_a_piece(seed: int, on_receipt: bool, oversell: str) -> None:
    shop = Shop(seed, on_receipt=on_receipt, oversell=oversell)
    shop.live(120)
    shop.close()
    course = shop.story.course

    assert shop.story.own.elsewhere(shop.story.simulated), "the two policies never differed"
    for sku in SKUS:
        really = [shop.shelves[sku, outlet] for outlet in OUTLETS]
        assert shop.levels(course.own, sku) == [(level, 0, 0) for level in really]
        # Each shelf lacks what went out there, and has what really went out.
        went, there = (shop.handed_over(world, sku) for world in (course.own, course.simulated))
        assert shop.levels(course.simulated, sku) == [
            (level + went[outlet] - there[outlet], 0, 0)
            for level, outlet in zip(really, OUTLETS, strict=True)
        ]
        assert sum(went.values()) == sum(there.values())
    for name in shop.orders:
        assert [line.fulfilled for line in shop.sale(course.simulated, name).lines] == [
            line.fulfilled for line in shop.sale(course.own, name).lines
        ]
    assert course.refused == 0
