"""What goes wrong in practice, and must not here: the cases of DOMAIN 7, each by its name."""

from decimal import Decimal
from itertools import permutations

import pytest

from streams.domain.outcomes import Outcome
from tests.pure_pos import acknowledged, handed_over, pos_line, pos_row, progress, returned, tender
from tests.pure_store import PureStore, at, count, item, link, order, outlet, product, shop
from topics.customers import Customer
from topics.fulfillments import Fulfillment
from topics.movements import StockMoved
from topics.sales import Sale


def test_duplicate_late_and_reordered_snapshots() -> None:
    snapshots = [
        order("A", item("CUP", 1), payment_status="AWAITING_PAYMENT"),
        order("A", item("CUP", 3), version=2),
        order("A", item("CUP", 2), version=3, fulfillment_status="PROCESSING"),
    ]
    for told in permutations([*snapshots, snapshots[1]]):
        store = shop(count("cup", "o1", 10))
        for snapshot in told:
            store.tell(snapshot)
            store.check()
        sale = store.sale("A")
        assert (sale.order_version, sale.paid, store.where("A")) == (3, True, {"o1": {"CUP": 2}})
        assert store.stand("cup", "o1") == (10, 2, 0)


def test_a_webhook_storm_of_15_identical_bodies() -> None:
    store = shop(count("cup", "o1", 10))
    outcomes = [store.tell(order("A", item("CUP", 2))) for _ in range(15)]
    assert outcomes == [Outcome.DECIDED] + [Outcome.UNCHANGED] * 14
    assert (len(store.of(Sale)), len(store.of(Fulfillment)), store.online("CUP")) == (1, 1, 8)


@pytest.mark.parametrize("oversell", ["allow", "restrict"])
@pytest.mark.parametrize("first", ["online", "in_store"])
def test_the_last_unit_sold_online_and_in_store_in_the_same_second(first: str, oversell: str) -> None:
    store = shop(count("cup", "o1", 1), oversell=oversell)
    second = at(30)
    told = [order("A", item("CUP", 1)), count("cup", "o1", 0)]
    for message in told if first == "online" else reversed(told):
        store.tell(message, second)
        store.check()
    # Who pays finds a sale in any case; the online store sells none after it, and somebody is told.
    assert (store.sale("A").state, store.online("CUP")) == ("pending", 0)
    if first == "in_store":
        assert store.flags("A") == ["backordered" if oversell == "allow" else "unallocated"]
    else:
        assert store.stand("cup", "o1") == (0, 1, 0)
        assert str(store.books().stock(store.line("A").product_id).raw) == "-1"  # type: ignore[arg-type]
    store.tell(count("cup", "o1", 1), at(90))
    assert (store.flags("A"), store.where("A")) == ([], {"o1": {"CUP": 1}})


def test_two_outlets_each_short_but_enough_together() -> None:
    store = shop(count("cup", "o1", 2), count("cup", "o2", 3))
    store.tell(order("A", item("CUP", 5)))
    store.check()
    assert (store.where("A"), store.flags("A")) == ({"o1": {"CUP": 2}, "o2": {"CUP": 3}}, [])
    assert {f.outlet_id for f in store.of(Fulfillment)} == {"o1", "o2"}


def test_an_order_for_a_sku_that_the_pos_does_not_know() -> None:
    store = shop()
    store.tell(order("A", item("CUP", 1)))
    assert (store.sale("A").state, store.flags("A")) == ("pending", ["unknown_sku"])
    store.tell(product("cup", "CUP"))
    store.tell(count("cup", "o1", 4))
    store.check()
    assert (store.flags("A"), store.where("A"), store.open_exceptions()) == ([], {"o1": {"CUP": 1}}, set())


def test_an_order_for_a_sku_that_the_pos_knows_twice() -> None:
    store = shop(count("cup", "o1", 4), count("mug", "o1", 4, sku="CUP"))
    store.tell(order("A", item("CUP", 1)))
    assert (store.where("A"), store.flags("A")) == ({}, ["ambiguous_sku"])
    store.tell(product("mug", "MUG"))
    store.check()
    assert (store.where("A"), store.flags("A"), store.stand("cup", "o1")) == (
        {"o1": {"CUP": 1}},
        [],
        (4, 1, 0),
    )


def test_an_outlet_disconnected_with_open_fulfilments() -> None:
    store = shop(count("cup", "o1", 10), count("cup", "o2", 10))
    store.tell(order("A", item("CUP", 2)))
    store.tell(acknowledged("A", pos_line("cup", 2)))
    store.link(link(outlet("o1", 1, connected=False), outlet("o2", 2)))
    store.check()
    assert (store.where("A"), store.online("CUP")) == ({"o1": {"CUP": 2}}, 10)
    assert ("outlet_disconnected", "outlet/o1") in store.open_exceptions()
    store.tell(order("B", item("CUP", 1)))
    assert store.where("B") == {"o2": {"CUP": 1}}
    store.tell(handed_over("A", ("cup", 2)))
    store.check()
    assert (store.sale("A").state, store.open_exceptions()) == ("closed", set())


def test_a_store_link_that_arrives_after_its_orders() -> None:
    store = PureStore()
    store.tell(count("cup", "o1", 1))
    assert store.tell(order("A", item("CUP", 1))) is Outcome.WAITING
    store.tell(order("B", item("CUP", 1)))
    store.tell(order("A", item("CUP", 1), version=2, payment_status="CANCELLED"))
    assert store.of(Sale) == []
    store.link(link())
    store.check()
    assert [(sale.order_id, sale.state) for sale in store.of(Sale)][-1] == ("B", "pending")
    assert (store.sale("A").state, store.flags("B"), store.open_exceptions()) == ("voided", [], set())


