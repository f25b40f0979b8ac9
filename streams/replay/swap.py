"""A shadow takes the live history's place, or gives it back."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import uniform

import msgspec

from storage import schema
from storage.history import History
from storage.operations import replays
from storage.operations.audit import Order, audited
from storage.operations.replays import Replay
from storage.operations.turn import turn
from storage.progress import Place, Span
from storage.replay import bonds, letters, shadow
from storage.replay.exchange import InTheWayError, exchange, in_the_way, live_held
from storage.replay.grants import copy_grants
from storage.replay.scope import Scope
from storage.replay.shadow import SHADOW
from storage.schema import HISTORY, Schema
from streams.replay.desk import Desk
from streams.replay.errors import RefusedError, ReplayError
from streams.replay.materialise import materialise
from streams.replay.run import Tell, silent
from streams.replay.sieve import sieve

NEAR_OFFSETS = 2_000
"""So near the live history, the rest is caught up while its writers are held."""
LAST_BIT_S = 2.0
WAIT_S = 60.0
"""How long readers and writers are waited for, unless told."""


class Swapped(msgspec.Struct, frozen=True, kw_only=True):
    """`held_s` is how long the history worker had to wait, in seconds; `attempts` how often it was tried."""

    replay_id: int
    kept_schema: str | None
    held_s: float
    attempts: int


async def check_swap(desk: Desk) -> Replay:
    """Return the replay whose shadow can become the history; RefusedError says why there is none."""
    replay = await replays.of_shadow(desk.connection)
    if replay is None:
        raise RefusedError("There is no shadow to put in place: `tillstream replay run` makes one")
    number = replay.replay_id
    if not replay.scope.whole:
        raise RefusedError(
            f"Replay {number} is of {replay.scope}: only a replay of all history can take its place. Compare"
            " it (`tillstream replay diff`), drop it, and run one without a range"
        )
    if replay.state != "ready":
        raise RefusedError(
            f"Replay {number} is not whole yet ({replay.state}, {replay.offsets_done} of {replay.offsets_due}"
            " offsets): `tillstream replay run --resume`, then swap"
        )
    lost = [gap for gap in replay.gaps if desk.topic(gap.topic) != letters.TOPIC]
    if lost:
        where = ", ".join(f"{gap.topic}/{gap.partition} before {gap.log_begin}" for gap in lost)
        raise RefusedError(
            f"Replay {number} lacks what the log no longer has ({where}), and the live history may have it:"
            " it would be lost. Use the replay to compare, and repair the live history"
        )
    await _check_bonds(desk, SHADOW)
    return replay


async def check_rollback(desk: Desk) -> Replay:
    """Return the replay that can be taken back; RefusedError says why there is none."""
    swapped = [one for one in await replays.list_replays(desk.connection, limit=1000) if one.kept_schema]
    if not swapped:
        raise RefusedError("No history from before a swap is kept: there is nothing to go back to")
    replay = swapped[0]
    other = await replays.of_shadow(desk.connection)
    if other is not None or await shadow.exists(desk.connection, SHADOW):
        raise RefusedError(
            f"The schema {SHADOW.name} is in use{f' by replay {other.replay_id}' if other else ''}, and the"
            " history that is taken back becomes it: `tillstream replay drop` first"
        )
    await _check_bonds(desk, shadow.kept(replay.replay_id))
    return replay


async def swap(desk: Desk, order: Order, *, wait_s: float = WAIT_S, tell: Tell = silent) -> Swapped:
    """Put the shadow in the live history's place; what was before is kept.

    Raises BusyError, RefusedError, or ReplayError when readers or writers were in the way for `wait_s`.
    """
    async with turn(desk.connection, replays.TURN):
        replay = await check_swap(desk)
        async with audited(desk.connection, order) as result:
            outgoing = shadow.kept(replay.replay_id)
            done = await _exchanged(desk, replay, SHADOW, outgoing, wait_s, tell)
            result.update(msgspec.structs.asdict(done))
            return done


async def rollback(desk: Desk, order: Order, *, wait_s: float = WAIT_S, tell: Tell = silent) -> Swapped:
    """Bring the history from before the last swap up to now, and put it back in its place.

    What was swapped in is the shadow again. Raises as `swap` does.
    """
    async with turn(desk.connection, replays.TURN):
        replay = await check_rollback(desk)
        async with audited(desk.connection, order) as result:
            kept = shadow.kept(replay.replay_id)
            done = await _exchanged(desk, replay, kept, SHADOW, wait_s, tell)
            result.update(msgspec.structs.asdict(done))
            return done


async def _check_bonds(desk: Desk, incoming: Schema) -> None:
    name, is_own = await bonds.owner(desk.connection, HISTORY)
    if not is_own:
        raise RefusedError(f"The schema {HISTORY.name} is {name}'s: swap as {name}, who may rename it")
    if tied := await bonds.outside(desk.connection, HISTORY):
        raise RefusedError(
            f"These are tied to the tables of {HISTORY.name} and would go on reading the old ones:"
            f" {', '.join(tied)}. Drop them, swap, and make them again"
        )
    if extras := await bonds.extras(desk.connection, HISTORY, incoming):
        raise RefusedError(
            f"{HISTORY.name} has what {incoming.name} has not, and would lose it: {', '.join(extras)}. Make"
            f" them in {incoming.name} too, or drop them, then swap"
        )


async def _exchanged(
    desk: Desk, replay: Replay, incoming: Schema, outgoing: Schema, wait_s: float, tell: Tell
) -> Swapped:
    connection = desk.connection
    # A newer program may have been installed since it was written.
    await schema.migrate(connection, incoming)
    await copy_grants(connection, HISTORY, incoming)
    attempts = 0
    history = desk.history(incoming)
    try:
        await _near(desk, history, incoming, tell)
        # Without statistics the first reports on the new tables would be slow.
        await _analyze(desk, incoming)
        deadline = time.monotonic() + wait_s
        while True:
            await _near(desk, history, incoming, tell)
            attempts += 1
            began = time.monotonic()
            tried_at = await connection.fetchval("SELECT clock_timestamp()")
            try:
                async with live_held(connection):
                    caught_up_at = await _last_bit(desk, history, incoming)
                    await exchange(
                        connection, incoming, outgoing, consumer=desk.consumer, caught_up_at=caught_up_at
                    )
                    if incoming == SHADOW:
                        await replays.swapped(connection, replay.replay_id, outgoing.name)
                    else:
                        await replays.swapped_back(connection, replay.replay_id)
            except InTheWayError as error:
                if time.monotonic() > deadline:
                    raise ReplayError(await _blocked(desk, error, tried_at, wait_s)) from error
                await asyncio.sleep(uniform(0.2, 0.6))  # noqa: S311  # so as not to meet the same reader again
            else:
                return Swapped(
                    replay_id=replay.replay_id,
                    kept_schema=outgoing.name if incoming == SHADOW else None,
                    held_s=round(time.monotonic() - began, 3),
                    attempts=attempts,
                )
    finally:
        await history.close()


async def _near(desk: Desk, history: History, incoming: Schema, tell: Tell) -> None:
    """Catch up with the live history while it goes on, until little is left."""
    while True:
        spans = await _behind(desk, incoming)
        due = sum(span.end - span.begin for span in spans)
        tell(0, due)
        done = 0
        async for step in materialise(desk.log, history, spans, sieve(Scope())):
            done += step.offsets
            tell(done, due)
        if due <= NEAR_OFFSETS:
            return


async def _last_bit(desk: Desk, history: History, incoming: Schema) -> datetime:
    """Catch up with the live history while its writers are held; return the server's time then."""
    try:
        async with asyncio.timeout(LAST_BIT_S):
            spans = await _behind(desk, incoming)
            async for _ in materialise(desk.log, history, spans, sieve(Scope())):
                pass
    except TimeoutError as error:
        raise InTheWayError(f"the last records took more than {LAST_BIT_S:.0f} s") from error
    now: datetime = await desk.connection.fetchval("SELECT clock_timestamp()")
    return now


