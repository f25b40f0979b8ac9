"""Kafka keys: the store id, alone or before what a compacted topic keeps one record of."""

from functools import lru_cache

from topics.decoders.record import MAX_ID
from topics.errors import ContractError
from topics.ids import CustomerId, StoreId


@lru_cache(maxsize=65_536)
def decode_key(key: bytes | None) -> StoreId:
    """Return the store id that a record's key holds.

    ContractError `no_key` when it is absent or blank, `bad_key` when it cannot be a store id, `too_long`
    beyond 255 characters. A key is never mended: the record's partition was chosen by its bytes.
    """
    if not key or key.isspace():
        raise ContractError("no_key", "the record has no key: the key is the store id")
    try:
        text = key.decode()
    except UnicodeDecodeError:
        raise ContractError("bad_key", "the key is not UTF-8: the key is the store id as text") from None
    if "\0" in text:
        raise ContractError("bad_key", "the key holds a NUL character: the key is the store id as text")
    if len(text) > MAX_ID:
        raise ContractError(
            "too_long", f"the key is longer than {MAX_ID} characters", value=f"{len(text)} characters"
        )
    return StoreId(text)


def store_key(store_id: StoreId) -> bytes:
    return store_id.encode()


def online_stock_key(store_id: StoreId, sku: str) -> bytes:
    """Return the key of `ecom.stock`: `store/sku`."""
    return f"{_escaped(store_id)}/{sku}".encode()


def customer_key(store_id: StoreId, customer_id: CustomerId) -> bytes:
    """Return the key of `customers`: `store/customer`."""
    return f"{_escaped(store_id)}/{customer_id}".encode()


def _escaped(store_id: str) -> str:
    # Two stores must not share a key (`a/b` + `c`, `a` + `b/c`): compaction would keep one of the two.
    return store_id.replace("%", "%25").replace("/", "%2F")
