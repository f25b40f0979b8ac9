"""The registry of topics: nothing forgotten, and every limit where it must be."""

import pytest

from topics.codec import CE_TYPES, DECODERS, EVENTS
from topics.registry import (
    BY_NAME,
    INBOUND,
    OUTBOUND,
    TOPICS,
    Topic,
    changelog,
    changelog_name,
    topic,
)
from topics.schemas import FOLDER


def test_every_topic_of_the_picture_is_there() -> None:
    assert {found.name for found in INBOUND} == {
        "ecom.orders",
        "pos.inventory",
        "pos.sales",
        "pos.fulfillments",
        "pos.products",
        "pos.customers",
        "store.links",
        "stock.corrections",
    }
    assert {found.name for found in OUTBOUND} == {
        "sales",
        "fulfillments",
        "refunds",
        "stock.movements",
        "customers",
        "ecom.stock",
        "exceptions",
        "dead.letters",
    }


def test_every_outgoing_topic_has_an_event_a_decoder_and_a_type() -> None:
    assert set(EVENTS) == set(DECODERS) == {found.name for found in OUTBOUND}
    assert set(CE_TYPES) == set(EVENTS.values())


@pytest.mark.parametrize("found", TOPICS, ids=lambda found: found.name)
def test_every_topic_has_a_committed_schema_and_a_description(found: Topic) -> None:
    assert found.schema is not None
    assert (FOLDER / found.schema).is_file()
    assert found.description
    assert found.key.startswith("store id")


def test_outputs_and_changelogs_take_larger_records_than_inputs() -> None:
    largest = max(found.max_message_bytes for found in INBOUND)
    assert all(found.max_message_bytes > largest for found in (*OUTBOUND, changelog("stock-sales-changelog")))


def test_the_history_can_be_rebuilt_from_what_is_kept() -> None:
    for name in ("sales", "fulfillments", "refunds", "stock.movements", "exceptions", "stock.corrections"):
        assert BY_NAME[name].config()["retention.ms"] == "-1"
        assert BY_NAME[name].config()["cleanup.policy"] == "delete"
    for name in ("customers", "ecom.stock", "store.links"):
        assert BY_NAME[name].config()["cleanup.policy"] == "compact"
        assert "retention.ms" not in BY_NAME[name].config()


def test_a_topic_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(LookupError, match=r"no topic 'orders'; there are ecom\.orders, "):
        topic("orders")


def test_names() -> None:
    assert topic("sales").full_name("test-") == "test-sales"
    assert changelog_name("test-stock", "sales") == "test-stock-sales-changelog"
    assert changelog("test-stock-sales-changelog").config(2)["min.insync.replicas"] == "2"
