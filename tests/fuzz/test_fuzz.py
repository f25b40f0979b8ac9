"""Whatever a record holds, it is decided or refused with a reason, in a time that its size accounts for."""

import json
import time
from random import Random
from typing import Any

import pytest

from tests.fuzz.corpus import PAYLOADS, TOPICS, seeds
from tests.fuzz.mutation import mutated
from tests.fuzz.target import FoundError, Target
from topics.registry import INBOUND

RECORDS = 1200
SEED = 20_260_302


@pytest.fixture(scope="module")
def target() -> Target:
    return Target()


def test_payloads_of_every_inbound_topic_are_fuzzed() -> None:
    assert set(TOPICS) == {topic.name for topic in INBOUND}


def test_records_that_are_nearly_right_are_decided_or_refused(target: Target) -> None:
    random, begun_with = Random(SEED), list(seeds())
    before = target.letters
    for _ in range(RECORDS):
        topic, value = random.choice(begun_with)
        target.take(topic, mutated(value, random))
    refused = target.letters - before
    assert RECORDS / 10 < refused < RECORDS * 9 / 10, "too few of them get far, or break anything"


def test_any_bytes_are_refused(target: Target) -> None:
    random = Random(SEED)
    for _ in range(200):
        target.take(random.choice(TOPICS), random.randbytes(random.randrange(100)))


@pytest.mark.parametrize("key", [None, b"", b"  ", b"\0", b"\xff", "Königsweg".encode(), b"x" * 300])
def test_any_key_is_a_store_or_refused(target: Target, key: bytes | None) -> None:
    target.take("ecom.orders", json.dumps(PAYLOADS["ecom.orders"][1]).encode(), key)


def deep(levels: int) -> bytes:
    return b'{"id": "A-1", "items": ' + b"[" * levels + b"]" * levels + b"}"


def long(size: int) -> bytes:
    return json.dumps(
        PAYLOADS["ecom.orders"][1] | {"orderComments": "x\\ é" * size, "sku": "y" * size}
    ).encode()


def many(count: int) -> bytes:
    order: dict[str, Any] = PAYLOADS["ecom.orders"][1]
    items = [order["items"][0] | {"id": number, "sku": f"SKU-{number}"} for number in range(count)]
    return json.dumps(order | {"id": f"many-{count}", "items": items}).encode()


def digits(count: int) -> bytes:
    return (
        json.dumps(PAYLOADS["ecom.orders"][1] | {"total": "HERE"}).encode().replace(b'"HERE"', b"9" * count)
    )


def exponent(count: int) -> bytes:
    big = b"1e" + b"9" * min(count // 100, 18)
    return json.dumps(PAYLOADS["ecom.orders"][1] | {"total": "HERE"}).encode().replace(b'"HERE"', big)


@pytest.mark.parametrize(
    ("make", "size"), [(deep, 5_000), (long, 5_000), (many, 100), (digits, 50_000), (exponent, 400)]
)
def test_ten_times_as_much_takes_not_much_more_than_ten_times_as_long(make: Any, size: int) -> None:
    def took(value: bytes) -> float:
        least = float("inf")
        for _ in range(3):
            target = Target()
            began = time.process_time()
            target.take("ecom.orders", value)
            least = min(least, time.process_time() - began)
        return least

    assert took(make(10 * size)) < 40 * took(make(size)), "a record of ten times the size"


def test_a_record_that_the_rules_stumble_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("streams.domain.orders.take", stumble)
    with pytest.raises(FoundError, match="ZeroDivisionError"):
        Target()
