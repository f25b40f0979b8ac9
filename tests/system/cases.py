"""The named cases (tests/fixtures/cases), told to an installation record by record."""

import json
import random
import string
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.system.installation import Installation

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
LINK: dict[str, Any] = {
    "currency": "USD",
    "currency_precision": 2,
    "time_zone": "America/New_York",
    "register": "r1",
    "outlets": [
        {"id": "o1", "name": "O1", "connected": True, "priority": 1, "safety_stock": 0},
        {"id": "o2", "name": "O2", "connected": True, "priority": 2, "safety_stock": 0},
    ],
    "shipping_methods": {},
    "locations": {},
    "processors": [{"name": "Stripe", "reversal": False}],
    "oversell": "allow",
    "offline_payment": "unpaid",
    "levels_include_open_orders": False,
}
"""The link that a case has unless it brings one."""
Record = tuple[str, Any]
"""Topic, and a document, bytes, or None."""


class Case:
    """A case of that number, for a store of its own: another `store_id` makes a variant of it."""

    def __init__(self, number: str, store_id: str | None = None) -> None:
        (path,) = CASES.glob(f"{number}-*.json")
        self._case: dict[str, Any] = json.loads(path.read_text())
        self.store_id: str = store_id or self._case["records"][0]["key"]
        self.records: list[Record] = [(record["topic"], _value(record)) for record in self._case["records"]]
        self._next = 0

    @property
    def link(self) -> Record:
        return "store.links", self._case.get("store_link", LINK)

    async def tell(self, shop: Installation, count: int | None = None) -> None:
        """Publish the next records, all of them without a count, and wait until they are settled.

        Topics are read beside each other: where the topic changes, what came before is decided first.
        """
        records = self.records[self._next :][:count]
        if self._next == 0 and not any(topic == "store.links" for topic, _ in self.records):
            records = [self.link, *records]
        self._next = len(self.records) if count is None else self._next + count
        for topic, values in _runs(records):
            await shop.publish(topic, self.store_id, *values)
            await shop.decided()
        await shop.settled()


def _runs(records: list[Record]) -> Iterator[tuple[str, list[Any]]]:
    for topic, run in groupby(records, key=lambda record: record[0]):
        yield topic, [value for _, value in run]


def _value(record: dict[str, Any]) -> Any:
    repeat = record.get("repeat")
    if "raw" in record:
        return (record["raw"] + "".join(r["append"] * r["times"] for r in repeat or ())).encode()
    if repeat:
        assert repeat["field"] == "items[0].sku"
        record["value"]["items"][0]["sku"] = printable(repeat["length"])
    return record["value"]


def printable(length: int) -> str:
    """Return random printable text, always the same: text that does not compress well."""
    return "".join(random.Random(7).choices(string.ascii_letters + string.digits + "-_.:", k=length))
