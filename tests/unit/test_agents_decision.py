"""A fault in our own rules costs one message, and says where it is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from streams.agents.backlogs import Backlogs
from streams.agents.intake import Intake
from streams.domain import links, orders
from streams.domain.books import Books, Moment
from streams.domain.outcomes import Outcome
from streams.runtime.batch import Batch
from streams.runtime.unit import Header, KafkaUnit
from tests.plan import Plan
from tests.pure_store import SHOP, START, item, link, order
from topics.codec import DECODERS
from topics.dead_letters import DeadLetter
from topics.event import Source
from topics.orders import Order
from topics.sales import Sale

PERSONAL = "ada@example.com"


class Written:
    """A produce batch that keeps its records."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(
        self, *, timestamp: int | None, key: bytes, value: bytes | None, headers: Sequence[Header]
    ) -> object:
        assert value is not None
        self.values.append(value)
        return self

    def close(self) -> None:
        pass

    def record_count(self) -> int:
        return len(self.values)


class Unit:
    """A unit of work and the desk at which it is decided; offsets count up."""

    def __init__(self) -> None:
        plan = Plan(Written)
        self.unit = KafkaUnit(0, plan, plan)
        self.backlogs = Backlogs(partitions=1)
        self.desk = self.backlogs.desk(self.unit)
        self._offset = 0

    def moment(self) -> Moment:
        self._offset += 1
        source = Source(topic="ecom.orders", partition=0, offset=self._offset)
        return Moment(source, START, datetime.now(UTC))

    def link(self) -> None:
        self.desk.decide(SHOP, self.moment(), links.set_link, link(), b"{}", needs_link=False)

    def order(self, order_id: str, decide: Any = orders.take, part: int | None = None) -> None:
        message = order(order_id, item("SHIRT"), email=PERSONAL)
        self.desk.decide(SHOP, self.moment(), decide, message, b'{"id": "%s"}' % order_id.encode(), part)

    def events(self, topic: str) -> list[Any]:
        batches: list[Any] = self.unit.batches.get(topic, [])
        return [DECODERS[topic](value) for batch in batches for value in batch.values]

    @property
    def sales(self) -> list[str]:
        found: list[Sale] = self.events("sales")
        return [sale.order_id for sale in found]

    @property
    def letters(self) -> list[DeadLetter]:
        return self.events("dead.letters")


def stumble(books: Books, message: Order) -> Outcome:
    """Decide as always, and fail when all of it is decided."""
    orders.take(books, message)
    raise ZeroDivisionError(f"{message.email} cannot be divided")


def batch(*values: str) -> Batch:
    """Return a batch of records of the shop, from offset 0."""
    at = int(START.timestamp() * 1000)
    records = [
        ConsumerRecord(
            "ecom.orders", 0, offset, at, 0, SHOP.encode(), value.encode(), None, 0, len(value), ()
        )
        for offset, value in enumerate(values)
    ]
    return Batch("ecom.orders", 0, records, len(records), 0)


@pytest.fixture
def unit() -> Unit:
    unit = Unit()
    unit.link()
    return unit


def test_a_fault_in_our_rules_becomes_a_letter_with_its_traceback(unit: Unit) -> None:
    unit.order("BAD", stumble)
    (letter,) = unit.letters
    assert (letter.reason, letter.order_id, letter.store_id) == ("rule_failed", "BAD", SHOP)
    assert (letter.source.topic, letter.source.offset, letter.head) == ("ecom.orders", 2, b'{"id": "BAD"}')
    assert letter.traceback is not None
    assert "ZeroDivisionError" in letter.traceback
    assert "in stumble" in letter.traceback


def test_nothing_of_a_decision_that_failed_takes_effect(unit: Unit) -> None:
    unit.order("BAD", stumble)
    assert unit.sales == []
    assert list(unit.unit.table("sales").scan(SHOP.encode())) == []


def test_the_neighbours_of_a_fault_are_decided(unit: Unit) -> None:
    unit.order("BEFORE")
    unit.order("BAD", stumble)
    unit.order("AFTER")
    assert unit.sales == ["BEFORE", "AFTER"]
    assert unit.backlogs.outcomes["refused"] == 1


def test_parts_of_one_record_that_fail_have_letters_of_their_own(unit: Unit) -> None:
    unit.order("ONE", stumble, 0)
    unit.desk.decide(SHOP, Moment(unit.letters[0].source, START, START), stumble, order("TWO"), b"", 1)
    assert [letter.part for letter in unit.letters] == [0, 1]
    assert len({letter.dead_letter_id for letter in unit.letters}) == 2


def test_the_log_of_a_fault_names_the_record_and_no_person(
    unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    unit.order("BAD", stumble)
    assert "rule_failed" in caplog.text
    assert "ecom.orders/0@2" in caplog.text
    assert PERSONAL not in caplog.text


def test_a_fault_while_a_record_is_read_becomes_a_letter_and_its_neighbours_are_decided(unit: Unit) -> None:
    def read(value: bytes | None, _: datetime) -> Sequence[Order]:
        assert value is not None
        if value == b"BAD":
            raise ZeroDivisionError("cannot be read")
        return [order(value.decode(), item("SHIRT"))]

    take = Intake("ecom.orders", read, orders.take, unit.backlogs)
    take(batch("FIRST", "BAD", "LATER"), unit.unit)
    assert unit.sales == ["FIRST", "LATER"]
    (letter,) = unit.letters
    assert (letter.reason, letter.store_id, letter.source.offset, letter.head) == (
        "rule_failed",
        SHOP,
        1,
        b"BAD",
    )
    assert letter.traceback is not None
    assert "ZeroDivisionError" in letter.traceback


def test_a_held_order_on_which_the_rules_fail_is_a_letter_and_the_next_is_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit = Unit()
    unit.order("HELD-1")
    unit.order("HELD-2")
    unit.link()
    with monkeypatch.context() as patched:
        patched.setattr(orders, "take", stumble)
        assert unit.desk.step(SHOP, unit.moment().source)
    assert not unit.desk.step(SHOP, unit.moment().source)
    assert unit.sales == ["HELD-2"]
    (letter,) = unit.letters
    assert (letter.reason, letter.source.topic, letter.source.offset) == ("rule_failed", "ecom.orders", 1)


def test_held_parts_of_one_record_that_fail_later_have_letters_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit = Unit()
    moment = unit.moment()
    for part, order_id in enumerate(("ONE", "TWO")):
        unit.desk.decide(SHOP, moment, orders.take, order(order_id, item("SHIRT")), b"", part)
    unit.link()
    monkeypatch.setattr(orders, "take", stumble)
    while unit.desk.step(SHOP, moment.source):
        pass
    assert [(letter.order_id, letter.part) for letter in unit.letters] == [("ONE", 0), ("TWO", 1)]
    assert len({letter.dead_letter_id for letter in unit.letters}) == 2
