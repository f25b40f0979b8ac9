"""A replay of all history: the same as the live one, also when it was killed while orders came in."""

import json

import pytest

from storage.errors import BusyError
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY
from streams.replay.desk import Desk
from streams.replay.diff import diff
from streams.replay.errors import RefusedError
from streams.replay.run import resume, start
from tests.system.installation import Installation
from tests.system.replay.replaying import (
    ORDER,
    WHY,
    Command,
    Running,
    contents,
    gone_through,
    settled,
    traffic,
)

SLOWLY = ("--max-records-per-s", "5")
"""So that it is not over before it is killed."""


async def test_it_is_the_live_history_but_for_the_times_of_writing(shop: Installation, desk: Desk) -> None:
    done = await start(desk, Scope(), ORDER)

    live, shadow = await contents(shop, HISTORY), await contents(shop, SHADOW)
    for table in live:
        assert _timeless(table, shadow[table]) == _timeless(table, live[table]), f"{table} is not the same"
    for table in ("sales", "refunds", "sale_returns", "exceptions", "stock_levels", "customers"):
        assert live[table], f"nothing is tested of {table}"
    assert {json.loads(row)["found_by"] for row in live["dead_letters"]} == {"stock", "history"}
    assert (done.state, done.offsets_done) == ("ready", done.offsets_due)
    found = await diff(desk)
    assert found.same
    assert {one.table: (one.live, one.shadow) for one in found.tables} == {
        table: (len(rows), len(rows)) for table, rows in live.items() if table != "progress"
    }


def _timeless(table: str, rows: list[str]) -> list[str]:
    """A letter that the history itself wrote has the time of the writing."""
    if table != "dead_letters":
        return rows
    letters = [json.loads(row) for row in rows]
    for letter in letters:
        if letter["found_by"] == "history":
            del letter["processed_at"]
    return sorted(json.dumps(letter, sort_keys=True) for letter in letters)


async def test_one_that_was_killed_and_cancelled_while_orders_came_in_is_resumed_and_the_same(
    shop: Installation, desk: Desk, command: Command
) -> None:
    async with traffic(shop, "BUSY"):
        running = Running(shop, "run", *SLOWLY, *WHY)
        await gone_through(shop, 1)
        with pytest.raises(BusyError, match="at work on replay"):
            await start(desk, Scope(), ORDER)
        running.kill()
        killed = await command(shop, "status")
        again = Running(shop, "run", "--resume", *SLOWLY, *WHY)
        await gone_through(shop, killed.answer["replays"][0]["offsets_done"] + 1)
        cancel = await command(shop, "cancel", *WHY)
        cancelled = await again.ended()
        with pytest.raises(RefusedError, match="a shadow already: replay"):
            await start(desk, Scope(), ORDER)
        once_more = Running(shop, "run", "--resume", *SLOWLY, *WHY)
        await gone_through(shop, killed.answer["replays"][0]["offsets_done"] + 1)
        once_more.interrupt()
        interrupted = await once_more.ended()
        resumed = await resume(desk, ORDER)
    await settled(shop)

    (entry, *_) = killed.answer["replays"]
    assert (entry["state"], entry["whole"]) == ("interrupted", True)
    assert entry["offsets_done"] < entry["offsets_due"]
    assert cancel.answer == {"cancelled": entry["replay"]}
    assert (cancelled.code, "go on with `tillstream replay run --resume`" in cancelled.error) == (1, True)
    assert (interrupted.code, "a replay goes on with" in interrupted.error) == (130, True)
    assert (resumed.replay_id, resumed.state) == (entry["replay"], "ready")
    assert (await diff(desk)).same
    live, shadow = await contents(shop, HISTORY), await contents(shop, SHADOW)
    assert shadow["progress"] == live["progress"]
    assert shadow["sales"] == live["sales"]
    audit = await shop.rows(
        "SELECT state FROM tillstream_operations.audit WHERE action = 'replay run'"
        " AND (result ->> 'replay')::int = $1 ORDER BY audit_id",
        resumed.replay_id,
    )
    # The first was killed; nobody entered its number any more.
    assert [row["state"] for row in audit] == ["failed", "cancelled"]


async def test_what_it_is_compared_with_may_go_on_meanwhile(shop: Installation, desk: Desk) -> None:
    await start(desk, Scope(), ORDER)

    async with traffic(shop, "GOES-ON"):
        for _ in range(3):
            assert (await diff(desk)).same
