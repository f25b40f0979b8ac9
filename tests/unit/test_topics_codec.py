"""Events to bytes and back, and their CloudEvents headers."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest

from topics.codec import decode_dead_letter, decode_online_stock, encode, headers
from topics.dead_letters import DeadLetter
from topics.event import Source
from topics.ids import ProductId, StoreId
from topics.online_stock import OnlineStock

AT = datetime(2026, 3, 2, 10, 0, 0, 250000, tzinfo=UTC)


def level(**changes: object) -> OnlineStock:
    event = OnlineStock(
        event_id="e-1",
        store_id=StoreId("büro/7"),
        event_time=AT,
        received_at=AT,
        processed_at=AT,
        sku="SCARF-RED",
        level=Decimal("7.50"),
        raw=Decimal("-2"),
        product_id=ProductId("p"),
    )
    return msgspec.structs.replace(event, **changes)


def test_an_event_comes_back_as_it_was_written() -> None:
    assert decode_online_stock(encode(level())) == level()


def test_decimals_travel_as_text_and_keep_their_digits() -> None:
    assert b'"level":"7.50","raw":"-2"' in encode(level())


def test_the_headers_are_those_of_a_cloud_event() -> None:
    assert dict(headers(level())) == {
        "ce_specversion": b"1.0",
        "content-type": b"application/json",
        "ce_type": b"tillstream.online_stock.changed.v1",
        "ce_id": b"e-1",
        "ce_source": b"/tillstream/stores/b%C3%BCro%2F7",
        "ce_time": b"2026-03-02T10:00:00.250000Z",
        "ce_subject": b"SCARF-RED",
    }


def test_the_time_is_utc_whatever_zone_it_came_in() -> None:
    eastward = AT.astimezone(timezone(timedelta(hours=12)))
    assert dict(headers(level(event_time=eastward)))["ce_time"] == b"2026-03-02T10:00:00.250000Z"


def test_a_long_subject_is_cut_between_characters() -> None:
    subject = dict(headers(level(sku="é" * 6000)))["ce_subject"]
    assert subject.decode() == "é" * 255


def test_a_dead_letter_carries_bytes_that_are_no_text() -> None:
    letter = DeadLetter(
        dead_letter_id="d-1",
        reason="not_utf8",
        detail="the value is not UTF-8 at byte 0",
        source=Source(topic="ecom.orders", partition=1, offset=42),
        record_time=AT,
        processed_at=AT,
        head=b"\xff\x00",
        length=2,
    )
    assert decode_dead_letter(encode(letter)) == letter
    assert dict(headers(letter))["ce_type"] == b"tillstream.record.refused.v1"


def test_an_event_that_is_cut_off_is_not_decoded() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_online_stock(encode(level())[:-1])
