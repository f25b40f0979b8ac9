"""Keys and partitions: the store id, and Kafka's own murmur2."""

import pytest
from aiokafka.partitioner import murmur2

from topics.errors import ContractError
from topics.ids import CustomerId, StoreId
from topics.keys import customer_key, decode_key, online_stock_key, store_key
from topics.partitions import partition_of

# From the tests of Kafka's own Java client, as signed 32-bit numbers.
KAFKA_S_OWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KAFKA_S_OWN.items())
def test_a_key_is_on_the_partition_that_the_java_client_chooses(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32
    for partitions in (1, 4, 16):
        assert partition_of(key, partitions) == (signed & 0x7FFFFFFF) % partitions


def test_a_key_is_the_store_id() -> None:
    assert decode_key("büro-7".encode()) == "büro-7"
    assert store_key(StoreId("büro-7")) == "büro-7".encode()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "no_key"),
        (b"", "no_key"),
        (b"  ", "no_key"),
        (b"\xff", "bad_key"),
        (b"a\0b", "bad_key"),
        (b"s" * 256, "too_long"),
    ],
)
def test_a_key_that_cannot_be_a_store_id_is_refused(key: bytes | None, reason: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode_key(key)
    assert caught.value.reason == reason


def test_two_stores_never_share_a_compacted_key() -> None:
    assert online_stock_key(StoreId("a/b"), "c") != online_stock_key(StoreId("a"), "b/c")
    assert customer_key(StoreId("a%2Fb"), CustomerId("c")) != customer_key(StoreId("a/b"), CustomerId("c"))
    assert online_stock_key(StoreId("s"), "A/7") == b"s/A/7"
