"""The named cases that others have met, from the records' bytes to the decision (tests/fixtures/cases)."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.pure_store import START, PureStore, link
from topics.decoders import decode_inventory, decode_link, decode_orders, decode_product, decode_profile
from topics.errors import ContractError
from topics.ids import WALK_IN, StoreId
from topics.sales import Sale

CASES = Path(__file__).parent.parent / "fixtures" / "cases"

DECODE: dict[str, Callable[[bytes | None], Sequence[Any]]] = {
    "ecom.orders": lambda value: decode_orders(value, START),
    "pos.inventory": lambda value: [decode_inventory(value)],
    "pos.products": lambda value: [decode_product(value)],
    "pos.customers": lambda value: [decode_profile(value)],
}


class Case:
    """A case's store, told its records one by one; `refused` are the reasons of those that were."""

    def __init__(self, name: str) -> None:
        (path,) = CASES.glob(f"{name}-*.json")
        self.case: dict[str, Any] = json.loads(path.read_text())
        self.records: list[dict[str, Any]] = self.case["records"]
        self.store = PureStore(StoreId(self.records[0]["key"]))
        self.refused: list[str] = []
        given = self.case.get("store_link")
        self.store.link(decode_link(json.dumps(given).encode()) if given else link())
        self.next = 0

    def tell(self, count: int | None = None) -> PureStore:
        """Tell the next records, all of them without a count."""
        end = len(self.records) if count is None else self.next + count
        for record in self.records[self.next : end]:
            value = None if record["value"] is None else json.dumps(record["value"]).encode()
            if record["topic"] == "store.links":
                self.store.link(None if value is None else decode_link(value))
                continue
            try:
                messages = DECODE[record["topic"]](value)
            except ContractError as error:
                self.refused.append(error.reason)
                continue
            for message in messages:
                self.store.tell(message)
        self.next = end
        self.store.check()
        return self.store


def test_01_text_with_nul_is_the_same_order_and_customer_without_it() -> None:
    case = Case("01")
    store = case.tell()
    assert store.sale("NUL01B").customer.name == "Ada Quill"
    assert store.sale("NUL01B").customer.email == "nul01b@example.com"
    assert (store.sale("NUL01C").customer.customer_id, store.sale("NUL01C").customer.name) == ("c-01", "Bo")
    assert case.refused == []


def test_02_a_level_that_is_no_number_leaves_the_level_as_it_was() -> None:
    case = Case("02")
    store = case.tell(2)
    assert (store.level("p-02", "o1"), len(case.refused)) == ((5, 0), 1)
    case.tell()
    assert store.where("NAN02") == {"o1": {"BOWL": 1}}
    assert (store.level("p-02", "o1"), store.online("BOWL")) == ((4, 1), 3)


def test_07_guests_without_an_email_are_nobody_in_particular() -> None:
    store = Case("07").tell()
    assert [store.sale(f"GUEST07{x}").customer.customer_id for x in "ACD"] == [WALK_IN] * 3
    sale = store.sale("GUEST07B")
    assert (sale.customer.email, sale.customer.name, sale.revision) == ("kim.two@example.com", "Kim Two", 2)


def test_08_gift_card_and_card_pay_the_whole() -> None:
    store = Case("08").tell()
    sale = store.sale("GIFT08")
    assert [(p.name, str(p.amount)) for p in sale.payments] == [("gift card", "40.00"), ("Stripe", "62.50")]
    assert (sale.paid, str(sale.amount_paid), str(sale.rounding), sale.flags) == (True, "102.50", "0.00", ())


def test_09_a_renamed_sku_moves_no_stock() -> None:
    case = Case("09")
    store = case.tell(3)
    assert store.online("OLD-9") == 7
    case.tell(1)
    assert (store.online("OLD-9"), store.online("NEW-9")) == (0, 7)
    case.tell()
    assert (store.online("NEW-9"), store.level("p-09", "o1")) == (5, (8, 3))


def test_10_milliseconds_are_no_later_than_the_seconds_that_follow() -> None:
    store = Case("10").tell()
    first, second = store.of(Sale)
    assert first.event_time.isoformat() == "2026-02-25T09:00:00+00:00"
    assert (second.revision, second.paid) == (2, True)


def test_12_an_empty_list_for_an_object_is_nothing() -> None:
    case = Case("12")
    store = case.tell()
    sale = store.sale("LIST12")
    assert (sale.payments[0].name, sale.customer.name) == ("Stripe", "Pat Example")
    assert store.where("LIST12") == {"o1": {"BELT": 1}}
    assert case.refused == []


def test_13_records_without_a_value_delete_no_order_and_a_link_only_for_a_while() -> None:
    case = Case("13")
    store = case.tell(7)
    assert case.refused == ["empty_record", "empty_record"]
    assert not store.has_sale("TOMB13B")
    assert ("waiting_for_link", "TOMB13B") in store.open_exceptions()
    case.tell()
    assert [sale.order_id for sale in store.of(Sale)] == ["TOMB13A", "TOMB13B"]
    assert store.online("RING") == 4
    assert ("waiting_for_link", "TOMB13B") not in store.open_exceptions()


def test_14_two_lines_of_one_sku_share_its_stock() -> None:
    case = Case("14")
    store = case.tell(3)
    places = {line.line_id: line.allocations[0].outlet_id for line in store.sale("TWO14").lines}
    assert (places, store.flags("TWO14"), store.online("CAP")) == ({"1401": "o1", "1402": "o2"}, [], 0)
    case.tell()
    assert (store.where("TWO14"), store.online("CAP")) == ({"o1": {"CAP": 1}}, 1)


@pytest.mark.parametrize("name", ["01", "02", "07", "08", "09", "10", "12", "13", "14"])
def test_a_replay_of_the_case_decides_the_same(name: str) -> None:
    store = Case(name).tell()
    assert store.replayed().events == store.events