async def _behind(desk: Desk, incoming: Schema) -> Sequence[Span]:
    """Return what the incoming history lacks of the live one's; gives new places their beginning."""
    live = await shadow.positions(desk.connection, HISTORY, desk.consumer)
    other = await desk.session(incoming)
    try:
        stands: Mapping[Place, int] = await shadow.positions(other, incoming, desk.consumer)
        if new := live.keys() - stands.keys():
            begins = {place: log.begin for place, log in (await desk.log.ranges(new)).items()}
            await shadow.seed(other, incoming, desk.consumer, begins)
            stands = dict(stands) | begins
    finally:
        other.terminate()
    return [Span(*place, stands[place], end) for place, end in live.items() if stands[place] < end]


async def _analyze(desk: Desk, incoming: Schema) -> None:
    for row in await desk.connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = $1", incoming.name
    ):
        await desk.connection.execute(f"ANALYZE {row[0]}", timeout=schema.LONG_S)


async def _blocked(desk: Desk, error: InTheWayError, since: datetime, wait_s: float) -> str:
    names = await in_the_way(desk.connection, since)
    who = f": {'; '.join(names)}" if names else ""
    return (
        f"Not swapped, and nothing was changed: after {wait_s:.0f} s of trying, {error}. Sessions in the"
        f" way{who or ' are gone by now'}. Wait until they end or end them, or give more time with --wait"
    )
