"""Random lives with an operator in them: whatever is corrected, the movements add up to the levels."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.properties.test_sale_life import OUTLETS, PRODUCTS
from tests.properties.test_shop_life import BothSides
from topics.corrections import Correction, LedgerLevel
from topics.ids import OutletId, ProductId

CHANGES = st.integers(-5, 5).map(Decimal)


class WithAnOperator(BothSides):
    """The life of a store in which an operator corrects what is on hand or awaits its count, or is late."""

    def __init__(self) -> None:
        super().__init__()
        self.corrections: list[Correction] = []

    @rule(
        product=st.sampled_from(PRODUCTS),
        place=st.sampled_from(OUTLETS),
        on_hand=CHANGES,
        awaiting=CHANGES,
        late=st.sampled_from([0, 0, 0, 1]),
        in_full=st.booleans(),
    )
    def operator_corrects(
        self, product: str, place: str, on_hand: Decimal, awaiting: Decimal, late: int, in_full: bool
    ) -> None:
        product_id, outlet_id = ProductId(product), OutletId(place)
        sums = self.store.reader.shelves[product_id, outlet_id]
        ledger = LedgerLevel(
            revision=sums.revision,
            on_hand=sums.on_hand,
            allocated=sums.allocated,
            awaiting=sums.awaiting,
        )
        told = Correction(
            correction_id=f"c-{len(self.corrections)}",
            product_id=product_id,
            outlet_id=outlet_id,
            revision=sums.revision - late,
            on_hand=on_hand,
            awaiting=awaiting,
            ledger=ledger if in_full else None,
        )
        self.corrections.append(told)
        self.store.tell(told)

    @rule(data=st.data())
    def correction_comes_again(self, data: st.DataObject) -> None:
        if self.corrections:
            before = dict(self.store.tables.rows["stock"])
            self.store.tell(data.draw(st.sampled_from(self.corrections)))
            assert self.store.tables.rows["stock"] == before


WithAnOperator.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestWithAnOperator = WithAnOperator.TestCase
