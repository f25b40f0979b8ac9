"""Replays, as far as they need neither Kafka nor Postgres: ranges, whose records, pace, and merging."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from storage.replay.compare import _merged
from storage.replay.measures import figures, totals
from storage.replay.scope import Offsets, Scope
from streams.cli.replay_options import scope_of
from streams.replay.materialise import Throttle
from streams.replay.sieve import sieve


def test_a_range_is_told_by_its_options() -> None:
    assert scope_of(None, None, None, None, None).whole
    scope = scope_of("s1", "K8", "2026-03-01", "2026-03-02T12:00:00+01:00", None)
    assert str(scope) == ("store s1, order K8, from 2026-03-01T00:00:00+00:00, to 2026-03-02T12:00:00+01:00")
    assert (scope.whole, scope.bounded, Scope(store_id="s1").bounded) == (False, True, False)
    offsets = scope_of(None, None, None, None, ["stock.movements:3:10-12"]).offsets
    assert offsets == (Offsets(topic="stock.movements", partition=3, begin=10, end=12),)


@pytest.mark.parametrize(
    ("since", "until", "offsets", "complaint"),
    [
        (None, None, ["sales:0"], "no range of offsets"),
        (None, None, ["sales:0:5-5"], "is empty"),
        (None, None, ["orders:0:1-2"], "'orders' is no topic of the history; there are sales"),
        ("2026-03-02", "2026-03-01", None, "is not after --from 2026-03-02"),
        ("2026-03-02", None, ["sales:0:1-2"], "times or offsets, not both"),
        ("soon", None, None, "neither a span"),
    ],
)
def test_what_cannot_be_a_range_is_named(
    since: str | None, until: str | None, offsets: list[str] | None, complaint: str
) -> None:
    with pytest.raises(typer.BadParameter, match=complaint):
        scope_of(None, None, since, until, offsets)


@dataclass
class Record:
    key: bytes | None
    value: bytes | None


MINE = Record(b"s1", b'{"store_id": "s1", "order_id": "K8"}')
OTHER_ORDER = Record(b"s1", b'{"store_id": "s1", "order_id": "K9"}')
OTHER_STORE = Record(b"s2", b'{"store_id": "s2", "order_id": "K8"}')
CUSTOMER = Record(b"s1/c-1", b'{"store_id": "s1", "customer_id": "c-1"}')
NO_EVENT = Record(b"s1", b"\xff")
NO_VALUE = Record(b"s1", None)
ALL = [MINE, OTHER_ORDER, OTHER_STORE, CUSTOMER, NO_EVENT, NO_VALUE]


@pytest.mark.parametrize(
    ("scope", "taken"),
    [
        (Scope(), ALL),
        (Scope(store_id="s1"), [MINE, OTHER_ORDER, CUSTOMER, NO_EVENT, NO_VALUE]),
        (Scope(order_id="K8"), [MINE, OTHER_STORE]),
        (Scope(store_id="s1", order_id="K8"), [MINE]),
        (Scope(store_id="s"), []),
    ],
)
def test_records_are_taken_by_what_they_say_and_else_by_their_key(scope: Scope, taken: list[Record]) -> None:
    assert sieve(scope)(ALL) == taken


async def test_a_throttled_replay_takes_small_steps_and_no_more_than_so_many_a_second() -> None:
    throttle = Throttle(200)
    began = time.monotonic()
    for _ in range(3):
        await throttle.after(20)

    assert throttle.most_at_once == 50
    assert time.monotonic() - began >= 3 * 20 / 200 - 0.01
    assert Throttle(1).most_at_once == 1
    assert Throttle(None).most_at_once > 1_000


def test_figures_stand_side_by_side_and_add_up_exactly() -> None:
    live = {("2026-03-01", "total", "NZD"): Decimal("0.10"), ("2026-03-02", "total", "NZD"): Decimal("0.20")}
    shadow = {("2026-03-02", "total", "NZD"): Decimal("0.30")}

    found = figures(live, shadow)

    assert [(one.group, one.live, one.shadow, one.same) for one in found] == [
        ("2026-03-01", Decimal("0.10"), 0, False),
        ("2026-03-02", Decimal("0.20"), Decimal("0.30"), False),
    ]
    (total,) = totals(found)
    assert (total.live, total.shadow, total.same) == (Decimal("0.30"), Decimal("0.30"), True)


# Postgres has no text with a surrogate.
rows = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2))


@given(rows, rows)
async def test_rows_in_the_order_of_their_bytes_are_merged_to_what_differs(
    live: dict[str, int], shadow: dict[str, int]
) -> None:
    async def of(side: dict[str, int]) -> AsyncIterator[tuple[str, int]]:
        for key in sorted(side, key=str.encode):
            yield key, side[key]

    found = [one async for one in _merged(of(live), of(shadow))]

    assert sorted(found) == sorted(
        [("only live", key) for key in live.keys() - shadow.keys()]
        + [("only shadow", key) for key in shadow.keys() - live.keys()]
        + [("changed", key) for key in live.keys() & shadow.keys() if live[key] != shadow[key]]
    )
