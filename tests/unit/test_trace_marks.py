"""What became of each inbound record, as a trace says it, and what a revision changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiokafka.structs import ConsumerRecord

from streams.explain.changes import changes
from streams.explain.told import Decision, Marks, Subject, Told
from tests.pure_pos import acknowledged, pos_line, returned
from tests.pure_store import count, item, order, sale_id_of, shop
from tests.system.payloads import order as snapshot
from tests.system.payloads import pos_sale
from topics.ids import OrderId, SaleId

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SALE = SaleId("00000000-0000-5000-8000-000000000001")


def record(topic: str, offset: int, value: Any, minute: int) -> ConsumerRecord:
    data = value if isinstance(value, bytes) else msgspec.json.encode(value)
    stamp = int((START + timedelta(minutes=minute)).timestamp() * 1000)
    return ConsumerRecord(
        topic=topic, partition=0, offset=offset, timestamp=stamp, timestamp_type=0, key=b"s", value=data,
        checksum=None, serialized_key_size=1, serialized_value_size=len(data), headers=(),
    )  # fmt: skip


def orders(*values: tuple[int, Any]) -> list[Told]:
    """Return what records of these (minute, document) tell of order A."""
    subject = Subject(OrderId("A"), SALE)
    told: list[Told] = []
    for offset, (minute, value) in enumerate(values):
        told += subject.orders(record("ecom.orders", offset, value, minute))
    return told


def marks(told: list[Told], *decided: int, waits: bool = False, upto: int = 99) -> list[str]:
    """Return the mark of each; `decided` are the minutes of those that made a revision."""
    made = [
        Decision(START + timedelta(minutes=minute), "edited", revision, 0)
        for revision, minute in enumerate(decided, 1)
    ]
    found = Marks(made, {"ecom.orders": upto, "pos.sales": upto}, waits_for_link=waits)
    return [found.of(one).partition(":")[0].partition(" (")[0] for one in told]


def test_a_snapshot_is_decided_a_copy_late_or_not_decided_yet() -> None:
    told = orders(
        (1, snapshot("A", ("CUP", 1), minute=5)),
        (2, snapshot("A", ("CUP", 1), minute=5)),
        (3, snapshot("A", ("CUP", 2), minute=1)),
        (4, snapshot("A", ("CUP", 2), minute=5)),
        (5, snapshot("A", ("CUP", 3), minute=6)),
    )
    assert marks(told, 1, 4, upto=4) == ["decided", "duplicate", "late", "decided", "not decided yet"]


def test_what_led_to_nothing_changed_nothing_or_waits_for_the_link() -> None:
    told = orders((1, snapshot("A", ("CUP", 1))))
    assert marks(told) == ["changed nothing"]
    assert marks(told, waits=True) == ["waits for the store's link"]


def test_an_abandoned_cart_and_a_record_that_cannot_be_read_are_said_to_be_so() -> None:
    told = orders(
        (1, snapshot("A", ("CUP", 1), paymentStatus="INCOMPLETE")),
        (2, snapshot("A", ("CUP", 1), total="many")),
        (3, b'{"id": "A", "items": ['),
    )
    assert marks(told) == ["an abandoned cart", "refused", "refused"]


def test_of_a_search_answer_only_the_order_that_is_traced_counts() -> None:
    answer = {"count": 2, "items": [snapshot("B", ("CUP", 1)), snapshot("A", ("CUP", 1))]}
    (told,) = orders((1, answer), (2, snapshot("AA", ("CUP", 1))))
    assert getattr(told.message, "order_id", None) == "A"


@pytest.mark.parametrize("return_first", [False, True])
def test_a_return_belongs_to_the_sale_that_it_names_whichever_comes_first(return_first: bool) -> None:
    subject = Subject(OrderId("A"), SALE)
    documents = [
        pos_sale("s-1", ("CUP", 2, 10), source_id="A"),
        pos_sale("s-2", ("CUP", -1, 10), return_for="s-1"),
        pos_sale("s-3", ("CUP", -1, 10), return_for="elsewhere"),
        pos_sale("s-4", ("CUP", 1, 10), source_id="B"),
    ]
    if return_first:
        documents.reverse()
    told = [subject.sale_in_pos(record("pos.sales", at, one, at)) for at, one in enumerate(documents)]
    kept = {one.message.pos_sale_id for one in told if one and subject.concerns(one.message)}  # type: ignore[union-attr, arg-type]
    assert kept == subject.pos_sale_ids == {"s-1", "s-2"}


def test_a_version_that_came_before_is_a_copy_and_a_lower_one_late() -> None:
    subject = Subject(OrderId("A"), SALE)
    told = [
        subject.sale_in_pos(record("pos.sales", at, pos_sale("s-1", source_id="A", version=version), at))
        for at, version in enumerate((2, 2, 1, 3))
    ]
    found = Marks((), {"pos.sales": 9}, waits_for_link=False)
    said = [found.of(one).partition(":")[0] for one in told if one is not None]
    assert said == ["changed nothing", "duplicate", "late", "changed nothing"]


def test_each_revision_says_what_it_changed_and_nothing_of_a_person() -> None:
    store = shop(count("cup", "o1", 5))
    before = None
    told: list[list[str]] = []
    for message in (
        order("A", item("CUP", 2)),
        order("A", item("CUP", 3), version=2),
        acknowledged("A", pos_line("cup", 3), handed_over=True),
        returned("A", pos_line("cup", -1)),
    ):
        store.tell(message)
        after = store.sale("A")
        assert after.sale_id == sale_id_of(store, "A")
        told.append(changes(before, after))
        before = after
    first, edited, handed, back = map("\n".join, told)
    assert "line line-CUP CUP: 2, 2 at o1" in first
    assert "quantity 2 → 3" in edited
    assert "2 at o1 → 3 at o1" in edited
    assert "fulfilled 0 → 3" in handed
    assert "state: pending → closed" in handed
    assert "return + s-A-r1 returned" in back
    assert "returned 0 → 1" in back
    assert "Ada" not in "".join(map("".join, told))
    assert "@" not in "".join(map("".join, told))
