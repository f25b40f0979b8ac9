"""Random lives of sales in the shop as well: in whatever order it tells them, the books stay right."""

from datetime import datetime
from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.properties.test_sale_life import OUTLETS, PRODUCTS, OnlineStore
from tests.pure_pos import acknowledged, pos_line, pos_row, progress, returned, tender
from tests.pure_store import at
from topics.fulfillments import FulfillmentType
from topics.ids import OutletId
from topics.pos_fulfillments import PosFulfillment, PosFulfillmentState
from topics.pos_sales import PosSale, PosSaleState

ORDERS = st.integers(1, 4)
PIECES = st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 4)), max_size=3)
PROGRESS = st.lists(
    st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 4), st.integers(0, 4)),
    max_size=3,
    unique_by=lambda row: row[0],
)
PROGRESS_STATES: st.SearchStrategy[PosFulfillmentState] = st.sampled_from(
    ["new", "in_progress", "packed", "fulfilled"]
)
SALE_STATES: st.SearchStrategy[PosSaleState] = st.sampled_from([*["pending"] * 5, "voided", "closed"])
RETURN_STATES: st.SearchStrategy[PosSaleState] = st.sampled_from([*["closed"] * 3, "voided", "parked"])
TYPES: st.SearchStrategy[FulfillmentType] = st.sampled_from(["PICKUP", "DISPATCH"])
TIMES = st.one_of(st.none(), st.integers(0, 60).map(at))
"""When the shop says that it was: before or after counts that have come."""


class BothSides(OnlineStore):
    """The online store's life, and the shop acknowledges, takes money, hands over, takes back and voids."""

    def __init__(self) -> None:
        super().__init__()
        self.shop_version = 0
        self.told_by_shop: list[PosSale | PosFulfillment] = []

    def tell_shop(self, message: PosSale | PosFulfillment, *, drain: bool = True) -> None:
        self.told_by_shop.append(message)
        self.store.tell(message, drain=drain)

    def next_version(self) -> int:
        self.shop_version += 1
        return self.shop_version

    @rule(
        number=ORDERS,
        pieces=PIECES,
        cash=st.sampled_from([0, 0, 3, 10, 20]),
        state=SALE_STATES,
        when=TIMES,
        drain=st.booleans(),
    )
    def shop_has_the_sale(
        self,
        number: int,
        pieces: list[tuple[str, int]],
        cash: int,
        state: PosSaleState,
        when: datetime | None,
        drain: bool,
    ) -> None:
        self.tell_shop(
            acknowledged(
                f"order-{number}",
                *(pos_line(product, count, f"sl-{at}") for at, (product, count) in enumerate(pieces)),
                version=self.next_version(),
                payments=(tender("Cash", cash, f"cash-{number}-{cash}"),) if cash else (),
                handed_over=state == "closed",
                state=state,
                updated_at=when,
            ),
            drain=drain,
        )

    @rule(
        number=ORDERS,
        rows=PROGRESS,
        state=PROGRESS_STATES,
        place=st.sampled_from(OUTLETS),
        kind=TYPES,
        named=st.booleans(),
        when=TIMES,
    )
    def shop_works_at_it(
        self,
        number: int,
        rows: list[tuple[str, int, int]],
        state: PosFulfillmentState,
        place: str,
        kind: FulfillmentType,
        named: bool,
        when: datetime | None,
    ) -> None:
        lines = [pos_row(product, count, min(done, count)) for product, count, done in rows]
        if not named:
            lines = [msgspec.structs.replace(line, line_id=None) for line in lines]
        self.tell_shop(
            progress(
                f"order-{number}",
                *lines,
                state=state,
                type=kind,
                updated_at=when,
                version=self.next_version(),
                outlet_id=OutletId(place),
                pos_fulfillment_id=f"f-{number}-{place}",
            )
        )

    @rule(
        number=ORDERS,
        pieces=PIECES,
        name=st.sampled_from(["r1", "r2"]),
        state=RETURN_STATES,
        method=st.sampled_from(["Stripe", "Cash"]),
        place=st.sampled_from(OUTLETS),
    )
    def goods_come_back(
        self,
        number: int,
        pieces: list[tuple[str, int]],
        name: str,
        state: PosSaleState,
        method: str,
        place: str,
    ) -> None:
        self.tell_shop(
            returned(
                f"order-{number}",
                *(pos_line(product, -count) for product, count in pieces),
                name=name,
                version=self.next_version(),
                state=state,
                method=method,
                outlet_id=OutletId(place),
            )
        )

    @rule(number=ORDERS, amount=st.integers(1, 50))
    def money_goes_back(self, number: int, amount: int) -> None:
        refund = (tender("Cash", str(Decimal(-amount)), f"money-{number}"),)
        self.tell_shop(
            returned(f"order-{number}", name="money", version=self.next_version(), payments=refund)
        )

    @rule(data=st.data())
    def shop_tells_it_again(self, data: st.DataObject) -> None:
        if self.told_by_shop:
            self.store.tell(data.draw(st.sampled_from(self.told_by_shop)))


BothSides.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestBothSides = BothSides.TestCase
