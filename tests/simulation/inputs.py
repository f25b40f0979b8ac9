"""What the two systems publish in a run: orders of a few stores and what becomes of them, from the seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from tests.system.payloads import count, order, pos_fulfillment, pos_sale, profile
from topics.partitions import partition_of

SKUS = ("CUP", "MUG", "PEN")
OUTLETS = ("o1", "o2")
POISON = (b"", b"{", b"[1, 2", b"null", b'{"id": 5}', b"\xff\xfe", b'{"eventType": "order.updated"}')


class Input(NamedTuple):
    """A record of an inbound topic; `aborted`: its producer takes it back."""

    at: float
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    aborted: bool = False

    def __str__(self) -> str:
        value = b"" if self.value is None else self.value
        shown = value.decode(errors="replace")
        took_back = ", taken back" if self.aborted else ""
        return f"{self.at:.2f} s: {self.topic}/{self.partition} {self.key!r}{took_back}: {shown[:160]}"


def draw(random: Random, partitions: int, until: float) -> list[Input]:
    """Draw a run's input, by time; about half of it is there before the workers start."""
    stores = [f"store-{number}" for number in range(random.choice((1, 1, 2)))]
    told = [
        (topic, store.encode(), value)
        for store in stores
        for topic, value in _of(random, store, random.choice((1, 1, 2, 3, 5)))
    ]
    if len(stores) > 1:  # stores take turns, each in its own order
        told = _shuffled_by_key(random, told)
    inputs: list[Input] = []
    backlog = random.choice((0.0, 0.4, 0.9))
    at = 0.0
    for number, (topic, key, value) in enumerate(told):
        if number >= backlog * len(told):
            at += random.expovariate(len(told) / until)
        partition = partition_of(key, partitions)
        inputs.append(Input(at, topic, partition, key, value))
        if random.random() < 0.03:
            wrong = (partition + 1) % partitions
            inputs.append(Input(at, topic, wrong, key, value))
        if random.random() < 0.04:
            inputs.append(Input(at, topic, partition, key, random.choice(POISON)))
        if random.random() < 0.02:
            inputs.append(Input(at, topic, partition, None, value))
        if random.random() < 0.05:
            inputs.append(Input(at, topic, partition, key, value, aborted=True))
    return inputs


def _shuffled_by_key(random: Random, told: list[tuple[str, bytes, bytes | None]]) -> list[Any]:
    queues: dict[bytes, list[Any]] = {}
    for one in told:
        queues.setdefault(one[1], []).append(one)
    turns = [one[1] for one in told]
    random.shuffle(turns)
    return [queues[key].pop(0) for key in turns]


def _of(random: Random, store: str, orders: int) -> Iterator[tuple[str, bytes | None]]:
    """Yield (topic, value) of one store."""

    def link() -> tuple[str, bytes]:
        return "store.links", _json(
            {
                "currency": "USD",
                "register": "r1",
                "outlets": [
                    {
                        "id": outlet,
                        "name": outlet,
                        "priority": place,
                        "connected": random.random() < 0.9,
                        "safety_stock": random.choice((0, 0, 1)),
                    }
                    for place, outlet in enumerate(OUTLETS)
                ],
                "processors": [{"name": "Stripe", "reversal": random.random() < 0.5}],
                "oversell": random.choice(("allow", "restrict")),
                "levels_include_open_orders": random.random() < 0.4,
            }
        )

    version = 0
    late_link = random.random() < 0.3
    if not late_link:
        yield link()
    for sku in SKUS:
        for outlet in random.sample(OUTLETS, random.choice((0, 1, 1, 2))):
            version += 1
            yield "pos.inventory", _json(count(sku, outlet, random.randrange(8), version))
    placed: list[dict[str, Any]] = []
    for number in range(orders):
        lines = [(sku, random.randint(1, 3)) for sku in random.sample(SKUS, random.randint(1, 2))]
        snapshot = order(
            f"{store}-{number}",
            *lines,
            minute=number,
            paymentStatus=random.choice(("PAID", "PAID", "AWAITING_PAYMENT")),
            email=random.choice(("ada@example.com", "bo@example.com", None)),
        )
        placed.append(snapshot)
        yield "ecom.orders", _json(snapshot)
        if late_link and number == orders // 2:
            yield link()
        for _ in range(random.choice((0, 1, 1, 2))):
            version += 1
            yield from _later(random, random.choice(placed), version)
        if random.random() < 0.05:
            yield "store.links", None
            yield link()
        elif random.random() < 0.07:
            yield link()


def _later(random: Random, snapshot: dict[str, Any], version: int) -> Iterator[tuple[str, bytes]]:
    """Yield what happens to an order, or to its store's stock, later."""
    order_id = snapshot["id"]
    rows = [(item["sku"], item["quantity"]) for item in snapshot["items"]]
    what = random.choice(
        ("again", "paid", "cancelled", "edited", "count", "sold", "out", "back", "void", "who")
    )
    if what == "again":
        yield "ecom.orders", _json(snapshot)
    elif what in {"paid", "cancelled", "edited"}:
        snapshot["updateTimestamp"] += 7 * version
        if what == "edited":
            snapshot["items"][0]["quantity"] = random.randint(1, 4)
            snapshot["total"] = snapshot["subtotal"] = 10 * sum(one["quantity"] for one in snapshot["items"])
        else:
            snapshot["paymentStatus"] = what.upper()
        yield "ecom.orders", _json(snapshot)
    elif what == "count":
        yield (
            "pos.inventory",
            _json(count(random.choice(SKUS), random.choice(OUTLETS), random.randrange(9), version)),
        )
    elif what == "who":
        yield "pos.customers", _json(profile(f"c{version % 3}", "ada@example.com", f"Ada {version % 2}"))
    else:
        sale = f"s-{order_id}"
        state = {"version": version, "source_id": order_id}
        if what == "void":
            yield "pos.sales", _json(pos_sale(sale, *_priced(rows), status="VOIDED", **state))
            return
        yield "pos.sales", _json(pos_sale(sale, *_priced(rows), **state))
        if what in {"out", "back"}:
            lines = [(place, sku, pieces) for place, (sku, pieces) in enumerate(rows, start=1)]
            outlet = random.choice(OUTLETS)
            yield "pos.fulfillments", _json(pos_fulfillment(sale, outlet, "FULFILLED", version, *lines))
        if what == "back":
            sku, pieces = rows[0]
            yield (
                "pos.sales",
                _json(
                    pos_sale(
                        f"{sale}-back",
                        (sku, -pieces, 10.0),
                        status="CLOSED",
                        version=version,
                        return_for=sale,
                        tenders=(("Stripe", -10.0 * pieces),),
                    )
                ),
            )


def _priced(rows: list[tuple[str, int]]) -> list[tuple[str, int, float]]:
    return [(sku, pieces, 10.0) for sku, pieces in rows]


_json = msgspec.json.encode
