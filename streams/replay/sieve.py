"""Which records of a partition are of a store or an order."""

from collections.abc import Callable, Sequence

import msgspec
from aiokafka.structs import ConsumerRecord

from storage.replay.scope import Scope

Sieve = Callable[[Sequence[ConsumerRecord]], Sequence[ConsumerRecord]]


class _Whose(msgspec.Struct):
    """The part of every event that says whose it is."""

    store_id: str | None = None
    order_id: str | None = None


_decode = msgspec.json.Decoder(_Whose).decode


def sieve(scope: Scope) -> Sieve:
    """Return what takes a scope's records out of others; times and offsets are for the spans to keep.

    What is not an event of ours is taken by its key: it is a dead letter of that store.
    """
    store, order = scope.store_id, scope.order_id
    if store is None and order is None:
        return lambda records: records

    def wanted(record: ConsumerRecord) -> bool:
        try:
            whose = _decode(record.value)
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            key = (record.key or b"").decode("utf-8", "replace").partition("/")[0]
            return order is None and key == store
        return (store is None or whose.store_id == store) and (order is None or whose.order_id == order)

    return lambda records: [record for record in records if wanted(record)]