@pytest.mark.parametrize(
    ("total", "rounding", "flags"),
    [
        ("20.00", "0.00", []),
        ("20.03", "0.03", []),
        ("19.95", "-0.05", []),
        ("19.94", "-0.06", ["total_differs"]),
    ],
)
def test_totals_off_by_cents(total: str, rounding: str, flags: list[str]) -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2), total=Decimal(total)))
    sale = store.sale("A")
    assert (str(sale.total), str(sale.rounding), str(sale.amount_paid)) == (total, rounding, total)
    assert (sale.paid, store.flags("A")) == (True, flags)


@pytest.mark.parametrize(("included", "total"), [(True, 20), (False, 23)])
def test_tax_inclusive_against_exclusive(included: bool, total: int) -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2), tax=Decimal(3), prices_include_tax=included, total=Decimal(total)))
    sale = store.sale("A")
    assert (sale.total, sale.tax, sale.rounding, store.flags("A")) == (total, 3, 0, [])


def test_negative_stock() -> None:
    store = shop(count("cup", "o1", -3), count("cup", "o2", 2))
    assert store.online("CUP") == 0
    store.tell(order("A", item("CUP", 1)))
    assert (store.where("A"), store.flags("A"), store.online("CUP")) == ({"o2": {"CUP": 1}}, [], 0)
    store.tell(count("cup", "o1", 4))
    store.check()
    assert store.online("CUP") == 5


def test_a_refund_larger_than_the_sale() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    store.tell(acknowledged("A", pos_line("cup", 2)))
    store.tell(handed_over("A", ("cup", 2)))
    store.tell(returned("A", pos_line("cup", -2), payments=(tender("Stripe", -100),)))
    store.check()
    sale = store.sale("A")
    assert (sale.refunded, sale.amount_paid, sale.returns[0].excess) == (20, 20, 80)
    assert "over_refunded" in store.flags("A")


def test_the_same_email_in_two_spellings() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP"), email="Ada@Example.com "))
    store.tell(order("B", item("CUP"), email="ada@example.COM", billing_name="A. Q."))
    assert store.sale("A").customer == store.sale("B").customer
    assert len(store.of(Customer)) == 1


@pytest.mark.parametrize(
    "name", ["Zoë Brontë", "李小龍", "Ольга Петрова", "محمد", "O'Neill-Ścibor", "🦉 Ltd", "नीता"]
)
def test_names_in_any_script(name: str) -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP"), billing_name=name))
    assert (store.sale("A").customer.name, store.of(Customer)[0].name) == (name, name)
    assert store.replayed().events == store.events


def test_an_order_of_500_lines() -> None:
    names = [f"p{number:03}" for number in range(500)]
    store = shop(*(count(name, "o1", 5) for name in names))
    lines = [pos_line(name, 2) for name in names]
    store.tell(order("A", *(item(name.upper(), 2) for name in names)))
    store.tell(acknowledged("A", *lines))
    store.tell(progress("A", *(pos_row(name, 2, 2) for name in names), state="fulfilled"))
    store.tell(returned("A", *(pos_line(name, -1) for name in names)))
    store.check()
    sale = store.sale("A")
    assert (len(sale.lines), sale.state, sale.revision) == (500, "closed", 4)
    assert {(line.fulfilled, line.returned) for line in sale.lines} == {(2, 1)}


def test_an_order_edited_while_it_is_being_packed() -> None:
    store = shop(count("cup", "o1", 10), count("mug", "o1", 10))
    store.tell(order("A", item("CUP", 3), item("MUG", 1)))
    store.tell(acknowledged("A", pos_line("cup", 3), pos_line("mug", 1)))
    store.tell(
        progress("A", pos_row("cup", 3, 1, picked=3, packed=2), pos_row("mug", 1, picked=1), state="packed")
    )
    store.tell(order("A", item("CUP", 2), version=2))
    store.check()
    assert (store.pieces("A"), store.where("A")) == ({"open": 1, "fulfilled": 1}, {"o1": {"CUP": 1}})
    (row,) = store.sale("A").fulfillments[0].lines
    assert (row.quantity, row.picked, row.packed, row.fulfilled) == (2, 2, 2, 1)
    assert store.sale("A").fulfillments[0].state == "packed"
    store.tell(handed_over("A", ("cup", 3), ("mug", 1)))
    store.check()
    # What went out beyond the order is told, not dropped.
    assert (store.sale("A").state, store.flags("A")) == ("closed", ["pos_differs", "overpaid"])


def test_a_return_of_an_order_older_than_the_logs_retention() -> None:
    store = shop(count("cup", "o1", 10))
    store.tell(order("A", item("CUP", 2)))
    store.tell(acknowledged("A", pos_line("cup", 2)))
    store.tell(handed_over("A", ("cup", 2)))
    store.tell(count("cup", "o1", 8))
    store.tell(returned("A", pos_line("cup", -1)), at(days=3 * 365))
    store.check()
    sale = store.sale("A")
    assert (sale.lines[0].returned, sale.refunded, sale.returns[0].state) == (1, 10, "returned")
    moves = [move for event in store.of(StockMoved) for move in event.movements]
    assert (moves[-1].kind, moves[-1].quantity, store.stand("cup", "o1")) == ("returned", 1, (8, 0, 0))
