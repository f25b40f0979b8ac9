"""Another policy over the same records: what it splits, and what is then on the shelves."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import count as numbers
from typing import Any

import msgspec
import pytest

from streams.domain.books import Moment
from streams.simulate.course import Course
from streams.simulate.tally import Tally
from tests.system.cases import LINK
from tests.system.payloads import count, order, pos_fulfillment, pos_sale
from topics import moments
from topics.event import Source
from topics.ids import OutletId, ProductId, StoreId

STORE = StoreId("s1")
MORNING = 1_772_010_000_000
MINUTE = 60_000


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Story:
    """Records of one store, a minute apart, decided by its own policy and by another."""

    def __init__(self, policy: str, *, own: str = "lightspeed", **link: Any) -> None:
        self.own, self.simulated = Tally(None, None), Tally(None, None)
        self.course = Course(policy, None, (self.own, self.simulated), 1)
        self._offsets = numbers()
        self.tell("store.links", LINK | {"policy": own} | link)

    def tell(self, topic: str, *values: Any) -> None:
        for value in values:
            offset = next(self._offsets)
            raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
            self.course.take(topic, Record(0, offset, MORNING + offset * MINUTE, STORE.encode(), raw))

    def level(self, sku: str, outlet: str) -> tuple[int, int, int]:
        """On hand, allocated and awaiting under the other policy."""
        moment = Moment(Source(topic="", partition=0, offset=0), moments.EPOCH, moments.EPOCH)
        stock = self.course.simulated.books(STORE, moment).stock(ProductId(f"p-{sku.lower()}"))
        level = stock.outlets[OutletId(outlet)]
        return int(level.on_hand), int(level.allocated), int(level.awaiting)


def hats_short_in_the_first_outlet(policy: str, **link: Any) -> Story:
    """Three hats and five shoes at o1, ten of each at o2: five hats and two shoes are ordered."""
    story = Story(policy, **link)
    story.tell("pos.inventory", count("HAT", "o1", 3), count("SHOE", "o1", 5))
    story.tell("pos.inventory", count("HAT", "o2", 10), count("SHOE", "o2", 10))
    story.tell("ecom.orders", order("A1", ("HAT", 5), ("SHOE", 2)))
    return story


def test_an_order_that_the_rule_keeps_together_is_split_by_priority() -> None:
    story = hats_short_in_the_first_outlet("priority")

    own, simulated = story.own.figures(), story.simulated.figures()

    assert (own.orders, own.split, own.split_rate) == (1, 0, 0.0)
    assert (simulated.orders, simulated.split, simulated.split_rate) == (1, 1, 1.0)
    assert [(one.outlet_id, one.orders, one.pieces) for one in own.load] == [("o2", 1, Decimal(7))]
    assert [(one.outlet_id, one.pieces) for one in simulated.load] == [("o1", Decimal(5)), ("o2", Decimal(2))]
    assert story.own.elsewhere(story.simulated) == [
        (STORE, "A1", {"o2": Decimal(7)}, {"o1": Decimal(5), "o2": Decimal(2)})
    ]


def test_the_own_policy_simulated_is_what_it_is() -> None:
    story = hats_short_in_the_first_outlet("lightspeed")
    _hand_over_at_o2(story)

    assert story.own.figures() == story.simulated.figures()
    assert story.own.elsewhere(story.simulated) == []
    assert story.level("HAT", "o1") == (3, 0, 0)
    assert story.level("HAT", "o2") == (5, 0, 0)


@pytest.mark.parametrize("on_receipt", [False, True])
def test_the_shelves_are_those_that_the_other_policy_would_have_left(on_receipt: bool) -> None:
    story = hats_short_in_the_first_outlet("priority", levels_include_open_orders=on_receipt)
    _hand_over_at_o2(story)

    # Really, all seven went out at o2; there, three hats and the shoes at o1, and two hats at o2.
    assert story.level("HAT", "o1") == (0, 0, 0)
    assert story.level("SHOE", "o1") == (3, 0, 0)
    assert story.level("HAT", "o2") == (8, 0, 0)
    assert story.level("SHOE", "o2") == (10, 0, 0)

    # So the next hat, which really is there at o1, is not.
    story.tell("ecom.orders", order("A2", ("HAT", 1), minute=90))
    assert story.own.elsewhere(story.simulated)[-1] == (STORE, "A2", {"o1": Decimal(1)}, {"o2": Decimal(1)})


def _hand_over_at_o2(story: Story) -> None:
    rows = (("HAT", 5, 10.0), ("SHOE", 2, 10.0))
    story.tell("pos.sales", pos_sale("P1", *rows, source_id="A1"))
    packed = pos_fulfillment("P1", "o2", "PACKED", 1, (1, "HAT", 5), (2, "SHOE", 2))
    gone = pos_fulfillment("P1", "o2", "FULFILLED", 2, (1, "HAT", 5), (2, "SHOE", 2))
    story.tell("pos.fulfillments", packed, gone, gone)
    story.tell("pos.inventory", count("HAT", "o2", 5, 2), count("SHOE", "o2", 8, 2))
    # A count that came late, of before.
    story.tell("pos.inventory", count("HAT", "o2", 10, 1))


def test_what_nobody_has_is_counted_as_it_was_when_the_order_came() -> None:
    story = Story("priority", oversell="restrict")
    story.tell("pos.inventory", count("HAT", "o1", 1), count("HAT", "o2", 0))
    story.tell("ecom.orders", order("A1", ("HAT", 2)))
    story.tell("pos.inventory", count("HAT", "o1", 5, 2))

    figures = story.simulated.figures()

    assert (figures.unallocated_orders, figures.unallocated_pieces) == (1, Decimal(1))
    assert [(one.outlet_id, one.pieces) for one in figures.load] == [("o1", Decimal(2))]


def test_a_record_that_says_nothing_is_counted_and_passed() -> None:
    story = hats_short_in_the_first_outlet("priority")
    story.tell("ecom.orders", b"{", order("A3", ("HAT", 1)))

    assert story.course.refused == 1
    assert story.own.figures().orders == 2
